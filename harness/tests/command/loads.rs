//! Loads: open and closed models, replicas, variations and capacities, from the file to the report.

use std::fs;

use serde_json::Value;

use super::workbench::{Finished, Workbench, backend, outcome, phase, rows};

/// One process, no warm-up, exactly so many steady requests, and doubts that turn nothing.
fn phases(requests: u64) -> String {
    format!(
        "[phases]\nrestarts = 1\n\n[phases.warm_up]\nmin_requests = 0\nmax_requests = 0\n\n[phases.steady]\n\
         min_requests = {requests}\nmax_requests = {requests}\n\n[validity]\non_doubt = \"note\"\n\n"
    )
}

/// A backend in a worker that takes this long for each request.
fn simulated(time: &str) -> String {
    format!(
        "[[backend]]\nkind = \"simulated\"\noptions = {{ distribution = {{ kind = \"constant\", time = \"{time}\" }} }}\n"
    )
}

fn ended(bench: &Workbench, scenario: &str, code: i32) -> Finished {
    let ended = bench.run_scenario(scenario);
    assert_eq!(ended.code, Some(code), "{}\n{}", ended.stdout, ended.stderr);
    ended
}

fn report(bench: &Workbench) -> String {
    fs::read_to_string(bench.run_folder().join("report.md")).expect("the report")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number: {value}"))
}

#[test]
fn an_open_model_reports_what_was_offered_and_each_sample_keeps_its_schedule() {
    let bench = Workbench::new();
    let load = "[load]\nkind = \"constant\"\nrate = \"200/s\"\n\n";
    let ended = ended(&bench, &format!("{load}{}{}", phases(100), simulated("1ms")), 0);
    assert!(ended.stdout.contains("load: constant, 200/s"), "{}", ended.stdout);
    let record = bench.record();
    let arrivals = &phase(backend(&record, "simulated"), "steady")["arrivals"];
    assert!((number(&arrivals["offered_per_second"]) - 200.0).abs() < 1e-6, "{arrivals}");
    assert_eq!(arrivals["given_up"], 0);
    let samples = rows(&bench.run_folder().join("samples.csv"));
    let times: Vec<u64> = samples
        .iter()
        .filter(|row| row["phase"] == "steady")
        .map(|row| row["scheduled_ns"].parse().expect("nanoseconds"))
        .collect();
    assert_eq!(times.len(), 100);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 5_000_000), "{times:?}");
    let report = report(&bench);
    assert!(report.contains("open model"), "{report}");
}

#[test]
fn a_closed_model_says_that_it_has_no_arrival_rate() {
    let bench = Workbench::new();
    let ended = ended(&bench, &format!("{}{}", phases(10), simulated("1ms")), 0);
    let said = "closed model: there is no fixed arrival rate";
    assert!(report(&bench).contains(said));
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let record = bench.record();
    let arrivals = &phase(backend(&record, "simulated"), "steady")["arrivals"];
    assert_eq!(arrivals["offered_per_second"], Value::Null);
}

#[test]
fn more_than_a_backend_takes_is_overloaded_reported_and_never_a_pass() {
    let bench = Workbench::new();
    let load = "[load]\nkind = \"constant\"\nrate = \"1000/s\"\nmax_queue = 20\n\n";
    let objective = "[[objective]]\nindicator = \"p95 response time\"\nbelow = \"10s\"\n\n";
    let text =
        format!("{load}{}{objective}{}", phases(1_000), simulated("20ms")).replace("note", "inconclusive");
    let ended = ended(&bench, &text, 3);
    assert!(ended.stdout.contains("it was overloaded: offered 1,000/s, achieved"), "{}", ended.stdout);
    let record = bench.record();
    assert_eq!(outcome(&record, "simulated").0, "measured", "it is reported all the same");
    let steady = phase(backend(&record, "simulated"), "steady");
    assert_eq!(steady["arrivals"]["given_up"], 21, "what waited when one more came than may");
    assert_eq!(steady["failures"], 21);
    assert_eq!(record["overall"], "INCONCLUSIVE");
}

#[test]
fn a_trace_is_replayed_with_its_texts_and_its_times() {
    let bench = Workbench::new();
    bench.write("arrivals.csv", "at,text\n0,one\n0.05,two words\n0.06,three\n");
    let load = "[load]\nkind = \"trace\"\nfile = \"arrivals.csv\"\n\n";
    let scenario = format!("{load}{}{}", phases(3), simulated("1ms"));
    ended(&bench, &scenario, 0);
    let samples = rows(&bench.run_folder().join("samples.csv"));
    let times: Vec<u64> = samples
        .iter()
        .filter(|row| row["phase"] == "steady")
        .map(|row| row["scheduled_ns"].parse().expect("nanoseconds"))
        .collect();
    assert_eq!(times.iter().map(|at| at - times[0]).collect::<Vec<_>>(), [0, 50_000_000, 60_000_000]);
}

#[test]
fn two_replicas_answer_two_callers_in_the_time_of_one() {
    let bench = Workbench::new();
    let matrix = "[[matrix]]\nreplicas = [1, 2]\n";
    let load = "[load]\nconcurrency = 2\n\n";
    let scenario = format!("{load}{}{}{matrix}", phases(40), simulated("20ms"));
    ended(&bench, &scenario, 0);
    let record = bench.record();
    let median = |name: &str| {
        let steady = phase(backend(&record, name), "steady");
        number(&steady["response_time"]["percentiles"][0]["value_ns"]) / 1e6
    };
    let (one, two) = (median("simulated-replicas1"), median("simulated-replicas2"));
    assert!(one >= 40.0 && two >= 20.0, "no answer comes before its service time: {one} ms, {two} ms");
    assert!(one / two > 1.3, "with one worker each caller waits for the other: {one} ms against {two} ms");
    let varied = backend(&record, "simulated-replicas2");
    assert_eq!((&varied["replicas"], &varied["cell"]["of"]), (&2.into(), &"simulated".into()));
    assert!(bench.run_folder().join("cells.svg").is_file());
    assert!(report(&bench).contains("replicas"));
}

const CAPACITY: &str = r#"
[phases]
restarts = 1

[phases.warm_up]
min_requests = 0
max_requests = 0

[phases.steady]
min_requests = 120
max_requests = 600
max_seconds = 20

[validity]
on_doubt = "note"

[[objective]]
indicator = "p95 response time"
below = "100ms"
confidence = 0.95

"#;

#[test]
fn a_capacity_is_searched_and_certified_and_names_a_rate() {
    let bench = Workbench::new();
    let search = "[capacity]\nload = \"constant\"\nprobe = \"200ms\"\n\n";
    let ended = ended(&bench, &format!("{CAPACITY}{search}{}", simulated("5ms")), 0);
    let record = bench.record();
    let capacity = &record["capacities"][0];
    assert_eq!(capacity["backend"], "simulated");
    let tries = capacity["search"].as_array().map_or(0, Vec::len);
    assert!((2..=10).contains(&tries), "five rates at most, those that missed twice: {capacity}");
    let passed = number(&capacity["highest_pass"]);
    assert!((10.0..=200.0).contains(&passed), "200/s is all that 5 ms allow: {capacity}");
    let levels = capacity["levels"].as_array().expect("levels");
    assert!(levels.len() > 1);
    let tested = backend(&record, levels[0]["backend"].as_str().expect("a name"));
    assert_eq!(tested["cell"]["axes"][0]["name"], "rate");
    assert!(number(&levels[0]["littles_law"]["difference"]).abs() < 0.2, "{levels:#?}");
    assert!(ended.stdout.contains("simulated: sustains"), "{}", ended.stdout);
    assert!(bench.run_folder().join("capacity.svg").is_file());
    let names: Vec<String> = rows(&bench.run_folder().join("samples.csv"))
        .into_iter()
        .map(|mut row| row.remove("backend").unwrap_or_default())
        .collect();
    assert!(names.iter().any(|name| name == "simulated"), "the search's requests are there");
    assert!(names.iter().any(|name| name == levels[0]["backend"].as_str().unwrap_or_default()));
}

#[test]
fn rates_are_certified_in_order_up_to_the_first_that_does_not_pass() {
    let bench = Workbench::new();
    let given = "[capacity]\nload = \"constant\"\nrates = [\"50/s\", \"900/s\", \"950/s\"]\n\n[load]\nmax_queue = 50\n\n";
    ended(&bench, &format!("{CAPACITY}{given}{}", simulated("5ms")), 0);
    let record = bench.record();
    let levels = record["capacities"][0]["levels"].as_array().expect("levels").clone();
    let verdicts: Vec<&Value> = levels.iter().map(|level| &level["verdict"]).collect();
    assert_eq!(verdicts[0], "PASS");
    assert!(verdicts[1] == "FAIL" || verdicts[1] == "INCONCLUSIVE", "{verdicts:?}");
    assert_eq!(verdicts[2], &Value::Null, "a rate above one that did not pass is not tested");
    assert_eq!(record["capacities"][0]["highest_pass"], 50.0);
    assert_eq!(record["overall"], "PASS", "a capacity that is known is an answer");
    assert!(
        record["backends"].as_array().is_some_and(|all| all.iter().all(|one| one["name"] != "simulated"))
    );
}

#[test]
fn a_run_whose_callers_think_longer_than_its_budget_ends_near_it_and_was_warned_of() {
    let bench = Workbench::new();
    let scenario = "[load]\nthink_time = \"300ms\"\n[phases]\nrestarts = 3\n[phases.warm_up]\nmin_requests = 0\n\
                    max_requests = 50\n[phases.steady]\nmin_requests = 100\nmax_seconds = 0.6\n[[objective]]\n\
                    indicator = \"p95 response time\"\nbelow = \"20s\"\n";
    let ended = ended(&bench, &format!("{scenario}{}", simulated("1ms")), 3);
    let warned =
        "warning: simulated: the load (closed, concurrency 1, think time 300 ms) makes about 3 requests due";
    assert!(ended.stderr.contains(warned), "{}", ended.stderr);
    let record = bench.record();
    assert!(
        record["warnings"][0]["remedy"].as_str().is_some_and(|remedy| remedy.contains("max_seconds")),
        "{record}"
    );
    let simulated = backend(&record, "simulated");
    assert_eq!(simulated["verdicts"][0]["verdict"], "INCONCLUSIVE");
    assert_eq!(
        simulated["cold_starts"].as_array().map(Vec::len),
        Some(3),
        "no restart beside the planned ones"
    );
    let steady = phase(simulated, "steady");
    let requests = steady["requests"].as_u64().expect("a count");
    assert!(requests <= 3, "at most one in each restart, and its caller thought for the rest: {steady}");
}

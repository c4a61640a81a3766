//! Which backend a run speaks for, from a scenario to the words on the screen.

use serde_json::Value;

use super::workbench::{Finished, Workbench, backend, finish, flat};

/// Few requests in three restarts, whatever the machine is busy with.
const SHORT: &str = "[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 3\n\
                     [phases.warm_up]\nmin_requests = 0\nmax_requests = 0\n\
                     [phases.steady]\nmin_requests = 150\nmax_requests = 150\n";
const OBJECTIVE: &str =
    "[[objective]]\nindicator = \"p95 response time\"\nbelow = \"2s\"\nconfidence = 0.9\n";

/// A backend that takes that long.
fn simulated(name: &str, time: &str, more: &str) -> String {
    format!(
        "[[backend]]\nname = \"{name}\"\nkind = \"simulated\"\nplacement = \"in-process\"\n{more}\
         options = {{ distribution = {{ kind = \"constant\", time = \"{time}\" }} }}\n"
    )
}

fn run(scenario: &str, arguments: &[&str]) -> (Finished, Value) {
    let bench = Workbench::new();
    bench.write("scenario.toml", scenario);
    let ended = finish(&mut bench.tailmark_in_brief(&[&["scenario", "scenario.toml"], arguments].concat()));
    let record = if ended.code == Some(2) { Value::Null } else { bench.record() };
    (ended, record)
}

fn row<'a>(record: &'a Value, name: &str) -> &'a Value {
    let rows = record["decision"]["rows"].as_array().expect("rows");
    rows.iter().find(|row| row["backend"] == name).expect("a row of each backend")
}

#[test]
fn the_fastest_that_meets_every_objective_is_the_answer_and_the_others_say_how_far_they_are() {
    let backends =
        [simulated("slow", "9ms", ""), simulated("fast", "1ms", ""), simulated("late", "3ms", "")].concat();
    let missed = "[[objective]]\nindicator = \"p50 response time\"\nbelow = \"1us\"\nbackends = [\"late\"]\nconfidence = 0.9\n";
    let (ended, record) = run(&format!("{SHORT}{OBJECTIVE}{missed}{backends}"), &[]);
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(record["decision"]["answer"], "fast");
    assert_eq!(record["decision"]["quantile"], 0.95);
    let order: Vec<&str> = record["decision"]["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| row["backend"].as_str())
        .collect();
    assert_eq!(order, ["fast", "slow", "late"]);
    let slow = row(&record, "slow");
    assert_eq!(slow["standing"], "behind");
    let ratio = &slow["ratio"];
    assert!(
        ratio["low"].as_f64().expect("an end") > 1.0 && ratio["value"].as_f64().expect("a ratio") > 2.0,
        "{ratio}"
    );
    assert_eq!(row(&record, "late")["standing"], "misses");

    let said = flat(&ended.stdout);
    assert!(said.contains("Deploy fast: P95 response time "), "{said}");
    assert!(said.contains(" of 2 s, at most a 10 % chance of error"), "{said}");
    assert!(said.contains("slow takes ") && said.contains(" times as long."), "{said}");
    assert!(said.contains("late misses P50 response time < 1 µs."), "{said}");
}

#[test]
fn without_an_objective_nothing_passes_and_the_order_is_shown_all_the_same() {
    let backends = [simulated("slow", "6ms", ""), simulated("fast", "1ms", "")].concat();
    let (ended, record) = run(&format!("{SHORT}{backends}"), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(record["decision"]["answer"].is_null());
    assert_eq!(row(&record, "fast")["standing"], "best");
    let said = flat(&ended.stdout);
    assert!(
        said.contains("No objective is set, so nothing passes. Lowest P95 response time: fast, "),
        "{said}"
    );
}

#[test]
fn nothing_that_was_asked_different_things_is_ranked() {
    let backends = [simulated("one", "1ms", ""), simulated("many", "1ms", "batch_size = 8\n")].concat();
    let (ended, record) = run(&format!("{SHORT}{OBJECTIVE}{backends}"), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(record["decision"]["answer"].is_null());
    let said = flat(&ended.stdout);
    assert!(
        said.contains("No backend is recommended: their batch sizes differ (1; 8), so they are not ranked."),
        "{said}"
    );
    assert!(row(&record, "many")["ratio"].is_null());
}

#[test]
fn what_counts_can_be_throughput_memory_cold_start_or_cost() {
    let backends = [
        simulated("slow", "6ms", "price_per_hour = 0.01\n"),
        simulated("fast", "1ms", "price_per_hour = 10\n"),
    ]
    .concat();
    let scenario = format!("{SHORT}{OBJECTIVE}{backends}");
    for (prefer, answer, words) in [
        ("throughput", "fast", "throughput "),
        ("cost", "slow", "price of a million texts "),
        ("cold_start", "fast", "cold start (geometric mean) "),
    ] {
        let (ended, record) = run(&scenario, &["--set", &format!("decision.prefer={prefer}")]);
        assert_eq!(ended.code, Some(0), "{prefer}: {}", ended.stderr);
        assert_eq!(record["decision"]["answer"], answer, "{prefer}: {}", record["decision"]);
        let said = flat(&ended.stdout);
        assert!(said.contains(&format!("Deploy {answer}: {words}")), "{prefer}: {said}");
    }
    let (_, record) = run(&scenario, &["--set", "decision.prefer=throughput"]);
    let ratio = row(&record, "slow")["ratio"]["value"].as_f64().expect("a ratio");
    assert!(ratio < 0.5, "{ratio}");
    // What has no process of its own has no memory of its own: then nothing is ranked by it, and that is said.
    let (ended, record) = run(&scenario, &["--set", "decision.prefer=memory"]);
    if backend(&record, "fast")["resources"].is_null() {
        assert!(record["decision"]["answer"].is_null());
        let said = flat(&ended.stdout);
        assert!(said.contains("the figure to rank it by was not measured"), "{said}");
    }
}

#[test]
fn wishes_that_cannot_be_are_refused_with_the_rule() {
    let scenario = format!("{SHORT}{OBJECTIVE}{}", simulated("one", "1ms", ""));
    for (set, said) in [
        (
            "decision.prefer=latancy",
            "unknown `latancy`; did you mean `latency`?; write one of `latency`, `throughput`",
        ),
        ("decision.same_within=0%", "`0%` is not a share: write more than 0 %"),
        ("decision.same_within=80%", "80 %; must be at most 50 %"),
        ("decision.same_within=0.1", "decision.same_within"),
        ("decision.prefer=cost", "`cost` needs a price: set price_per_hour here, or for each backend"),
        ("decision.price_per_hour=-1", "-1 is no price of an hour; must be above 0"),
        ("decision.prefers=cost", "prefers"),
    ] {
        let (ended, _) = run(&scenario, &["--set", set]);
        assert_eq!(ended.code, Some(2), "{set}: {}", ended.stderr);
        assert!(flat(&ended.stderr).contains(said), "{set}: {said}: {}", ended.stderr);
    }
}

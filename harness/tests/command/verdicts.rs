//! What is judged and how it ends: every indicator, decided each way and left open, `--quick`, and doubts about the
//! machine.

use std::fs;

use serde_json::Value;

use super::workbench::{Finished, Workbench, backend, outcome, phase, rows};

/// Answers at once, so that only counts decide.
const FAST: &str = "{ distribution = { kind = \"constant\", time = \"10us\" } }";

/// A scenario of one simulated backend in these restarts without warm-up, with these least and most steady requests, this
/// objective and these options.
struct Judged<'a> {
    restarts: u32,
    requests: (u64, u64),
    objective: &'a str,
    options: &'a str,
}

impl Judged<'_> {
    /// Exactly so many requests in one process.
    fn once<'a>(requests: u64, objective: &'a str, options: &'a str) -> Judged<'a> {
        Judged { restarts: 1, requests: (requests, requests), objective, options }
    }

    fn text(&self) -> String {
        let Self { restarts, requests: (least, most), objective, options } = self;
        format!(
            "[phases]\nrestarts = {restarts}\n\n[phases.warm_up]\nmin_requests = 0\nmax_requests = 0\n\n\
             [phases.steady]\nmin_requests = {least}\nmax_requests = {most}\n\n[validity]\non_doubt = \"note\"\n\n\
             [[objective]]\n{objective}\n\n[[backend]]\nkind = \"simulated\"\noptions = {options}\n"
        )
    }

    /// Runs it to its end, which must be this exit code.
    fn ends_with(&self, code: i32) -> Run {
        Run::of(&self.text(), &[], code)
    }
}

/// A run that came to its end.
struct Run {
    bench: Workbench,
    ended: Finished,
    record: Value,
}

impl Run {
    fn of(scenario: &str, arguments: &[&str], code: i32) -> Self {
        let bench = Workbench::new();
        bench.write("scenario.toml", scenario);
        let mut all = vec!["scenario", "scenario.toml"];
        all.extend(arguments);
        let ended = bench.run(&all);
        assert_eq!(ended.code, Some(code), "{}\n{}", ended.stdout, ended.stderr);
        let record = bench.record();
        let overall = match code {
            0 => "PASS",
            1 => "FAIL",
            _ => "INCONCLUSIVE",
        };
        assert_eq!(record["overall"], overall);
        assert!(ended.stdout.contains(&format!("verdict: {overall}")), "{}", ended.stdout);
        Self { bench, ended, record }
    }

    /// The first verdict on the first backend.
    fn verdict(&self) -> &Value {
        &self.record["backends"][0]["verdicts"][0]
    }

    /// Why it is so.
    fn why(&self) -> &str {
        self.verdict()["why"].as_str().expect("a reason")
    }

    /// What is to be done, which the terminal must say too.
    fn next(&self) -> &str {
        let next = self.verdict()["next"].as_str().expect("what next");
        let said = self.ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(next), "{next:?} is not in:\n{}", self.ended.stdout);
        next
    }

    fn report(&self) -> String {
        fs::read_to_string(self.bench.run_folder().join("report.md")).expect("the report")
    }
}

/// An objective on P95 of the response time.
fn p95_below(limit: &str) -> String {
    format!("indicator = \"p95 response time\"\nbelow = \"{limit}\"")
}

/// Lognormal service times with this P95, wide enough that a millisecond more changes little at the limit.
fn lognormal(p95: &str) -> String {
    format!("{{ distribution = {{ kind = \"lognormal\", median = \"2ms\", p95 = \"{p95}\" }}, seed = 1 }}")
}

#[test]
fn a_backend_that_is_too_slow_ends_with_1_and_says_why() {
    let slow = "{ distribution = { kind = \"constant\", time = \"25ms\" } }";
    let run = Judged::once(60, &p95_below("20ms"), slow).ends_with(1);
    let counted = (run.verdict()["requests"].as_u64(), run.verdict()["exceeded"].as_u64());
    assert_eq!(counted, (Some(60), Some(60)));
    let why = run.why();
    assert!(
        why.contains("60 of 60 requests (100 %) took longer than 20 ms or failed, and at most 5 % may"),
        "{why}"
    );
    assert!(run.next().contains("the largest share of the time goes to "));
    let report = run.report();
    assert!(report.contains("FAIL") && report.contains("60 of 60 requests"), "{report}");
}

#[test]
fn a_count_that_cannot_decide_ends_with_3_and_says_what_would_settle_it() {
    let run = Judged::once(20, &p95_below("10s"), FAST).ends_with(3);
    assert_eq!(run.verdict()["verdict"], "INCONCLUSIVE");
    let more = run.verdict()["requests_to_settle"].as_u64().expect("so many more would settle it");
    assert!(run.next().contains(&format!("phases.steady.max_requests = {}", 20 + more)), "{}", run.next());
    // What it says would settle it does.
    Judged::once(20 + more, &p95_below("10s"), FAST).ends_with(0);
}

#[test]
fn an_objective_that_is_open_at_the_least_count_goes_on_in_further_processes_until_it_is_decided() {
    let run = Judged { restarts: 2, requests: (20, 20_000), objective: &p95_below("10s"), options: FAST }
        .ends_with(0);
    let requests = run.verdict()["requests"].as_u64().expect("a count");
    assert!((60..1000).contains(&requests), "it ends as soon as it is decided: {requests}");
    assert_eq!(phase(&run.record["backends"][0], "steady")["requests"], requests);
    let restarts = run.verdict()["restarts"].as_u64().expect("a count");
    assert!(restarts > 2);
    let cold_starts = run.record["backends"][0]["cold_starts"].as_array().map(Vec::len);
    assert_eq!(cold_starts.map(|count| count as u64), Some(restarts));
    let band = run.verdict()["band"].as_array().expect("the looks");
    let last = band.last().expect("a look");
    assert_eq!((band[0]["requests"].as_u64(), last["requests"].as_u64()), (Some(20), Some(requests)));
    assert!(last["high"].as_f64().is_some_and(|high| high < 0.05), "{last}");
    assert!(run.bench.run_folder().join("exceedance.svg").is_file());
}

#[test]
fn a_p95_well_over_the_limit_is_a_fail_before_the_most_requests_are_made() {
    let run = Judged {
        restarts: 1,
        requests: (60, 20_000),
        objective: &p95_below("3ms"),
        options: &lognormal("20ms"),
    }
    .ends_with(1);
    let exceedance = &run.verdict()["exceedance"];
    assert!(exceedance["low"].as_f64().is_some_and(|low| low > 0.05), "{exceedance}");
    assert!(run.verdict()["requests"].as_u64().is_some_and(|requests| requests < 1000), "{}", run.why());
    assert!(
        run.verdict()["error_bound"]
            .as_str()
            .is_some_and(|bound| bound.contains("at most a 1 % chance of error"))
    );
}

#[test]
fn a_p95_at_the_limit_is_inconclusive_and_says_what_next() {
    let run = Judged::once(300, &p95_below("20ms"), &lognormal("20ms")).ends_with(3);
    let exceedance = &run.verdict()["exceedance"];
    let (low, high) = (exceedance["low"].as_f64(), exceedance["high"].as_f64());
    assert!(low < Some(0.05) && high > Some(0.05), "{exceedance}");
    assert_eq!(run.verdict()["requests"], 300);
    assert!(!run.next().is_empty());
    let report = run.report();
    assert!(report.contains("INCONCLUSIVE") && report.contains(run.next()), "{report}");
}

#[test]
fn failed_requests_count_as_over_the_limit_however_fast_they_failed() {
    let failing = "{ failures = 0.3, distribution = { kind = \"constant\", time = \"10us\" } }";
    let run = Judged::once(300, &p95_below("10s"), failing).ends_with(1);
    let record = &run.record;
    assert_eq!(
        outcome(record, "simulated"),
        ("measured", ""),
        "a failed request is counted, not the end of the run"
    );
    let steady = phase(backend(record, "simulated"), "steady");
    let failures = steady["failures"].as_u64().expect("a count");
    assert!(failures > 0);
    assert_eq!(run.verdict()["exceeded"].as_u64(), Some(failures));
    assert_eq!(steady["failure_reasons"][0]["requests"].as_u64(), Some(failures));
    let failed = rows(&run.bench.run_folder().join("samples.csv"));
    let failed = failed.iter().filter(|row| row["phase"] == "steady" && row["outcome"] == "failed").count();
    assert_eq!(failed as u64, failures);
}

#[test]
fn a_request_past_its_deadline_is_a_timeout_and_counts_as_over_the_limit() {
    let hanging = Judged::once(60, &p95_below("10s"), "{ hangs = 1.0 }").text();
    // A worker would be taken to hang and be replaced; what runs in-process cannot be.
    let hanging = format!("{hanging}placement = \"in-process\"\n");
    let run = Run::of(&format!("[deadlines]\nrequest = \"20ms\"\nshutdown = \"100ms\"\n\n{hanging}"), &[], 1);
    let steady = phase(backend(&run.record, "simulated"), "steady");
    assert_eq!((steady["timeouts"].as_u64(), steady["failures"].as_u64()), (Some(60), Some(60)));
    assert!(steady["response_time"].is_null(), "nothing was answered");
    assert_eq!(run.verdict()["exceeded"].as_u64(), Some(60));
}

#[test]
fn the_service_time_is_judged_like_the_response_time() {
    for (limit, code) in [("10s", 0), ("1us", 1)] {
        let objective = format!("indicator = \"p95 service time\"\nbelow = \"{limit}\"");
        let run = Judged::once(300, &objective, FAST).ends_with(code);
        assert!(run.why().contains("P95 service time is"), "{}", run.why());
        assert_eq!(run.verdict()["exceeded"], if code == 0 { 0 } else { 300 });
    }
}

#[test]
fn a_share_of_failures_is_judged_by_failures_alone() {
    let objective = "indicator = \"failure share\"\nbelow = \"5%\"";
    let run = Judged::once(300, objective, FAST).ends_with(0);
    assert!(run.why().contains("0 of 300 requests (0 %) failed, and at most 5 % may"), "{}", run.why());
    let run = Judged::once(
        300,
        objective,
        "{ failures = 0.3, distribution = { kind = \"constant\", time = \"10us\" } }",
    )
    .ends_with(1);
    let failures = phase(&run.record["backends"][0], "steady")["failures"].as_u64();
    assert_eq!(run.verdict()["exceeded"].as_u64(), failures);
    let share = run.verdict()["estimate"]["value"].as_f64().expect("a share");
    assert!((0.2..0.4).contains(&share), "30 % of 300, seeded: {share}");
    let run = Judged::once(20, objective, FAST).ends_with(3);
    assert!(run.next().contains("phases.steady.max_requests"), "{}", run.next());
}

#[test]
fn throughput_is_counted_in_texts_and_must_reach_its_limit() {
    let at_least = |rate: &str| format!("indicator = \"throughput\"\nat_least = \"{rate}\"");
    let slow = "{ distribution = { kind = \"constant\", time = \"5ms\" } }";
    // No more than 200 texts a second can be answered in five milliseconds each.
    for (rate, code) in [("1/s", 0), ("1000/s", 1)] {
        let run = Judged::once(60, &at_least(rate), slow).ends_with(code);
        let value = run.verdict()["estimate"]["value"].as_f64().expect("a rate");
        assert!(value > 1.0 && value <= 200.0, "{value}");
        assert_eq!(run.verdict()["requests"], 60);
    }
    let run = Judged::once(5, &at_least("1/s"), slow).ends_with(3);
    assert_eq!(run.why(), "too few requests for an interval");
    assert!(run.next().contains("min_requests"), "{}", run.next());
}

#[test]
fn a_cold_start_is_judged_over_the_restarts() {
    let cold = |restarts: u32, limit: &str, load: &str| {
        let (objective, options) = (
            format!("indicator = \"p50 cold start\"\nbelow = \"{limit}\""),
            format!("{{ load = \"{load}\", distribution = {{ kind = \"constant\", time = \"10us\" }} }}"),
        );
        Judged { restarts, requests: (7, 7), objective: &objective, options: &options }.text()
    };
    // One half to the seventh is less than a hundredth, and to the sixth it is not.
    let run = Run::of(&cold(7, "10s", "0ms"), &[], 0);
    assert_eq!((&run.verdict()["requests"], &run.verdict()["exceeded"]), (&7.into(), &0.into()));
    let run = Run::of(&cold(7, "20ms", "30ms"), &[], 1);
    assert!(
        run.why().contains("7 of 7 cold starts took longer than 20 ms or failed, and at most 50 % may"),
        "{}",
        run.why()
    );
    let run = Run::of(&cold(6, "10s", "0ms"), &[], 3);
    assert!(run.next().contains("set phases.restarts = 7"), "{}", run.next());
}

#[test]
fn the_memory_of_a_worker_is_read_off_and_that_of_the_harness_is_not() {
    let below = |limit: &str| format!("indicator = \"peak rss\"\nbelow = \"{limit}\"");
    for (limit, code) in [("64GiB", 0), ("1kB", 1)] {
        let run = Judged::once(20, &below(limit), FAST).ends_with(code);
        let peak = run.record["backends"][0]["resources"]["peak_rss_bytes"].as_u64().expect("bytes");
        assert_eq!(run.verdict()["estimate"]["value"].as_f64(), Some(peak as f64));
        assert!(peak > 1000);
    }
    let within = Judged::once(20, &below("64GiB"), FAST).text() + "placement = \"in-process\"\n";
    let run = Run::of(&within, &[], 3);
    assert!(run.why().contains("peak RSS was not measured for this backend"), "{}", run.why());
    assert!(run.next().contains("backends = [...]"), "{}", run.next());
}

#[test]
fn vectors_that_no_model_made_have_no_cosine_to_judge() {
    let run = Judged::once(20, "indicator = \"cosine\"\nat_least = \"0.999\"", FAST).ends_with(3);
    assert!(run.why().contains("cosine to the reference was not measured for this backend"), "{}", run.why());
}

#[test]
fn a_warm_up_between_two_bounds_is_recorded_for_every_restart() {
    let text = "[phases]\nrestarts = 2\n\n[phases.warm_up]\nmin_requests = 20\nmax_requests = 200\n\n\
                [phases.steady]\nmin_requests = 10\n\n[[backend]]\nkind = \"null\"\n";
    let bench = Workbench::new();
    let ended = bench.run_scenario(text);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    let warm_ups = record["backends"][0]["warm_up"].as_array().expect("one for each restart").clone();
    let requests: Vec<u64> = warm_ups.iter().filter_map(|one| one["requests"].as_u64()).collect();
    assert_eq!(requests.len(), 2, "{warm_ups:?}");
    assert!(requests.iter().all(|requests| (20..=200).contains(requests)), "{requests:?}");
    assert_eq!(phase(&record["backends"][0], "warm_up")["requests"], requests.iter().sum::<u64>());
    assert!(warm_ups.iter().all(|one| one["steady"] == true || one["requests"] == 200), "{warm_ups:?}");
}

#[test]
fn a_quick_run_decides_early_in_one_process_and_says_what_its_verdict_rests_on() {
    let text =
        Judged { restarts: 3, requests: (2000, 20_000), objective: &p95_below("10s"), options: FAST }.text();
    let run = Run::of(&text, &["--quick"], 0);
    assert_eq!((&run.record["mode"], &run.record["horizon"]), (&"quick".into(), &Value::Null));
    let said = run.ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("Quick mode (--quick)") && said.contains("independent"), "{}", run.ended.stdout);
    assert!(run.report().contains("Quick mode (--quick)"));
    let bound = run.verdict()["error_bound"].as_str().expect("an error bound");
    assert!(bound.contains("provided requests are independent (--quick)"), "{bound}");
    assert!(run.verdict()["requests"].as_u64().is_some_and(|requests| requests < 1000), "{}", run.why());
    assert_eq!(run.record["backends"][0]["cold_starts"].as_array().map(Vec::len), Some(1));

    let run = Run::of(&text, &[], 0);
    assert_eq!((&run.record["mode"], &run.record["horizon"]["requests"]), (&"default".into(), &2000.into()));
    assert!(!run.ended.stdout.contains("--quick"), "{}", run.ended.stdout);
    assert_eq!((&run.verdict()["requests"], &run.verdict()["restarts"]), (&2000.into(), &3.into()));
}

#[test]
fn a_serious_doubt_turns_a_pass_into_inconclusive_and_says_what_it_would_have_been() {
    // No clock is fine enough for a limit of a nanosecond, and the doubt about it is about the whole run. The objective
    // with that limit is asked of a backend that does not run.
    let text = Judged::once(300, "indicator = \"failure share\"\nbelow = \"5%\"", FAST).text()
        + "\n[[objective]]\nindicator = \"p95 response time\"\nbelow = \"1ns\"\nbackends = [\"other\"]\n\n\
           [[backend]]\nname = \"other\"\nkind = \"null\"\noptional = true\n";
    let noted = Run::of(&text, &[], 0);
    assert!(noted.verdict()["doubted"].is_null());
    let about_the_clock = |run: &Run| {
        let doubts = run.record["doubts"].as_array().expect("doubts").clone();
        doubts
            .into_iter()
            .find(|doubt| doubt["what"].as_str().is_some_and(|what| what.contains("the clock ticks")))
    };
    let doubt = about_the_clock(&noted).expect("a doubt about the clock");
    assert_eq!(doubt["serious"], true, "{doubt}");

    let turned = Run::of(&text.replace("\"note\"", "\"inconclusive\""), &[], 3);
    let doubt = about_the_clock(&turned).expect("a doubt about the clock");
    let what = doubt["what"].as_str().expect("what is doubtful");
    let doubted = turned.verdict()["doubted"].as_str().expect("what it would have been");
    assert!(doubted.starts_with("PASS, but ") && doubted.contains(what), "{doubted}");
    assert!(turned.why().starts_with("the conditions do not allow a verdict: "), "{}", turned.why());
    assert_eq!(turned.verdict()["error_bound"], "no decision");
    assert!(turned.report().contains(what), "{}", turned.report());
    turned.next();
}

#[test]
fn what_failed_comes_before_the_machine_and_errors_alone_keep_a_fail() {
    // The doubt is the one about the clock, see above.
    let doubtful = |options: &str| {
        let text = Judged::once(300, &p95_below("10s"), options).text()
            + "\n[[objective]]\nindicator = \"p95 response time\"\nbelow = \"1ns\"\nbackends = [\"other\"]\n\n\
               [[backend]]\nname = \"other\"\nkind = \"null\"\noptional = true\n";
        text.replace("\"note\"", "\"inconclusive\"")
    };
    let run = Run::of(&doubtful("{ failures = 1.0 }"), &[], 1);
    assert!(run.why().starts_with("all 300 requests failed: `embedding failed: "), "{}", run.why());
    assert!(run.next().starts_with("find out why requests fail"), "{}", run.next());
    assert!(run.verdict()["doubted"].is_null(), "no noise makes a backend answer with an error");

    // Timeouts may come of a busy machine: the verdict is turned, and they are named first all the same.
    let hanging = doubtful("{ hangs = 1.0 }")
        .replace("\nkind = \"simulated\"", "\nkind = \"simulated\"\nplacement = \"in-process\"");
    let run = Run::of(&format!("[deadlines]\nrequest = \"20ms\"\nshutdown = \"100ms\"\n\n{hanging}"), &[], 3);
    let start =
        "all 300 requests failed: `no answer within the deadline`; the conditions do not allow a verdict: ";
    assert!(run.why().starts_with(start), "{}", run.why());
    assert!(run.verdict()["doubted"].as_str().is_some_and(|doubted| doubted.starts_with("FAIL")));
    assert!(run.next().starts_with("find out why requests fail"), "{}", run.next());
    assert!(run.next().contains("; then "), "and then what to do about the machine: {}", run.next());
}

#[test]
fn memory_is_what_it_is_however_doubtful_the_machine() {
    let text = Judged::once(20, "indicator = \"peak rss\"\nbelow = \"64GiB\"", FAST).text()
        + "\n[[objective]]\nindicator = \"p95 response time\"\nbelow = \"1ns\"\nbackends = [\"other\"]\n\n\
           [[backend]]\nname = \"other\"\nkind = \"null\"\noptional = true\n";
    let run = Run::of(&text.replace("\"note\"", "\"inconclusive\""), &[], 0);
    assert!(
        run.record["doubts"]
            .as_array()
            .is_some_and(|doubts| doubts.iter().any(|doubt| doubt["serious"] == true))
    );
    assert!(run.verdict()["doubted"].is_null());
}

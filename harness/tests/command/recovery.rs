//! A harness that is killed at any moment leaves a folder that `tailmark report` can read, and that says how far the run came.

use std::fs;
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use super::interruption::{run_folder, wait_for};
use super::workbench::{Finished, Workbench, backend, phase, rows};

/// A backend that would be measured for days, in restarts that are or are not.
fn scenario(load: &str, warm_up: u64, restarts: u32, steady: u64) -> String {
    format!(
        r#"
[phases]
restarts = {restarts}

[phases.warm_up]
min_requests = {warm_up}
max_requests = {warm_up}

[phases.steady]
min_requests = {steady}
max_requests = {steady}
max_seconds = 1000000

[[objective]]
indicator = "p95 response time"
below = "1s"

[[backend]]
kind = "simulated"
options = {{ load = "{load}", distribution = {{ kind = "constant", time = "1ms" }} }}
"#
    )
}

/// Runs until `now` sees its moment in the run folder, and kills it then.
fn killed(scenario: &str, now: impl Fn(&Path) -> bool) -> Workbench {
    let bench = Workbench::new();
    bench.write("scenario.toml", scenario);
    let mut harness =
        Harness(bench.tailmark(&["scenario", "scenario.toml"]).spawn().expect("tailmark was started"));
    wait_for("the moment to kill tailmark", || run_folder(&bench).filter(|folder| now(folder)));
    harness.0.kill().expect("tailmark was there to be killed");
    let ended = harness.0.wait().expect("its status");
    assert_eq!(ended.code(), None, "it ended by the signal");
    bench
}

/// Is killed with the test, should that fail.
struct Harness(Child);

impl Drop for Harness {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn has_samples_of(folder: &Path, phase: &str) -> bool {
    fs::read_to_string(folder.join("samples.csv"))
        .is_ok_and(|samples| samples.contains(&format!(",{phase},")))
}

fn record_of(folder: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(folder.join("run.json")).ok()?).ok()
}

/// Reports the run, and checks what must hold whenever it was killed.
fn reported(bench: &Workbench) -> (Finished, Value) {
    let folder = bench.run_folder();
    assert_eq!(bench.record()["status"]["state"], "running", "nobody could say more before the report");
    let shown = bench.run(&["report", &folder.to_string_lossy()]);
    assert_eq!(shown.code, Some(3), "{}", shown.stderr);
    let record = bench.record();
    assert_eq!(record["status"]["state"], "interrupted");
    assert_eq!(record["status"]["by"], "tailmark was killed");
    assert!(shown.stderr.contains("tailmark was killed: the run was interrupted"), "{}", shown.stderr);
    assert_eq!(record["overall"], Value::Null);
    let report = fs::read_to_string(folder.join("report.md")).expect("the report");
    assert!(report.to_lowercase().contains("interrupted"), "{report}");
    assert!(report.contains("tailmark was killed before the run ended"), "{report}");
    (shown, record)
}

/// The whole rows of a phase that are on disk.
fn on_disk(bench: &Workbench, phase: &str) -> Vec<std::collections::HashMap<String, String>> {
    let csv = bench.run_folder().join("samples.csv");
    let text = fs::read_to_string(&csv).expect("the samples");
    // What comes after the last line break is half a line.
    fs::write(&csv, &text[..=text.rfind('\n').expect("a line")]).expect("written");
    rows(&csv).into_iter().filter(|row| row["phase"] == phase).collect()
}

/// Checks that the record has exactly the requests of that phase that are on disk.
fn assert_has_what_is_on_disk(bench: &Workbench, record: &Value, name: &str) {
    let simulated = backend(record, "simulated");
    let requests = phase(simulated, name)["requests"].as_u64();
    let rows = on_disk(bench, name);
    assert_eq!(requests, Some(rows.len() as u64));
    let slowest = rows.iter().map(|row| {
        let at = |name: &str| row[name].parse::<u64>().expect("nanoseconds");
        at("finished_ns") - at("scheduled_ns")
    });
    let (slowest, shown) = (slowest.max(), phase(simulated, name)["response_time"]["max_ns"].as_u64());
    // The histogram keeps three significant digits.
    let (slowest, shown) = (slowest.expect("a row") as f64, shown.expect("a slowest request") as f64);
    assert!((shown / slowest - 1.0).abs() < 0.001, "{shown} is not {slowest}");
    let timeline = simulated["timeline"].as_array().expect("the timeline").iter();
    let groups = timeline.filter(|group| group["phase"] == name);
    assert_eq!(groups.filter_map(|group| group["requests"].as_u64()).sum::<u64>(), rows.len() as u64);
    assert!(simulated["verdicts"].as_array().is_some_and(Vec::is_empty), "nothing was finished");
}

#[test]
fn killed_before_the_first_request() {
    let bench = killed(&scenario("3600s", 5, 1, 5), |folder| {
        folder.join("stderr/simulated.log").is_file() && record_of(folder).is_some()
    });
    let (shown, record) = reported(&bench);
    assert!(record["status"]["after_ns"].is_u64(), "the last sign of it is that of its files");
    assert!(shown.stderr.contains("the run was interrupted after"), "{}", shown.stderr);
    assert_eq!(backend(&record, "simulated")["outcome"]["state"], "pending");
}

#[test]
fn killed_during_the_cold_start() {
    // The record that knows what runs is written between the check and the first cold start, which takes two seconds.
    let bench = killed(&scenario("2s", 5, 1, 5), |folder| {
        record_of(folder).is_some_and(|record| record["backends"][0]["runs"].is_object())
    });
    let (_, record) = reported(&bench);
    let simulated = backend(&record, "simulated");
    assert!(simulated["runs"]["engine"].is_string(), "a killed run knows its backends");
    assert!(simulated["phases"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn killed_during_the_warm_up() {
    let bench = killed(&scenario("1ms", 100_000_000, 1, 5), |folder| has_samples_of(folder, "warm_up"));
    let (shown, record) = reported(&bench);
    assert!(shown.stderr.contains("the run was interrupted after "), "{}", shown.stderr);
    assert_eq!(record["status"]["during"], "warm-up of simulated, restart 1");
    assert_has_what_is_on_disk(&bench, &record, "warm_up");
}

#[test]
fn killed_during_the_steady_state_of_a_later_restart() {
    let bench = killed(&scenario("1ms", 3, 2, 5_000), |folder| {
        fs::read_to_string(folder.join("samples.csv"))
            .is_ok_and(|samples| samples.contains("simulated,2,steady,"))
    });
    // Half of a last line, as a full disk or a system that went down may leave it.
    let csv = bench.run_folder().join("samples.csv");
    let mut text = fs::read_to_string(&csv).expect("the samples");
    text.truncate(text.trim_end().len() - 7);
    fs::write(&csv, text).expect("written");
    let (shown, record) = reported(&bench);
    assert!(shown.stderr.contains("the run was interrupted after "), "{}", shown.stderr);
    assert_eq!(record["status"]["during"], "steady state of simulated, restart 2");
    assert_has_what_is_on_disk(&bench, &record, "steady");
    assert!(backend(&record, "simulated")["curve"].as_array().is_some_and(|curve| !curve.is_empty()));
    let last = on_disk(&bench, "steady").last().and_then(|row| row["finished_ns"].parse::<u64>().ok());
    assert_eq!(record["status"]["after_ns"].as_u64(), last);
}

#[test]
fn killed_while_the_record_is_written() {
    // A record after each of a thousand short restarts; the file that is written aside is there for as long as one is.
    let bench = killed(&scenario("1ms", 0, 1000, 1000), |folder| {
        has_samples_of(folder, "steady") && folder.join(".run.json.part").exists()
    });
    let written = bench.record();
    let requests = |backend: &Value| -> u64 {
        let phases =
            backend["phases"].as_array().into_iter().flatten().filter(|phase| phase["phase"] != "mixed");
        phases.filter_map(|phase| phase["requests"].as_u64()).sum()
    };
    let rows = on_disk(&bench, "cold_start").len() + on_disk(&bench, "steady").len();
    let (_, record) = reported(&bench);
    // The record may know of requests of the last tenth of a second, which had no row yet; then its figures stay.
    if requests(&written["backends"][0]) < rows as u64 {
        assert_has_what_is_on_disk(&bench, &record, "steady");
    } else {
        assert_eq!(requests(&record["backends"][0]), requests(&written["backends"][0]));
    }
    assert!(!bench.run_folder().join(".run.json.part").exists(), "the half of a record is gone");
}

#[test]
fn a_run_that_still_goes_on_is_not_called_killed() {
    let bench = Workbench::new();
    bench.write("scenario.toml", &scenario("1ms", 3, 1, 100_000_000));
    let command = &mut bench.tailmark(&["scenario", "scenario.toml"]);
    let _harness = Harness(command.spawn().expect("tailmark was started"));
    let folder =
        wait_for("a steady state", || run_folder(&bench).filter(|folder| has_samples_of(folder, "steady")));
    let shown = bench.run(&["report", &folder.to_string_lossy()]);
    assert_eq!(shown.code, Some(3), "{}", shown.stderr);
    assert!(shown.stderr.contains("this run is still going on"), "{}", shown.stderr);
    assert_eq!(bench.record()["status"]["state"], "running");
    assert!(!folder.join("report.md").exists(), "nothing was written into the folder of another");
}

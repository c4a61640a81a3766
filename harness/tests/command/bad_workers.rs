//! Workers that go wrong: each is an outcome with its reason in the record and exit code 4, and the other backends of
//! the run are measured all the same.

use std::fs;

use serde_json::Value;

use super::python::{FakePython, scenario_with_model};
use super::workbench::{Finished, Workbench, backend, outcome, phase};

/// A backend served by the fake interpreter beside one that nothing is wrong with.
const BACKENDS: &str = "
[phases]
restarts = 2

[phases.warm_up]
min_requests = 30
max_requests = 30

[phases.steady]
min_requests = 300
max_requests = 300

[validity]
on_doubt = \"note\"

[[objective]]
indicator = \"p95 response time\"
below = \"5s\"

[[backend]]
name = \"bad\"
kind = \"python-onnx\"

[[backend]]
name = \"good\"
kind = \"null\"
";

/// What a run with a bad worker left.
struct Bad {
    bench: Workbench,
    ended: Finished,
    record: Value,
}

impl Bad {
    /// Runs with that fault, unless this machine has no model to run with. Checks what must hold for every fault.
    fn run(fault: &str, deadlines: &str) -> Option<Self> {
        let bench = Workbench::new();
        let scenario = scenario_with_model(&format!("{deadlines}{BACKENDS}"))?;
        bench.write("scenario.toml", &scenario);
        let ended = FakePython::new().with_fault(fault).run(&bench);
        assert_eq!(ended.code, Some(4), "{}\n{}", ended.stdout, ended.stderr);
        let record = bench.record();
        assert_eq!(record["status"]["state"], "complete");
        assert_eq!(outcome(&record, "good"), ("measured", ""), "the other backend was measured");
        assert_eq!(phase(backend(&record, "good"), "steady")["requests"], 300);
        assert_eq!(backend(&record, "good")["verdicts"][0]["verdict"], "PASS");
        Some(Self { bench, ended, record })
    }

    /// The state of the bad backend and its reason, which must be in the report and the table, too.
    fn assert_outcome(&self, state: &str, parts: &[&str]) {
        let (found, why) = outcome(&self.record, "bad");
        assert_eq!(found, state, "{why}");
        let report = fs::read_to_string(self.bench.run_folder().join("report.md")).expect("the report");
        for part in parts {
            assert!(why.contains(part), "{part:?} is not in {why:?}");
        }
        let first = parts.first().expect("a part");
        assert!(report.contains(first), "{first:?} is not in the report:\n{report}");
        assert!(self.ended.stdout.contains("bad"), "{}", self.ended.stdout);
    }

    /// It never got as far as being timed.
    fn assert_not_timed(&self) {
        let bad = backend(&self.record, "bad");
        for key in ["phases", "cold_starts", "verdicts", "curve"] {
            assert!(bad[key].as_array().is_some_and(Vec::is_empty), "{key}: {}", bad[key]);
        }
    }
}

#[test]
fn a_worker_that_dies_at_start_is_broken_and_its_last_words_are_quoted() {
    let Some(bad) = Bad::run("dies_at_start", "") else { return };
    bad.assert_outcome("broken", &["no module named nonsense", "the worker ended (exit status: 1)"]);
    bad.assert_not_timed();
    let log = fs::read_to_string(bad.bench.run_folder().join("stderr/bad.log")).expect("its stderr");
    assert!(log.contains("no module named nonsense"), "{log}");
}

#[test]
fn a_worker_that_hangs_at_start_is_given_up_at_its_deadline() {
    let Some(bad) = Bad::run("hangs_at_start", "\n[deadlines]\nstart = \"2s\"\n") else { return };
    bad.assert_outcome("broken", &["no answer to `initialize` within 2s"]);
    bad.assert_not_timed();
}

#[test]
fn a_worker_that_hangs_while_it_loads_is_given_up_at_its_deadline() {
    let Some(bad) = Bad::run("hangs_at_load", "\n[deadlines]\nload = \"1s\"\n") else { return };
    bad.assert_outcome("broken", &["no answer to `load` within 1s"]);
    bad.assert_not_timed();
}

#[test]
fn a_worker_that_prints_into_the_wire_is_broken_and_what_it_printed_is_quoted() {
    let Some(bad) = Bad::run("prints", "") else { return };
    bad.assert_outcome("broken", &["Welcome to the fake library", "broke the protocol"]);
    bad.assert_not_timed();
}

#[test]
fn a_worker_that_answers_what_was_never_asked_is_broken() {
    let Some(bad) = Bad::run("wrong_id", "") else { return };
    bad.assert_outcome("broken", &["broke the protocol", "was never asked"]);
    bad.assert_not_timed();
}

#[test]
fn vectors_of_the_wrong_length_or_number_or_with_nan_in_them_are_wrong_and_are_not_timed() {
    for (fault, part) in [
        ("wrong_dimension", "383 numbers"),
        ("nan", "NaN in the vector"),
        ("no_vectors", "no vectors, or empty ones"),
    ] {
        let Some(bad) = Bad::run(fault, "") else { return };
        bad.assert_outcome("wrong", &[part, "expected", "it was not timed"]);
        bad.assert_not_timed();
    }
}

#[test]
fn vectors_that_are_not_the_models_are_wrong_and_are_not_timed() {
    let Some(bad) = Bad::run("wrong_vectors", "") else { return };
    bad.assert_outcome("wrong", &["cosine similarity to the reference falls to", "it was not timed"]);
    bad.assert_not_timed();
    assert_eq!(backend(&bad.record, "bad")["equivalence"]["accepted"], false);
}

#[test]
fn a_worker_that_dies_while_it_is_timed_is_broken_and_keeps_what_was_measured() {
    let Some(bad) = Bad::run("dies_while_timed", "") else { return };
    bad.assert_outcome(
        "broken",
        &[
            "out of memory",
            "restart 3 of 4",
            "2 were replaced, and [workers] max_replacements allows no more",
        ],
    );
    let dead = backend(&bad.record, "bad");
    assert_eq!(dead["cold_starts"].as_array().map(Vec::len), Some(3), "it was started again twice");
    let losses = dead["losses"].as_array().expect("its losses");
    let again: Vec<_> =
        losses.iter().map(|loss| (loss["restart"].as_u64(), loss["restarted"].as_bool())).collect();
    let expected = [(Some(1), Some(true)), (Some(2), Some(true)), (Some(3), Some(false))];
    assert_eq!((again, &dead["max_replacements"]), (expected.to_vec(), &2.into()));
    assert!(losses.iter().all(|loss| loss["requests"] == 20 && loss["during"] == "warm-up"), "{losses:#?}");
    assert_eq!(
        bad.ended.stderr.matches("a worker was lost during warm-up").count(),
        3,
        "{}",
        bad.ended.stderr
    );
    // In each process the first embedding and eighteen requests of the warm-up were answered, and the twentieth killed it.
    let warm_up = phase(dead, "warm_up");
    assert_eq!((warm_up["requests"].as_u64(), warm_up["failures"].as_u64()), (Some(57), Some(3)));
    let samples = super::workbench::rows(&bad.bench.run_folder().join("samples.csv"));
    let own: Vec<&str> =
        samples.iter().filter(|row| row["backend"] == "bad").map(|row| row["outcome"].as_str()).collect();
    assert_eq!(own.len(), 60);
    assert_eq!(own.last(), Some(&"failed"));
}

#[test]
fn a_worker_that_prints_while_it_is_timed_is_broken() {
    let Some(bad) = Bad::run("prints_while_timed", "") else { return };
    bad.assert_outcome("broken", &["a library says hello", "broke the protocol"]);
}

//! Workers that are lost while they are timed: the request is an outcome, another worker takes the place of the lost one, the
//! other backends are measured, and no process is left.

use std::fs;

use serde_json::Value;
use sysinfo::{Pid, ProcessStatus, Signal};

use super::interruption::{is_alive, processes, wait_for};
use super::python::{FAKE_STATE, FakePython, scenario_with_model};
use super::workbench::{Finished, Workbench, backend, finish, outcome, phase};

/// A backend served by the fake interpreter beside one that nothing is wrong with. Each of the two restarts has a first
/// embedding, 30 requests of warm-up and 150 of the steady state. What is judged depends on no time.
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
indicator = \"failure share\"
below = \"10%\"

[[backend]]
name = \"bad\"
kind = \"python-onnx\"

[[backend]]
name = \"good\"
kind = \"null\"
";

/// The fake worker goes wrong at its fiftieth request, the nineteenth of its steady state, once in a run.
pub(super) fn once(fault: &str) -> FakePython {
    FakePython::new().with_fault(fault).with("FAKE_AT", "50").with("FAKE_TIMES", "1")
}

/// The processes of fake workers that a run has had.
fn fake_workers(bench: &Workbench) -> Vec<Pid> {
    let files = fs::read_dir(bench.path().join(FAKE_STATE)).expect("what the fake workers left");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    names.filter_map(|name| Some(Pid::from_u32(name.strip_prefix("process-")?.parse().ok()?))).collect()
}

/// None of the fake workers that a run has had may be there any more.
pub(super) fn assert_no_process_is_left(bench: &Workbench, at_least: usize) {
    let processes = fake_workers(bench);
    assert!(processes.len() >= at_least, "{processes:?}");
    for process in processes {
        wait_for("a fake worker to be gone", || (!is_alive(process)).then_some(()));
    }
}

/// What a run left in which one worker was lost.
struct Lost {
    bench: Workbench,
    ended: Finished,
    record: Value,
}

impl Lost {
    /// Runs with that fault, unless this machine has no model to run with. Checks what must hold for every worker that is lost
    /// once: it was replaced, what was planned was measured all the same, and everybody says so.
    fn run(python: &FakePython, settings: &str) -> Option<Self> {
        let bench = Workbench::new();
        bench.write("scenario.toml", &scenario_with_model(&format!("{settings}{BACKENDS}"))?);
        let ended = python.run(&bench);
        let record = bench.record();
        assert_eq!(record["status"]["state"], "complete", "{}", ended.stderr);
        assert_eq!(outcome(&record, "bad"), ("measured", ""), "{}", ended.stderr);
        assert_eq!(outcome(&record, "good"), ("measured", ""), "the other backend was measured");
        assert_eq!(backend(&record, "good")["verdicts"][0]["verdict"], "PASS");
        let bad = backend(&record, "bad");
        assert_eq!(phase(bad, "steady")["requests"], 300, "the lost share was made up for");
        let losses = bad["losses"].as_array().expect("its losses");
        assert_eq!(
            (losses.len(), &losses[0]["restarted"], &losses[0]["restart"]),
            (1, &true.into(), &1.into())
        );
        let doubts = record["doubts"].as_array().expect("doubts");
        let about = doubts.iter().find(|doubt| doubt["backend"] == "bad" && doubt["serious"] == false);
        let said = about.and_then(|doubt| doubt["what"].as_str()).unwrap_or_default();
        assert!(said.starts_with("1 of its workers was lost"), "{doubts:#?}");
        assert!(ended.stderr.contains("bad: a worker was lost during"), "{}", ended.stderr);
        assert_no_process_is_left(&bench, 3);
        let folder = bench.run_folder();
        let verified =
            finish(&mut bench.tailmark_in_brief(&["report", "--verify", &folder.to_string_lossy()]));
        assert_eq!(verified.code, Some(0), "its samples give the same: {}", verified.stdout);
        Some(Self { bench, ended, record })
    }

    /// One that was lost at its fiftieth request, which `failed` so: what the record says of the loss has these parts.
    fn assert_lost_in_steady_state(&self, requests: u64, parts: &[&str]) {
        let bad = backend(&self.record, "bad");
        let loss = &bad["losses"][0];
        assert_eq!(
            (&loss["during"], &loss["requests"]),
            (&"steady state".into(), &requests.into()),
            "{loss:#}"
        );
        let why = loss["why"].as_str().unwrap_or_default();
        for part in parts {
            assert!(why.contains(part), "{part:?} is not in {why:?}");
            assert!(self.ended.stderr.contains(part), "{part:?} was not said: {}", self.ended.stderr);
        }
        assert_eq!(bad["cold_starts"].as_array().map(Vec::len), Some(3));
        let restarts = phase(bad, "cold_start")["requests"].as_u64();
        assert_eq!((restarts, phase(bad, "warm_up")["requests"].as_u64()), (Some(3), Some(90)));
    }

    /// The one request failed, and the objective passed all the same.
    fn assert_one_failure_and_a_pass(&self) {
        let bad = backend(&self.record, "bad");
        let steady = phase(bad, "steady");
        assert_eq!((&steady["failures"], &steady["timeouts"]), (&1.into(), &0.into()), "{steady:#}");
        assert_eq!(bad["verdicts"][0]["verdict"], "PASS", "{:#}", bad["verdicts"][0]);
        assert_eq!(self.ended.code, Some(0), "{}", self.ended.stderr);
        let report = fs::read_to_string(self.bench.run_folder().join("report.md")).expect("the report");
        assert!(report.contains("1 of its workers was lost"), "{report}");
    }
}

#[test]
fn a_worker_that_crashes_at_a_request_is_replaced() {
    let Some(lost) = Lost::run(&once("dies_while_timed"), "") else { return };
    lost.assert_lost_in_steady_state(50, &["the worker ended (exit status: 1)", "out of memory"]);
    lost.assert_one_failure_and_a_pass();
}

#[test]
fn a_worker_that_is_killed_in_the_middle_of_a_request_is_replaced() {
    let Some(lost) = Lost::run(&once("is_killed_while_timed"), "") else { return };
    lost.assert_lost_in_steady_state(50, &["SIGKILL", "fake worker: is_killed_while_timed"]);
    lost.assert_one_failure_and_a_pass();
}

#[test]
fn a_stopped_worker_times_out_three_times_and_is_replaced() {
    let Some(lost) = Lost::run(&once("stops_while_timed"), "\n[deadlines]\nrequest = \"1s\"\n") else {
        return;
    };
    let said = "no answer to 3 requests in a row within 1s";
    lost.assert_lost_in_steady_state(52, &[said, "fake worker: stops_while_timed"]);
    let steady = phase(backend(&lost.record, "bad"), "steady");
    assert_eq!((&steady["failures"], &steady["timeouts"]), (&3.into(), &3.into()), "{steady:#}");
}

#[test]
fn a_worker_that_takes_too_much_memory_is_killed_and_replaced() {
    let limit = "\n[workers]\nmax_memory = \"150MiB\"\n";
    let Some(lost) = Lost::run(&once("leaks_while_timed"), limit) else { return };
    let over = "over the limit of 150 MiB that [workers] max_memory sets";
    lost.assert_lost_in_steady_state(
        50,
        &["the worker was killed: its memory grew to", over, "leaks_while_timed"],
    );
    lost.assert_one_failure_and_a_pass();
}

#[test]
fn a_worker_that_prints_a_banner_while_it_is_timed_is_replaced() {
    let Some(lost) = Lost::run(&once("prints_while_timed"), "") else { return };
    lost.assert_lost_in_steady_state(50, &["broke the protocol", "a library says hello"]);
    lost.assert_one_failure_and_a_pass();
}

#[test]
fn a_worker_that_writes_bytes_into_the_wire_is_replaced() {
    let Some(lost) = Lost::run(&once("prints_bytes_while_timed"), "") else { return };
    lost.assert_lost_in_steady_state(50, &["broke the protocol", "not UTF-8"]);
    lost.assert_one_failure_and_a_pass();
}

#[test]
fn a_worker_that_writes_half_a_line_is_replaced() {
    let deadlines = "\n[deadlines]\nrequest = \"1s\"\n";
    let Some(lost) = Lost::run(&once("prints_half_a_line_while_timed"), deadlines) else { return };
    lost.assert_lost_in_steady_state(52, &["no answer to 3 requests in a row within 1s"]);
}

#[test]
fn a_worker_that_writes_an_endless_line_is_replaced() {
    let Some(lost) = Lost::run(&once("prints_an_endless_line_while_timed"), "") else { return };
    lost.assert_lost_in_steady_state(50, &["broke the protocol", "(longer than 42", "xxx..."]);
    lost.assert_one_failure_and_a_pass();
}

#[test]
fn a_worker_that_answers_twice_is_replaced() {
    let Some(lost) = Lost::run(&once("answers_twice_while_timed"), "") else { return };
    // The fiftieth request was answered; the second answer to it fails the next.
    lost.assert_lost_in_steady_state(51, &["has been answered before"]);
    lost.assert_one_failure_and_a_pass();
}

#[test]
fn a_worker_that_closes_its_output_and_lives_is_replaced() {
    let Some(lost) = Lost::run(&once("closes_stdout_while_timed"), "") else { return };
    lost.assert_lost_in_steady_state(50, &["the end of its standard output, while the worker went on"]);
    lost.assert_one_failure_and_a_pass();
}

#[test]
fn a_worker_that_crashes_at_import_or_at_load_when_it_is_started_again_is_replaced() {
    for (fault, said) in [
        ("dies_at_a_later_start", "no module named nonsense, this time"),
        ("dies_at_a_later_load", "cannot map the weights, this time"),
    ] {
        let bench = Workbench::new();
        let Some(scenario) = scenario_with_model(BACKENDS) else { return };
        bench.write("scenario.toml", &scenario);
        let ended = once(fault).run(&bench);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let record = bench.record();
        let bad = backend(&record, "bad");
        let loss = &bad["losses"][0];
        assert_eq!(
            (&loss["restart"], &loss["during"], &loss["requests"]),
            (&2.into(), &"cold start".into(), &0.into())
        );
        assert!(loss["why"].as_str().is_some_and(|why| why.contains(said)), "{loss:#}");
        assert!(
            ended.stderr.contains("(restart 2 of 2, after 0 requests); another one takes its place (1 of 2)"),
            "{}",
            ended.stderr
        );
        let restarts: Vec<_> =
            bad["cold_starts"].as_array().into_iter().flatten().map(|cold| cold["restart"].clone()).collect();
        assert_eq!((restarts, &phase(bad, "steady")["requests"]), (vec![1.into(), 3.into()], &300.into()));
        assert_no_process_is_left(&bench, 4);
    }
}

#[test]
fn without_restarts_the_first_loss_breaks_the_backend() {
    let bench = Workbench::new();
    let Some(scenario) = scenario_with_model(BACKENDS) else { return };
    bench.write("scenario.toml", &scenario);
    let mut command = once("is_killed_while_timed").command(&bench);
    let ended = super::workbench::finish(command.args(["--set", "workers.max_replacements=0"]));
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let record = bench.record();
    let (state, why) = outcome(&record, "bad");
    assert_eq!(state, "broken");
    assert!(why.contains("it is not replaced ([workers] max_replacements = 0)"), "{why}");
    assert_eq!(phase(backend(&record, "bad"), "steady")["requests"], 19, "what was measured stays");
    assert_no_process_is_left(&bench, 2);
}

#[test]
fn a_backend_whose_every_worker_hangs_is_broken_after_its_restarts() {
    let bench = Workbench::new();
    let hanging = "[deadlines]\nrequest = \"50ms\"\n[phases]\nrestarts = 1\n[workers]\nmax_replacements = 1\n\
                   [[backend]]\nkind = \"simulated\"\noptions = { hangs = 1.0 }\n";
    let ended = bench.run_scenario(hanging);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let record = bench.record();
    let (state, why) = outcome(&record, "simulated");
    assert!(state == "broken" && why.contains("no answer to 3 requests in a row within 50ms"), "{why}");
    let simulated = backend(&record, "simulated");
    let made: Vec<_> =
        simulated["losses"].as_array().into_iter().flatten().map(|loss| loss["requests"].as_u64()).collect();
    assert_eq!(made, [Some(3), Some(3)]);
    assert_eq!(phase(simulated, "mixed")["timeouts"], 6);
}

#[test]
fn a_lost_replica_is_replaced_with_the_others() {
    let bench = Workbench::new();
    let Some(scenario) = scenario_with_model(BACKENDS) else { return };
    bench.write(
        "scenario.toml",
        &scenario.replace("kind = \"python-onnx\"", "kind = \"python-onnx\"\nreplicas = 2"),
    );
    let ended = once("is_killed_while_timed").run(&bench);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let record = bench.record();
    let bad = backend(&record, "bad");
    let why = bad["losses"][0]["why"].as_str().unwrap_or_default();
    assert!(why.contains("SIGKILL") && why.contains("(one of 2 replicas; all of them are ended)"), "{why}");
    assert_eq!(
        (&phase(bad, "steady")["requests"], bad["losses"].as_array().map(Vec::len)),
        (&300.into(), Some(1))
    );
    assert_no_process_is_left(&bench, 6);
}

#[test]
fn a_worker_lost_while_a_capacity_is_searched_begins_the_search_again_and_is_mentioned() {
    let bench = Workbench::new();
    let capacity = "[capacity]\nlevels = 1\nprobe = \"200ms\"\n";
    let phases = "[phases]\nrestarts = 1\n[phases.warm_up]\nmin_requests = 5\nmax_requests = 5\n[phases.steady]\nmin_requests = 100\n";
    let rest = "[validity]\non_doubt = \"note\"\n[[objective]]\nindicator = \"p95 response time\"\nbelow = \"5s\"\n\
                [[backend]]\nname = \"bad\"\nkind = \"python-onnx\"\n";
    let Some(scenario) = scenario_with_model(&format!("{capacity}{phases}{rest}")) else { return };
    bench.write("scenario.toml", &scenario);
    let ended = once("is_killed_while_timed").run(&bench);
    let record = bench.record();
    let warnings = record["warnings"].as_array().expect("warnings");
    let about = warnings.iter().filter(|warning| warning["backend"] == "bad");
    let said: Vec<&str> = about.filter_map(|warning| warning["what"].as_str()).collect();
    assert!(
        said.len() == 1 && said[0].contains("started again with another one (1 of 2)"),
        "{said:?}\n{}",
        ended.stderr
    );
    assert!(said[0].contains("SIGKILL"), "{said:?}");
    assert_eq!(record["capacities"][0]["levels"].as_array().map(Vec::len), Some(1), "{}", ended.stderr);
    assert_no_process_is_left(&bench, 4);
}

#[test]
fn workers_that_ignore_shutdown_are_killed_at_its_deadline() {
    let bench = Workbench::new();
    let Some(scenario) = scenario_with_model(&format!("\n[deadlines]\nshutdown = \"1s\"\n{BACKENDS}")) else {
        return;
    };
    bench.write("scenario.toml", &scenario);
    let ended = FakePython::new().with_fault("ignores_shutdown").run(&bench);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let record = bench.record();
    assert_eq!(backend(&record, "bad")["losses"].as_array().map(Vec::len), Some(0));
    assert_no_process_is_left(&bench, 3);
}

/// A harness with a worker that heeds neither the end of its input nor a request to end.
fn under_way(bench: &Workbench, fault: &str) -> Option<std::process::Child> {
    let endless = BACKENDS
        .replace("300", "100000000")
        .replace("[[objective]]", "[deadlines]\nshutdown = \"1s\"\n[[objective]]");
    bench.write("scenario.toml", &scenario_with_model(&endless)?);
    let harness = once(fault).command(bench).spawn().expect("tailmark was started");
    let file =
        bench.path().join(FAKE_STATE).join(if fault == "ignores_shutdown" { "timed" } else { "fault-0" });
    wait_for("a worker to be timed", || file.exists().then_some(()));
    Some(harness)
}

fn send(signal: Signal, harness: &std::process::Child) {
    let system = processes();
    let process = system.process(Pid::from_u32(harness.id())).expect("the harness is there");
    assert_eq!(process.kill_with(signal), Some(true), "{signal} was sent");
}

#[test]
fn workers_that_ignore_shutdown_do_not_outlive_an_interrupted_harness() {
    for signal in [Signal::Interrupt, Signal::Term] {
        let bench = Workbench::new();
        let Some(mut harness) = under_way(&bench, "ignores_shutdown") else { return };
        send(signal, &harness);
        let ended = wait_for("tailmark to end", || harness.try_wait().expect("its status"));
        assert_eq!(ended.code(), Some(3));
        assert_no_process_is_left(&bench, 2);
    }
}

#[test]
fn a_stopped_worker_does_not_outlive_a_killed_harness() {
    // The system itself ends it: the stopped processes of a group that has lost its parent are sent SIGHUP.
    let bench = Workbench::new();
    let Some(mut harness) = under_way(&bench, "stops_while_timed") else { return };
    // The worker says that it will stop before it does; one that stops later than its group is orphaned gets no signal.
    let is_stopped = |worker: &Pid| {
        processes().process(*worker).is_some_and(|found| found.status() == ProcessStatus::Stop)
    };
    wait_for("the worker to stop", || fake_workers(&bench).iter().any(is_stopped).then_some(()));
    send(Signal::Kill, &harness);
    wait_for("tailmark to end", || harness.try_wait().expect("its status"));
    assert_no_process_is_left(&bench, 2);
}

//! Runs that do not get to their end: Ctrl-C leaves a complete run folder, a kill a readable one, and neither a process. And runs
//! that are suspended on the way and do get there.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, Signal, System};

use super::workbench::{Workbench, outcome, phase, rows};

/// A backend that would be measured for days.
const ENDLESS: &str = r#"
[phases]
restarts = 2

[phases.warm_up]
min_requests = 3
max_requests = 3

[phases.steady]
min_requests = 100000000
max_seconds = 1000000

[[objective]]
indicator = "p95 response time"
below = "1s"

[[backend]]
kind = "simulated"
options = { distribution = { kind = "constant", time = "2ms" } }
"#;

/// A backend that takes an hour to load.
const NEVER_LOADED: &str =
    "[deadlines]\nload = \"2h\"\n\n[[backend]]\nkind = \"simulated\"\noptions = { load = \"3600s\" }\n";

/// Longer than anything that is waited for here can take; reaching it is a failure and measures nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until there is something to see.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A run under way, and the processes it started.
struct UnderWay {
    bench: Workbench,
    harness: Child,
    workers: Vec<Pid>,
}

impl UnderWay {
    /// Starts a run and waits until it has a worker, and then until `ready` is true.
    fn start(scenario: &str, ready: impl Fn(&Workbench) -> bool) -> Self {
        let bench = Workbench::new();
        bench.write("scenario.toml", scenario);
        let harness = bench.tailmark(&["scenario", "scenario.toml"]).spawn().expect("tailmark was started");
        let mut run = Self { bench, harness, workers: Vec::new() };
        wait_for("the run to get under way", || ready(&run.bench).then_some(()));
        run.workers =
            wait_for("a worker", || Some(children(run.harness.id())).filter(|found| !found.is_empty()));
        run
    }

    fn signal(&self, signal: Signal) {
        let system = processes();
        let harness = system.process(Pid::from_u32(self.harness.id())).expect("the harness is there");
        assert_eq!(harness.kill_with(signal), Some(true), "{signal} was sent");
    }

    /// Waits for its end; gives the exit code, if it had one.
    fn end(&mut self) -> Option<i32> {
        let status = wait_for("tailmark to end", || self.harness.try_wait().expect("the harness's status"));
        status.code()
    }

    fn assert_no_worker_is_left(&self) {
        for worker in &self.workers {
            wait_for("the worker to be gone", || (!is_alive(*worker)).then_some(()));
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // After a failed assertion nothing must go on measuring for days.
        let _ = self.harness.kill();
        let _ = self.harness.wait();
    }
}

/// Every process of this machine, without the threads within them.
pub(crate) fn processes() -> System {
    let mut system = System::new().expect("the processes of this machine");
    let what = ProcessRefreshKind::nothing().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    system
}

/// The processes that a process has started and that are there.
pub(crate) fn children(parent: u32) -> Vec<Pid> {
    let parent = Some(Pid::from_u32(parent));
    let system = processes();
    system.processes().iter().filter(|(_, found)| found.parent() == parent).map(|(pid, _)| *pid).collect()
}

/// Whether a process is there and has not ended; one that has ended may wait to be reaped by the system.
pub(crate) fn is_alive(process: Pid) -> bool {
    processes().process(process).is_some_and(|found| found.status() != ProcessStatus::Zombie)
}

/// The run folder, once it is there.
pub(crate) fn run_folder(bench: &Workbench) -> Option<PathBuf> {
    Some(fs::read_dir(bench.path().join("runs")).ok()?.next()?.ok()?.path())
}

/// Whether a steady request has been written to the samples.
fn has_steady_samples(bench: &Workbench) -> bool {
    let samples = run_folder(bench).and_then(|folder| fs::read_to_string(folder.join("samples.csv")).ok());
    samples.is_some_and(|samples| samples.contains(",steady,"))
}

/// Whether the log of the worker's stderr is there, which is made just before the worker is.
fn has_stderr_log(bench: &Workbench) -> bool {
    run_folder(bench).is_some_and(|folder| folder.join("stderr/simulated.log").is_file())
}

#[test]
fn ctrl_c_in_steady_state_leaves_a_complete_run_folder_and_no_process() {
    for signal in [Signal::Interrupt, Signal::Term] {
        let mut run = UnderWay::start(ENDLESS, has_steady_samples);
        run.signal(signal);
        assert_eq!(run.end(), Some(3), "an interrupted run decides nothing");
        run.assert_no_worker_is_left();
        let record = run.bench.record();
        assert_eq!(record["status"]["state"], "interrupted");
        assert_eq!(record["status"]["during"], "steady state of simulated, restart 1 of 2");
        assert!(record["elapsed_ns"].is_u64());

        let folder = run.bench.run_folder();
        let samples = rows(&folder.join("samples.csv"));
        let steady = samples.iter().filter(|row| row["phase"] == "steady").count();
        assert!(steady > 0);
        assert_eq!(
            phase(&record["backends"][0], "steady")["requests"],
            steady,
            "the record has every sample"
        );
        let report = fs::read_to_string(folder.join("report.md")).expect("the report");
        assert!(report.to_lowercase().contains("interrupted"), "{report}");
        assert!(folder.join("latency_over_time.svg").is_file());
    }
}

/// Each rate takes two seconds at least, for nothing is decided before the horizon.
const TWO_RATES: &str = r#"
[phases]
restarts = 1

[phases.warm_up]
min_requests = 0
max_requests = 0

[phases.steady]
min_requests = 400

[validity]
on_doubt = "note"

[[objective]]
indicator = "p95 response time"
below = "5s"

[capacity]
load = "constant"
rates = ["190/s", "200/s"]

[[backend]]
kind = "simulated"
options = { distribution = { kind = "constant", time = "1ms" } }
"#;

#[test]
fn ctrl_c_while_a_capacity_is_certified_keeps_every_rate_that_was() {
    let is_at_the_second = |bench: &Workbench| {
        let samples =
            run_folder(bench).and_then(|folder| fs::read_to_string(folder.join("samples.csv")).ok());
        samples.is_some_and(|samples| samples.contains("simulated-at-200,1,steady,"))
    };
    let mut run = UnderWay::start(TWO_RATES, is_at_the_second);
    run.signal(Signal::Interrupt);
    assert_eq!(run.end(), Some(3), "an interrupted run decides nothing");
    run.assert_no_worker_is_left();
    let record = run.bench.record();
    let levels = &record["capacities"][0]["levels"];
    assert_eq!(levels[0]["verdict"], "PASS", "{levels:#}");
    assert_eq!(record["capacities"][0]["highest_pass"], 190.0);
    assert_eq!(record["status"]["during"], "steady state of simulated-at-200, restart 1 of 1");
}

#[test]
fn ctrl_c_while_a_model_loads_ends_the_run_at_once() {
    let mut run = UnderWay::start(NEVER_LOADED, has_stderr_log);
    run.signal(Signal::Interrupt);
    assert_eq!(run.end(), Some(3));
    run.assert_no_worker_is_left();
    let record = run.bench.record();
    assert_eq!(record["status"]["during"], "the check of simulated's vectors");
    assert_eq!(outcome(&record, "simulated").0, "pending");
}

/// Two to four seconds of requests, all of which are far within the limit however long they wait.
fn some_seconds(load: &str) -> String {
    format!(
        "[phases]\nrestarts = 1\n\n[phases.warm_up]\nmin_requests = 0\nmax_requests = 0\n\n\
         [phases.steady]\nmin_requests = 400\nmax_requests = 400\n\n[load]\n{load}\n\n\
         [[objective]]\nindicator = \"p95 response time\"\nbelow = \"60s\"\n\n\
         [[backend]]\nkind = \"simulated\"\n\
         options = {{ distribution = {{ kind = \"constant\", time = \"4ms\" }} }}\n"
    )
}

#[test]
fn a_run_that_was_suspended_says_so_and_blames_neither_the_backend_nor_the_load() {
    for load in ["kind = \"constant\"\nrate = \"100/s\"\nmax_queue = 50", "kind = \"closed\""] {
        let mut run = UnderWay::start(&some_seconds(load), has_steady_samples);
        run.signal(Signal::Stop);
        // Nothing can be waited for: the time that passes while it is stopped is what is tested. At 100 a second more become
        // due in it than may wait, and a machine that is busy with other tests still keeps up.
        std::thread::sleep(Duration::from_millis(1_500));
        run.signal(Signal::Continue);
        assert_eq!(run.end(), Some(3), "{load}");
        let record = run.bench.record();
        let doubts = record["doubts"].as_array().expect("doubts");
        let what = |doubt: &serde_json::Value| doubt["what"].as_str().unwrap_or_default().to_owned();
        let paused =
            doubts.iter().find(|doubt| what(doubt).starts_with("tailmark did not run for at least "));
        let paused = paused.unwrap_or_else(|| panic!("{load}: {doubts:#?}"));
        assert_eq!((&paused["serious"], &paused["backend"]), (&true.into(), &serde_json::Value::Null));
        assert!(what(paused).contains("it was suspended, or the whole machine stood still"), "{paused}");
        assert!(!doubts.iter().any(|doubt| what(doubt).contains("overloaded")), "{load}: {doubts:#?}");
        let verdict = &record["backends"][0]["verdicts"][0];
        assert_eq!(verdict["verdict"], "INCONCLUSIVE", "{verdict}");
        assert_eq!(verdict["requests"], 400, "{verdict}");
        let next = verdict["next"].as_str().unwrap_or_default();
        assert!(next.starts_with("run it again without suspending it"), "{verdict}");
        let listed = record["conditions"].as_array().expect("conditions");
        let listed = listed.iter().find(|condition| condition["name"] == "longest time tailmark did not run");
        assert_ne!(listed.expect("the condition")["value"], "no pause");
    }
}

#[test]
fn a_harness_that_is_killed_leaves_a_readable_folder_and_no_process() {
    let mut run = UnderWay::start(ENDLESS, has_steady_samples);
    run.signal(Signal::Kill);
    assert_eq!(run.end(), None, "it ended by the signal");
    run.assert_no_worker_is_left();
    assert_eq!(run.bench.record()["status"]["state"], "running");
    let folder = run.bench.run_folder();
    let samples = fs::read_to_string(folder.join("samples.csv")).expect("the samples");
    let columns = samples.lines().next().expect("a header").split(',').count();
    let whole = &samples[..=samples.rfind('\n').expect("a line")];
    assert!(whole.lines().count() > 1);
    assert!(
        whole.lines().all(|line| line.split(',').count() == columns),
        "every line that was ended is whole"
    );
    let shown = run.bench.run(&["report", &folder.to_string_lossy()]);
    assert_eq!(shown.code, Some(3), "{}", shown.stderr);
    let columns =
        fs::File::open(folder.join("samples.parquet")).expect("the columns that the report made of the rows");
    let columns = SerializedFileReader::new(columns).expect("is Parquet");
    let read = columns.metadata().file_metadata().num_rows();
    assert_eq!(usize::try_from(read).ok(), Some(whole.lines().count() - 1), "every whole row");
}

#[test]
fn a_worker_ends_with_whoever_started_it_although_its_input_stays_open() {
    // The shell is the worker's parent and stays, because there is something left for it to do.
    let mut shell = std::process::Command::new("sh")
        .args(["-c", "\"$0\" worker null; true", env!("CARGO_BIN_EXE_tailmark")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let (mut input, output) = (shell.stdin.take().expect("piped"), shell.stdout.take().expect("piped"));
    let mut output = BufReader::new(output);
    let greeting = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":2,"client":{"name":"t","version":"1"}}}"#;
    writeln!(input, "{greeting}").expect("the worker reads");
    let mut answer = String::new();
    output.read_line(&mut answer).expect("the worker answers");
    assert!(answer.contains("\"kind\":\"null\""), "{answer}");
    shell.kill().expect("the shell was there");
    shell.wait().expect("its status");
    // The worker held the last writing end: its output ends when it does.
    answer.clear();
    assert_eq!(output.read_line(&mut answer).expect("the end"), 0, "{answer}");
    drop(input);
}

//! Servers that tailmark starts: a fresh one for each restart, watched and replaced like a worker, and none left behind.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;
use sysinfo::{Pid, Signal};

use super::http::{vector, write_model};
use super::interruption::{is_alive, processes, wait_for};
use super::workbench::{DATA, Finished, Workbench, backend, outcome, phase};

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// A scenario whose server goes wrong in this way.
fn scenario(bench: &Workbench, port: u16, command: &str, more: &str) -> String {
    write_model(&bench.path().join("letters"), |text| vector(text, 0));
    fs::create_dir(bench.path().join("state")).expect("a folder");
    format!(
        "[model]\nfolder = \"letters\"\n[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 2\n\
         [phases.warm_up]\nmin_requests = 2\nmax_requests = 2\n\
         [phases.steady]\nmin_requests = 160\nmax_requests = 160\n{more}\n\
         [[objective]]\nindicator = \"failure share\"\nbelow = \"20%\"\n\
         [[backend]]\nkind = \"http\"\nname = \"server\"\n[backend.options]\n\
         url = \"http://127.0.0.1:{port}\"\nmodel = \"letters\"\n[backend.options.server]\ncommand = {command}\n\
         ready = \"/health\"\nenv = {{ SERVER_WORD = \"word-of-the-scenario\" }}\n"
    )
}

fn python(port: u16, fault: &str) -> String {
    format!("[\"python3\", \"{DATA}/embedding_server.py\", \"{port}\", \"state\", \"{fault}\"]")
}

fn run(bench: &Workbench, fault: &str, more: &str) -> Finished {
    let port = free_port();
    bench.run_scenario(&scenario(bench, port, &python(port, fault), more))
}

/// The processes of servers that there were, their children among them.
fn started(bench: &Workbench) -> Vec<Pid> {
    let files = fs::read_dir(bench.path().join("state")).expect("what the servers left");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    names.filter_map(|name| Some(Pid::from_u32(name.strip_prefix("process-")?.parse().ok()?))).collect()
}

/// So many servers there were, each with its child, and none of them is there any more.
fn assert_none_is_left(bench: &Workbench, processes: usize) {
    let all = started(bench);
    assert_eq!(all.len(), processes, "{all:?}");
    for process in all {
        wait_for("a server or its child to be gone", || (!is_alive(process)).then_some(()));
    }
}

#[test]
fn each_restart_is_a_fresh_server_whose_cold_start_and_memory_are_known() {
    let bench = Workbench::new();
    let ran = run(&bench, "sound", "");
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let record = bench.record();
    assert_eq!(outcome(&record, "server"), ("measured", ""));
    let server = backend(&record, "server");
    let colds = server["cold_starts"].as_array().unwrap();
    assert_eq!(colds.len(), 2);
    for cold in colds {
        let of = |stage: &str| cold[stage].as_u64().unwrap();
        assert!(of("spawn_ns") > 0 && of("load_ns") > 0 && of("first_embedding_ns") > 0, "{cold:#}");
        assert_eq!(of("spawn_ns") + of("load_ns") + of("first_embedding_ns"), of("total_ns"), "{cold:#}");
    }
    assert!(server["resources"]["peak_rss_bytes"].as_u64() > Some(1 << 20), "{:#}", server["resources"]);
    assert!(!ran.stdout.contains("not restarted by tailmark"), "{}", ran.stdout);
    let log = fs::read_to_string(bench.run_folder().join("stderr/server.log")).unwrap();
    assert!(log.contains("it says hello") && log.contains("sound word-of-the-scenario"), "{log}");
    // The check and two restarts.
    assert_none_is_left(&bench, 6);
}

#[test]
fn a_server_that_is_killed_under_an_open_load_is_counted_and_replaced() {
    let bench = Workbench::new();
    let ran = run(&bench, "killed", "[load]\nkind = \"poisson\"\nrate = \"200/s\"\n");
    let record = bench.record();
    let server = backend(&record, "server");
    assert_eq!(outcome(&record, "server"), ("measured", ""), "{}", ran.stderr);
    let losses = server["losses"].as_array().unwrap();
    assert_eq!((losses.len(), &losses[0]["restarted"]), (1, &Value::Bool(true)), "{losses:#?}");
    let why = losses[0]["why"].as_str().unwrap();
    assert!(why.starts_with("the server ended (signal: 9 (SIGKILL))"), "{why}");
    assert!(why.contains("server: killed word-of-the-scenario"), "{why}");
    let failures: u64 = ["warm_up", "steady", "mixed"]
        .iter()
        .filter(|name| server["phases"].as_array().unwrap().iter().any(|found| found["phase"] == **name))
        .filter_map(|name| phase(server, name)["failures"].as_u64())
        .sum();
    assert!(failures > 0, "{server:#}");
    assert!(server["verdicts"][0]["verdict"].is_string(), "{server:#}");
    assert_none_is_left(&bench, 8);
}

#[test]
fn a_server_that_takes_too_much_memory_is_killed_and_replaced() {
    let bench = Workbench::new();
    let ran = run(&bench, "grows", "[workers]\nmax_memory = \"200MiB\"\n");
    let record = bench.record();
    let losses = backend(&record, "server")["losses"].as_array().unwrap();
    assert_eq!(losses.len(), 1, "{}", ran.stderr);
    let why = losses[0]["why"].as_str().unwrap();
    assert!(why.starts_with("the server was killed: its memory grew to"), "{why}");
    assert!(why.contains("over the limit of 200 MiB"), "{why}");
    assert_none_is_left(&bench, 8);
}

#[test]
fn a_server_that_does_not_get_ready_is_told_with_its_command_its_address_and_its_last_words() {
    for (fault, parts) in [
        (
            "never-ready",
            ["embedding_server.py", "/health within 1s", "server: never-ready word-of-the-scenario"],
        ),
        (
            "exits",
            ["the server ended (exit status: 7)", "its last words", "server: exits word-of-the-scenario"],
        ),
    ] {
        let bench = Workbench::new();
        let port = free_port();
        let text = scenario(&bench, port, &python(port, fault), "") + "ready_timeout = \"1s\"\n";
        let ran = bench.run_scenario(&text);
        assert_ne!(ran.code, Some(0), "{}", ran.stdout);
        let record = bench.record();
        let (state, why) = outcome(&record, "server");
        assert_eq!(state, "broken", "{why}");
        for part in parts {
            assert!(why.contains(part), "{part:?} is not in {why}");
        }
        assert!(fault == "exits" || why.contains(&format!("http://127.0.0.1:{port}")), "{why}");
        assert_none_is_left(&bench, 1);
    }
}

#[test]
fn a_command_that_is_not_there_and_an_address_that_is_taken_are_told() {
    let bench = Workbench::new();
    bench.run_scenario(&scenario(&bench, free_port(), "[\"no-such-server\", \"--fast\"]", ""));
    let record = bench.record();
    let (state, why) = outcome(&record, "server");
    assert_eq!(state, "broken");
    assert!(why.starts_with("could not start `no-such-server --fast`: there is no such program"), "{why}");

    let bench = Workbench::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    bench.run_scenario(&scenario(&bench, port, &python(port, "sound"), ""));
    let record = bench.record();
    let (state, why) = outcome(&record, "server");
    assert_eq!(state, "broken");
    assert!(why.contains(&format!("something answers at http://127.0.0.1:{port} already")), "{why}");
    assert_none_is_left(&bench, 0);
}

#[test]
fn no_server_outlives_a_harness_that_is_interrupted_or_killed() {
    for signal in [Signal::Interrupt, Signal::Kill] {
        let bench = Workbench::new();
        let port = free_port();
        let endless = scenario(&bench, port, &python(port, "sound"), "").replace("160", "100000000");
        bench.write("scenario.toml", &endless);
        let mut harness =
            bench.tailmark(&["scenario", "scenario.toml"]).spawn().expect("tailmark was started");
        // The server of the check and its child, and those of the first restart.
        wait_for("a second server", || (started(&bench).len() == 4).then_some(()));
        let system = processes();
        let process = system.process(Pid::from_u32(harness.id())).expect("the harness is there");
        assert_eq!(process.kill_with(signal), Some(true));
        wait_for("tailmark to end", || harness.try_wait().expect("its status"));
        assert_none_is_left(&bench, 4);
    }
}

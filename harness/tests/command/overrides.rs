//! `--set key=value`: what it changes, what is kept of it, and what is said when it cannot be.

use super::scenario_faults::{SOUND, assert_says, refused};
use super::workbench::{Workbench, backend, phase};

/// A workbench with a sound scenario in it.
fn sound() -> Workbench {
    let bench = Workbench::new();
    bench.write("scenario.toml", SOUND);
    bench
}

/// What is said of these overrides of a sound scenario.
fn refused_with(overrides: &[&str]) -> String {
    let mut arguments = vec!["scenario", "scenario.toml"];
    arguments.extend(overrides.iter().flat_map(|text| ["--set", *text]));
    refused(&sound(), &arguments)
}

#[test]
fn a_key_that_is_set_is_as_if_the_file_had_it_and_the_record_has_it_as_typed() {
    let bench = sound();
    let overrides = [
        "title=Is it fast?",
        "phases.steady.min_requests=23",
        "phases.restarts=1",
        "backend.null.batch_size = 2",
    ];
    let mut arguments = vec!["scenario", "scenario.toml"];
    arguments.extend(overrides.iter().flat_map(|text| ["--set", *text]));
    let ended = bench.run(&arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Is it fast?"), "{}", ended.stderr);

    let record = bench.record();
    assert_eq!(record["scenario"]["overrides"], serde_json::json!(overrides));
    assert_eq!(record["scenario"]["title"], "Is it fast?");
    let resolved = record["scenario"]["resolved"].as_str().expect("the resolved scenario");
    assert!(resolved.contains("min_requests = 23\n"), "{resolved}");
    let steady = phase(backend(&record, "null"), "steady");
    assert_eq!((&steady["requests"], &steady["texts"]), (&23.into(), &46.into()));

    // What was set is in the resolved scenario, which so needs no `--set` to be run again.
    bench.write("again.toml", resolved);
    let again = bench.run(&["scenario", "again.toml", "--plan"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), resolved), "{}", again.stderr);
}

#[test]
fn a_run_of_the_file_as_it_is_has_no_overrides() {
    let bench = sound();
    assert_eq!(bench.run(&["scenario", "scenario.toml"]).code, Some(0));
    assert_eq!(bench.record()["scenario"]["overrides"], serde_json::json!([]));
}

#[test]
fn every_fault_of_what_was_set_is_told_in_one_go_with_those_of_the_file() {
    let bench = Workbench::new();
    bench.write("scenario.toml", &format!("titel = \"x\"\n{SOUND}"));
    let overrides = [
        "phases.steady.max_secs=3",
        "phasse.restarts=3",
        "phases.steady.max_seconds",
        "workload.batch_size=0",
        "backend[3].batch_size=2",
        "backend.nul.batch_size=2",
        "backend.null.options.thread=2",
        "load.kind=open",
        "deadlines.request=20",
        "titel.x=3",
    ];
    let mut arguments = vec!["scenario", "scenario.toml"];
    arguments.extend(overrides.iter().flat_map(|text| ["--set", *text]));
    insta::assert_snapshot!("overrides", refused(&bench, &arguments));
}

#[test]
fn a_fault_that_only_the_plan_can_see_names_what_was_set_too() {
    for (text, parts) in [
        ("backend[1].kind=nul", &["--set backend[1].kind: unknown kind `nul`; did you mean `null`?"][..]),
        ("backend.null.name=a b", &["--set backend.null.name: `a b` is not a name"]),
        ("workload.corpus=short_querys", &["--set workload.corpus:", "did you mean `short_queries`?"]),
        (
            "phases.steady.max_requests=3",
            &["--set phases.steady.max_requests: max_requests 3 is less than min_requests 10"],
        ),
    ] {
        let message = refused_with(&[text]);
        assert_says(&message, parts);
        assert!(message.starts_with("error: scenario.toml, as changed by --set, has 1 fault\n"), "{message}");
        assert!(!message.contains("line "), "{message}");
    }
}

#[test]
fn a_shipped_scenario_can_be_changed_without_its_file() {
    let bench = Workbench::new();
    let plan = bench.run(&[
        "scenario",
        "steady_state",
        "--plan",
        "--set",
        "backend.onnx-cpu.options.threads=2",
        "--set",
        "objective[1].below=30ms",
    ]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let plan: toml::Table = plan.stdout.parse().expect("a plan is TOML");
    assert_eq!(plan["objective"][0]["below"].as_str(), Some("30ms"));
    let backends = plan["backend"].as_array().expect("backends");
    let changed = backends.iter().find(|backend| backend["name"].as_str() == Some("onnx-cpu"));
    assert_eq!(changed.expect("the backend")["options"]["threads"].as_integer(), Some(2));
}

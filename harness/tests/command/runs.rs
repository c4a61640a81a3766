//! Whole runs of backends that need no model: exit codes, what the run folder holds, and showing a run again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::workbench::{Workbench, backend, outcome, phase, rows};

/// Two backends that need no model, in two fresh processes each.
const TWO_BACKENDS: &str = r#"
title = "Do both answer in a second?"

[workload]
batch_size = 2

[phases]
restarts = 2

[phases.warm_up]
min_requests = 5
max_requests = 5

[phases.steady]
min_requests = 301
max_requests = 301

[validity]
on_doubt = "note"

[[objective]]
indicator = "p95 response time"
below = "1s"

[[backend]]
kind = "null"

[[backend]]
name = "embedded"
kind = "simulated"
placement = "in-process"
options = { distribution = { kind = "lognormal", median = "200us", sigma = 0.3 }, seed = 7 }
"#;

/// What a run writes once, and no report from the record alone could make again.
const FROM_THE_RUN: [&str; 4] = ["latency.hlog", "samples.csv", "samples.parquet", "scenario.toml"];

/// What is in a folder, by name; folders below it are left out.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a file"))
        })
        .collect()
}

#[test]
fn a_run_that_passes_ends_with_0_and_leaves_a_whole_run_folder() {
    let bench = Workbench::new();
    let ended = bench.run_scenario(TWO_BACKENDS);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("verdict: PASS"), "{}", ended.stdout);
    let folder = bench.run_folder();
    assert!(ended.stderr.contains(&folder.file_name().expect("a name").to_string_lossy().into_owned()));

    let record = bench.record();
    assert_eq!(record["record_version"], 4);
    assert_eq!(record["status"]["state"], "complete");
    assert_eq!(record["overall"], "PASS");
    for name in ["null", "embedded"] {
        assert_eq!(outcome(&record, name), ("measured", ""));
        assert_eq!(backend(&record, name)["verdicts"][0]["verdict"], "PASS");
        assert_eq!(backend(&record, name)["cold_starts"].as_array().map(Vec::len), Some(2));
    }

    let names: Vec<String> = files(&folder).into_keys().collect();
    for name in FROM_THE_RUN.iter().chain(&["run.json", "report.md"]) {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
    let report = fs::read_to_string(folder.join("report.md")).expect("the report");
    let pictures: Vec<&String> = names.iter().filter(|name| name.ends_with(".svg")).collect();
    assert_eq!(pictures.len(), 5, "{names:?}");
    for picture in pictures {
        assert!(report.contains(picture.as_str()), "{picture} is linked from the report");
        let drawn = fs::read_to_string(folder.join(picture)).expect("a picture");
        assert!(drawn.trim_start().starts_with("<svg") && drawn.trim_end().ends_with("</svg>"), "{picture}");
    }
    assert!(folder.join("stderr/null.log").is_file(), "a worker's stderr is kept");
    assert!(
        !folder.join("stderr/embedded.log").exists(),
        "what runs in the harness has no stderr of its own"
    );
}

#[test]
fn every_request_is_a_row_of_the_samples_in_the_order_of_the_phases() {
    let bench = Workbench::new();
    assert_eq!(bench.run_scenario(TWO_BACKENDS).code, Some(0));
    let record = bench.record();
    let rows = rows(&bench.run_folder().join("samples.csv"));
    for name in ["null", "embedded"] {
        let own: Vec<_> = rows.iter().filter(|row| row["backend"] == name).collect();
        let expected: Vec<(&str, &str, u32)> = [("1", 151), ("2", 150)]
            .iter()
            .flat_map(|(restart, steady)| {
                [(*restart, "cold_start", 1), (*restart, "warm_up", 5), (*restart, "steady", *steady)]
            })
            .collect();
        let mut found: Vec<(&str, &str, u32)> = Vec::new();
        for row in &own {
            match found.last_mut() {
                Some((restart, phase, count)) if *restart == row["restart"] && *phase == row["phase"] => {
                    *count += 1
                }
                _ => found.push((&row["restart"], &row["phase"], 1)),
            }
        }
        assert_eq!(found, expected, "{name}");
        for (phase_name, requests) in [("cold_start", 2), ("warm_up", 10), ("steady", 301), ("mixed", 313)] {
            let summary = phase(backend(&record, name), phase_name);
            assert_eq!(summary["requests"], requests, "{name} {phase_name}");
            assert_eq!(summary["texts"], 2 * requests, "{name} {phase_name}");
        }
        for phase_name in ["cold_start", "warm_up", "steady"] {
            let numbers: Vec<usize> = own
                .iter()
                .filter(|row| row["phase"] == phase_name)
                .map(|row| row["number"].parse().expect("a number"))
                .collect();
            assert_eq!(
                numbers,
                (0..numbers.len()).collect::<Vec<_>>(),
                "{name} {phase_name}: none is left out"
            );
        }
        for row in own {
            let at = |key: &str| row[key].parse::<u64>().expect("nanoseconds");
            assert!(
                at("scheduled_ns") <= at("started_ns") && at("started_ns") <= at("finished_ns"),
                "{row:?}"
            );
            assert_eq!((row["outcome"].as_str(), row["texts"].as_str()), ("answered", "2"));
        }
    }
}

#[test]
fn the_scenario_in_the_run_folder_gives_the_same_plan_again() {
    let bench = Workbench::new();
    assert_eq!(bench.run_scenario(TWO_BACKENDS).code, Some(0));
    let written = bench.run_folder().join("scenario.toml");
    let resolved = fs::read_to_string(&written).expect("the resolved scenario");
    for path in [written, bench.path().join("scenario.toml")] {
        let plan = bench.run(&["scenario", &path.to_string_lossy(), "--plan"]);
        assert_eq!((plan.code, plan.stdout.as_str()), (Some(0), resolved.as_str()), "{}", plan.stderr);
    }
    assert_eq!(bench.record()["scenario"]["resolved"], resolved.as_str());
}

#[test]
fn without_an_objective_a_run_is_measured_and_not_judged() {
    let bench = Workbench::new();
    let ended = bench.run_scenario("[phases.steady]\nmin_requests = 10\n\n[[backend]]\nkind = \"null\"\n");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(bench.record()["overall"].is_null());
}

#[test]
fn a_backend_that_this_machine_cannot_have_is_no_error_and_alone_it_decides_nothing() {
    // Each is a device that the other's machines have.
    let device = if std::env::consts::OS == "macos" { "cuda" } else { "mps" };
    let torch = format!(
        "[[backend]]\nname = \"torch\"\nkind = \"python-torch\"\noptions = {{ device = \"{device}\" }}\n"
    );
    let bench = Workbench::new();
    let alone = bench.run_scenario(&torch);
    assert_eq!(alone.code, Some(3), "{}\n{}", alone.stdout, alone.stderr);
    let record = bench.record();
    let (state, why) = outcome(&record, "torch");
    assert_eq!(state, "not_available");
    assert!(why.contains(device) && why.contains("it needs"), "{why}");
    assert!(record["model"].is_null(), "a model that nobody can run is not fetched");

    let bench = Workbench::new();
    let ended = bench.run_scenario(&format!("{TWO_BACKENDS}\n{torch}"));
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(outcome(&bench.record(), "torch").0, "not_available");
    assert!(ended.stdout.contains("not available"), "{}", ended.stdout);
}

#[test]
fn a_backend_that_does_not_load_ends_with_4_and_the_others_are_measured() {
    let bench = Workbench::new();
    let ended = bench.run_scenario(
        "[phases.steady]\nmin_requests = 60\n\n[deadlines]\nload = \"2s\"\n\n[[backend]]\nkind = \"simulated\"\n\
         options = { load = \"3600s\" }\n\n[[backend]]\nkind = \"null\"\n",
    );
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    let (state, why) = outcome(&record, "simulated");
    assert_eq!(state, "broken");
    assert!(why.contains("no answer to `load` within 2s"), "{why}");
    assert_eq!(outcome(&record, "null"), ("measured", ""));
    assert!(backend(&record, "simulated")["verdicts"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn only_the_backends_asked_for_are_run_and_an_optional_one_when_it_is_named() {
    let optional =
        format!("{TWO_BACKENDS}\n[[backend]]\nname = \"extra\"\nkind = \"null\"\noptional = true\n");
    for (arguments, expected) in [
        (&[][..], &["null", "embedded"][..]),
        (&["--backend", "extra"], &["null", "embedded", "extra"]),
        (&["--only", "embedded"], &["embedded"]),
        (&["--only", "extra"], &["extra"]),
    ] {
        let bench = Workbench::new();
        bench.write("scenario.toml", &optional);
        let mut all = vec!["scenario", "scenario.toml"];
        all.extend(arguments);
        assert_eq!(bench.run(&all).code, Some(0), "{arguments:?}");
        let record = bench.record();
        let names: Vec<&str> = record["backends"]
            .as_array()
            .expect("backends")
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        assert_eq!(names, expected, "{arguments:?}");
    }
}

#[test]
fn a_report_is_rendered_again_byte_for_byte_from_the_record_alone() {
    let bench = Workbench::new();
    let ended = bench.run_scenario(TWO_BACKENDS);
    let folder = bench.run_folder();
    let before = files(&folder);
    for name in before.keys().filter(|name| !["run.json", "timeline.json"].contains(&name.as_str())) {
        fs::remove_file(folder.join(name)).expect("removed");
    }
    fs::remove_dir_all(folder.join("stderr")).expect("removed");

    let shown = bench.run(&["report", &folder.to_string_lossy()]);
    assert_eq!((shown.code, &shown.stdout), (Some(0), &ended.stdout), "{}", shown.stderr);
    let after = files(&folder);
    let rendered: Vec<&String> = after.keys().collect();
    let expected: Vec<&String> =
        before.keys().filter(|name| !FROM_THE_RUN.contains(&name.as_str())).collect();
    assert_eq!(rendered, expected);
    for (name, content) in &after {
        assert!(content == &before[name], "{name} differs from the one that the run wrote");
    }
}

#[test]
fn a_record_of_another_version_and_what_is_no_record_are_refused() {
    let bench = Workbench::new();
    assert_eq!(bench.run_scenario(TWO_BACKENDS).code, Some(0));
    let folder = bench.run_folder();
    let mut record = bench.record();
    record["record_version"] = 999.into();
    fs::write(folder.join("run.json"), record.to_string()).expect("written");
    let refused = |folder: PathBuf| {
        let ended = bench.run(&["report", &folder.to_string_lossy()]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        ended.stderr
    };
    let message = refused(folder.clone());
    assert!(message.contains("record version 999") && message.contains("reads version 4"), "{message}");
    fs::write(folder.join("run.json"), "{\"half\": ").expect("written");
    assert!(refused(folder).contains("run.json is not a run record"));
    assert!(refused(bench.path().join("nowhere")).contains("nowhere/run.json"));
}

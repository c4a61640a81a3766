//! A run in one file, and its figures computed again: what agrees is said to agree, what was changed is named, and what is no
//! bundle is refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::workbench::{Finished, Workbench, backend, finish, flat, phase};

/// What is decided depends on no time that a busy machine could stretch so far.
const SCENARIO: &str = "[phases]\nrestarts = 2\n[phases.warm_up]\nmin_requests = 10\nmax_requests = 10\n\
                        [phases.steady]\nmin_requests = 400\nmax_requests = 600\n\
                        [validity]\non_doubt = \"note\"\n\
                        [[objective]]\nindicator = \"p95 response time\"\nbelow = \"1s\"\n\
                        [[objective]]\nindicator = \"throughput\"\nat_least = \"1/s\"\n\
                        [[objective]]\nindicator = \"p50 cold start\"\nbelow = \"100s\"\nconfidence = 0.7\n\
                        [[backend]]\nname = \"slow\"\nkind = \"simulated\"\n\
                        options = { distribution = { kind = \"constant\", time = \"2ms\" } }\n\
                        [[backend]]\nname = \"fast\"\nkind = \"simulated\"\n\
                        options = { distribution = { kind = \"constant\", time = \"100us\" } }\n";

/// A run that is over, with its folder.
fn ran(scenario: &str) -> (Workbench, PathBuf) {
    let bench = Workbench::new();
    let ended = bench.run_scenario(scenario);
    assert!(matches!(ended.code, Some(0 | 3)), "{}\n{}", ended.stdout, ended.stderr);
    let folder = bench.run_folder();
    (bench, folder)
}

fn brief(bench: &Workbench, arguments: &[&str]) -> Finished {
    finish(&mut bench.tailmark_in_brief(arguments))
}

/// Bundles the run as it lies there, and verifies the bundle; its hashes are right whatever was changed before.
fn bundled_and_verified(bench: &Workbench, folder: &std::path::Path) -> Finished {
    let made = brief(bench, &["bundle", &folder.to_string_lossy(), "--out", "a.tar.gz"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let verified = brief(bench, &["report", "--verify", "a.tar.gz"]);
    fs::remove_file(bench.path().join("a.tar.gz")).expect("removed");
    verified
}

/// Changes the record of a run.
fn change(folder: &std::path::Path, how: impl FnOnce(&mut Value)) {
    let path = folder.join("run.json");
    let mut record = serde_json::from_str(&fs::read_to_string(&path).expect("the record")).expect("JSON");
    how(&mut record);
    fs::write(&path, record.to_string()).expect("written");
}

#[test]
fn a_bundle_verifies_is_named_after_its_run_and_says_what_was_not_recomputed() {
    let (bench, folder) = ran(SCENARIO);
    let made = brief(&bench, &["bundle", &folder.to_string_lossy()]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let name = made.stdout.trim().to_owned();
    assert!(name.ends_with("-scenario.tailmark.tar.gz") && bench.path().join(&name).is_file(), "{name}");
    // A stranger has the file alone.
    let samples = fs::read_to_string(folder.join("samples.csv")).expect("samples").lines().count() - 1;
    fs::remove_dir_all(bench.path().join("runs")).expect("removed");
    let verified = brief(&bench, &["report", "--verify", &name]);
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    let said = flat(&verified.stdout).replace(',', "");
    for part in [
        &format!("figures of 2 backends recomputed from {samples} samples: all as the record says"),
        "report.md is what this tailmark renders from the record",
        "report.html is what this tailmark renders from the record",
        "taken from the record not recomputed: time spent in each phase",
        "memory and processor time",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(verified.stdout.lines().all(|line| line.chars().count() <= 80), "{}", verified.stdout);
    let again = brief(&bench, &["bundle", "runs"]);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
}

#[test]
fn no_file_is_replaced_and_the_same_run_gives_the_same_bytes() {
    let (bench, folder) = ran(SCENARIO);
    let folder = folder.to_string_lossy();
    for out in ["a", "b"] {
        assert_eq!(brief(&bench, &["bundle", &folder, "--out", out]).code, Some(0));
    }
    let bytes = |name: &str| fs::read(bench.path().join(name)).expect("a bundle");
    assert!(bytes("a") == bytes("b"));
    let refused = brief(&bench, &["bundle", &folder, "--out", "a"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("/a is there already"), "{}", refused.stderr);
    assert!(bytes("a") == bytes("b"));
}

#[test]
fn every_figure_that_was_changed_is_named_with_both_values_though_all_hashes_are_right() {
    let (bench, folder) = ran(SCENARIO);
    let before = fs::read_to_string(folder.join("run.json")).expect("the record");
    let slow = |record: &Value| {
        record["backends"].as_array().expect("backends").iter().position(|b| b["name"] == "slow")
    };
    type Change<'a> = (&'a str, Box<dyn Fn(&mut Value)>);
    let steady = |record: &Value, at: usize| {
        record["backends"][at]["phases"]
            .as_array()
            .expect("phases")
            .iter()
            .position(|p| p["phase"] == "steady")
            .expect("steady")
    };
    let changes: Vec<Change<'_>> = vec![
        (
            "slow steady response_time p95: the record says 7.20 ms, the samples give ",
            Box::new(move |record| {
                let at = slow(record).expect("slow");
                let phase = steady(record, at);
                let all = &mut record["backends"][at]["phases"][phase]["response_time"]["percentiles"];
                let p95 = all.as_array_mut().expect("percentiles").iter_mut().find(|p| p["quantile"] == 0.95);
                p95.expect("P95")["value_ns"] = 7_200_000.into();
            }),
        ),
        (
            "slow steady requests: the record says 9,999, the samples give ",
            Box::new(move |record| {
                let at = slow(record).expect("slow");
                let phase = steady(record, at);
                record["backends"][at]["phases"][phase]["requests"] = 9_999.into();
            }),
        ),
        (
            "slow objective 1 verdict: the record says FAIL, the samples give PASS",
            Box::new(move |record| {
                let at = slow(record).expect("slow");
                record["backends"][at]["verdicts"][0]["verdict"] = "FAIL".into();
            }),
        ),
        (
            "slow cold start of restart 2 total: the record says 1.00 ms, the samples give ",
            Box::new(move |record| {
                let at = slow(record).expect("slow");
                record["backends"][at]["cold_starts"][1]["total_ns"] = 1_000_000.into();
            }),
        ),
        (
            "decision answer: the record says slow, the samples give fast",
            Box::new(|record| {
                record["decision"]["answer"] = "slow".into();
            }),
        ),
        (
            "overall overall: the record says FAIL, the samples give PASS",
            Box::new(|record| {
                record["overall"] = "FAIL".into();
            }),
        ),
        (
            "objective 1 limit: the record says 2000000000",
            Box::new(|record| {
                record["objectives"][0]["limit"] = 2e9.into();
            }),
        ),
        (
            "scenario.toml, line 1: the record says ",
            Box::new(|record| {
                record["scenario"]["resolved"] =
                    format!("# other\n{}", record["scenario"]["resolved"].as_str().expect("a scenario"))
                        .into();
            }),
        ),
        (
            "slow steady elapsed: the record says 1.00 ms, the samples give at least",
            Box::new(move |record| {
                let at = slow(record).expect("slow");
                let phase = steady(record, at);
                record["backends"][at]["phases"][phase]["elapsed_ns"] = 1_000_000.into();
            }),
        ),
    ];
    for (expected, how) in changes {
        fs::write(folder.join("run.json"), &before).expect("written");
        change(&folder, how);
        for verified in [
            bundled_and_verified(&bench, &folder),
            brief(&bench, &["report", "--verify", &folder.to_string_lossy()]),
        ] {
            assert_eq!(verified.code, Some(1), "{expected}: {}\n{}", verified.stdout, verified.stderr);
            let said = flat(&verified.stdout);
            assert!(
                said.contains(expected) && !said.contains("all as the record says"),
                "{expected}: {said}"
            );
        }
    }
}

#[test]
fn a_sample_that_was_taken_out_is_missed_wherever_it_was() {
    let (bench, folder) = ran(SCENARIO);
    let path = folder.join("samples.csv");
    let rows = fs::read_to_string(&path).expect("the samples");
    let lines: Vec<&str> = rows.lines().collect();
    for out in ["slow,1,cold_start,", "fast,2,warm_up,", "fast,1,steady,"] {
        let at = lines.iter().position(|line| line.starts_with(out)).expect("a sample");
        let mut left = lines.clone();
        left.remove(at);
        fs::write(&path, left.join("\n") + "\n").expect("written");
        let verified = bundled_and_verified(&bench, &folder);
        assert_eq!(verified.code, Some(1), "{out}: {}\n{}", verified.stdout, verified.stderr);
        let cells: Vec<&str> = out.split(',').collect();
        let said = flat(&verified.stdout);
        assert!(
            said.contains(&format!("{} {} requests: the record says ", cells[0], cells[2])),
            "{out}: {said}"
        );
    }
    fs::write(&path, rows.replace("fast,", "other,")).expect("written");
    let said = flat(&bundled_and_verified(&bench, &folder).stdout);
    assert!(said.contains("other: the record says no such backend"), "{said}");
}

#[test]
fn a_report_that_was_changed_fails_and_one_of_another_version_is_noted() {
    let (bench, folder) = ran(SCENARIO);
    let path = folder.join("report.md");
    let text = fs::read_to_string(&path).expect("the report").replace("slow", "swift");
    fs::write(&path, text).expect("written");
    let verified = bundled_and_verified(&bench, &folder);
    assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    let said = flat(&verified.stdout);
    assert!(
        said.contains("report.md: is not what tailmark") && said.contains("all as the record says"),
        "{said}"
    );
    change(&folder, |record| record["tool"]["version"] = "0.0.1".into());
    let verified = bundled_and_verified(&bench, &folder);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    let said = flat(&verified.stdout);
    for part in ["note: report.md is not what this version renders", "note: measured by tailmark 0.0.1"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_is_no_bundle_or_cannot_be_computed_again_is_refused_with_a_remedy() {
    let (bench, folder) = ran(SCENARIO);
    let made = brief(&bench, &["bundle", &folder.to_string_lossy(), "--out", "whole"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let whole = fs::read(bench.path().join("whole")).expect("the bundle");
    fs::write(bench.path().join("half"), &whole[..whole.len() / 2]).expect("written");
    bench.write("text", "no archive");
    let name = folder.to_string_lossy().into_owned();
    let refused = |arguments: &[&str], part: &str| {
        let ended = brief(&bench, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{part}: {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    };
    refused(&["report", "--verify", "half"], "half is no bundle, or only a part of one");
    refused(&["report", "--verify", "text"], "text is no bundle");
    refused(&["report", "--verify", "nowhere"], "cannot read nowhere");
    refused(&["report", "--verify", &name, "--format", "csv"], "cannot be used with");
    fs::write(folder.join("samples.csv"), "a,b\n1,2\n").expect("written");
    refused(&["report", "--verify", &name], "does not begin with this tailmark's columns");
    fs::remove_file(folder.join("samples.csv")).expect("removed");
    refused(&["report", "--verify", &name], "has no samples.csv, and its record tells of");
    refused(&["bundle", &name], "has no samples.csv");
    change(&folder, |record| record["status"] = serde_json::json!({ "state": "running" }));
    refused(&["report", "--verify", &name], "has no end: its record says `running`");
    refused(&["bundle", &name], "has no end: its record says `running`");
    change(&folder, |record| record["record_version"] = 1.into());
    refused(&["report", "--verify", &name], "has record version 1");
}

#[test]
fn the_rates_of_a_capacity_are_judged_again_and_the_requests_of_its_search_are_no_difference() {
    let scenario = "[capacity]\nrates = [\"20/s\", \"40/s\"]\n[phases]\nrestarts = 2\n\
                    [phases.warm_up]\nmin_requests = 5\nmax_requests = 5\n\
                    [phases.steady]\nmin_requests = 60\nmax_requests = 80\n[validity]\non_doubt = \"note\"\n\
                    [[objective]]\nindicator = \"p50 response time\"\nbelow = \"1s\"\n\
                    [[backend]]\nkind = \"simulated\"\n\
                    options = { distribution = { kind = \"constant\", time = \"100us\" } }\n";
    let (bench, folder) = ran(scenario);
    let verified = bundled_and_verified(&bench, &folder);
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    assert!(
        flat(&verified.stdout).contains("search for the capacity, and Little's law"),
        "{}",
        verified.stdout
    );
    let requests = phase(backend(&bench.record(), "simulated-at-20"), "steady")["requests"].clone();
    assert!(requests.as_u64().is_some_and(|requests| requests >= 60));
    change(&folder, |record| record["capacities"][0]["highest_pass"] = 80.0.into());
    let verified = bundled_and_verified(&bench, &folder);
    let expected = "highest_pass: the record says 80";
    assert!(verified.code == Some(1) && verified.stdout.contains(expected), "{}", verified.stdout);
}

#[test]
fn backends_that_took_turns_are_compared_again_from_their_samples() {
    let scenario = "[pairing]\nbackends = [\"one\", \"one\"]\nblocks = 4\nrequests = 60\ncontrol = true\n[phases]\nrestarts = 3\n\
                    [phases.warm_up]\nmin_requests = 10\nmax_requests = 40\n[validity]\non_doubt = \"note\"\n\
                    [[objective]]\nindicator = \"p95 response time\"\nbelow = \"1s\"\n\
                    [[backend]]\nname = \"one\"\nkind = \"simulated\"\n\
                    options = { distribution = { kind = \"constant\", time = \"200us\" } }\n";
    let (bench, folder) = ran(scenario);
    let verified = bundled_and_verified(&bench, &folder);
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    assert!(flat(&verified.stdout).contains("which replicates of the pairing count"), "{}", verified.stdout);
    for (key, expected) in [
        ("figures", "pairing figures 1 ratio: the record says 9.0, the samples give "),
        ("control", "pairing control 1 ratio: the record says 9.0, the samples give "),
    ] {
        let before = fs::read_to_string(folder.join("run.json")).expect("the record");
        change(&folder, |record| record["pairing"][key][0]["ratio"]["value"] = 9.0.into());
        let verified = bundled_and_verified(&bench, &folder);
        assert!(verified.code == Some(1) && flat(&verified.stdout).contains(expected), "{}", verified.stdout);
        fs::write(folder.join("run.json"), before).expect("written");
    }
}

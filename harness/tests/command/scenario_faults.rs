//! Scenarios that cannot be run: exit code 2, nothing started, no run folder, and a message that names the value, the
//! rule and the remedy.

use std::fs;

use super::workbench::{DATA, Finished, Workbench};

/// A scenario that nothing is wrong with, to be spoiled in one place.
pub(super) const SOUND: &str = "[phases.steady]\nmin_requests = 10\n\n[[backend]]\nkind = \"null\"\n";

/// Runs a scenario that must be refused, and gives what was said.
pub(super) fn refused(bench: &Workbench, arguments: &[&str]) -> String {
    let Finished { code, stdout, stderr } = bench.run(arguments);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(!bench.path().join("runs").exists(), "a refused scenario leaves no run folder");
    stderr
}

/// Runs [`SOUND`] with more at its end.
fn refused_with(more: &str) -> String {
    let bench = Workbench::new();
    bench.write("scenario.toml", &format!("{SOUND}{more}"));
    refused(&bench, &["scenario", "scenario.toml"])
}

pub(super) fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in:\n{message}");
    }
}

#[test]
fn every_fault_of_a_scenario_is_named_in_one_go_with_its_line_and_key() {
    let bench = Workbench::new();
    fs::copy(format!("{DATA}/nonsense.toml"), bench.path().join("nonsense.toml"))
        .expect("the faulty scenario");
    insta::assert_snapshot!("nonsense", refused(&bench, &["scenario", "nonsense.toml"]));
    assert_eq!(
        refused(&bench, &["scenario", "nonsense.toml", "--plan"]),
        refused(&bench, &["scenario", "nonsense.toml"]),
        "the plan of a faulty scenario is refused in the same words"
    );
}

#[test]
fn the_scenario_that_the_others_spoil_is_sound() {
    let bench = Workbench::new();
    bench.write("scenario.toml", SOUND);
    let plan = bench.run(&["scenario", "scenario.toml", "--plan"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(!bench.path().join("runs").exists(), "a plan is printed and not run");
}

#[test]
fn a_scenario_that_is_nowhere_is_answered_with_the_places_and_the_shipped_ones() {
    let message = refused(&Workbench::new(), &["scenario", "steady.toml"]);
    assert_says(
        &message,
        &["`steady.toml`", "scenarios/steady.toml", "hint:", "steady_state.toml, first_benchmark.toml"],
    );
}

#[test]
fn a_scenario_is_found_in_the_folder_scenarios_and_a_path_is_taken_as_it_is() {
    let bench = Workbench::new();
    fs::create_dir(bench.path().join("scenarios")).expect("a folder");
    bench.write("scenarios/mine.toml", SOUND);
    assert_eq!(bench.run(&["scenario", "mine.toml", "--plan"]).code, Some(0));
    assert_says(&refused(&bench, &["scenario", "elsewhere/mine.toml"]), &["`elsewhere/mine.toml`"]);
}

#[test]
fn a_shipped_scenario_needs_no_file() {
    let plan = Workbench::new().run(&["scenario", "steady_state.toml", "--plan"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(plan.stdout.contains("name = \"steady_state\""), "{}", plan.stdout);
}

#[test]
fn a_file_that_is_no_toml_is_placed_by_line() {
    let bench = Workbench::new();
    bench.write("scenario.toml", "title = \"a\"\nbackend = [\n");
    assert_says(&refused(&bench, &["scenario", "scenario.toml"]), &["scenario.toml has", "line 2"]);
}

#[test]
fn a_backend_asked_for_on_the_command_line_must_be_in_the_scenario() {
    let bench = Workbench::new();
    bench.write("scenario.toml", SOUND);
    for flag in ["--backend", "--only"] {
        let message = refused(&bench, &["scenario", "scenario.toml", flag, "nul"]);
        assert_says(&message, &[&format!("{flag}: no backend is named `nul`"), "the scenario has null"]);
    }
}

#[test]
fn a_backend_asked_for_on_the_command_line_may_have_the_name_it_has_by_default() {
    let bench = Workbench::new();
    bench.write("scenario.toml", &format!("{SOUND}[[backend]]\nkind = \"simulated\"\noptional = true\n"));
    for arguments in [["--only", "null"], ["--backend", "simulated"]] {
        let mut all = vec!["scenario", "scenario.toml", "--plan"];
        all.extend(arguments);
        assert_eq!(bench.run(&all).code, Some(0), "{arguments:?}");
    }
}

#[test]
fn a_corpus_that_is_empty_missing_or_smaller_than_a_batch_is_refused() {
    let bench = Workbench::new();
    bench.write("empty.txt", "\n   \n");
    bench.write("two.txt", "one\ntwo\n");
    bench.write("bad.jsonl", "{\"text\": \"one\"}\n{\"txet\": \"two\"}\n");
    for (workload, parts) in [
        ("corpus = \"empty.txt\"", &["workload.corpus", "`empty.txt` holds no text"][..]),
        (
            "corpus = \"missing.txt\"",
            &["workload.corpus", "`missing.txt`", "there is no such file", "passages_128"],
        ),
        ("corpus = \"short_querys\"", &["did you mean `short_queries`?"]),
        ("corpus = \"bad.jsonl\"", &["`bad.jsonl`, line 2", "`text`"]),
        (
            "corpus = \"two.txt\"\nbatch_size = 3",
            &["line 3, workload.batch_size", "3 texts per request", "has 2"],
        ),
        (
            "corpus = \"two.txt\"\nbatch_size = 0",
            &["line 3, workload.batch_size", "a request has at least 1"],
        ),
    ] {
        bench.write("scenario.toml", &format!("[workload]\n{workload}\n{SOUND}"));
        assert_says(&refused(&bench, &["scenario", "scenario.toml"]), parts);
    }
}

#[test]
fn a_corpus_is_looked_for_beside_its_scenario_first() {
    let bench = Workbench::new();
    fs::create_dir(bench.path().join("mine")).expect("a folder");
    bench.write("mine/texts.txt", "one\ntwo\n");
    bench
        .write("mine/scenario.toml", &format!("[workload]\ncorpus = \"texts.txt\"\nbatch_size = 2\n{SOUND}"));
    let plan = bench.run(&["scenario", "mine/scenario.toml", "--plan"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
}

#[test]
fn an_unknown_kind_is_answered_with_the_nearest_name() {
    let message = refused_with("[[backend]]\nkind = \"simulatd\"\n");
    assert_says(
        &message,
        &["line 7, backend[2].kind", "`simulatd`", "did you mean `simulated`?", "python-torch"],
    );
}

#[test]
fn a_name_that_could_not_be_part_of_a_files_name_is_refused() {
    for name in ["", "a b", "../up", "a,b", ".hidden"] {
        let message = refused_with(&format!("[[backend]]\nkind = \"null\"\nname = \"{name}\"\n"));
        assert_says(&message, &["line 8, backend[2].name", &format!("`{name}` is not a name")]);
    }
}

#[test]
fn a_time_without_a_unit_or_with_a_wrong_one_is_answered_with_an_example() {
    for (below, why) in
        [("\"20\"", "it has no unit"), ("\"20 ms/s\"", "`ms/s` is not a unit of time"), ("20", "20")]
    {
        let message =
            refused_with(&format!("[[objective]]\nindicator = \"p95 response time\"\nbelow = {below}\n"));
        assert_says(&message, &["line 8, objective[1].below", why, "\"20ms\""]);
    }
}

#[test]
fn a_limit_in_a_wrong_unit_is_named_with_its_line_and_key_for_every_indicator() {
    for (indicator, key, limit, parts) in [
        ("p95 response time", "below", "20MiB", &["`20MiB` is not a length of time", "\"20ms\""][..]),
        ("p99.9 service time", "below", "1%", &["`1%` is not a length of time", "\"20ms\""]),
        ("p50 cold start", "below", "100/s", &["`100/s` is not a length of time", "\"20ms\""]),
        ("throughput", "at_least", "20ms", &["`20ms` is not a rate", "\"100/s\""]),
        ("failure share", "below", "20ms", &["`20ms` is not a share", "\"0.1%\""]),
        ("peak rss", "below", "0.1%", &["`0.1%` is not an amount of memory", "\"400MiB\""]),
        ("cosine", "at_least", "99%", &["`99%` is not a cosine", "\"0.999\""]),
    ] {
        let message =
            refused_with(&format!("[[objective]]\nindicator = \"{indicator}\"\n{key} = \"{limit}\"\n"));
        assert_says(&message, &[&format!("line 8, objective[1].{key}:")]);
        assert_says(&message, parts);
    }
}

#[test]
fn a_limit_in_the_wrong_direction_is_answered_with_the_right_key() {
    for (indicator, wrong, right, limit) in [
        ("p95 response time", "at_least", "below", "20ms"),
        ("failure share", "at_least", "below", "0.1%"),
        ("peak rss", "at_least", "below", "400MiB"),
        ("throughput", "below", "at_least", "100/s"),
        ("cosine", "below", "at_least", "0.999"),
    ] {
        let message =
            refused_with(&format!("[[objective]]\nindicator = \"{indicator}\"\n{wrong} = \"{limit}\"\n"));
        assert_says(&message, &[&format!("line 8, objective[1].{wrong}:"), &format!("write `{right}`")]);
    }
}

#[test]
fn an_indicator_that_there_is_not_is_answered_with_those_there_are() {
    let message = refused_with("[[objective]]\nindicator = \"p95 latency\"\nbelow = \"20ms\"\n");
    assert_says(
        &message,
        &["line 7, objective[1].indicator:", "`p95 latency`", "`p95 response time`", "`peak rss`"],
    );
    let message = refused_with("[[objective]]\nindicator = \"p100 cold start\"\nbelow = \"20ms\"\n");
    assert_says(&message, &["line 7, objective[1].indicator:", "`p100` is not a percentile", "below 100"]);
}

#[test]
fn a_most_below_its_least_is_refused_for_each_phase_and_for_a_backend_of_its_own() {
    for (more, key) in [
        ("[phases.warm_up]\nmin_requests = 9\nmax_requests = 8\n", "line 8, phases.warm_up.max_requests:"),
        (
            "[[backend]]\nkind = \"simulated\"\nmin_requests = 9\nmax_requests = 8\n",
            "line 9, backend[2].max_requests:",
        ),
    ] {
        assert_says(&refused_with(more), &[key, "max_requests 8 is less than min_requests 9"]);
    }
    let bench = Workbench::new();
    bench.write("scenario.toml", &SOUND.replace("min_requests = 10", "min_requests = 10\nmax_requests = 8"));
    let message = refused(&bench, &["scenario", "scenario.toml"]);
    assert_says(
        &message,
        &["line 3, phases.steady.max_requests:", "max_requests 8 is less than min_requests 10"],
    );
}

#[test]
fn what_doubts_do_is_one_of_two_words() {
    let message = refused_with("[validity]\non_doubt = \"warn\"\n");
    assert_says(&message, &["line 7, validity.on_doubt:", "`warn`", "`inconclusive` or `note`"]);
}

#[test]
fn a_python_backend_cannot_be_placed_in_the_harness() {
    let message = refused_with("[[backend]]\nkind = \"python-onnx\"\nplacement = \"in-process\"\n");
    assert_says(
        &message,
        &["line 8, backend[2].placement", "`in-process`", "`python-onnx`", "write `worker`"],
    );
}

#[test]
fn an_option_that_the_kind_does_not_have_and_a_value_it_does_not_take_are_both_named() {
    let message =
        refused_with("[[backend]]\nkind = \"rten\"\n[backend.options]\nthread = 2\nthreads = \"two\"\n");
    assert_says(
        &message,
        &["line 9, backend[2].options.thread:", "line 10, backend[2].options.threads:", "\"two\""],
    );
}

#[test]
fn a_run_without_anything_to_run_is_refused() {
    let bench = Workbench::new();
    bench.write("scenario.toml", "title = \"nothing\"\n");
    assert_says(&refused(&bench, &["scenario", "scenario.toml"]), &["backend: no backend", "[[backend]]"]);
}

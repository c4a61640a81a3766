//! What `tailmark` says of its own command line.

use super::workbench::{Workbench, finish};

#[test]
fn the_help_lists_the_commands_and_the_exit_codes() {
    let help = Workbench::new().run(&["--help"]);
    assert_eq!(help.code, Some(0));
    insta::assert_snapshot!("help", help.stdout);
}

#[test]
fn the_help_of_each_command_lists_its_arguments() {
    let bench = Workbench::new();
    for command in ["scenario", "report", "compare", "bundle", "serve"] {
        let help = bench.run(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{}", help.stderr);
        insta::assert_snapshot!(format!("help_{command}"), help.stdout);
    }
}

#[test]
fn the_help_of_each_command_on_models_fits_a_narrow_terminal() {
    let bench = Workbench::new();
    let mut all = String::new();
    for command in ["", "list", "fetch", "verify", "export", "optimize", "quantize", "remove"] {
        let arguments: Vec<&str> =
            ["model", command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let help = finish(bench.tailmark(&arguments).env("COLUMNS", "80"));
        assert_eq!(help.code, Some(0), "{}", help.stderr);
        for line in help.stdout.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        all.push_str(&format!("$ tailmark {}\n{}\n", arguments.join(" "), help.stdout));
    }
    insta::assert_snapshot!("help_model", all);
}

#[test]
fn an_unknown_command_and_a_missing_one_are_bad_arguments() {
    let bench = Workbench::new();
    let unknown = bench.run(&["scenari", "smoke.toml"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""));
    assert!(
        unknown.stderr.contains("'scenari'") && unknown.stderr.contains("'scenario'"),
        "{}",
        unknown.stderr
    );
    assert_eq!(bench.run(&[]).code, Some(2));
    assert_eq!(bench.run(&["scenario"]).code, Some(2));
}

#[test]
fn every_backend_and_every_shipped_scenario_is_listed() {
    let bench = Workbench::new();
    let backends = bench.run(&["backends"]);
    assert_eq!(backends.code, Some(0));
    for kind in tailmark_providers::kinds::KINDS {
        let line = backends.stdout.lines().find(|line| line.split_whitespace().next() == Some(kind.name));
        assert!(line.is_some_and(|line| line.contains(kind.summary)), "{}: {}", kind.name, backends.stdout);
    }
    let scenarios = bench.run(&["scenarios"]);
    assert_eq!(scenarios.code, Some(0));
    for name in
        tailmark::scenario::SCENARIOS.iter().chain(tailmark::scenario::CORPORA).map(|shipped| shipped.name)
    {
        assert!(scenarios.stdout.contains(name), "{name}: {}", scenarios.stdout);
    }
}

#[test]
fn a_worker_serves_rust_backends_and_refuses_others_by_name() {
    let bench = Workbench::new();
    for (kind, part) in
        [("onxx", "unknown kind `onxx`"), ("python-onnx", "python -m tailmark_worker python-onnx")]
    {
        let refused = bench.run(&["worker", kind]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
        assert!(refused.stderr.contains(part) && refused.stderr.contains("rten"), "{}", refused.stderr);
    }
    let served = bench.run(&["worker", "null"]);
    assert_eq!(
        (served.code, served.stdout.as_str()),
        (Some(0), ""),
        "its input is at its end: {}",
        served.stderr
    );
}

//! What a scenario says of an execution provider that takes a graph: on OpenVINO, in an environment of its own. Without it the
//! test says so and ends.

use super::python::scenario_with_model;
use super::workbench::{Workbench, backend, outcome, skip};

/// A short run of `python-onnx` on OpenVINO, with this requirement.
fn scenario(requirement: &str) -> Option<String> {
    scenario_with_model(&format!(
        "[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 1\n\
         [phases.warm_up]\nmin_requests = 2\nmax_requests = 2\n[phases.steady]\nmin_requests = 20\nmax_requests = 20\n\
         [[backend]]\nname = \"openvino\"\nkind = \"python-onnx\"\noptions = {{ execution_provider = \"openvino\" }}\n\
         {requirement}\n"
    ))
}

#[test]
fn what_openvino_takes_is_in_the_record_and_the_report_and_can_be_required() {
    let Some(python) = std::env::var_os("TAILMARK_TEST_OPENVINO_PYTHON") else {
        skip("TAILMARK_TEST_OPENVINO_PYTHON is not set");
        return;
    };
    let python = python.to_string_lossy();
    let run = |requirement: &str| {
        let bench = Workbench::new();
        bench.write("scenario.toml", &scenario(requirement)?);
        let ended = bench.run(&["scenario", "scenario.toml", "--python", &python]);
        Some((bench.record(), ended))
    };

    let Some((record, ended)) = run("require = { execution_provider = \"openvino\" }") else { return };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let measured = backend(&record, "openvino");
    let execution = &measured["execution"];
    assert_eq!((&execution["state"], &execution["asked"]), (&"measured".into(), &"OpenVINO".into()));
    let parts = execution["parts"].as_array().expect("parts");
    let sum = |key: &str| parts.iter().filter_map(|part| part[key].as_f64()).sum::<f64>();
    assert!((sum("time_share") - 1.0).abs() < 1e-9 && (sum("node_share") - 1.0).abs() < 1e-9, "{parts:#?}");
    assert_eq!(sum("nodes"), execution["nodes"].as_f64().expect("a count"));
    assert_eq!(measured["requirement"]["met"], true);
    assert!(ended.stdout.contains("OpenVINO"), "{}", ended.stdout);

    let Some((record, ended)) = run("require = { execution_provider = \"cpu\" }") else { return };
    assert_eq!(ended.code, Some(3), "{}\n{}", ended.stdout, ended.stderr);
    let (state, why) = outcome(&record, "openvino");
    assert_eq!(state, "not_as_required");
    assert!(
        why.starts_with("the scenario requires at least 90 % of the time on cpu, but what ran is"),
        "{why}"
    );
    assert!(backend(&record, "openvino")["phases"].as_array().is_some_and(Vec::is_empty), "it was not timed");
    assert!(ended.stdout.contains("not what was asked for"), "{}", ended.stdout);

    let labelled = "require = { execution_provider = \"cpu\", when_partial = \"label\" }";
    let Some((record, ended)) = run(labelled) else { return };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let label = backend(&record, "openvino")["label"].as_str().expect("a label").to_owned();
    assert!(label.starts_with("openvino (") && label.contains("OpenVINO"), "{label}");
    assert_eq!(outcome(&record, "openvino").0, "measured");
}

//! A model of one's own from end to end: a small BERT of random weights, exported for real, run by two backends and held
//! against its own reference vectors. Python with torch and onnx is too large for most machines: without it the test says so
//! and ends.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::models::model;
use super::workbench::{DATA, Workbench, backend, finish, outcome, skip};

/// What a variable names, if it is set.
pub(crate) fn named(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        skip(&format!("{variable} is not set"));
    }
    path
}

#[test]
fn a_second_model_is_exported_and_both_rust_backends_answer_with_its_vectors() {
    let (Some(python), Some(library)) =
        (named("TAILMARK_TEST_EXPORT_PYTHON"), named("TAILMARK_TEST_ONNXRUNTIME"))
    else {
        return;
    };
    let bench = Workbench::new();
    let made = Command::new(&python)
        .arg(format!("{DATA}/tiny_model.py"))
        .arg(bench.path().join("tiny"))
        .stdin(Stdio::null())
        .output()
        .expect("the interpreter was started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let python = python.display().to_string();
    let exported = model(&bench, &["export", "tiny", "--name", "me/tiny", "--python", &python]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    assert!(exported.stdout.contains("me/tiny: graph-only, "), "{}", exported.stdout);
    // What its files say of case is what sentence-transformers does.
    for part in ["48 tokens, lower case, mean pooling, length one", "the same tokens, and over "] {
        assert!(exported.stderr.contains(part), "{}", exported.stderr);
    }
    let verified = model(&bench, &["verify", "me/tiny"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);

    let library = library.display().to_string();
    bench.write(
        "scenario.toml",
        &format!(
            "[model]\nfolder = \"tiny\"\n[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 1\n\
             [phases.warm_up]\nmin_requests = 2\nmax_requests = 2\n\
             [phases.steady]\nmin_requests = 20\nmax_requests = 20\n\
             [[backend]]\nkind = \"onnx\"\noptions = {{ library = {library:?} }}\n[[backend]]\nkind = \"rten\"\n"
        ),
    );
    let ran = finish(&mut bench.tailmark(&["scenario", "scenario.toml"]));
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let record = bench.record();
    assert_eq!((&record["model"]["name"], &record["model"]["dimensions"]), (&"me/tiny".into(), &32.into()));
    assert_eq!(record["model"]["max_tokens"], 48);
    let files = record["model"]["files"].as_array().expect("files");
    for name in ["model.safetensors", "1_Pooling/config.json", "model.onnx", "reference.json"] {
        assert!(files.iter().any(|file| file["name"] == name), "{name}: {files:#?}");
    }
    for name in ["onnx", "rten"] {
        assert_eq!(outcome(&record, name), ("measured", ""));
        let equivalence = &backend(&record, name)["equivalence"];
        assert_eq!(equivalence["accepted"], true, "{equivalence:#}");
        assert!(equivalence["min_cosine"].as_f64().is_some_and(|cosine| cosine > 0.9999), "{equivalence:#}");
    }
}

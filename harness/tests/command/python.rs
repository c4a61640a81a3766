//! What the harness asks of Python environments, and what it does without one. The interpreter here is a fake one, so
//! that every answer it can give is tested on every machine.

use std::fs;
use std::process::Command;

use super::workbench::{DATA, Finished, Workbench, backend, finish, outcome, real_model};

/// Where in the working folder the fake workers leave what they know of each other.
pub(crate) const FAKE_STATE: &str = "fake-state";

/// The interpreter in the folder of test data, which does what it is told by its environment.
#[derive(Default)]
pub(crate) struct FakePython {
    settings: Vec<(&'static str, String)>,
}

impl FakePython {
    /// One that nothing is wrong with.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Its worker goes wrong in that way.
    pub(crate) fn with_fault(self, fault: &str) -> Self {
        self.with("FAKE_WORKER", fault)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Runs `scenario.toml` of the working folder with this interpreter.
    pub(crate) fn run(&self, bench: &Workbench) -> Finished {
        finish(&mut self.command(bench))
    }

    /// The command that does so.
    pub(crate) fn command(&self, bench: &Workbench) -> Command {
        let reference =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../providers/models/all-MiniLM-L6-v2/reference.json");
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/corpora/short_queries.txt");
        let state = bench.path().join(FAKE_STATE);
        fs::create_dir_all(&state).expect("a folder in which the fake workers leave their ids");
        let mut command =
            bench.tailmark(&["scenario", "scenario.toml", "--python", &format!("{DATA}/fake_python.py")]);
        command
            .env("FAKE_REFERENCE", reference)
            .env("FAKE_CORPUS", corpus)
            .env("FAKE_STATE", state)
            .envs(self.settings.iter().cloned());
        command
    }
}

/// A scenario that uses the real model where it is; `None` where this machine has none.
pub(crate) fn scenario_with_model(rest: &str) -> Option<String> {
    let folder = real_model()?;
    Some(format!("[model]\nfolder = {:?}\nin_place = true\n{rest}", folder.display().to_string()))
}

const TWO_BACKENDS: &str = "
[phases]
restarts = 1

[phases.warm_up]
min_requests = 5
max_requests = 5

[phases.steady]
min_requests = 300
max_requests = 300

[validity]
on_doubt = \"note\"

[[objective]]
indicator = \"p95 response time\"
below = \"5s\"

[[objective]]
indicator = \"cosine\"
at_least = \"0.999\"
backends = [\"python-onnx\"]

[[backend]]
kind = \"python-onnx\"
fallback = \"python-torch\"

[[backend]]
kind = \"null\"
";

/// Runs the two backends with that interpreter, where there is a model.
fn run(python: &FakePython) -> Option<(Workbench, Finished)> {
    let bench = Workbench::new();
    bench.write("scenario.toml", &scenario_with_model(TWO_BACKENDS)?);
    let ended = python.run(&bench);
    Some((bench, ended))
}

#[test]
fn a_python_of_the_users_is_used_as_it_is() {
    let Some((bench, ended)) = run(&FakePython::new()) else { return };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    let python = backend(&record, "python-onnx");
    assert_eq!(outcome(&record, "python-onnx"), ("measured", ""));
    assert_eq!((&python["runs"]["engine"], &python["fallback"]), (&"fake".into(), &serde_json::Value::Null));
    assert_eq!(python["equivalence"]["accepted"], true);
    let cosine = &python["verdicts"][1];
    assert_eq!((&cosine["objective"], &cosine["verdict"]), (&1.into(), &"PASS".into()));
    assert_eq!(cosine["estimate"]["value"], python["equivalence"]["min_cosine"]);
    assert_eq!(
        backend(&record, "null")["verdicts"].as_array().map(Vec::len),
        Some(1),
        "an objective for others is not asked of it"
    );
}

#[test]
fn a_relative_model_folder_reaches_the_worker_as_an_absolute_one() {
    let (Some(model), bench) = (real_model(), Workbench::new()) else { return };
    std::os::unix::fs::symlink(model, bench.path().join("model")).expect("a link to the model");
    bench.write("scenario.toml", &format!("[model]\nfolder = \"./model\"\nin_place = true\n{TWO_BACKENDS}"));
    let ended = FakePython::new().run(&bench);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    assert_eq!(outcome(&record, "python-onnx"), ("measured", ""));
    let folder = record["model"]["folder"].as_str().expect("the model's folder");
    assert!(std::path::Path::new(folder).is_absolute() && folder.ends_with("/model"), "{folder}");
}

#[test]
fn no_variable_that_the_caller_has_set_for_its_own_python_reaches_set_up_checks_or_workers() {
    // Each of these alone keeps a Python from starting or its answers from being read.
    let python = FakePython::new().with("PYTHONHOME", "/nowhere").with("PYTHONIOENCODING", "utf-16");
    let Some((bench, ended)) = run(&python.with("PYTHONPATH", "/nowhere")) else { return };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(outcome(&bench.record(), "python-onnx"), ("measured", ""));
}

#[test]
fn a_model_without_a_graph_falls_back_and_every_report_says_so() {
    let Some((bench, ended)) = run(&FakePython::new().with_fault("no_graph")) else { return };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    let python = backend(&record, "python-onnx");
    let label = "python-torch (fallback from python-onnx: model.onnx: there is no such file)";
    assert_eq!(python["label"], label);
    assert_eq!(
        (&python["fallback"]["from"], &python["fallback"]["to"]),
        (&"python-onnx".into(), &"python-torch".into())
    );
    assert!(ended.stderr.contains("falling back from python-onnx to python-torch"), "{}", ended.stderr);
    let table = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains("fallback from python-onnx"), "{}", ended.stdout);
    let report = fs::read_to_string(bench.run_folder().join("report.md")).expect("the report");
    assert!(report.contains("fallback from python-onnx"), "{report}");
}

#[test]
fn a_python_that_lacks_packages_or_is_too_old_is_refused_with_the_remedy() {
    for (python, parts) in [
        (
            FakePython::new().with("FAKE_LACKS", "onnxruntime tokenizers"),
            &["onnxruntime", "tokenizers", "-m pip install onnxruntime=="][..],
        ),
        (FakePython::new().with("FAKE_VERSION", "3.8.2"), &["3.8.2", "3.11 to 3.14", "--python"]),
    ] {
        let Some((bench, ended)) = run(&python) else { return };
        assert_eq!(ended.code, Some(4), "{}\n{}", ended.stdout, ended.stderr);
        let record = bench.record();
        let (state, why) = outcome(&record, "python-onnx");
        assert_eq!(state, "broken");
        for part in parts {
            assert!(why.contains(part), "{part:?} is not in {why:?}");
        }
        assert_eq!(outcome(&record, "null"), ("measured", ""));
    }
}

#[test]
fn a_machine_without_python_runs_what_needs_none() {
    let Some(scenario) = scenario_with_model(TWO_BACKENDS) else { return };
    let bench = Workbench::new();
    bench.write("scenario.toml", &scenario);
    let nothing = bench.path().join("nothing");
    fs::create_dir(&nothing).expect("an empty folder");
    let ended = finish(bench.tailmark(&["scenario", "scenario.toml"]).env("PATH", &nothing));
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    let (state, why) = outcome(&record, "python-onnx");
    assert_eq!(state, "not_available");
    assert!(why.contains("Python") && why.contains("3.11") && why.contains("hint:"), "{why}");
    assert_eq!(outcome(&record, "null"), ("measured", ""));
}

#[test]
fn texts_that_are_longer_than_the_model_takes_are_counted_and_mentioned_once() {
    let Some(scenario) =
        scenario_with_model(&format!("\n[workload]\ncorpus = \"texts.txt\"\n{TWO_BACKENDS}"))
    else {
        return;
    };
    let bench = Workbench::new();
    bench.write("scenario.toml", &scenario);
    bench.write("texts.txt", &format!("short\n{}\nalso short\n", "long ".repeat(400)));
    let ended = FakePython::new().run(&bench);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    assert_eq!(record["workload"]["truncated"], 1);
    assert_eq!(record["workload"]["tokens"]["max"], 256);
    let warnings = record["warnings"].as_array().expect("warnings");
    let about: Vec<_> = warnings
        .iter()
        .filter(|one| one["what"].as_str().is_some_and(|what| what.contains("longer")))
        .collect();
    assert_eq!(about.len(), 1, "{warnings:#?}");
    assert!(about[0]["what"].as_str().is_some_and(|what| what.starts_with("1 of 3 texts")), "{about:?}");
    let report = fs::read_to_string(bench.run_folder().join("report.md")).expect("the report");
    assert!(report.contains("1 of 3 texts are longer than the 256 tokens"), "{report}");
}

#[test]
fn a_model_folder_with_another_file_in_it_is_refused_by_name_and_hash() {
    let Some(real) = real_model() else { return };
    let bench = Workbench::new();
    let folder = bench.path().join("model");
    fs::create_dir(&folder).expect("a folder");
    fs::copy(real.join("config.json"), folder.join("config.json")).expect("copied");
    fs::write(folder.join("tokenizer.json"), "{}").expect("written");
    bench.write("scenario.toml", &format!("[model]\nfolder = \"model\"\nin_place = true\n{TWO_BACKENDS}"));
    let ended = FakePython::new().run(&bench);
    assert_eq!(ended.code, Some(2), "{}\n{}", ended.stdout, ended.stderr);
    assert!(
        ended.stderr.contains("tokenizer.json has 2 bytes, expected 466247, model.safetensors is missing")
            && ended.stderr.contains("it contains config.json, tokenizer.json"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_worker_that_does_not_know_prove_broke_no_protocol_and_nothing_is_claimed_of_it() {
    let Some((bench, ended)) = run(&FakePython::new().with_fault("does_not_know_prove")) else { return };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    assert_eq!(outcome(&record, "python-onnx"), ("measured", ""));
    let execution = &backend(&record, "python-onnx")["execution"];
    let why = execution["why"].as_str().unwrap_or_else(|| panic!("why nothing is known: {execution}"));
    assert!(why.ends_with("the worker does not know the method `prove`"), "{why}");
}

#[test]
fn a_backend_that_answers_repeats_from_a_cache_is_under_a_serious_doubt() {
    let Some((bench, ended)) = run(&FakePython::new().with_fault("caches")) else { return };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let record = bench.record();
    let probe = &backend(&record, "python-onnx")["repeat_probe"];
    assert_eq!((&probe["caching"], &probe["repeated_ns"]), (&true.into(), &40_000.into()));
    let doubts = record["doubts"].as_array().expect("doubts");
    let caching = doubts.iter().find(|doubt| doubt["backend"] == "python-onnx").expect("a doubt of its own");
    assert_eq!(caching["serious"], true);
    assert!(
        caching["what"].as_str().is_some_and(|what| what.contains("it hardly computes repeated texts")),
        "{caching}"
    );
    assert!(ended.stdout.contains("serious doubt: python-onnx"), "{}", ended.stdout);
    // Without a model there is nothing that could be repeated, and nothing that executed it.
    let null = backend(&record, "null");
    assert_eq!(
        (&null["repeat_probe"], &null["execution"]["state"]),
        (&serde_json::Value::Null, &"not_measured".into())
    );
}

//! A place to run `tailmark` in: a working folder, a home and a cache of its own, and readers for what a run leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The folder of files that tests read.
pub(crate) const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// A folder that is gone with the test.
pub(crate) struct Workbench {
    folder: TempDir,
}

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Data.
    pub(crate) stdout: String,
    /// Talk.
    pub(crate) stderr: String,
}

impl Workbench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the working folder.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a file in the working folder");
        path
    }

    /// `tailmark`, in the working folder, with nothing of the user's settings.
    pub(crate) fn tailmark(&self, arguments: &[&str]) -> Command {
        let mut command = self.tailmark_in_brief(arguments);
        // Tests look for reasons, which one screen has no room for.
        let shows = matches!(arguments.first(), Some(&("scenario" | "report")));
        if shows && !arguments.contains(&"--help") {
            command.arg("--verbose");
        }
        command
    }

    /// `tailmark` with these arguments and nothing more.
    pub(crate) fn tailmark_in_brief(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tailmark"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("HOME", self.path().join("home"))
            .env("XDG_CACHE_HOME", self.path().join("home/cache"))
            .env("COLUMNS", "100")
            .env_remove("TAILMARK_MODEL_STORE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `tailmark` with these arguments to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        finish(&mut self.tailmark(arguments))
    }

    /// Runs a scenario with this text to its end.
    pub(crate) fn run_scenario(&self, text: &str) -> Finished {
        self.write("scenario.toml", text);
        self.run(&["scenario", "scenario.toml"])
    }

    /// The one run folder there is.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let found: Vec<PathBuf> = fs::read_dir(self.path().join("runs"))
            .expect("the folder of runs")
            .map(|entry| entry.expect("a run folder").path())
            .collect();
        let [folder] = &found[..] else { panic!("one run was made: {found:?}") };
        folder.clone()
    }

    /// `run.json` of the one run there is, with the latencies over time that are beside it.
    pub(crate) fn record(&self) -> Value {
        let read = |name: &str| -> Option<Value> {
            let text = fs::read_to_string(self.run_folder().join(name)).ok()?;
            Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name} is not JSON: {error}")))
        };
        let mut record = read("run.json").expect("run.json");
        let timelines = read("timeline.json").unwrap_or_default();
        for backend in record["backends"].as_array_mut().into_iter().flatten() {
            if let Some(timeline) = backend["name"].as_str().and_then(|name| timelines.get(name)) {
                backend["timeline"] = timeline.clone();
            }
        }
        record
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Finished {
    let output = command.output().expect("tailmark was started");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// A text on one line, however the terminal broke it.
pub(crate) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The backend of that name in a record.
pub(crate) fn backend<'a>(record: &'a Value, name: &str) -> &'a Value {
    let all = record["backends"].as_array().expect("the backends of a record");
    all.iter()
        .find(|backend| backend["name"] == name)
        .unwrap_or_else(|| panic!("no backend {name} in {all:#?}"))
}

/// The summary of one phase of a backend of a record.
pub(crate) fn phase<'a>(backend: &'a Value, name: &str) -> &'a Value {
    let all = backend["phases"].as_array().expect("the phases of a backend");
    all.iter().find(|phase| phase["phase"] == name).unwrap_or_else(|| panic!("no phase {name} in {all:#?}"))
}

/// How it went with a backend: the state, and why.
pub(crate) fn outcome<'a>(record: &'a Value, name: &str) -> (&'a str, &'a str) {
    let outcome = &backend(record, name)["outcome"];
    (outcome["state"].as_str().unwrap_or_default(), outcome["why"].as_str().unwrap_or_default())
}

/// The rows of a CSV file of plain fields, each as a map from its header's names.
pub(crate) fn rows(csv: &Path) -> Vec<std::collections::HashMap<String, String>> {
    let text = fs::read_to_string(csv).expect("a CSV file");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(fields.len(), header.len(), "{line}");
            header.iter().zip(fields).map(|(name, field)| ((*name).to_owned(), field.to_owned())).collect()
        })
        .collect()
}

/// The folder with the real model, if this machine's tests have one.
pub(crate) fn real_model() -> Option<PathBuf> {
    let folder = std::env::var_os("TAILMARK_TEST_MODEL").map(PathBuf::from);
    if folder.is_none() {
        skip("TAILMARK_TEST_MODEL is not set");
    }
    folder
}

#[expect(clippy::print_stderr, reason = "a test that did nothing must say so")]
pub(crate) fn skip(why: &str) {
    eprintln!("not tested: {why}");
}

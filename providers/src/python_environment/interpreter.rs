//! Python interpreters: finding one of a fitting version, and asking one what it is and what it lacks. Nothing is
//! installed here.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::PythonError;
use super::extra::{NEWEST, OLDEST};
use super::tools::{self, Tools};

/// The names under which an interpreter is looked for: first the user's own, which on most machines can be used and so is the
/// only one that has to be started; then the others, in the order in which their packages are best tested.
const NAMES: &[&str] = &["python3", "python3.13", "python3.12", "python3.11", "python3.14", "python"];

/// An interpreter that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// Its own idea of where it is: a launcher that picks an interpreter by folder is left behind here.
    pub(crate) path: PathBuf,
    /// For example `3.11.7`.
    pub(crate) version: String,
    /// Implementation, version and machine: packages for one do not fit another.
    pub(crate) identity: String,
    /// The first two parts of the version.
    pub(crate) release: (u32, u32),
}

/// What the script below prints.
#[derive(Deserialize)]
struct Answer {
    executable: String,
    implementation: String,
    version: (u32, u32, u32),
    machine: String,
    #[serde(default)]
    lacking: Vec<String>,
}

/// Runs on any Python, however old, so that an old one can be told from a broken one. A package counts as there when its
/// module can be found, too: some are built under other names (`onnxruntime-openvino`) and give the same module.
const SCRIPT: &str = r#"
import json, platform, sys

def lacks(name):
    import importlib.metadata, importlib.util
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return importlib.util.find_spec(name.replace("-", "_")) is None
    return False

print(json.dumps({
    "executable": sys.executable or "",
    "implementation": platform.python_implementation(),
    "version": list(sys.version_info[:3]),
    "machine": platform.machine(),
    "lacking": [name for name in sys.argv[1:] if lacks(name)] if sys.version_info >= (3, 8) else [],
}))
"#;

impl Interpreter {
    /// The first interpreter on the search path whose version is supported.
    pub(crate) fn find(tools: &Tools) -> Result<Self, PythonError> {
        let mut tried = Vec::new();
        for path in NAMES.iter().filter_map(|name| tools.find(name)) {
            match Self::ask(&path, &[]) {
                Ok((found, _)) => match found.misfit() {
                    None => return Ok(found),
                    Some(why) => tried.push(format!("{} ({why})", path.display())),
                },
                Err(why) => tried.push(format!("{} ({why})", path.display())),
            }
        }
        let [oldest, newest] = [OLDEST, NEWEST].map(|(major, minor)| format!("{major}.{minor}"));
        Err(PythonError::NoPython { oldest, newest, tried })
    }

    /// What an interpreter says of itself, and which of the packages it lacks; the error is one line.
    pub(crate) fn ask(path: &Path, packages: &[&str]) -> Result<(Self, Vec<String>), String> {
        let folder = std::env::temp_dir();
        let output = tools::command(path, &folder).args(["-c", SCRIPT]).args(packages).output();
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let said =
                stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output").trim();
            return Err(format!("{}: {said}", output.status));
        }
        // The last line, because what the user's start-up files print comes before it.
        let stdout = String::from_utf8_lossy(&output.stdout);
        let line = stdout.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let answer: Answer = serde_json::from_str(line)
            .map_err(|_| "it does not answer like a Python interpreter".to_owned())?;
        let (major, minor, micro) = answer.version;
        let version = format!("{major}.{minor}.{micro}");
        let identity = format!("{} {version} {}", answer.implementation, answer.machine);
        let own = PathBuf::from(answer.executable);
        let path = if own.is_absolute() { own } else { path.to_owned() };
        Ok((Self { path, version, identity, release: (major, minor) }, answer.lacking))
    }

    /// Why its version is not supported; `None` if it is.
    pub(crate) fn misfit(&self) -> Option<String> {
        (!(OLDEST..=NEWEST).contains(&self.release)).then(|| format!("version {}", self.version))
    }
}

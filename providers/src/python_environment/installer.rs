//! Running uv or pip: it decides which of the two, keeps all they say in a file, and passes on a short form of it. What is
//! to be installed comes from the caller, always pinned by hash.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PythonError;
use super::extra::{NEWEST, OLDEST};
use super::interpreter::Interpreter;
use super::tools::{self, Tools};
use crate::model::PackageInstaller;
use crate::model::catalogue::PackagePlace;
use crate::progress::Progress;

/// How many of an installer's last lines an error quotes.
const TAIL_LINES: usize = 12;
/// Longer lines are cut for display.
const SHOWN_CHARACTERS: usize = 100;

/// The program that makes environments and installs packages.
pub(crate) enum Installer {
    /// uv, and the interpreter it is to use; without one, uv looks for one or fetches one.
    Uv { uv: PathBuf, interpreter: Option<Interpreter> },
    /// The interpreter's own `venv` and `pip`.
    Pip { interpreter: Interpreter },
}

impl Installer {
    /// uv if it is there, because it is many times faster; else pip.
    pub(crate) fn choose(tools: &Tools) -> Result<Self, PythonError> {
        match (tools.find("uv"), Interpreter::find(tools)) {
            (Some(uv), interpreter) => Ok(Self::Uv { uv, interpreter: interpreter.ok() }),
            (None, Ok(interpreter)) => Ok(Self::Pip { interpreter }),
            (None, Err(error)) => Err(error),
        }
    }

    /// The interpreter that environments are made with; `None` when uv will choose it.
    pub(crate) fn interpreter(&self) -> Option<&Interpreter> {
        match self {
            Self::Uv { interpreter, .. } => interpreter.as_ref(),
            Self::Pip { interpreter } => Some(interpreter),
        }
    }

    /// Implementation, version and machine of the interpreter that environments will have.
    pub(crate) fn identity(&self) -> &str {
        self.interpreter().map_or("as uv chooses", |interpreter| &interpreter.identity)
    }

    /// Makes an empty environment in a folder that does not exist yet.
    pub(crate) fn make_environment(
        &self,
        environment: &Path,
        log: &Path,
        progress: &dyn Progress,
    ) -> Result<(), PythonError> {
        let folder = folder_of(log);
        let command = match self {
            Self::Uv { uv, interpreter } => {
                let mut command = tools::command(uv, folder);
                command.args(["venv", "--no-project", "--python"]).arg(uv_python(interpreter.as_ref()));
                command.arg(environment);
                command
            }
            Self::Pip { interpreter } => {
                let mut command = tools::command(&interpreter.path, folder);
                command.args(["-m", "venv"]).arg(environment);
                command
            }
        };
        run_logged(command, "make a Python environment", log, progress)
    }

    /// Installs everything a requirements file names into the environment of `python`.
    pub(crate) fn install_requirements(
        &self,
        python: &Path,
        requirements: &Path,
        log: &Path,
        progress: &dyn Progress,
    ) -> Result<(), PythonError> {
        let folder = folder_of(log);
        let command = match self {
            Self::Uv { uv, .. } => {
                let mut command = tools::command(uv, folder);
                command.args(["pip", "sync", "--require-hashes", "--only-binary", ":all:"]);
                command.arg("--python").arg(python).arg(requirements);
                command
            }
            Self::Pip { .. } => {
                let mut command = pip(python, folder);
                command.arg("-r").arg(requirements);
                command
            }
        };
        run_logged(command, "install the Python packages", log, progress)
    }
}

/// Imports the packages once, to see that they can be loaded on this machine, and so that their bytecode is made now: the
/// first cold start would else make it and not be like the others. Compiling all that was installed takes minutes for
/// torch, most of it for files that nobody imports.
pub(crate) fn import_once(
    python: &Path,
    packages: &[&str],
    log: &Path,
    progress: &dyn Progress,
) -> Result<(), PythonError> {
    let modules: Vec<String> = packages.iter().map(|name| name.replace('-', "_")).collect();
    let mut command = tools::command(python, folder_of(log));
    command.arg("-c").arg(format!("import {}", modules.join(", "))).env("HF_HUB_OFFLINE", "1");
    run_logged(command, "import the Python packages", log, progress)
}

/// Fetches packages with what the machine has.
#[derive(Clone, Debug)]
pub struct PackageTool {
    tools: Tools,
    log_folder: PathBuf,
}

impl PackageTool {
    /// With the programs on this search path, keeping the installer's output below tailmark's cache folder.
    #[must_use]
    pub fn new(tools: Tools, cache_root: &Path) -> Self {
        Self { tools, log_folder: cache_root.join("python") }
    }

    fn try_install(
        &self,
        package: &PackagePlace,
        target: &Path,
        progress: &dyn Progress,
    ) -> Result<(), PythonError> {
        let installer = Installer::choose(&self.tools)?;
        fs::create_dir_all(&self.log_folder).map_err(PythonError::folder("create", &self.log_folder))?;
        let log = self.log_folder.join(format!("{}.log", package.name));
        let _ = fs::remove_file(&log);
        let requirement = target.with_extension("txt");
        let pinned =
            format!("{}=={} --hash=sha256:{}\n", package.name, package.version, package.wheel_sha256);
        fs::write(&requirement, pinned).map_err(PythonError::folder("write", &requirement))?;
        let mut command = match &installer {
            Installer::Uv { uv, interpreter } => {
                let mut command = tools::command(uv, &self.log_folder);
                command.args(["pip", "install", "--require-hashes", "--only-binary", ":all:"]);
                // Copies and not links into uv's cache: damage to a file in the store would else be damage to the cache,
                // and the file could not be fetched again.
                command.args(["--link-mode", "copy", "--python"]);
                command.arg(uv_python(interpreter.as_ref())).arg("-r").arg(&requirement);
                command
            }
            Installer::Pip { interpreter } => {
                let python = self.python_with_pip(&installer, interpreter, target, &log, progress)?;
                let mut command = pip(&python, &self.log_folder);
                command.arg("-r").arg(&requirement);
                command
            }
        };
        command.args(["--no-deps", "--target"]).arg(target);
        run_logged(command, "install the package", &log, progress)
    }

    /// The interpreter itself if it has pip, else one in a passing environment beside the target.
    fn python_with_pip(
        &self,
        installer: &Installer,
        interpreter: &Interpreter,
        target: &Path,
        log: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, PythonError> {
        let has_pip =
            tools::command(&interpreter.path, &self.log_folder).args(["-m", "pip", "--version"]).output();
        if has_pip.is_ok_and(|output| output.status.success()) {
            return Ok(interpreter.path.clone());
        }
        let environment = target.with_extension("venv");
        installer.make_environment(&environment, log, progress)?;
        Ok(interpreter_in(&environment))
    }
}

impl PackageInstaller for PackageTool {
    fn install(&self, package: &PackagePlace, target: &Path, progress: &dyn Progress) -> Result<(), String> {
        // It becomes one line of a list, under which there is a hint already.
        let in_a_list = |error: PythonError| error.to_string().replace("\n\nhint: ", "; ");
        self.try_install(package, target, progress).map_err(in_a_list)
    }
}

/// The interpreter of an environment: where it lies differs between systems, so the place that exists is taken.
pub(crate) fn interpreter_in(environment: &Path) -> PathBuf {
    let places = ["bin/python", "Scripts/python.exe"].map(|place| environment.join(place));
    places.iter().find(|place| place.exists()).unwrap_or(&places[0]).clone()
}

fn folder_of(log: &Path) -> &Path {
    log.parent().unwrap_or(log)
}

fn uv_python(interpreter: Option<&Interpreter>) -> PathBuf {
    interpreter.map_or_else(
        || PathBuf::from(format!(">={}.{},<={}.{}.999", OLDEST.0, OLDEST.1, NEWEST.0, NEWEST.1)),
        |interpreter| interpreter.path.clone(),
    )
}

fn pip(python: &Path, folder: &Path) -> Command {
    let mut command = tools::command(python, folder);
    command.args(["-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"]);
    command.args(["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile"]);
    command
}

/// Runs a program to its end, appending all it says to `log` and a short form of each line to `progress`.
pub(crate) fn run_logged(
    mut command: Command,
    what: &str,
    log: &Path,
    progress: &dyn Progress,
) -> Result<(), PythonError> {
    let failed = |status: String, tail: String| {
        Err(PythonError::Install { what: what.to_owned(), status, tail, log: log.to_owned() })
    };
    let mut file =
        File::options().create(true).append(true).open(log).map_err(PythonError::folder("write", log))?;
    // One pipe for both, so that the order of what is said is kept.
    let pipe = io::pipe().and_then(|(reader, writer)| Ok((reader, writer.try_clone()?, writer)));
    let (reader, out, err) = pipe.map_err(PythonError::folder("open a pipe to", log))?;
    let child = command.stdout(out).stderr(err).spawn();
    let line: Vec<_> =
        [command.get_program()].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    let mut tail = VecDeque::from([]);
    // The log is a help in trouble; that it cannot be written must not be the trouble.
    let _ = writeln!(file, "$ {}", line.join(" "));
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return failed(error.to_string(), String::new()),
    };
    // The command holds this end's copies of the pipe, which would never end while they are open.
    drop(command);
    for line in BufReader::new(reader).split(b'\n') {
        let Ok(line) = line else { break };
        let _ = file.write_all(&line).and_then(|()| file.write_all(b"\n"));
        let line = String::from_utf8_lossy(&line);
        let line = line.rsplit('\r').next().unwrap_or_default().trim_end();
        if let Some(short) = short_form(line) {
            progress.step(&short);
        }
        if !line.is_empty() {
            tail.push_back(line.to_owned());
            if tail.len() > TAIL_LINES {
                tail.pop_front();
            }
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => failed(status.to_string(), Vec::from(tail).join("\n")),
        Err(error) => failed(error.to_string(), Vec::from(tail).join("\n")),
    }
}

/// What of an installer's line is worth showing while it runs: no addresses, no asides, not too long.
fn short_form(line: &str) -> Option<String> {
    let line = line.trim();
    // pip ends its lines with the file and line that asked for the package.
    let line = line.split(" (from ").next().unwrap_or(line);
    let words: Vec<&str> = line.split_whitespace().filter(|word| !word.contains("://")).collect();
    let text = words.join(" ");
    let asides = ["Looking in", "[notice]", "Activate with"];
    if text.is_empty() || asides.iter().any(|aside| text.starts_with(aside)) {
        return None;
    }
    if text.chars().count() <= SHOWN_CHARACTERS {
        return Some(text);
    }
    Some(text.chars().take(SHOWN_CHARACTERS - 1).chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::recording::Recording;

    #[test]
    fn an_installer_s_lines_are_shown_short_and_without_addresses() {
        let shown = |line: &str| short_form(line).unwrap_or_default();
        assert_eq!(
            shown("Collecting numpy==2.4.6 (from -r /x/base.txt (line 3))"),
            "Collecting numpy==2.4.6"
        );
        assert_eq!(shown("Downloading https://127.0.0.1/numpy.whl (16 MB)"), "Downloading (16 MB)");
        assert_eq!(shown("Looking in links: /somewhere"), "");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), SHOWN_CHARACTERS);
    }

    #[test]
    fn a_failed_program_is_quoted_and_all_it_said_is_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do echo line $i; done; echo bad >&2; exit 3",
        ]);
        let progress = Recording::default();
        let error = run_logged(command, "try", &log, &progress).unwrap_err();
        let PythonError::Install { status, tail, .. } = error else { panic!("{error}") };
        assert_eq!(status, "exit status: 3");
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.starts_with("line 3\n") && tail.ends_with("line 13\nbad"), "{tail}");
        assert!(fs::read_to_string(log).unwrap().contains("\nline 1\nline 2\n"));
        assert!(progress.said("line 1"));
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failed_install() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let error = run_logged(Command::new("/nowhere/uv"), "try", &log, &Recording::default()).unwrap_err();
        assert!(matches!(error, PythonError::Install { .. }), "{error}");
    }
}

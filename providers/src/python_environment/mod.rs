//! Python environments: makes one that has what the worker needs, or checks the user's, and says how a worker is started in
//! it. Knows neither what a worker does nor which backends need one.
//!
//! Read in this order: this page, `extra` (what must be installed), `interpreter`, `installer`, `worker_source`.

mod error;
mod extra;
mod installer;
mod interpreter;
mod tools;
mod worker_source;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

pub use error::PythonError;
pub use extra::Extra;
pub use installer::PackageTool;
pub use tools::Tools;

use crate::cache::{self, Lock};
use crate::progress::Progress;
use crate::worker_command::WorkerCommand;
use installer::{Installer, interpreter_in};
use interpreter::Interpreter;

/// Written last into an environment: one without it was never finished and is made again.
const MARKER: &str = "tailmark-complete";

/// What is wanted of an environment.
#[derive(Clone, Copy, Debug)]
pub struct EnvironmentRequest<'a> {
    /// The packages it must hold.
    pub extra: Extra,
    /// Where environments and the worker's source are kept; see [`default_cache_root`].
    pub cache_root: &'a Path,
    /// An interpreter of the user's, or the folder of an environment of theirs, to be used as it is.
    pub user_python: Option<&'a Path>,
    /// The programs to make an environment with.
    pub tools: &'a Tools,
}

/// An environment in which workers can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonEnvironment {
    interpreter: PathBuf,
    version: String,
    worker_source: PathBuf,
}

/// Where environments are kept unless the user says otherwise: `tailmark` in the user's cache folder.
///
/// # Errors
/// [`PythonError::NoCacheFolder`] when the user has no home folder.
pub fn default_cache_root() -> Result<PathBuf, PythonError> {
    cache::default_folder().ok_or(PythonError::NoCacheFolder)
}

/// The version of a package that is pinned for the tools for models; `None` for one that they do not need.
#[must_use]
pub fn pinned_for_tools(package: &str) -> Option<String> {
    Extra::Export.pin_of(package).split_once("==").map(|(_, version)| version.to_owned())
}

impl PythonEnvironment {
    /// Makes such an environment, or finds the one made before, or checks the user's.
    ///
    /// Blocks, for as long as an installation takes. Several processes may do this at once: one installs, the others wait.
    ///
    /// # Errors
    /// When no Python can be used, the installation fails, or the user's environment lacks packages, all of which are named.
    pub fn ensure(request: &EnvironmentRequest<'_>, progress: &dyn Progress) -> Result<Self, PythonError> {
        let interpreter = match request.user_python {
            Some(python) => users_own(python, request)?,
            None => our_own(request, progress)?,
        };
        let worker_source = worker_source::write(request.cache_root, &interpreter, progress)?;
        Ok(Self { interpreter: interpreter.path, version: interpreter.version, worker_source })
    }

    /// The same with the packages that the tools for models need, and the programs of this machine.
    ///
    /// # Errors
    /// As [`ensure`](Self::ensure).
    pub fn for_tools(
        cache_root: &Path,
        user_python: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<Self, PythonError> {
        Self::ensure_with(Extra::Export, cache_root, user_python, progress)
    }

    /// The one for tools that run graphs and tables, without torch.
    ///
    /// # Errors
    /// As [`ensure`](Self::ensure).
    pub fn for_graphs(
        cache_root: &Path,
        user_python: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<Self, PythonError> {
        Self::ensure_with(Extra::Base, cache_root, user_python, progress)
    }

    fn ensure_with(
        extra: Extra,
        cache_root: &Path,
        user_python: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<Self, PythonError> {
        let tools = Tools::from_environment();
        Self::ensure(&EnvironmentRequest { extra, cache_root, user_python, tools: &tools }, progress)
    }

    /// The interpreter.
    #[must_use]
    pub fn interpreter(&self) -> &Path {
        &self.interpreter
    }

    /// The interpreter's version, for example `3.11.7`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How to start a worker of this kind.
    ///
    /// It sees the packages of this environment and no others, inherits no variable that tells Python what to do, and stays off the network: everything it needs was
    /// fetched and checked before.
    #[must_use]
    pub fn worker_command(&self, kind: &str) -> WorkerCommand {
        let settings = [
            ("PYTHONUNBUFFERED", "1"),
            ("PYTHONNOUSERSITE", "1"),
            // The working folder may hold a file that is called as some package is.
            ("PYTHONSAFEPATH", "1"),
            ("HF_HUB_OFFLINE", "1"),
            // Its threads would compete with those that are measured.
            ("TOKENIZERS_PARALLELISM", "false"),
        ];
        let mut envs: Vec<(OsString, OsString)> =
            settings.iter().map(|(name, value)| (name.into(), value.into())).collect();
        envs.push(("PYTHONPATH".into(), self.worker_source.clone().into_os_string()));
        let args = ["-m", "tailmark_worker", kind].map(OsString::from).into();
        WorkerCommand { program: self.interpreter.clone(), args, envs, withheld: tools::WITHHELD }
    }

    /// The ONNX Runtime library in the package `onnxruntime`, for a program that is not Python.
    ///
    /// # Errors
    /// [`PythonError::NoOnnxruntimeLibrary`] when there is none.
    pub fn onnxruntime_library(&self) -> Result<PathBuf, PythonError> {
        let usual = self.interpreter.parent().and_then(Path::parent).map(package_folders).unwrap_or_default();
        // Asking costs a start of the interpreter, so it is only done if the package is not in its usual place.
        let found = usual.iter().find_map(|folder| library_in(&folder.join("onnxruntime/capi"))).or_else(|| {
            let script = "import importlib.util as u; print(u.find_spec('onnxruntime').submodule_search_locations[0])";
            let output = tools::command(&self.interpreter, &std::env::temp_dir()).args(["-c", script]).output().ok()?;
            let stdout = String::from_utf8_lossy(&output.stdout);
            library_in(&Path::new(stdout.lines().last()?).join("capi"))
        });
        found.ok_or_else(|| PythonError::NoOnnxruntimeLibrary { python: self.interpreter.clone() })
    }
}

/// The folders of installed packages below an environment's folder.
fn package_folders(environment: &Path) -> Vec<PathBuf> {
    let versions =
        fs::read_dir(environment.join("lib")).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = versions.map(|version| version.join("site-packages")).collect();
    folders.push(environment.join("Lib/site-packages"));
    folders.sort();
    folders
}

/// The library proper among what the package keeps beside it: the parts for single execution providers have longer names.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    found.sort();
    found.into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libonnxruntime.") || name == "onnxruntime.dll"
    })
}

/// Checks an environment of the user's with one start of its interpreter. Nothing is ever installed into it.
fn users_own(python: &Path, request: &EnvironmentRequest<'_>) -> Result<Interpreter, PythonError> {
    let extra = request.extra;
    let given = std::path::absolute(python).map_err(PythonError::folder("find", python))?;
    let path = match python.to_str().map(|name| request.tools.find(name)) {
        // A bare name is looked for as a shell does.
        Some(Some(found)) if python.components().count() == 1 && !given.exists() => found,
        _ if given.is_dir() => interpreter_in(&given),
        _ => given,
    };
    let unusable = |why: String, remedy: &str| PythonError::Unusable {
        python: path.clone(),
        why,
        remedy: remedy.to_owned(),
    };
    let (interpreter, lacking) = Interpreter::ask(&path, extra.direct())
        .map_err(|why| unusable(why, "name a Python interpreter, or the folder of an environment"))?;
    if let Some(why) = interpreter.misfit() {
        let (oldest, newest) = (extra::OLDEST, extra::NEWEST);
        let (oldest, newest) = (format!("{}.{}", oldest.0, oldest.1), format!("{}.{}", newest.0, newest.1));
        let why = format!("it is {why}, and only {oldest} to {newest} are supported");
        return Err(unusable(why, "name another one, or leave out --python"));
    }
    if lacking.is_empty() {
        return Ok(interpreter);
    }
    let pins: Vec<String> = lacking.iter().map(|name| extra.pin_of(name)).collect();
    let command = format!("{} -m pip install {}", path.display(), pins.join(" "));
    Err(PythonError::Lacks { python: path, lacking, command })
}

/// Finds or makes an environment of tailmark's own.
fn our_own(request: &EnvironmentRequest<'_>, progress: &dyn Progress) -> Result<Interpreter, PythonError> {
    let installer = Installer::choose(request.tools)?;
    let name = request.extra.environment_name(installer.identity());
    let root = request.cache_root.join("python");
    let folder = root.join(&name);
    if !is_complete(&folder, &name) {
        let lock = root.join(format!(".lock-{name}"));
        let waiting = || progress.step("waiting for another tailmark process to make the Python environment");
        let _lock = Lock::acquire(&lock, waiting).map_err(PythonError::folder("lock", &lock))?;
        if !is_complete(&folder, &name) {
            make(&installer, request.extra, &folder, &name, progress).inspect_err(|_| {
                // Half an environment is of no use, and can be gigabytes on a disk that may just have filled up.
                let _ = fs::remove_dir_all(&folder);
            })?;
        }
    }
    let path = interpreter_in(&folder);
    match installer.interpreter() {
        // The environment's interpreter is this one under another path: nothing to ask.
        Some(interpreter) => Ok(Interpreter { path, ..interpreter.clone() }),
        None => Interpreter::ask(&path, &[]).map(|(interpreter, _)| interpreter).map_err(|why| {
            let remedy = format!("remove {} and try again", folder.display());
            PythonError::Unusable { python: path, why, remedy }
        }),
    }
}

/// Under the lock: makes the environment in its place, because environments cannot be moved, and marks it at the end.
fn make(
    installer: &Installer,
    extra: Extra,
    folder: &Path,
    name: &str,
    progress: &dyn Progress,
) -> Result<(), PythonError> {
    if folder.exists() {
        progress.step("removing an unfinished Python environment");
        fs::remove_dir_all(folder).map_err(PythonError::folder("remove", folder))?;
    }
    let log = folder.with_extension("log");
    let _ = fs::remove_file(&log);
    let requirements = folder.with_extension("txt");
    fs::write(&requirements, extra.requirements()).map_err(PythonError::folder("write", &requirements))?;
    progress.step(&format!("making the Python environment {name}"));
    installer.make_environment(folder, &log, progress)?;
    progress.step(&format!("installing the Python packages of {name}"));
    let python = interpreter_in(folder);
    installer.install_requirements(&python, &requirements, &log, progress)?;
    // Requirements that name other machines are passed over without a word, and would leave an empty environment.
    let (interpreter, lacking) =
        Interpreter::ask(&python, extra.direct()).map_err(|why| PythonError::Unusable {
            remedy: format!("see what was installed in {}", log.display()),
            python: python.clone(),
            why,
        })?;
    if !lacking.is_empty() {
        return Err(PythonError::NotMadeFor { machine: interpreter.identity, lacking });
    }
    progress.step(&format!("importing the Python packages of {name} for the first time"));
    installer::import_once(&python, extra.direct(), &log, progress)?;
    let marker = folder.join(MARKER);
    fs::write(&marker, name).map_err(PythonError::folder("write", &marker))
}

/// Whether an environment was finished, and its interpreter has not been taken away since.
fn is_complete(folder: &Path, name: &str) -> bool {
    fs::read_to_string(folder.join(MARKER)).is_ok_and(|marked| marked == name)
        && interpreter_in(folder).exists()
}

#[cfg(test)]
mod tests;

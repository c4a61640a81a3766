//! The programs this machine has: looked up on a search path that is an argument, so that tests need not change the
//! process's own.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::worker_command::withhold;

/// A search path for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    search_path: OsString,
}

impl Tools {
    /// The programs on this process's `PATH`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self { search_path: std::env::var_os("PATH").unwrap_or_default() }
    }

    /// The programs on this search path, written as `PATH` is.
    #[must_use]
    pub fn on(search_path: impl Into<OsString>) -> Self {
        Self { search_path: search_path.into() }
    }

    /// The first executable file of this name.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.search_path)
            .map(|folder| folder.join(name))
            .find(|path| is_executable(path))
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The variables of the user's shell that are meant for other Python work, by how their names begin. Of pip's and uv's own
/// those stay that say where packages come from.
pub(crate) const WITHHELD: &[&str] = &[
    "PYTHON",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_REQUIRE_VIRTUALENV",
    "UV_PROJECT_ENVIRONMENT",
];

/// A command that is not led astray by what the user's shell has set for other Python work, nor by the settings files
/// of a project that happens to be in the working folder.
pub(crate) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    withhold(&mut command, WITHHELD);
    command.current_dir(folder).stdin(Stdio::null());
    command.env("PYTHONNOUSERSITE", "1").env("PYTHONSAFEPATH", "1");
    command
}

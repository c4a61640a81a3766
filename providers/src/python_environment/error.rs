//! The ways in which a Python environment cannot be had, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no usable Python environment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PythonError {
    /// The user has no home folder, so there is no default place for environments.
    #[error(
        "no cache folder for the Python environment: this user has no home folder\n\nhint: set XDG_CACHE_HOME"
    )]
    NoCacheFolder,
    /// No Python on the search path has a version that the worker runs on.
    #[error(
        "no Python {oldest} or newer (up to {newest}) on the search path{}\n\nhint: install python3, or uv, which brings \
         its own Python; name an interpreter with --python; or use only the Rust backend `rten`, which needs no Python",
        list(tried)
    )]
    NoPython {
        /// Oldest supported version.
        oldest: String,
        /// Newest supported version.
        newest: String,
        /// What was tried, each with the reason why it cannot be used.
        tried: Vec<String>,
    },
    /// The interpreter the user named cannot be used.
    #[error("the Python {} cannot be used: {why}\n\nhint: {remedy}", python.display())]
    Unusable {
        /// The interpreter.
        python: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The user's own environment lacks packages. tailmark never installs anything into it.
    #[error("the Python {} lacks {}\n\nhint: install the missing packages with `{command}`, or leave out --python and tailmark \
             makes its own environment", python.display(), lacking.join(", "))]
    Lacks {
        /// The interpreter.
        python: PathBuf,
        /// The packages' names.
        lacking: Vec<String>,
        /// The command that would install them.
        command: String,
    },
    /// A step of making the environment failed.
    #[error("could not {what} ({status}){}\n\nhint: {}; the full output is in {}", indented(tail), install_remedy(tail), log.display())]
    Install {
        /// The step, for example `install the Python packages`.
        what: String,
        /// How it ended.
        status: String,
        /// The last lines of its output.
        tail: String,
        /// The file with all of its output.
        log: PathBuf,
    },
    /// Installing went well and installed too little, because the packages are pinned for other machines.
    #[error(
        "the pinned Python packages do not exist for this machine ({machine}): {} not installed\n\nhint: make an \
             environment that has them and name it with --python, or use only the Rust backend `rten`",
        lacking_words(lacking)
    )]
    NotMadeFor {
        /// Implementation, version and machine of the interpreter.
        machine: String,
        /// The packages' names.
        lacking: Vec<String>,
    },
    /// A file or folder of the cache cannot be used.
    #[error("cannot {action} {}: {source}\n\nhint: free some space or get write permission there, or set XDG_CACHE_HOME to another \
             folder", path.display())]
    Folder {
        /// A verb, for example `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The environment has no ONNX Runtime library that another program could load.
    #[error("no ONNX Runtime library in the Python environment of {}\n\nhint: install the package onnxruntime, which contains it, or \
             leave out --python", python.display())]
    NoOnnxruntimeLibrary {
        /// The interpreter.
        python: PathBuf,
    },
}

impl PythonError {
    /// Turns an input or output error at `path` into this error.
    pub(crate) fn folder(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Folder { action, path, source }
    }
}

fn list(tried: &[String]) -> String {
    if tried.is_empty() { String::new() } else { format!("; tried {}", tried.join(", ")) }
}

fn lacking_words(lacking: &[String]) -> String {
    format!("{} {}", lacking.join(", "), if lacking.len() == 1 { "was" } else { "were" })
}

fn indented(tail: &str) -> String {
    if tail.trim().is_empty() {
        ", without any output".to_owned()
    } else {
        format!("; its last words:\n  {}", tail.trim_end().replace('\n', "\n  "))
    }
}

fn install_remedy(tail: &str) -> &'static str {
    // Only the installers' own words tell these cases apart; the log is named in any case.
    let says = |words: &[&str]| words.iter().any(|word| tail.contains(word));
    if says(&["No space left", "os error 28", "Disk quota"]) {
        "the disk is full: free some space"
    } else if says(&["ImportError", "ModuleNotFoundError"]) {
        "the packages are installed but cannot be imported; the last line says what is missing on this machine"
    } else if says(&["ensurepip", "No module named venv"]) {
        "this Python has no venv module: install it (on Debian and Ubuntu the package python3-venv), or install uv"
    } else if says(&["do not match the hashes", "Hash mismatch", "DO NOT MATCH THE HASHES"]) {
        "a package differs from the one tailmark was made with, and was not installed: check the package index or mirror \
         in use"
    } else {
        "the packages are downloaded: check the network connection, or use --python to name an interpreter that has them"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_python_is_told_what_will_do_without_it() {
        let error = PythonError::NoPython {
            oldest: "3.11".to_owned(),
            newest: "3.14".to_owned(),
            tried: vec!["/usr/bin/python3 (version 3.9.2)".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "no Python 3.11 or newer (up to 3.14) on the search path; tried /usr/bin/python3 (version 3.9.2)\n\n\
             hint: install python3, or uv, which brings its own Python; name an interpreter with --python; or use only \
             the Rust backend `rten`, which needs no Python"
        );
    }

    #[test]
    fn a_failed_install_quotes_the_installer_and_names_the_log() {
        let error = PythonError::Install {
            what: "install the Python packages".to_owned(),
            status: "exit status: 2".to_owned(),
            tail: "error: failed to fetch\n  caused by: dns\n".to_owned(),
            log: PathBuf::from("/cache/base.log"),
        };
        assert_eq!(
            error.to_string(),
            "could not install the Python packages (exit status: 2); its last words:\n  error: failed to fetch\n    \
             caused by: dns\n\nhint: the packages are downloaded: check the network connection, or use --python to name \
             an interpreter that has them; the full output is in /cache/base.log"
        );
    }
}

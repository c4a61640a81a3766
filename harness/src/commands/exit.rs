//! How a command ends: the exit codes, and errors with their remedy.

use std::process::ExitCode;

use tailmark_reports::record::Verdict;

use crate::run::RunError;

/// How a command ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every objective passed, or there was nothing to judge.
    Pass,
    /// An objective failed.
    Fail,
    /// No decision, an interrupted run, or nothing that could be measured.
    Inconclusive,
    /// A backend broke or answered wrongly.
    Broken,
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Inconclusive => Self::Inconclusive,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Pass => 0,
            Exit::Fail => 1,
            Exit::Inconclusive => 3,
            Exit::Broken => 4,
        })
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Arguments or a scenario that cannot be carried out: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The world or tailmark failed: exit code 4.
    #[error("{0}")]
    Broken(String),
}

impl From<RunError> for CommandError {
    fn from(error: RunError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl CommandError {
    /// Prints the error to stderr and gives its exit code.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "the one place where errors are printed")]
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Broken(_) => 4,
        })
    }
}

/// An input or output error as one that ends the command, with what was being done.
pub(super) fn broken(doing: &str) -> impl Fn(std::io::Error) -> CommandError + '_ {
    move |error| CommandError::Broken(format!("cannot {doing}: {error}"))
}

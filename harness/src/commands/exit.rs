//! How a command ends that did its work.

use std::process::ExitCode;

use tailmark_reports::record::Verdict;

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

//! How a command ends that did its work.

use std::process::ExitCode;

use tailmark_reports::record::{BackendOutcome, RunRecord, RunStatus, Verdict};

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

impl Exit {
    /// How a run ended: a broken backend first, then the worst verdict; nothing measured is inconclusive.
    #[must_use]
    pub fn of(record: &RunRecord) -> Self {
        let went = |wanted: fn(&BackendOutcome) -> bool| {
            record.backends.iter().any(|backend| wanted(&backend.outcome))
        };
        if went(|outcome| matches!(outcome, BackendOutcome::Broken { .. } | BackendOutcome::Wrong { .. })) {
            Self::Broken
        } else if record.status != RunStatus::Complete
            || !went(|outcome| matches!(outcome, BackendOutcome::Measured))
        {
            Self::Inconclusive
        } else {
            let judged = record.overall.map_or(Self::Pass, Self::from);
            // A FAIL of what was timed says more than that something else was not.
            let short = went(|outcome| matches!(outcome, BackendOutcome::NotAsRequired { .. }));
            if short && judged == Self::Pass { Self::Inconclusive } else { judged }
        }
    }
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

//! The workers of one backend that were lost while it was timed: how many are replaced, what the next one makes up for, and
//! what is said of each. Why a worker was lost is not judged here.

use std::time::Duration;

use tailmark_providers::provider::ProviderError;
use tailmark_reports::record::{BackendOutcome, Loss, Phase};
use tailmark_reports::units;

use super::backend_run::BackendRun;

/// What is under way until the first embedding.
pub(super) const COLD_START: &str = "cold start";

/// The lost workers of one backend.
#[derive(Debug)]
pub(super) struct Losses {
    all: Vec<Loss>,
    max_restarts: u32,
    /// What lost workers did of the share of the steady state that the next one makes up for.
    done: Steady,
    /// Processes that were lost before a request could be sent to them.
    never_asked: u64,
}

/// A part of the steady state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steady {
    pub(super) requests: u64,
    pub(super) time: Duration,
}

/// How far a backend was when a restart began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    requests: u64,
    steady: Steady,
}

impl Losses {
    pub(super) fn none(max_restarts: u32) -> Self {
        Self { all: Vec::new(), max_restarts, done: Steady::default(), never_asked: 0 }
    }

    /// The same limit, and nothing lost yet.
    pub(super) fn again(&self) -> Self {
        Self::none(self.max_restarts)
    }

    pub(super) fn all(&self) -> &[Loss] {
        &self.all
    }

    pub(super) fn count(&self) -> u64 {
        self.all.len() as u64
    }

    pub(super) fn max_restarts(&self) -> u32 {
        self.max_restarts
    }

    /// Lost processes that stand for none of the planned restarts.
    pub(super) fn restarts(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    /// Processes that were lost before a request could be sent to them: cold starts without an end, of which there is no
    /// sample.
    pub(super) fn never_asked(&self) -> u64 {
        self.never_asked
    }

    /// What lost workers did of the present restart's share.
    pub(super) fn done(&self) -> Steady {
        self.done
    }

    /// A restart ended that was not lost: the next one has a share of its own.
    pub(super) fn share_is_done(&mut self) {
        self.done = Steady::default();
    }
}

impl BackendRun {
    /// Where the backend is now.
    pub(super) fn mark(&self) -> Mark {
        let all = [Phase::ColdStart, Phase::WarmUp, Phase::Steady];
        let requests = all.into_iter().filter_map(|phase| self.seen(phase)).map(|seen| seen.requests()).sum();
        let steady = self.seen(Phase::Steady);
        let steady = steady.map(|seen| Steady { requests: seen.requests(), time: seen.elapsed() });
        Mark { requests, steady: steady.unwrap_or_default() }
    }

    /// The worker of the present restart was lost. Another takes its place, unless too many were lost by now: then the
    /// backend is broken. Gives the line that says so.
    pub(super) fn lose(&mut self, error: &ProviderError, during: &str, began: Mark, of: &str) -> String {
        let now = self.mark();
        let requests = now.requests - began.requests;
        let restarted = self.losses.all.len() < self.losses.max_restarts as usize;
        let replicas = match self.plan.replicas {
            0 | 1 => String::new(),
            several => format!("\n(one of {several} replicas; all of them are ended)"),
        };
        let why = format!("{error}{replicas}");
        let after = format!("after {}", units::counted(requests, "request"));
        let then = match (restarted, self.losses.max_restarts) {
            (true, most) => format!("another is started, {} of {most}", self.losses.all.len() + 1),
            (false, 0) => "none is started in its place ([workers] max_restarts = 0)".to_owned(),
            (false, most) => format!("{most} were replaced, and [workers] max_restarts allows no more"),
        };
        let said =
            format!("{}: a worker was lost during {during} ({of}, {after}); {then}: {why}", self.plan.name);
        let restart = self.restarts();
        self.losses.never_asked += u64::from(requests == 0);
        self.losses.done.requests += now.steady.requests - began.steady.requests;
        self.losses.done.time += now.steady.time.saturating_sub(began.steady.time);
        self.losses.all.push(Loss {
            restart,
            during: during.to_owned(),
            requests,
            why: why.clone(),
            restarted,
        });
        self.lose_restart();
        if !restarted {
            let steady = units::counted(now.steady.requests, "steady request");
            self.outcome = BackendOutcome::Broken {
                why: format!("{why}\n({of}, during {during}, after {steady}; {then})"),
            };
        }
        said
    }

    /// Which restart this is: each lost one adds one to those that were planned.
    pub(super) fn which_restart(&self) -> String {
        let (restart, planned) = (self.restarts(), self.plan.phases.restarts + self.losses.restarts());
        if restart <= planned {
            format!("restart {restart} of {planned}")
        } else {
            format!("restart {restart}")
        }
    }
}

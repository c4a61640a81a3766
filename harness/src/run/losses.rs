//! The workers of one backend that were lost while it was timed: how many are replaced, and what the next one makes up for. Why
//! a worker was lost is not judged here.

use tailmark_reports::record::Loss;

use super::measured::Steady;

/// The lost workers of one backend.
#[derive(Debug)]
pub(super) struct Losses {
    all: Vec<Loss>,
    max_replacements: u32,
    /// What lost workers did of the share of the steady state that the next one makes up for.
    done: Steady,
    /// Processes that were lost before a request could be sent to them.
    never_asked: u64,
}

impl Losses {
    pub(super) fn none(max_replacements: u32) -> Self {
        Self { all: Vec::new(), max_replacements, done: Steady::default(), never_asked: 0 }
    }

    /// The same limit, and nothing lost yet.
    pub(super) fn again(&self) -> Self {
        Self::none(self.max_replacements)
    }

    /// One more, that had done so much of its share.
    pub(super) fn add(&mut self, loss: Loss, done: Steady) {
        self.never_asked += u64::from(loss.requests == 0);
        self.done.requests += done.requests;
        self.done.time += done.time;
        self.all.push(loss);
    }

    pub(super) fn all(&self) -> &[Loss] {
        &self.all
    }

    pub(super) fn count(&self) -> u64 {
        self.all.len() as u64
    }

    pub(super) fn max_replacements(&self) -> u32 {
        self.max_replacements
    }

    /// Whether one more would be replaced.
    pub(super) fn allow_another(&self) -> bool {
        self.all.len() < self.max_replacements as usize
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

//! What a drive is asked for and how it went, as data.

use std::time::Duration;

use tailmark_providers::provider::ProviderError;
use tailmark_reports::record::Phase;

use crate::sample::Flow;

/// A phase within a [`drive`](super::drive), and the most it may have; the observer may end it earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The phase its samples belong to.
    pub phase: Phase,
    /// Number of its first request.
    pub first_number: u64,
    /// Requests at most.
    pub max_requests: u64,
    /// Time at most, in which requests become due.
    pub max_time: Duration,
}

/// What an observer says after a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on.
    GoOn,
    /// The present stage has seen enough: what is due from now on belongs to the next one, or to none.
    NextStage,
}

/// Why a [`drive`](super::drive) ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// The stages were used up, or the observer had seen enough.
    Done,
    /// More requests waited than may; those were given up.
    Overloaded,
    /// The user asked to stop; requests in flight were dropped.
    Cancelled,
    /// The provider can answer nothing any more.
    Lost(ProviderError),
}

/// How a [`drive`](super::drive) went.
#[derive(Clone, Debug, PartialEq)]
pub struct Driven {
    /// Why it ended.
    pub ended: Ended,
    /// What came and went in each stage that was begun, in order.
    pub stages: Vec<Flow>,
}

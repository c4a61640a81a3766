//! One request, as it went, and what came and went of many.

use std::sync::Arc;
use std::time::Duration;

use tailmark_providers::provider::StageTimes;
use tailmark_reports::record::Phase;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With vectors.
    Answered,
    /// With an error that the backend answered; it counts as infinitely slow.
    Failed(Arc<str>),
    /// Without an answer, though its deadline was not over: it was given up in the queue, or lost with its worker. It counts
    /// as infinitely slow. A busy machine can bring this about, and the answer of an error it cannot.
    Abandoned(Arc<str>),
    /// Not within its deadline; it counts as infinitely slow.
    TimedOut,
}

impl Outcome {
    /// The word for it in the samples file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed(_) | Self::Abandoned(_) => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// One request: when it was due, began and ended, in nanoseconds since the run began, and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Index of the backend in the plan.
    pub backend: usize,
    /// Which fresh process, from 1.
    pub restart: u32,
    /// The phase it belongs to.
    pub phase: Phase,
    /// Number of the request within backend and phase, from 0.
    pub number: u64,
    /// Texts asked for.
    pub texts: u32,
    /// Tokens in them, special tokens included; `None` when it was not answered or the backend does not count them.
    pub tokens: Option<u32>,
    /// When it should have begun.
    pub scheduled_ns: u64,
    /// When it was handed to the provider.
    pub started_ns: u64,
    /// How long it waited because no slot was free, part of started - scheduled.
    pub queued_ns: u64,
    /// When the answer was there, or the failure known.
    pub finished_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Where the time went, as far as the provider says.
    pub stages: StageTimes,
}

impl Sample {
    /// A request of one text in steady state that was due, and started, at `began_ns` and took so long; `None` never ended. What
    /// simulations are made of.
    #[must_use]
    pub fn steady(restart: u32, number: u64, began_ns: u64, took_ns: Option<u64>) -> Self {
        Self {
            backend: 0,
            restart,
            phase: Phase::Steady,
            number,
            texts: 1,
            tokens: None,
            scheduled_ns: began_ns,
            started_ns: began_ns,
            queued_ns: 0,
            finished_ns: began_ns + took_ns.unwrap_or_default(),
            outcome: if took_ns.is_some() { Outcome::Answered } else { Outcome::TimedOut },
            stages: StageTimes::default(),
        }
    }

    /// What a caller waits: finished - scheduled; `None` for a request that failed, which counts as infinitely slow.
    #[must_use]
    pub fn response_ns(&self) -> Option<u64> {
        (self.outcome == Outcome::Answered).then(|| self.finished_ns.saturating_sub(self.scheduled_ns))
    }

    /// How late it was started for reasons that are the generator's own: started - scheduled without the wait for a slot.
    #[must_use]
    pub fn lateness_ns(&self) -> u64 {
        self.started_ns.saturating_sub(self.scheduled_ns).saturating_sub(self.queued_ns)
    }

    /// What the backend takes: finished - started; `None` for a request that failed.
    #[must_use]
    pub fn service_ns(&self) -> Option<u64> {
        (self.outcome == Outcome::Answered).then(|| self.finished_ns.saturating_sub(self.started_ns))
    }
}

/// What came and went in one stage of a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Requests that became due.
    pub arrived: u64,
    /// From the beginning of the stage to when the last of them was due.
    pub arriving: Duration,
    /// Requests that were started in its time, of whatever stage.
    pub started: u64,
    /// From the beginning of the stage to when the last of them was started.
    pub starting: Duration,
    /// Requests that were given up in the queue.
    pub given_up: u64,
    /// How long the driver itself did not run while requests became due.
    pub stalled: Duration,
    /// From the beginning of the stage to that of the next, or to the end of the last request, or of the stage's time if the
    /// next request would have been due after it.
    pub elapsed: Duration,
    /// Requests in flight at most.
    pub most_in_flight: u64,
    /// Requests that waited for a slot at most.
    pub most_waiting: u64,
    /// Requests in the system, waiting or in flight and of whatever stage, summed over the time of the stage: requests
    /// times nanoseconds.
    pub in_system_ns: u128,
}

impl Flow {
    /// Adds what came and went in another stage.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.arriving += other.arriving;
        self.started += other.started;
        self.starting += other.starting;
        self.given_up += other.given_up;
        self.stalled += other.stalled;
        self.elapsed += other.elapsed;
        self.most_in_flight = self.most_in_flight.max(other.most_in_flight);
        self.most_waiting = self.most_waiting.max(other.most_waiting);
        self.in_system_ns += other.in_system_ns;
    }
}

//! When each phase of a restart is over: its warm-up, then its share of the steady state. The driver does the rest.

use std::time::Duration;

use tailmark_reports::record::Phase;

use super::backend_run::BackendRun;
use super::measured::Measured;
use crate::driver::{Stage, Step};
use crate::plan::{Phases, WarmUp};
use crate::sample::Sample;
use crate::statistics::steady::{self, WarmUpState};

/// What has been seen of a restart, and when each of its phases is over.
pub(super) struct StoppingRule {
    phases: Phases,
    warming: Warming,
    steady_requests: u64,
    /// When the first steady-state request was due.
    steady_began_ns: Option<u64>,
    /// Steady-state time of the restarts before.
    elapsed: Duration,
    share: Share,
    /// Steady-state requests before this restart.
    done: u64,
}

/// What is planned for one restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    requests: u64,
    time: Duration,
    max_time: Duration,
}

impl StoppingRule {
    /// That of the restart that the backend is in.
    pub(super) fn of(backend: &mut BackendRun, request_deadline: Duration) -> Self {
        let phases = backend.plan.phases;
        // A lost restart is none of those that were planned: the next one does what is left of its share.
        let restart = backend.measured.restarts() - backend.losses.restarts();
        let made_up_for = backend.losses.done();
        let (done, elapsed) = {
            let so_far = backend.measured.phase(Phase::Steady);
            (so_far.requests(), so_far.elapsed())
        };
        let Phases { restarts, steady, .. } = phases;
        // The first restarts take the remainder, so that the shares add up to the whole.
        let requests = {
            let (count, restarts) = (steady.min_requests, u64::from(restarts));
            count / restarts + u64::from(u64::from(restart) <= count % restarts)
        };
        let requests = requests.saturating_sub(made_up_for.requests);
        let time = (steady.min_time / restarts).saturating_sub(made_up_for.time);
        let left = steady.max_time.saturating_sub(elapsed);
        let max_time = if restart <= restarts { left.min(steady.max_time / restarts) } else { left };
        Self {
            phases,
            warming: Warming::of(phases.warm_up, request_deadline),
            steady_requests: 0,
            steady_began_ns: None,
            elapsed,
            share: Share { requests, time, max_time },
            done,
        }
    }

    /// Warm-up and steady state at most.
    pub(super) fn stages(&self, first_warm_up: u64) -> [Stage; 2] {
        let Phases { restarts, warm_up, steady } = self.phases;
        let most = match warm_up {
            WarmUp::Fixed(count) => count,
            WarmUp::Found { most, .. } => most,
        };
        [
            Stage {
                phase: Phase::WarmUp,
                first_number: first_warm_up,
                max_requests: most,
                max_time: steady.max_time / restarts,
            },
            Stage {
                phase: Phase::Steady,
                first_number: self.done,
                max_requests: steady.max_requests.saturating_sub(self.done),
                max_time: self.share.max_time,
            },
        ]
    }

    /// Steady-state requests that are planned for this restart.
    pub(super) fn planned(&self) -> u64 {
        self.share.requests
    }

    /// Takes a request into account that is recorded already.
    pub(super) fn see(&mut self, measured: &mut Measured, sample: &Sample) -> Step {
        let enough = match sample.phase {
            Phase::WarmUp => self.warming.is_over(measured, sample),
            _ => self.is_enough(measured, sample),
        };
        if enough { Step::NextStage } else { Step::GoOn }
    }

    /// The restart is over. A warm-up that was still looked for then was not found.
    pub(super) fn end(&mut self, measured: &mut Measured) {
        self.warming.end(measured);
    }

    fn is_enough(&mut self, measured: &mut Measured, sample: &Sample) -> bool {
        self.steady_requests += 1;
        let began_ns = *self.steady_began_ns.get_or_insert(sample.scheduled_ns);
        let here = Duration::from_nanos(sample.finished_ns.saturating_sub(began_ns));
        let Share { requests, time, .. } = self.share;
        match measured.wants_fresh_process() {
            // Nothing decides as it goes: this restart's share of the planned count.
            None => self.steady_requests >= requests && here >= time,
            Some(fresh) => {
                let decided = self.elapsed + here >= self.phases.steady.min_time && measured.is_decided();
                decided || (fresh && here >= time)
            }
        }
    }
}

/// The warm-up of one restart while it is looked for.
pub(super) struct Warming {
    /// What a request that failed counts as.
    slowest_ns: u64,
    /// Set while it is looked for.
    watch: Option<steady::WarmUp>,
    requests: u64,
}

impl Warming {
    /// That of a restart in which nothing was seen yet.
    pub(super) fn of(warm_up: WarmUp, request_deadline: Duration) -> Self {
        Self {
            slowest_ns: u64::try_from(request_deadline.as_nanos()).unwrap_or(u64::MAX),
            watch: match warm_up {
                WarmUp::Fixed(_) => None,
                WarmUp::Found { fewest, most } => Some(steady::WarmUp::new(fewest, most)),
            },
            requests: 0,
        }
    }

    /// Takes a request of the warm-up into account, and says whether it is over with it.
    pub(super) fn is_over(&mut self, measured: &mut Measured, sample: &Sample) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        self.requests += 1;
        let latency_ns = sample.response_ns().unwrap_or(self.slowest_ns).max(1);
        watch.observe((latency_ns as f64).ln(), measured.is_missed_by(sample));
        let state = watch.state();
        if state == WarmUpState::WarmingUp {
            return false;
        }
        self.watch = None;
        measured.end_warm_up(self.requests, state == WarmUpState::Steady);
        true
    }

    /// The restart is over. A warm-up that was still looked for then was not found.
    pub(super) fn end(&mut self, measured: &mut Measured) {
        if self.watch.take().is_some() {
            measured.end_warm_up(self.requests, false);
        }
    }
}

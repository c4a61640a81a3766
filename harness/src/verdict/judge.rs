//! One objective of one backend while it is measured: fed every steady-state request, asked whether it is decided.

use super::procedure::DRIFT;
use super::{Decision, Horizon, Procedure, Rules};
use crate::objective::{Indicator, Objective};
use crate::sample::{Outcome, Sample};
use crate::statistics::batch_means::BatchMeans;

/// What may be measured before, and at most, over all restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What must be seen before any decision.
    pub horizon: Horizon,
    /// Steady-state requests after which an open verdict is INCONCLUSIVE.
    pub most_requests: u64,
}

/// The judge of one objective. Those that count exceedances decide as they go; the others are read off at the end.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Index of the objective in the plan.
    pub index: usize,
    /// The objective.
    pub objective: Objective,
    pub(super) procedure: Option<Procedure>,
    /// The same test of the errors that the backend answered, as if every other request had been fast enough.
    errors: Option<Procedure>,
    pub(super) quick: bool,
    /// Whether the plan's blocks say how many requests there are.
    pub(super) in_blocks: bool,
    pub(super) throughput: BatchMeans,
    last_finished_ns: Option<u64>,
}

impl Judge {
    /// A judge that has seen nothing.
    #[must_use]
    pub fn new(index: usize, objective: &Objective, bounds: Bounds) -> Self {
        let error = 1.0 - objective.confidence;
        let rules = |allowed: f64, limit_ns: Option<u64>| Rules {
            allowed,
            alpha: error,
            beta: error,
            limit_ns,
            horizon: bounds.horizon,
            most_requests: bounds.most_requests,
        };
        let procedure = match objective.indicator {
            Indicator::ResponseTime { quantile } | Indicator::ServiceTime { quantile } => {
                Some(rules(1.0 - quantile, Some(objective.limit as u64)))
            }
            Indicator::FailureShare => Some(rules(objective.limit, None)),
            _ => None,
        };
        Self {
            index,
            objective: objective.clone(),
            errors: procedure.map(|rules| Procedure::new(Rules { limit_ns: None, ..rules })),
            procedure: procedure.map(Procedure::new),
            quick: bounds.horizon == Horizon::Quick,
            in_blocks: false,
            throughput: BatchMeans::default(),
            last_finished_ns: None,
        }
    }

    /// The same of a backend whose requests come in blocks of a fixed number, so that other settings bring more of them.
    #[must_use]
    pub fn in_blocks(self, in_blocks: bool) -> Self {
        Self { in_blocks, ..self }
    }

    /// A fresh process begins.
    pub fn begin_restart(&mut self) {
        self.last_finished_ns = None;
        self.procedures().for_each(Procedure::begin_restart);
    }

    /// The present restart was lost before its end.
    pub fn lose_restart(&mut self) {
        self.procedures().for_each(Procedure::lose_restart);
    }

    /// The present restart used up its warm-up without becoming steady.
    pub fn no_steady_state(&mut self) {
        self.procedures().for_each(Procedure::no_steady_state);
    }

    /// Adds a steady-state request.
    pub fn observe(&mut self, sample: &Sample) {
        if let Some(procedure) = &mut self.procedure {
            procedure.observe(judged_time(&self.objective, sample));
        }
        if let Some(errors) = &mut self.errors {
            // A time of 0 is within any limit: here only the errors exceed.
            let is_error = matches!(sample.outcome, Outcome::Failed(_));
            errors.observe((!is_error).then_some(0));
        }
        if self.objective.indicator == Indicator::Throughput {
            let since = self.last_finished_ns.unwrap_or(sample.scheduled_ns);
            let time = std::time::Duration::from_nanos(sample.finished_ns.saturating_sub(since));
            let texts = if sample.outcome == Outcome::Answered { u64::from(sample.texts) } else { 0 };
            self.throughput.record(texts, time);
            self.last_finished_ns = Some(sample.finished_ns);
        }
    }

    /// Whether the errors that the backend answered make it a FAIL, however fast the other requests were. Timeouts do not
    /// count, nor do requests that were given up or lost with their worker: a busy machine can bring those about.
    #[must_use]
    pub fn fails_by_errors_alone(&self) -> bool {
        self.errors.clone().is_some_and(|mut errors| errors.conclude() == Decision::Fail)
    }

    fn procedures(&mut self) -> impl Iterator<Item = &mut Procedure> {
        self.procedure.iter_mut().chain(&mut self.errors)
    }

    /// Whether nothing measured from here on would change its decision; objectives that are read off at the end never
    /// hold a run up.
    pub fn is_decided(&mut self) -> bool {
        match &mut self.procedure {
            Some(procedure) => !matches!(procedure.decide(), Decision::Continue { .. }),
            None => true,
        }
    }

    /// Whether the next request should be sent to a fresh process; `None` when it does not mind.
    #[must_use]
    pub fn wants_fresh_process(&self) -> Option<bool> {
        self.procedure.as_ref().map(Procedure::wants_fresh_process)
    }

    /// The trend of the latency within restarts, where one was found.
    #[must_use]
    pub fn drift(&self) -> Option<tailmark_reports::record::Drift> {
        let drift = self.procedure.as_ref()?.findings().drift.filter(|drift| drift.deviate.abs() > DRIFT)?;
        Some(tailmark_reports::record::Drift {
            change_per_thousand: drift.change_per_thousand,
            deviate: drift.deviate,
        })
    }

    /// Whether a request misses the objective's limit, for warm-up detection.
    #[must_use]
    pub fn is_missed_by(&self, sample: &Sample) -> bool {
        let time = judged_time(&self.objective, sample);
        time.is_none_or(|time| {
            self.objective.time_limit().is_some_and(|limit| u128::from(time) > limit.as_nanos())
        })
    }
}

/// The time that counts for this objective; `None` for a request that failed, which counts as infinitely slow.
fn judged_time(objective: &Objective, sample: &Sample) -> Option<u64> {
    match objective.indicator {
        Indicator::ServiceTime { .. } => sample.service_ns(),
        _ => sample.response_ns(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge() -> Judge {
        let objective = Objective {
            indicator: Indicator::ResponseTime { quantile: 0.95 },
            limit: 20e6,
            confidence: 0.99,
            backends: None,
        };
        let mut judge = Judge::new(0, &objective, Bounds { horizon: Horizon::Quick, most_requests: 1_000 });
        judge.begin_restart();
        judge
    }

    fn request(number: u64, milliseconds: u64, outcome: Outcome) -> Sample {
        Sample { outcome, ..Sample::steady(1, number, 0, Some(milliseconds * 1_000_000)) }
    }

    /// Whether it is a FAIL, and whether it is one by errors alone, when every `each`th of 500 requests ends so.
    fn judged(each: u64, milliseconds: u64, outcome: &Outcome) -> (bool, bool) {
        let mut judge = judge();
        for number in 0..500 {
            let ended = if number % each == 0 { outcome.clone() } else { Outcome::Answered };
            let slow = if number % each == 0 { milliseconds } else { 5 };
            judge.observe(&request(number, slow, ended));
        }
        let fails = judge.procedure.clone().is_some_and(|mut all| all.conclude() == Decision::Fail);
        (fails, judge.fails_by_errors_alone())
    }

    #[test]
    fn only_errors_that_the_backend_answered_make_a_fail_that_no_noise_can_explain() {
        let error = Outcome::Failed("embedding failed: no memory".into());
        assert_eq!(judged(5, 1, &error), (true, true));
        assert_eq!(judged(1, 1, &error), (true, true));
        for other in [Outcome::TimedOut, Outcome::Abandoned("given up".into()), Outcome::Answered] {
            assert_eq!(judged(5, 90, &other), (true, false), "{other:?}");
        }
        assert_eq!(judged(50, 1, &error), (false, false), "2 % may fail");
    }

    #[test]
    fn errors_among_slow_requests_must_exceed_what_is_allowed_by_themselves() {
        let mut judge = judge();
        for number in 0..500 {
            let outcome = if number % 40 == 0 { Outcome::Failed("broken".into()) } else { Outcome::Answered };
            judge.observe(&request(number, 90, outcome));
        }
        assert!(!judge.fails_by_errors_alone(), "all are too slow, but only 2.5 % are errors");
    }
}

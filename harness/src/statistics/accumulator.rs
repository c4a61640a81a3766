//! The figures of one phase, gathered request by request in memory that does not grow with their number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tailmark_reports::record::{
    CurvePoint, FailureReason, Interval, Latency, Percentile, Phase, PhaseSummary, Stages,
};

use super::{carries, quantile_ranks};
use crate::sample::{Outcome, Sample};

/// Percentiles that a summary shows, when the count carries them.
const SHOWN: &[f64] = &[0.5, 0.9, 0.95, 0.99, 0.999];
/// Confidence of every interval that is shown beside an estimate.
const CONFIDENCE: f64 = 0.95;
/// Distinct failure reasons that are kept apart; the rest are counted together.
const MOST_REASONS: usize = 20;

/// Counts, a histogram of response times (three significant digits) and the sums of the stages.
#[derive(Clone, Debug)]
pub struct Accumulator {
    answered: Histogram<u64>,
    requests: u64,
    timeouts: u64,
    texts: u64,
    elapsed: Duration,
    total_response_ns: u128,
    stages: StageSums,
    reasons: BTreeMap<Arc<str>, u64>,
    limits: Vec<Limit>,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    nanoseconds: u64,
    exceeded: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct StageSums {
    queue: u128,
    serialise: u128,
    tokenize: u128,
    infer: u128,
    pool: u128,
    worker_other: u128,
    deserialise: u128,
    pipe: u128,
}

impl Accumulator {
    /// Nothing yet; requests slower than each of `limits` will be counted exactly.
    #[must_use]
    pub fn new(limits: &[Duration]) -> Self {
        let histogram = Histogram::new_with_bounds(1, 86_400_000_000_000, 3)
            .expect("bounds and digits that hdrhistogram takes: this is a bug");
        Self {
            answered: histogram,
            requests: 0,
            timeouts: 0,
            texts: 0,
            elapsed: Duration::ZERO,
            total_response_ns: 0,
            stages: StageSums::default(),
            reasons: BTreeMap::new(),
            limits: limits
                .iter()
                .map(|limit| Limit {
                    nanoseconds: u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX),
                    exceeded: 0,
                })
                .collect(),
        }
    }

    /// Adds a request.
    pub fn record(&mut self, sample: &Sample) {
        self.requests += 1;
        let response = sample.response_ns();
        for limit in &mut self.limits {
            limit.exceeded += u64::from(response.is_none_or(|response| response > limit.nanoseconds));
        }
        match (&sample.outcome, response) {
            (Outcome::Answered, Some(response)) => {
                self.texts += u64::from(sample.texts);
                self.answered.saturating_record(response.max(1));
                self.total_response_ns += u128::from(response);
                self.add_stages(sample);
            }
            (Outcome::TimedOut, _) => {
                self.timeouts += 1;
                self.count_reason(&Arc::from("no answer within the deadline"));
            }
            (Outcome::Failed(why), _) => self.count_reason(why),
            (Outcome::Answered, None) => {}
        }
    }

    fn add_stages(&mut self, sample: &Sample) {
        let stages = &sample.stages;
        let sums = &mut self.stages;
        let queue = sample.started_ns.saturating_sub(sample.scheduled_ns);
        let service = sample.finished_ns.saturating_sub(sample.started_ns);
        let within_worker = stages.tokenize_ns + stages.infer_ns + stages.pool_ns;
        sums.queue += u128::from(queue);
        sums.serialise += u128::from(stages.serialise_ns);
        sums.tokenize += u128::from(stages.tokenize_ns);
        sums.infer += u128::from(stages.infer_ns);
        sums.pool += u128::from(stages.pool_ns);
        sums.worker_other += u128::from(stages.worker_ns.saturating_sub(within_worker));
        sums.deserialise += u128::from(stages.deserialise_ns);
        let known = stages.serialise_ns + stages.worker_ns.max(within_worker) + stages.deserialise_ns;
        sums.pipe += u128::from(service.saturating_sub(known));
    }

    fn count_reason(&mut self, why: &Arc<str>) {
        let full = self.reasons.len() >= MOST_REASONS && !self.reasons.contains_key(why);
        let key = if full { Arc::from("other reasons") } else { Arc::clone(why) };
        *self.reasons.entry(key).or_default() += 1;
    }

    /// Adds time spent in this phase.
    pub fn add_elapsed(&mut self, elapsed: Duration) {
        self.elapsed += elapsed;
    }

    /// Adds everything another accumulator of the same limits has.
    pub fn merge(&mut self, other: &Self) {
        self.answered.add(&other.answered).expect("histograms of the same bounds: this is a bug");
        self.requests += other.requests;
        self.timeouts += other.timeouts;
        self.texts += other.texts;
        self.elapsed += other.elapsed;
        self.total_response_ns += other.total_response_ns;
        let (into, from) = (&mut self.stages, &other.stages);
        into.queue += from.queue;
        into.serialise += from.serialise;
        into.tokenize += from.tokenize;
        into.infer += from.infer;
        into.pool += from.pool;
        into.worker_other += from.worker_other;
        into.deserialise += from.deserialise;
        into.pipe += from.pipe;
        for (why, count) in &other.reasons {
            *self.reasons.entry(Arc::clone(why)).or_default() += count;
        }
        for (limit, other) in self.limits.iter_mut().zip(&other.limits) {
            limit.exceeded += other.exceeded;
        }
    }

    /// Requests so far, failures included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Time spent in this phase so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Requests slower than the limit of that index, failures included.
    #[must_use]
    pub fn exceeded(&self, limit: usize) -> u64 {
        self.limits[limit].exceeded
    }

    /// A quantile with its 95 % order-statistic interval over all requests, failures infinitely slow; `None` when the
    /// count does not carry it or when it falls among the failures.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Interval> {
        let percentile = self.percentile(quantile)?;
        Some(Interval {
            value: percentile.value_ns? as f64,
            low: percentile.low_ns? as f64,
            high: percentile.high_ns.map(|high| high as f64),
        })
    }

    fn percentile(&self, quantile: f64) -> Option<Percentile> {
        if !carries(quantile, self.requests) {
            return None;
        }
        let ranks = quantile_ranks(quantile, self.requests, CONFIDENCE);
        Some(Percentile {
            quantile,
            value_ns: self.at_rank(ranks.estimate),
            low_ns: ranks.low.and_then(|rank| self.at_rank(rank)),
            high_ns: ranks.high.and_then(|rank| self.at_rank(rank)),
        })
    }

    /// The response time of that rank, from 1; `None` among the failures.
    fn at_rank(&self, rank: u64) -> Option<u64> {
        if rank > self.answered.len() {
            return None;
        }
        let mut below = 0;
        self.answered.iter_recorded().find_map(|value| {
            below += value.count_since_last_iteration();
            (below >= rank).then(|| value.value_iterated_to().min(self.answered.max()))
        })
    }

    /// The percentile curve, at even steps on an axis of nines, as far as the count reaches.
    #[must_use]
    pub fn curve(&self) -> Vec<CurvePoint> {
        let nines = (self.requests.max(1) as f64).log10();
        (0..)
            .map(|step| 1.0 - 10_f64.powf(-f64::from(step) * 0.05))
            .take_while(|quantile| -(1.0 - quantile).log10() <= nines + 1e-9)
            .filter(|quantile| *quantile > 0.0)
            .filter_map(|quantile| {
                let ranks = quantile_ranks(quantile, self.requests, CONFIDENCE);
                Some(CurvePoint {
                    quantile,
                    value_ns: self.at_rank(ranks.estimate)?,
                    low_ns: self.at_rank(ranks.low?)?,
                    high_ns: ranks.high.and_then(|rank| self.at_rank(rank)),
                })
            })
            .collect()
    }

    /// The figures.
    #[must_use]
    pub fn summary(&self, phase: Phase) -> PhaseSummary {
        let answered = self.answered.len();
        let seconds = self.elapsed.as_secs_f64();
        let per_second = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
        let mut failure_reasons: Vec<FailureReason> = self
            .reasons
            .iter()
            .map(|(why, requests)| FailureReason { why: why.to_string(), requests: *requests })
            .collect();
        failure_reasons.sort_by_key(|reason| std::cmp::Reverse(reason.requests));
        PhaseSummary {
            phase,
            requests: self.requests,
            failures: self.requests - answered,
            timeouts: self.timeouts,
            texts: self.texts,
            elapsed_ns: u64::try_from(self.elapsed.as_nanos()).unwrap_or(u64::MAX),
            requests_per_second: per_second(answered),
            texts_per_second: per_second(self.texts),
            response_time: (answered > 0).then(|| Latency {
                min_ns: self.answered.min(),
                mean_ns: self.total_response_ns as f64 / answered as f64,
                max_ns: self.answered.max(),
                percentiles: SHOWN.iter().filter_map(|quantile| self.percentile(*quantile)).collect(),
            }),
            stages: (answered > 0).then(|| self.stages.means(answered)),
            failure_reasons,
        }
    }
}

impl StageSums {
    fn means(&self, answered: u64) -> Stages {
        let mean = |sum: u128| sum as f64 / answered as f64;
        Stages {
            queue_ns: mean(self.queue),
            serialise_ns: mean(self.serialise),
            tokenize_ns: mean(self.tokenize),
            infer_ns: mean(self.infer),
            pool_ns: mean(self.pool),
            worker_other_ns: mean(self.worker_other),
            deserialise_ns: mean(self.deserialise),
            pipe_ns: mean(self.pipe),
        }
    }
}

#[cfg(test)]
mod tests {
    use tailmark_providers::provider::StageTimes;

    use super::*;

    fn sample(response_ns: u64, outcome: Outcome) -> Sample {
        Sample {
            backend: 0,
            restart: 1,
            phase: Phase::Steady,
            number: 0,
            texts: 2,
            tokens: 20,
            scheduled_ns: 1_000,
            started_ns: 1_100,
            finished_ns: 1_000 + response_ns,
            outcome,
            stages: StageTimes {
                serialise_ns: 10,
                tokenize_ns: 20,
                infer_ns: 300,
                pool_ns: 5,
                worker_ns: 330,
                deserialise_ns: 7,
            },
        }
    }

    fn filled(count: u64, failures: u64) -> Accumulator {
        let mut accumulator = Accumulator::new(&[Duration::from_micros(900)]);
        for n in 1..=count {
            accumulator.record(&sample(n * 1_000, Outcome::Answered));
        }
        for _ in 0..failures {
            accumulator.record(&sample(1, Outcome::Failed("broken".into())));
        }
        accumulator
    }

    #[test]
    fn percentiles_are_nearest_ranks_within_the_histograms_three_digits() {
        let summary = filled(1000, 0).summary(Phase::Steady);
        let latency = summary.response_time.expect("answered requests");
        let p95 = &latency.percentiles[2];
        for (found, exact) in [(p95.value_ns, 950_000.0), (p95.low_ns, 936_000.0), (p95.high_ns, 964_000.0)] {
            let found = found.expect("carried") as f64;
            assert!((found / exact - 1.0).abs() < 1e-3, "{found} against {exact}");
        }
        assert_eq!(latency.percentiles.len(), 4, "1,000 requests do not carry P99.9");
    }

    #[test]
    fn failures_are_infinitely_slow_and_over_every_limit() {
        let accumulator = filled(940, 60);
        assert_eq!(accumulator.exceeded(0), 40 + 60);
        let summary = accumulator.summary(Phase::Steady);
        assert_eq!((summary.requests, summary.failures), (1000, 60));
        let latency = summary.response_time.expect("answered requests");
        assert_eq!(latency.percentiles[2].value_ns, None, "P95 falls among the failures");
        assert!(latency.percentiles[1].value_ns.is_some(), "P90 does not");
        assert_eq!(accumulator.quantile(0.95), None);
        assert_eq!(summary.failure_reasons, [FailureReason { why: "broken".into(), requests: 60 }]);
    }

    #[test]
    fn the_stages_add_up_to_the_mean_response_time() {
        let summary = filled(3, 0).summary(Phase::Steady);
        let stages = summary.stages.expect("answered requests");
        let sum = stages.queue_ns
            + stages.serialise_ns
            + stages.tokenize_ns
            + stages.infer_ns
            + stages.pool_ns
            + stages.worker_other_ns
            + stages.deserialise_ns
            + stages.pipe_ns;
        assert!((sum - 2_000.0).abs() < 1e-9, "{stages:?}");
        assert!((stages.worker_other_ns - 5.0).abs() < 1e-9 && (stages.queue_ns - 100.0).abs() < 1e-9);
    }

    #[test]
    fn merging_is_the_same_as_recording_everything_in_one() {
        let mut merged = filled(500, 3);
        merged.merge(&filled(700, 2));
        let mut together = filled(500, 3);
        for n in 1..=700 {
            together.record(&sample(n * 1_000, Outcome::Answered));
        }
        for _ in 0..2 {
            together.record(&sample(1, Outcome::Failed("broken".into())));
        }
        assert_eq!(merged.summary(Phase::Mixed), together.summary(Phase::Mixed));
        assert_eq!(merged.exceeded(0), together.exceeded(0));
    }

    #[test]
    fn the_curve_rises_and_ends_where_the_count_does() {
        let curve = filled(1000, 0).curve();
        assert!(curve.windows(2).all(|pair| pair[0].value_ns <= pair[1].value_ns));
        let last = curve.last().expect("a curve");
        assert!(last.quantile > 0.998 && last.quantile <= 0.999 + 1e-12, "{}", last.quantile);
        assert_eq!(last.high_ns, None, "the last value bounds nothing from above");
    }
}

//! The figures of one phase, gathered request by request in memory that does not grow with their number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tailmark_reports::record::{
    Arrivals, CurvePoint, FailureReason, Interval, Latency, LittlesLaw, Percentile, Phase, PhaseSummary,
    Stages,
};

use super::stages::StageSums;
use super::{carries, quantile_ranks};
use crate::sample::{Flow, Outcome, Sample};

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
    service: Histogram<u64>,
    lag: Histogram<u64>,
    total_lag_ns: u128,
    lateness: Histogram<u64>,
    total_lateness_ns: u128,
    total_service_ns: u128,
    flow: Flow,
    /// Drives that were added, each with one arrival before its first gap.
    drives: u64,
    open: bool,
    limit_ns: Option<u64>,
    over_limit: u64,
    stages_over_limit: StageSums,
}

impl Accumulator {
    /// Nothing yet; the stages of answered requests slower than `limit` are summed apart.
    #[must_use]
    pub fn new(limit: Option<Duration>) -> Self {
        let histogram = Histogram::new_with_bounds(1, 86_400_000_000_000, 3)
            .expect("bounds and digits that hdrhistogram takes: this is a bug");
        Self {
            service: histogram.clone(),
            lag: histogram.clone(),
            total_lag_ns: 0,
            lateness: histogram.clone(),
            total_lateness_ns: 0,
            flow: Flow::default(),
            drives: 0,
            open: false,
            answered: histogram,
            requests: 0,
            timeouts: 0,
            texts: 0,
            elapsed: Duration::ZERO,
            total_response_ns: 0,
            stages: StageSums::default(),
            reasons: BTreeMap::new(),
            total_service_ns: 0,
            limit_ns: limit.map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
            over_limit: 0,
            stages_over_limit: StageSums::default(),
        }
    }

    /// Adds a request.
    pub fn record(&mut self, sample: &Sample) {
        self.requests += 1;
        let response = sample.response_ns();
        match (&sample.outcome, response) {
            (Outcome::Answered, Some(response)) => {
                self.texts += u64::from(sample.texts);
                self.answered.saturating_record(response.max(1));
                self.total_response_ns += u128::from(response);
                let service = sample.service_ns().unwrap_or_default();
                self.service.saturating_record(service.max(1));
                self.total_service_ns += u128::from(service);
                self.stages.add(sample);
                let (lag, lateness) =
                    (sample.started_ns.saturating_sub(sample.scheduled_ns), sample.lateness_ns());
                self.lag.saturating_record(lag.max(1));
                self.total_lag_ns += u128::from(lag);
                self.lateness.saturating_record(lateness.max(1));
                self.total_lateness_ns += u128::from(lateness);
                if self.limit_ns.is_some_and(|limit| response > limit) {
                    self.over_limit += 1;
                    self.stages_over_limit.add(sample);
                }
            }
            (Outcome::TimedOut, _) => {
                self.timeouts += 1;
                self.count_reason(&Arc::from("no answer within the deadline"));
            }
            (Outcome::Failed(why) | Outcome::Abandoned(why), _) => self.count_reason(why),
            (Outcome::Answered, None) => {}
        }
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

    /// Adds what came and went in a stage of a drive, of an open or a closed model.
    pub fn add_flow(&mut self, flow: &Flow, open: bool) {
        self.flow.add(flow);
        self.elapsed += flow.elapsed;
        self.drives += u64::from(flow.arrived > 0);
        self.open |= open;
    }

    /// Adds everything another accumulator of the same limits has, but for its flow.
    pub fn merge(&mut self, other: &Self) {
        self.answered.add(&other.answered).expect("histograms of the same bounds: this is a bug");
        self.requests += other.requests;
        self.timeouts += other.timeouts;
        self.texts += other.texts;
        self.elapsed += other.elapsed;
        self.total_response_ns += other.total_response_ns;
        self.service.add(&other.service).expect("histograms of the same bounds: this is a bug");
        self.lag.add(&other.lag).expect("histograms of the same bounds: this is a bug");
        self.lateness.add(&other.lateness).expect("histograms of the same bounds: this is a bug");
        self.total_lag_ns += other.total_lag_ns;
        self.total_lateness_ns += other.total_lateness_ns;
        self.total_service_ns += other.total_service_ns;
        self.stages.merge(&other.stages);
        self.over_limit += other.over_limit;
        self.stages_over_limit.merge(&other.stages_over_limit);
        for (why, count) in &other.reasons {
            *self.reasons.entry(Arc::clone(why)).or_default() += count;
        }
    }

    /// Requests so far, failures included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests that failed or timed out.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.requests - self.answered.len()
    }

    /// Why requests failed, the most frequent reason first.
    #[must_use]
    pub fn failure_reasons(&self) -> Vec<FailureReason> {
        let reasons = self.reasons.iter();
        let mut reasons: Vec<FailureReason> = reasons
            .map(|(why, requests)| FailureReason { why: why.to_string(), requests: *requests })
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.requests));
        reasons
    }

    /// Time spent in this phase so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Mean stages of the answered requests over the limit; `None` without such requests or without a limit.
    #[must_use]
    pub fn stages_over_limit(&self) -> Option<Stages> {
        (self.over_limit > 0).then(|| self.stages_over_limit.means(self.over_limit))
    }

    /// Whether even the fastest tenth of the answered requests is over a limit; false without any.
    #[must_use]
    pub fn fastest_decile_is_over(&self, limit_ns: u64) -> bool {
        let rank = (self.answered.len() / 10).max(1);
        at_rank(&self.answered, rank).is_some_and(|fastest| fastest > limit_ns)
    }

    /// A quantile of the generator's own lateness; see [`Self::quantile`].
    #[must_use]
    pub fn lateness_quantile(&self, quantile: f64) -> Option<Interval> {
        interval(&self.percentile_of(&self.lateness, quantile)?)
    }

    /// What became of the load that was offered; `None` when no drive was added.
    #[must_use]
    pub fn arrivals(&self) -> Option<Arrivals> {
        let Flow { arrived, arriving, started, starting, given_up, elapsed, .. } = self.flow;
        (self.drives > 0).then(|| Arrivals {
            offered_per_second: self.rate(arrived, arriving).filter(|_| self.open),
            achieved_per_second: self.rate(started, starting),
            lag: self.lag(),
            lateness: self.lateness(),
            most_in_flight: self.flow.most_in_flight,
            most_waiting: self.flow.most_waiting,
            given_up,
            mean_in_system: (!elapsed.is_zero())
                .then(|| self.flow.in_system_ns as f64 / elapsed.as_nanos() as f64),
        })
    }

    /// How long after they were due requests were started; `None` when nothing was answered.
    #[must_use]
    pub fn lag(&self) -> Option<Latency> {
        self.latency(&self.lag, self.total_lag_ns)
    }

    /// The generator's own part of the lag; `None` when nothing was answered.
    #[must_use]
    pub fn lateness(&self) -> Option<Latency> {
        self.latency(&self.lateness, self.total_lateness_ns)
    }

    /// Whether less than a share of the requests that were due was started in its time. Time in which tailmark itself did not
    /// run is left out: nothing could be started in it.
    #[must_use]
    pub fn fell_behind(&self, kept_up: f64) -> bool {
        let Flow { started, starting, stalled, .. } = self.flow;
        let offered = self.arrivals().and_then(|arrivals| arrivals.offered_per_second);
        let achieved = self.rate(started, starting.saturating_sub(stalled));
        offered.is_some_and(|offered| achieved.unwrap_or_default() < kept_up * offered)
    }

    /// Requests a second over that time. The first arrival of a drive comes before the first gap, so it measures no rate.
    fn rate(&self, count: u64, over: Duration) -> Option<f64> {
        let gaps = count.saturating_sub(self.drives);
        (gaps > 0 && !over.is_zero()).then(|| gaps as f64 / over.as_secs_f64())
    }

    /// Little's law on the phase, from the count over time, the count of arrivals and the response times of the answered;
    /// `None` when there is nothing to check it on.
    #[must_use]
    pub fn littles_law(&self) -> Option<LittlesLaw> {
        let seconds = self.flow.elapsed.as_secs_f64();
        let answered = self.answered.len();
        if seconds <= 0.0 || answered == 0 {
            return None;
        }
        let in_system = self.flow.in_system_ns as f64 / 1e9 / seconds;
        let arrivals_per_second = self.flow.arrived as f64 / seconds;
        let response_seconds = self.total_response_ns as f64 / answered as f64 / 1e9;
        let difference = (in_system - arrivals_per_second * response_seconds) / in_system;
        (in_system > 0.0).then_some(LittlesLaw {
            in_system,
            arrivals_per_second,
            response_seconds,
            difference,
        })
    }

    /// A quantile of the service time; see [`Self::quantile`].
    #[must_use]
    pub fn service_quantile(&self, quantile: f64) -> Option<Interval> {
        interval(&self.percentile_of(&self.service, quantile)?)
    }

    /// A quantile with its 95 % order-statistic interval over all requests, failures infinitely slow; `None` when the
    /// count does not carry it or when it falls among the failures.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Interval> {
        interval(&self.percentile_of(&self.answered, quantile)?)
    }

    fn percentile_of(&self, times: &Histogram<u64>, quantile: f64) -> Option<Percentile> {
        if !carries(quantile, self.requests) {
            return None;
        }
        let ranks = quantile_ranks(quantile, self.requests, CONFIDENCE);
        Some(Percentile {
            quantile,
            value_ns: at_rank(times, ranks.estimate),
            low_ns: ranks.low.and_then(|rank| at_rank(times, rank)),
            high_ns: ranks.high.and_then(|rank| at_rank(times, rank)),
        })
    }

    fn latency(&self, times: &Histogram<u64>, total_ns: u128) -> Option<Latency> {
        let answered = times.len();
        (answered > 0).then(|| Latency {
            min_ns: times.min(),
            mean_ns: total_ns as f64 / answered as f64,
            max_ns: times.max(),
            percentiles: SHOWN.iter().filter_map(|quantile| self.percentile_of(times, *quantile)).collect(),
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
                    value_ns: at_rank(&self.answered, ranks.estimate)?,
                    low_ns: at_rank(&self.answered, ranks.low?)?,
                    high_ns: ranks.high.and_then(|rank| at_rank(&self.answered, rank)),
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
        PhaseSummary {
            phase,
            requests: self.requests,
            failures: self.failures(),
            timeouts: self.timeouts,
            texts: self.texts,
            elapsed_ns: u64::try_from(self.elapsed.as_nanos()).unwrap_or(u64::MAX),
            requests_per_second: per_second(answered),
            texts_per_second: per_second(self.texts),
            response_time: self.latency(&self.answered, self.total_response_ns),
            service_time: self.latency(&self.service, self.total_service_ns),
            arrivals: self.arrivals(),
            stages: (answered > 0).then(|| self.stages.means(answered)),
            failure_reasons: self.failure_reasons(),
        }
    }
}

/// The time of that rank, from 1; `None` beyond the answered requests, among the failures.
fn at_rank(times: &Histogram<u64>, rank: u64) -> Option<u64> {
    if rank > times.len() {
        return None;
    }
    let mut below = 0;
    times.iter_recorded().find_map(|value| {
        below += value.count_since_last_iteration();
        (below >= rank).then(|| value.value_iterated_to().min(times.max()))
    })
}

fn interval(percentile: &Percentile) -> Option<Interval> {
    Some(Interval {
        value: percentile.value_ns? as f64,
        low: percentile.low_ns? as f64,
        high: percentile.high_ns.map(|high| high as f64),
    })
}

#[cfg(test)]
mod tests;

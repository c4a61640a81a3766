//! What a verdict needs to know about the response times besides how many are over the limit: how exceedances and latencies near
//! the limit are correlated, and where latencies drift. It decides nothing.

use super::decision::Drift;
use crate::statistics::correlation::{Correlation, CorrelationEstimator};
use crate::statistics::trend::TrendEstimator;

/// Latencies are looked at as ln(response time / limit), within a distance of the limit: the smallest of these that is at
/// least the standard deviation. How a backend's fastest requests vary says nothing about a limit that they never come
/// near; a window of one to two standard deviations sees a slow phase before it exceeds. With a single window of 25 %, AR(1)
/// backends of rho 0.99 and a spread of 50 % passed falsely in 3.5 % of runs.
const WINDOWS: [f64; 6] = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6];

/// Where a failure lies on the logarithmic scale: four times the limit, like any response time beyond that.
const FAILED: f64 = 2.0 * std::f64::consts::LN_2;

/// Width of a bin of the histogram, on the logarithmic scale: 1 %.
const BIN: f64 = 0.01;

/// Bins on either side of the limit: down to a twentieth of it, and up to beyond where failures lie.
const BINS: usize = 300;

/// Follows the response times of one objective through all restarts.
#[derive(Clone, Debug)]
pub(super) struct Exceedances {
    limit_ns: Option<u64>,
    over: CorrelationEstimator,
    /// One for each of [`WINDOWS`].
    near: [CorrelationEstimator; WINDOWS.len()],
    /// All latencies, wherever they lie. No decision rests on it: it is what can be said when none comes near the limit.
    /// `None` once one has come that near: every window then shows variation, and this would be paid for and never asked.
    latencies: Option<CorrelationEstimator>,
    trend: TrendEstimator,
    histogram: Vec<u64>,
    requests: u64,
}

impl Exceedances {
    pub(super) fn new(limit_ns: Option<u64>) -> Self {
        Self {
            limit_ns,
            over: CorrelationEstimator::new(),
            near: Default::default(),
            latencies: limit_ns.map(|_| CorrelationEstimator::new()),
            trend: TrendEstimator::new(),
            histogram: vec![0; 2 * BINS],
            requests: 0,
        }
    }

    pub(super) fn begin_restart(&mut self) {
        self.over.begin_restart();
        self.near.iter_mut().for_each(CorrelationEstimator::begin_restart);
        self.latencies.iter_mut().for_each(CorrelationEstimator::begin_restart);
        self.trend.begin_restart();
    }

    /// Adds a request and says whether it exceeded.
    pub(super) fn observe(&mut self, response_ns: Option<u64>) -> bool {
        let exceeded = match (response_ns, self.limit_ns) {
            (None, _) => true,
            (Some(response), Some(limit)) => response > limit,
            (Some(_), None) => false,
        };
        self.requests += 1;
        self.over.observe(f64::from(u8::from(exceeded)));
        if let Some(limit) = self.limit_ns {
            let from_limit = response_ns
                .map_or(FAILED, |response| (response.max(1) as f64 / limit.max(1) as f64).ln().min(FAILED));
            for (near, window) in self.near.iter_mut().zip(WINDOWS) {
                near.observe(from_limit.clamp(-window, window));
            }
            if from_limit.abs() < WINDOWS[0] {
                self.latencies = None;
            }
            if let Some(latencies) = &mut self.latencies {
                latencies.observe(from_limit);
            }
            self.trend.observe(from_limit);
            let bin = (from_limit / BIN).floor() + BINS as f64;
            self.histogram[(bin.max(0.0) as usize).min(2 * BINS - 1)] += 1;
        }
        exceeded
    }

    /// The correlation over all restarts: the larger, in each respect, of that of the exceedances and that of the
    /// latencies near the limit. Independence where neither varies.
    pub(super) fn correlation(&self) -> Correlation {
        larger(self.signals().map(CorrelationEstimator::estimate))
    }

    /// Whether any exceedance or any latency near the limit varied, so that there was a correlation to be seen.
    pub(super) fn shows_correlation(&self) -> bool {
        self.signals().iter().any(|signal| signal.estimate().is_some())
    }

    /// The correlation of the latencies themselves; `None` without a limit, if they do not vary, and if one came near the
    /// limit.
    pub(super) fn correlation_of_latencies(&self) -> Option<Correlation> {
        self.latencies.as_ref()?.estimate()
    }

    /// The correlation of exceedances and of latencies near the limit within the present restart.
    pub(super) fn correlation_of_present_restart(&self) -> Correlation {
        larger(self.signals().map(CorrelationEstimator::estimate_present_restart))
    }

    /// The series whose correlation counts.
    fn signals(&self) -> [&CorrelationEstimator; 2] {
        let spread = self.spread();
        let fits = WINDOWS.iter().position(|&window| window >= spread).unwrap_or(WINDOWS.len() - 1);
        [&self.over, &self.near[fits]]
    }

    /// Standard deviation of the log-latency as far as the histogram reaches, from its quartiles, so that neither failures
    /// nor a slow mode of the size in question count.
    fn spread(&self) -> f64 {
        const QUARTILES_OF_A_NORMAL: f64 = 1.349;
        let quartile = |share: f64| {
            let rank = share * self.requests as f64;
            let mut below = 0;
            let bin = self.histogram.iter().position(|&count| {
                below += count;
                below as f64 >= rank
            });
            bin.unwrap_or_default() as f64 * BIN
        };
        (quartile(0.75) - quartile(0.25)) / QUARTILES_OF_A_NORMAL
    }

    /// The trend within restarts, carried on for `requests` more; `None` when there is none to speak of.
    pub(super) fn drift(&self, requests: f64) -> Option<Drift> {
        let trend = self.trend.estimate()?;
        let rise = trend.slope * requests;
        Some(Drift {
            deviate: trend.deviate,
            change_per_thousand: (1_000.0 * trend.slope).exp_m1(),
            projected_share: self.share_above(-rise),
        })
    }

    /// The share of requests above a point of the logarithmic scale; failures and whatever lies beyond the histogram count.
    fn share_above(&self, from_limit: f64) -> f64 {
        let bin = (from_limit / BIN).ceil() + BINS as f64;
        let first = (bin.max(0.0) as usize).min(2 * BINS - 1);
        self.histogram[first..].iter().sum::<u64>() as f64 / self.requests.max(1) as f64
    }
}

fn larger(found: [Option<Correlation>; 2]) -> Correlation {
    found.into_iter().flatten().fold(Correlation::NONE, |all, one| Correlation {
        time: all.time.max(one.time),
        memory: all.memory.max(one.memory),
    })
}

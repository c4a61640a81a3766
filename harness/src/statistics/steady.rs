//! When warm-up is over: MSER-5 on the log-latency and on the exceedances, looked at again as requests come in. It does
//! not know what a steady state is judged on afterwards, nor how a restart is made.
//!
//! White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69(6), 1997; batches
//! of five: Spratt 1998. All requests up to the moment of the decision are warm-up, also those after the truncation point
//! that MSER-5 names. Judging them too would let the rule choose which early exceedances to leave out.

use super::trend::mann_kendall;

/// Requests in a batch, as the name MSER-5 says.
const BATCH: usize = 5;

/// Requests between two looks, as a factor.
const SPACING: f64 = 1.25;

/// The share of the series that MSER-5 may name as transient for the rest to count as steady. It can name up to a half;
/// a steady trend drives it to that edge, and noise moves it about by a fifth or so.
const DEEPEST_CUT: f64 = 0.33;

/// The same at the last look, when waiting for the transient to become a smaller share is no longer possible.
const DEEPEST_LAST_CUT: f64 = 0.45;

/// Standard deviations of the Mann-Kendall score that the rest may show. MSER-5 minimises an error, it does not ask
/// whether what is left is level; with few batches a straight rise can look like noise to it.
const STEEPEST: f64 = 3.0;

/// Looks in a row that must find the series steady: with few batches a single look is often lucky.
const LOOKS: u32 = 2;

/// Where a restart stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUpState {
    /// Not steady so far; the request belongs to warm-up.
    WarmingUp,
    /// Warm-up ended with an earlier request; this one belongs to the steady state.
    Steady,
    /// The most requests allowed for warm-up are spent and the series is not steady.
    NoSteadyState,
}

/// Watches one restart from its first request after the cold start.
#[derive(Clone, Debug)]
pub struct WarmUp {
    most: u64,
    requests: u64,
    next_look: u64,
    steady_looks: u32,
    latencies: Batches,
    exceedances: Batches,
    state: WarmUpState,
}

impl WarmUp {
    /// Warm-up of at least `fewest` and at most `most` requests. With `most` 0 there is none.
    pub fn new(fewest: u64, most: u64) -> Self {
        // Ten batches are the least that MSER can say anything about.
        let next_look = fewest.max(10 * BATCH as u64).min(most);
        let state = if most == 0 { WarmUpState::Steady } else { WarmUpState::WarmingUp };
        let (latencies, exceedances) = (Batches::default(), Batches::default());
        Self { most, requests: 0, next_look, steady_looks: 0, latencies, exceedances, state }
    }

    /// Adds a request and says which phase it belongs to.
    ///
    /// `log_latency` is the logarithm of the response time in any unit, finite also for a failure (use a fixed large
    /// value); `exceeded` says whether it missed the limit of any objective.
    pub fn observe(&mut self, log_latency: f64, exceeded: bool) -> WarmUpState {
        let phase = self.state;
        if phase == WarmUpState::WarmingUp {
            self.requests += 1;
            self.latencies.observe(log_latency);
            self.exceedances.observe(f64::from(u8::from(exceeded)));
            if self.requests >= self.next_look {
                self.look();
            }
        }
        phase
    }

    /// Requests that warm-up took so far.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// The phase that the next request will belong to.
    pub fn state(&self) -> WarmUpState {
        self.state
    }

    fn look(&mut self) {
        let last = self.requests >= self.most;
        let deepest = if last { DEEPEST_LAST_CUT } else { DEEPEST_CUT };
        let steady = [&self.latencies, &self.exceedances].into_iter().all(|series| {
            let batches = series.means.len();
            let cut = truncation_point(&series.means);
            let (score, variance) = mann_kendall(&series.means[cut..]);
            cut as f64 <= deepest * batches as f64 && (last || score.abs() <= STEEPEST * variance.sqrt())
        });
        self.steady_looks = if steady { self.steady_looks + 1 } else { 0 };
        let again = (self.requests as f64 * SPACING).ceil() as u64;
        if self.steady_looks >= if last { 1 } else { LOOKS } {
            self.state = WarmUpState::Steady;
        } else if last {
            self.state = WarmUpState::NoSteadyState;
        } else {
            self.next_look = again.min(self.most);
            return;
        }
        // What is decided needs no memory.
        (self.latencies, self.exceedances) = (Batches::default(), Batches::default());
    }
}

/// Means of five requests each.
#[derive(Clone, Debug, Default)]
struct Batches {
    means: Vec<f64>,
    sum: f64,
    count: usize,
}

impl Batches {
    fn observe(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
        if self.count == BATCH {
            self.means.push(self.sum / BATCH as f64);
            (self.sum, self.count) = (0.0, 0);
        }
    }
}

/// MSER: the number d of leading values, at most half of them, whose removal makes the standard error of the mean of the
/// rest smallest: argmin of sum over j > d of (z_j - mean)^2 / (m - d)^2. The smallest such d; 0 for an empty series.
pub fn truncation_point(values: &[f64]) -> usize {
    let deepest = values.len() / 2;
    let reference = values.last().copied().unwrap_or_default();
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    let (mut best, mut smallest) = (0, f64::INFINITY);
    for (index, value) in values.iter().enumerate().rev() {
        let value = value - reference;
        count += 1.0;
        sum += value;
        squares += value * value;
        let error = (squares - sum * sum / count).max(0.0) / (count * count);
        if index <= deepest && error <= smallest {
            (best, smallest) = (index, error);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution as _, StandardNormal};

    use super::*;

    /// Runs 1,000 restarts and returns those without a steady state, and the median length of warm-up.
    fn thousand(most: u64, rho: f64, start: f64, decay: f64, slope: f64) -> (usize, u64) {
        let mut unsteady = 0;
        let mut lengths: Vec<u64> = (0..1_000)
            .map(|seed| {
                let mut generator = ChaCha8Rng::seed_from_u64(seed);
                let mut normal = || -> f64 { StandardNormal.sample(&mut generator) };
                let mut state = normal();
                let mut warm_up = WarmUp::new(50, most);
                let mut request = 0.0;
                while warm_up.state() == WarmUpState::WarmingUp {
                    state = rho * state + (1.0 - rho * rho).sqrt() * normal();
                    let latency = state + start * f64::exp(-request / decay) + slope * request;
                    warm_up.observe(latency, latency > 1.645);
                    request += 1.0;
                }
                unsteady += usize::from(warm_up.state() == WarmUpState::NoSteadyState);
                warm_up.requests()
            })
            .collect();
        lengths.sort_unstable();
        (unsteady, lengths[500])
    }

    #[test]
    fn a_series_that_is_steady_from_the_start_is_found_steady_at_the_first_look() {
        for rho in [0.0, 0.5, 0.8] {
            let (unsteady, length) = thousand(1_000, rho, 0.0, 1.0, 0.0);
            assert!(unsteady <= 2, "rho {rho}: {unsteady} of 1,000 restarts found no steady state");
            assert!(length <= 79, "rho {rho}: {length} requests");
        }
    }

    #[test]
    fn a_slow_start_is_left_out_to_within_a_fifth_of_a_standard_deviation() {
        for (start, decay) in [(4.0, 20.0), (8.0, 30.0), (4.0, 100.0), (16.0, 100.0)] {
            let (unsteady, length) = thousand(2_000, 0.0, start, decay, 0.0);
            let left: f64 = start * f64::exp(-(length as f64) / decay);
            assert!(left < 0.2, "from {start} at {decay}: {length} requests leave {left}");
            assert!(unsteady <= 10, "from {start} at {decay}: {unsteady} of 1,000 restarts");
        }
    }

    #[test]
    fn a_series_that_rises_without_end_has_no_steady_state() {
        let (unsteady, _) = thousand(1_000, 0.0, 0.0, 1.0, 0.05);
        assert!(unsteady >= 850, "{unsteady} of 1,000 restarts");
    }

    #[test]
    fn truncation_removes_exactly_a_step() {
        let mut values = vec![10.0; 7];
        values.extend([1.0, 2.0].repeat(20));
        assert_eq!(truncation_point(&values), 7);
        assert_eq!(truncation_point(&[]), 0);
        assert_eq!(truncation_point(&[3.0; 40]), 0);
    }

    #[test]
    fn exceedances_alone_keep_warm_up_going() {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut warm_up = WarmUp::new(50, 1_000);
        let mut request = 0;
        while warm_up.state() == WarmUpState::WarmingUp && request < 1_000 {
            warm_up.observe(0.0, request < 30 && generator.random_bool(0.5));
            request += 1;
        }
        assert!((60..400).contains(&warm_up.requests()), "{} requests", warm_up.requests());
    }

    #[test]
    fn without_warm_up_the_first_request_is_steady() {
        assert_eq!(WarmUp::new(0, 0).observe(0.0, false), WarmUpState::Steady);
    }
}

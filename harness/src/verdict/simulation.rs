//! Backends with a known exceedance, on which the error rates of a verdict are measured: seeded latencies, no
//! clock, and the whole procedure run on them.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{Decision, Horizon, Procedure, Rules};
use crate::statistics::steady::{WarmUp, WarmUpState};

/// The latency limit of every simulated backend, in nanoseconds: 20 ms.
pub const LIMIT_NS: u64 = 20_000_000;

/// How the latencies of a simulated backend depend on each other. The true exceedance is given beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Process {
    /// Log-normal latencies whose logarithms are a Gaussian AR(1) series; `rho` 0 is independence.
    AutoRegressive {
        /// Correlation of neighbors, at least 0 and below 1.
        rho: f64,
    },
    /// Two states: hot a quarter of the time, with 17 times the exceedance of cold (1 % and 17 % make 5 %).
    HotCold {
        /// Mean length of a hot phase, in requests; cold phases are three times as long.
        hot: f64,
    },
    /// Independent requests of two kinds: fast ones, and a share of slow ones that are all over the limit.
    Bimodal,
    /// Independent requests that are all fast, and a share that fails.
    Failing,
    /// The log-latency rises by one standard deviation every `over` requests, without end and across restarts; the true
    /// exceedance is the mean over the first `over` requests.
    Drift {
        /// Requests, warm-up included.
        over: f64,
    },
    /// Everything stands still every so often; all requests that meet a stall are over the limit, no others.
    Stalls {
        /// Requests from one stall to the next.
        every: f64,
    },
}

/// A stream of response times of one simulated backend.
#[derive(Clone, Debug)]
pub struct Backend {
    process: Process,
    exceedance: f64,
    spread: f64,
    generator: ChaCha8Rng,
    /// The AR(1) value, 1 for hot, or the place between two stalls.
    state: f64,
    requests: f64,
    /// Where the limit lies in standard normal units: cold or only, and hot.
    limits: [f64; 2],
}

impl Backend {
    /// A backend whose log-latency has standard deviation 0.25.
    pub fn new(process: Process, exceedance: f64, seed: u64) -> Self {
        Self::with_spread(process, exceedance, 0.25, seed)
    }

    /// A backend with a true `exceedance` (strictly between 0 and 0.25) and the `spread` (standard deviation) of its
    /// log-latency.
    pub fn with_spread(process: Process, exceedance: f64, spread: f64, seed: u64) -> Self {
        let limit = |share: f64| Normal::standard().inverse_cdf(1.0 - share);
        let limits = match process {
            Process::HotCold { .. } => [limit(0.2 * exceedance), limit(3.4 * exceedance)],
            Process::Drift { .. } => [drift_centre(exceedance), 0.0],
            _ => [limit(exceedance), 0.0],
        };
        let generator = ChaCha8Rng::seed_from_u64(seed);
        let mut backend = Self { process, exceedance, spread, generator, state: 0.0, requests: 0.0, limits };
        backend.restart();
        backend
    }

    /// A fresh process: the state starts anew, a drift goes on (it is the machine's).
    pub fn restart(&mut self) {
        self.state = match self.process {
            Process::AutoRegressive { .. } => self.normal(),
            Process::HotCold { .. } => f64::from(u8::from(self.generator.random_bool(0.25))),
            Process::Stalls { .. } => self.generator.random::<f64>(),
            _ => 0.0,
        };
    }

    /// The next response time in nanoseconds; `None` is a failure.
    pub fn respond(&mut self) -> Option<u64> {
        self.requests += 1.0;
        let from_limit = match self.process {
            Process::AutoRegressive { rho } => {
                self.state = rho * self.state + (1.0 - rho * rho).sqrt() * self.normal();
                self.state - self.limits[0]
            }
            Process::HotCold { hot } => {
                let leave = if self.state == 1.0 { 1.0 / hot } else { 1.0 / (3.0 * hot) };
                if self.generator.random::<f64>() < leave {
                    self.state = 1.0 - self.state;
                }
                self.normal() - if self.state == 1.0 { self.limits[1] } else { self.limits[0] }
            }
            Process::Bimodal => {
                let slow = self.generator.random::<f64>() < self.exceedance;
                let mode = if slow { 4.0 } else { -4.0 };
                mode + self.normal().clamp(-3.0, 3.0)
            }
            Process::Failing => {
                if self.generator.random::<f64>() < self.exceedance {
                    return None;
                }
                self.normal().min(3.0) - 4.0
            }
            Process::Drift { over } => self.normal() - self.limits[0] + DRIFT * (self.requests / over - 0.5),
            Process::Stalls { every } => {
                self.state = (self.state + 1.0 / every).fract();
                self.normal().clamp(-3.0, 3.0) + if self.state < self.exceedance { 4.0 } else { -4.0 }
            }
        };
        // Rounding up keeps what is over the limit over it, and what is exactly on it never happens.
        Some((LIMIT_NS as f64 * (self.spread * from_limit).exp()).ceil() as u64)
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.generator)
    }
}

/// By how many standard deviations a drift moves the log-latency in all.
const DRIFT: f64 = 1.0;

/// Where the limit lies, in standard deviations above the middle of the drift, for a mean `exceedance`.
fn drift_centre(exceedance: f64) -> f64 {
    let mean = |limit: f64| {
        let steps = 200;
        let at = |step: i32| DRIFT * ((f64::from(step) + 0.5) / f64::from(steps) - 0.5);
        (0..steps).map(|step| Normal::standard().sf(limit - at(step))).sum::<f64>() / f64::from(steps)
    };
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if mean(middle) > exceedance { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// What came of one simulated measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The decision; never [`Decision::Continue`].
    pub decision: Decision,
    /// Steady-state requests.
    pub requests: u64,
    /// Fresh processes.
    pub restarts: u32,
}

/// The rules for a P95 with errors of 1 % and at most 20,000 requests.
pub fn default_rules() -> Rules {
    Rules {
        allowed: 0.05,
        alpha: 0.01,
        beta: 0.01,
        limit_ns: Some(LIMIT_NS),
        horizon: Horizon::AtLeast { requests: 2_000, restarts: 3 },
        most_requests: 20_000,
    }
}

/// The whole procedure on one simulated backend: warm-up of 50 to 1,000 requests in every restart, then requests until it is
/// decided.
pub fn measure(backend: &mut Backend, rules: Rules) -> Outcome {
    let mut procedure = Procedure::new(rules);
    let mut restarts = 0;
    let mut decision = Decision::Continue { fresh_process: true };
    while let Decision::Continue { fresh_process } = decision {
        if fresh_process {
            backend.restart();
            procedure.begin_restart();
            restarts += 1;
            if warm_up(backend) == WarmUpState::NoSteadyState {
                procedure.no_steady_state();
            }
        }
        procedure.observe(backend.respond());
        decision = procedure.decide();
    }
    Outcome { decision, requests: procedure.requests(), restarts }
}

/// Sends warm-up requests until the backend is steady, or may not warm up any longer.
fn warm_up(backend: &mut Backend) -> WarmUpState {
    let mut warm_up = WarmUp::new(50, 1_000);
    while warm_up.state() == WarmUpState::WarmingUp {
        let response = backend.respond();
        // A failure counts as four times the limit here; any large value would do.
        let latency = response.unwrap_or(4 * LIMIT_NS);
        warm_up.observe((latency as f64).ln(), response.is_none_or(|latency| latency > LIMIT_NS));
    }
    warm_up.state()
}

//! The outcomes of a verdict and the figures behind them, as data. Nothing here computes or decides.

use std::fmt;

use tailmark_reports::units;

use crate::statistics::correlation::Correlation;
use crate::statistics::sequential::Interval;

/// What to do after a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// Go on measuring.
    Continue {
        /// The next request should go to a fresh process.
        fresh_process: bool,
    },
    /// The objective is met.
    Pass,
    /// The objective is missed.
    Fail,
    /// It cannot be told.
    Inconclusive(Reason),
}

/// The side that the evidence is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Pass,
    Fail,
}

impl From<Side> for Decision {
    fn from(side: Side) -> Self {
        match side {
            Side::Pass => Self::Pass,
            Side::Fail => Self::Fail,
        }
    }
}

/// Why it cannot be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Warm-up did not end in some restarts.
    NoSteadyState {
        /// How many.
        restarts: u32,
    },
    /// The budget ended before the horizon.
    HorizonNotReached {
        /// Requests it asks for.
        requests: u64,
        /// Restarts it asks for.
        restarts: u32,
    },
    /// The run is too short for the patterns it shows.
    TooShortForItsCorrelation {
        /// What was seen.
        correlation: Correlation,
    },
    /// The exceedance is too close to the allowed share for so few requests.
    TooCloseToTheLimit,
    /// Fresh processes of the same backend differ by more than chance.
    RestartsDisagree {
        /// The chance of such a difference between equals.
        chance: f64,
    },
    /// Latency drifts, and the verdict would turn if it went on.
    Drifts {
        /// The drift.
        drift: Drift,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSteadyState { restarts } => {
                let restarts = units::counted(u64::from(*restarts), "restart");
                write!(formatter, "{restarts} never reached a steady state")
            }
            Self::HorizonNotReached { requests, restarts } => {
                let (requests, restarts) =
                    (units::counted(*requests, "request"), units::counted(u64::from(*restarts), "restart"));
                write!(formatter, "the budget ran out before {requests} over {restarts} were measured")
            }
            Self::TooShortForItsCorrelation { correlation }
                if correlation.memory <= 1 && correlation.time <= 1.0 =>
            {
                write!(formatter, "too few requests for any verdict")
            }
            Self::TooShortForItsCorrelation { correlation } => write!(
                formatter,
                "latencies are correlated over about {} requests, and the run is too short for that",
                correlation.memory.max(correlation.time.ceil() as u64)
            ),
            Self::TooCloseToTheLimit => {
                write!(formatter, "the exceedance is too close to the limit for this many requests")
            }
            Self::RestartsDisagree { chance } => write!(
                formatter,
                "restarts differ by more than chance (equal ones would differ this much with probability {chance:.1e})"
            ),
            Self::Drifts { drift } => write!(
                formatter,
                "latency drifts by {:+.1} % per 1,000 requests within a restart",
                100.0 * drift.change_per_thousand
            ),
        }
    }
}

/// A trend of the latency within restarts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Standard normal deviate; positive when latency rises.
    pub deviate: f64,
    /// Relative change of the latency per 1,000 requests: 0.02 is 2 % slower.
    pub change_per_thousand: f64,
    /// The exceedance if every restart went on for as long again.
    pub projected_share: f64,
}

/// The figures behind a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// Steady-state requests.
    pub requests: u64,
    /// Of these, the ones over the limit, failures included.
    pub exceedances: u64,
    /// Fresh processes.
    pub restarts: u32,
    /// `exceedances` / `requests`; `None` without requests.
    pub share: Option<f64>,
    /// The shares not ruled out (a confidence sequence: valid whenever it is looked at).
    pub interval: Interval,
    /// What dependence costs.
    pub correlation: Correlation,
    /// Whether that was seen. It was not when no request came near the limit, and is then taken to be none.
    pub correlation_was_seen: bool,
    /// The correlation of the latencies themselves, wherever they lie; no decision rests on it.
    pub latency_correlation: Option<Correlation>,
    /// `requests` / correlation time: independent requests that carry as much information.
    pub effective_requests: f64,
    /// ln of the evidence that the objective is met; PASS needs ln(1/alpha).
    pub ln_evidence_of_pass: f64,
    /// ln of the evidence that it is missed; FAIL needs ln(1/beta).
    pub ln_evidence_of_fail: f64,
    /// The chance that equal restarts differ as much as these.
    pub agreement: f64,
    /// The trend within restarts; `None` while it cannot be told.
    pub drift: Option<Drift>,
    /// Further requests that would settle it at the present share and correlation: 0 when nothing is missing, `None` when no
    /// number of requests would.
    pub requests_to_settle: Option<u64>,
}

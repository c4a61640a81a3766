//! Objectives and verdicts as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// The objective is met, with the stated chance of being wrong.
    Pass,
    /// The measurement cannot tell.
    Inconclusive,
    /// The objective is missed, with the stated chance of being wrong.
    Fail,
}

/// Something a backend must reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// In words, for example `P95 response time < 20 ms`.
    pub text: String,
    /// The indicator that is judged.
    pub indicator: Indicator,
    /// The side of the limit that the indicator must be on.
    pub bound: Bound,
    /// The limit in the indicator's unit: nanoseconds, texts per second, a share, bytes, a cosine.
    pub limit: f64,
    /// 1 - the largest allowed chance of a wrong PASS, which is also that of a wrong FAIL.
    pub confidence: f64,
    /// Names of the backends that it is asked of; absent when it is asked of all.
    pub backends: Option<Vec<String>>,
}

/// The side of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The indicator must be below the limit.
    Below,
    /// The indicator must be at the limit or above it.
    AtLeast,
}

/// The thing measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Indicator {
    /// A percentile of the response time in steady state, in nanoseconds; failed requests count as infinitely slow.
    ResponseTime {
        /// Between 0 and 1, for example 0.95.
        quantile: f64,
    },
    /// A percentile of the service time in steady state, in nanoseconds; failed requests count as infinitely slow.
    ServiceTime {
        /// Between 0 and 1.
        quantile: f64,
    },
    /// A percentile, over restarts, of the time from spawn to the first vector, in nanoseconds.
    ColdStart {
        /// Between 0 and 1.
        quantile: f64,
    },
    /// Embedded texts per second of steady state.
    Throughput,
    /// The share of the steady state's requests that failed or timed out.
    FailureShare,
    /// The largest resident memory of any of the worker's processes, in bytes.
    PeakRss,
    /// The smallest cosine similarity to the reference vectors.
    Cosine,
}

impl Indicator {
    /// The side of a limit that it must be on.
    #[must_use]
    pub fn bound(&self) -> Bound {
        match self {
            Self::Throughput | Self::Cosine => Bound::AtLeast,
            _ => Bound::Below,
        }
    }

    /// The quantile, of an indicator that is a percentile.
    #[must_use]
    pub fn quantile(&self) -> Option<f64> {
        match self {
            Self::ResponseTime { quantile }
            | Self::ServiceTime { quantile }
            | Self::ColdStart { quantile } => Some(*quantile),
            Self::Throughput | Self::FailureShare | Self::PeakRss | Self::Cosine => None,
        }
    }
}

/// One objective judged on one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveVerdict {
    /// Index into [`RunRecord::objectives`](crate::record::RunRecord::objectives).
    pub objective: usize,
    /// What was decided.
    pub verdict: Verdict,
    /// The largest chance that the decision is wrong, in words with its conditions, for example
    /// `wrong at most 1 % of the time, if requests are independent`.
    pub error_bound: String,
    /// The test that decided, for example `sequential test of the exceedance`.
    pub method: String,
    /// Requests judged; for a cold start, restarts.
    pub requests: u64,
    /// Requests over the limit, failures included.
    pub exceeded: u64,
    /// Restarts that they were spread over; absent if that does not matter.
    pub restarts: Option<u32>,
    /// Over how many requests successive outcomes are correlated, at least 1; absent if that was not estimated.
    pub correlation_time: Option<f64>,
    /// Independent requests that carry as much information as those judged.
    pub effective_requests: Option<f64>,
    /// Further requests that would settle it if things stay as they are: 0 when nothing is missing, absent when no number of
    /// requests would.
    pub requests_to_settle: Option<u64>,
    /// The share of requests over the limit.
    pub exceedance: Option<Interval>,
    /// The indicator's estimate, in its unit; absent when the count cannot carry it.
    pub estimate: Option<Interval>,
    /// Why, in one or two sentences.
    pub why: String,
    /// What would settle an inconclusive verdict, or what to do about a FAIL.
    pub next: Option<String>,
    /// The confidence sequence of the exceedance at each look, in order; empty when there is none.
    pub band: Vec<BandPoint>,
    /// Set when a doubt turned the verdict: what it would have been and why it is not, in words, for example `PASS, had
    /// other processes not taken 31 % of the processors`.
    pub doubted: Option<String>,
}

/// The shares of requests over the limit that are not ruled out at one look. The band over all looks holds at once, however
/// many looks there are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BandPoint {
    /// Requests judged until then.
    pub requests: u64,
    /// The share of them over the limit.
    pub share: f64,
    /// The smallest share not ruled out.
    pub low: f64,
    /// The largest share not ruled out.
    pub high: f64,
}

/// An estimate and the interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end; absent when the data put no upper bound on it.
    pub high: Option<f64>,
}

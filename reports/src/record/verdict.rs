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
    /// The limit in the indicator's unit (nanoseconds for times).
    pub limit: f64,
    /// 1 - the largest allowed chance of a wrong PASS or a wrong FAIL.
    pub confidence: f64,
}

/// The thing measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Indicator {
    /// A percentile of the response time in steady state; failed requests count as infinitely slow.
    ResponseTime {
        /// Between 0 and 1, for example 0.95.
        quantile: f64,
    },
}

/// One objective judged on one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveVerdict {
    /// Index into [`RunRecord::objectives`](super::RunRecord::objectives).
    pub objective: usize,
    /// What was decided.
    pub verdict: Verdict,
    /// The largest chance that the decision is wrong, in words with its conditions, for example
    /// `wrong at most 1 % of the time, if requests are independent`.
    pub error_bound: String,
    /// The test that decided, for example `exact binomial (Clopper-Pearson)`.
    pub method: String,
    /// Requests judged.
    pub requests: u64,
    /// Requests over the limit, failures included.
    pub exceeded: u64,
    /// The share of requests over the limit.
    pub exceedance: Option<Interval>,
    /// The indicator's estimate, in its unit; absent when the count cannot carry it.
    pub estimate: Option<Interval>,
    /// Why, in one or two sentences.
    pub why: String,
    /// What would settle an inconclusive verdict, or what to do about a FAIL.
    pub next: Option<String>,
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

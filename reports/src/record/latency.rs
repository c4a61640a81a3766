//! How long requests took.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A distribution of response or service times. Failures count as infinitely slow, so they push percentiles up and are in none of
/// `min`, `mean` and `max`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Fastest answered request.
    pub min_ns: u64,
    /// Mean over answered requests.
    pub mean_ns: f64,
    /// Slowest answered request.
    pub max_ns: u64,
    /// P50, P90, P95, P99 and P99.9, each only if the count carries it.
    pub percentiles: Vec<Percentile>,
}

/// A percentile with its 95 % order-statistic interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentile {
    /// Between 0 and 1.
    pub quantile: f64,
    /// The estimate; absent when it falls among the failures.
    pub value_ns: Option<u64>,
    /// Lower end of the interval; absent when it falls among the failures.
    pub low_ns: Option<u64>,
    /// Upper end; absent when it falls among the failures.
    pub high_ns: Option<u64>,
}

//! Two backends in turn, as it was written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// Measures two backends in turn, block by block, and compares them. No other backend is measured then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PairingSection {
    /// The names of the two: the one that is compared with, and the one that is compared. The same name twice compares a backend with
    /// itself, in processes of its own.
    pub backends: Option<Vec<String>>,
    /// Blocks of each backend in a replicate, an even number from 2 to 1000. A replicate is a fresh process of each backend; there are as
    /// many as `[phases] restarts` says, 6 if it says nothing. Default: 8.
    pub blocks: Option<u32>,
    /// Requests of a block that count, 10 to 1000000. A tenth as many, at least 5, come before them and do not count. Default: 125.
    pub requests: Option<u64>,
    /// Two figures are equivalent if the interval of their ratio is within this share of one, in quotes: "5%". Default: "5%".
    #[serde(deserialize_with = "units::limit")]
    pub within: Option<String>,
    /// Confidence of each interval, and 1 - the largest accepted chance of a wrong claim. Between 0.5 and 1. Default: 0.95.
    pub confidence: Option<f64>,
    /// Measure a second process of the first backend too, in turn with the two, and compare it with the first: what the method says of
    /// two backends that are the same. Default: false.
    pub control: Option<bool>,
    /// Stop as soon as the sequential test can tell whether the second backend is slower. Default: false.
    pub stop_early: Option<bool>,
}

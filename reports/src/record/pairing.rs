//! Two backends that were measured in turn, block by block, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::RatioInterval;
use super::verdict::Indicator;

/// What measuring two backends in turn came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pairing {
    /// The backend that is compared with.
    pub first: String,
    /// The backend that is compared; the same name again where a backend was compared with itself.
    pub second: String,
    /// Pairs of blocks of each replicate: a block of one backend, and one of the other on the same texts.
    pub blocks: u32,
    /// Requests of a block that count.
    pub requests: u64,
    /// Requests before them in each block that do not: the backend takes the machine over from the other one.
    pub settling: u64,
    /// For each replicate that counts, which restart of the first backend, of the second and of the control it was.
    pub replicates: Vec<Vec<u32>>,
    /// Replicates that do not count because a worker was lost.
    pub lost: u32,
    /// The percentile that was asked about, between 0 and 1.
    pub quantile: f64,
    /// Two figures are equivalent if all of the interval of their ratio is within this share of one.
    pub within: f64,
    /// Confidence of each interval; each claim of the sequential test is wrong at most as often as this leaves.
    pub confidence: f64,
    /// The figures, the one that was asked about first.
    pub figures: Vec<PairedFigure>,
    /// The same figures of the first backend and a process of it that was measured as a third one; absent if none was asked for.
    pub control: Option<Vec<PairedFigure>>,
    /// What the test says that may be looked at after every block; absent before there is enough to tell.
    pub sequential: Option<Sequential>,
    /// Whether the measuring ended because that test had decided: the intervals are then those of a chosen moment.
    pub stopped_early: bool,
    /// Why there are fewer replicates than were asked for; absent if there are all of them.
    pub why_not_all: Option<String>,
}

/// A figure of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedFigure {
    /// What it is.
    pub indicator: Indicator,
    /// Of the first backend, in the indicator's unit.
    pub first: f64,
    /// Of the second one.
    pub second: f64,
    /// The second one's divided by the first one's.
    pub ratio: RatioInterval,
    /// The smallest difference, as a share, that would be found four times out of five at what the run varied.
    pub smallest: Option<f64>,
    /// What the interval says.
    pub outcome: PairedOutcome,
}

/// What the interval of a paired ratio says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PairedOutcome {
    /// The second backend is better.
    Better,
    /// The same, within the share that is allowed.
    Equivalent,
    /// The interval holds one and reaches further than is allowed, or there is none.
    NoDifference,
    /// The second backend is worse.
    Worse,
}

/// What the sequential test of the percentile says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sequential {
    /// Natural logarithm of the evidence that the second backend's percentile is at most `1 + within` times the first one's.
    pub ln_no_slower: f64,
    /// Natural logarithm of the evidence that it is larger than the first one's.
    pub ln_slower: f64,
    /// What reached the evidence that the confidence asks for.
    pub claim: Claim,
    /// Requests of each backend when it did, or of all if nothing did.
    pub after: u64,
}

/// What a sequential test has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The second backend is not slower by more than is allowed.
    NoSlower,
    /// The second backend is slower.
    Slower,
    /// It is slower, and not by more than is allowed.
    SlowerWithin,
    /// Nothing yet.
    Open,
}

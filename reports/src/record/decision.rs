//! Which backend a run speaks for, and how far the others are from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run comes to, for somebody who has to choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// What counts among backends that meet every objective.
    pub prefer: Preference,
    /// The percentile that `latency` is ranked by, between 0 and 1; absent for every other preference.
    pub quantile: Option<f64>,
    /// Whether it is the percentile of the service time, and not of the response time.
    #[serde(default)]
    pub service_time: bool,
    /// The backend that the run speaks for; absent when none meets every objective, or nothing can be ranked.
    pub answer: Option<String>,
    /// Why nothing is ranked; absent when something is.
    pub unranked_because: Option<String>,
    /// A ratio whose interval is within this share of one is called the same.
    pub same_within: f64,
    /// Confidence of all intervals of ratios together.
    pub confidence: f64,
    /// Every backend of the run: first those that are ranked, best first.
    pub rows: Vec<DecisionRow>,
}

/// What counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// A percentile of the response time, or of the service time, that the objectives ask for; P95 when they ask for none.
    #[default]
    Latency,
    /// Texts a second in steady state.
    Throughput,
    /// The largest resident memory.
    Memory,
    /// What a million texts cost at this throughput, at the price of the machine's hour.
    Cost,
    /// From spawn to the first vector.
    ColdStart,
}

/// One backend in the decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionRow {
    /// Name of the backend.
    pub backend: String,
    /// Where it stands.
    pub standing: Standing,
    /// The figure that it is ranked by: nanoseconds, texts a second, bytes, or the price of a million texts.
    pub value: Option<f64>,
    /// Its figure divided by that of the backend that the run speaks for, or of the best where it speaks for none.
    pub ratio: Option<RatioInterval>,
    /// Why it is not ranked, in words; absent when it is.
    pub why: Option<String>,
}

/// A ratio with the interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatioInterval {
    /// The ratio of the two figures.
    pub value: f64,
    /// Lower end; absent when the run is too short for an interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Where a backend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The run speaks for it; where no objective is set, it has the best figure.
    Best,
    /// The same as the best, within the share that counts as the same.
    Same,
    /// It cannot be told from the best: the interval of the ratio holds one, and more.
    Tied,
    /// Worse than the best.
    Behind,
    /// It meets every objective too, with vectors of another class: it is not ranked with the others.
    OtherVectors,
    /// An objective is neither met nor missed.
    Undecided,
    /// It misses an objective.
    Misses,
    /// It was not timed.
    NotMeasured,
}

impl Standing {
    /// Whether it is one of those that are ranked.
    #[must_use]
    pub fn is_ranked(self) -> bool {
        matches!(self, Self::Best | Self::Same | Self::Tied | Self::Behind)
    }
}

impl Preference {
    /// All of them with the word that a scenario has for each.
    pub const ALL: [(&'static str, Self); 5] = [
        ("latency", Self::Latency),
        ("throughput", Self::Throughput),
        ("memory", Self::Memory),
        ("cost", Self::Cost),
        ("cold_start", Self::ColdStart),
    ];

    /// Whether more of its figure is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        self == Self::Throughput
    }
}

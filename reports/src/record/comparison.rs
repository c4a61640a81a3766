//! Two runs side by side, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::RatioInterval;
use super::verdict::Indicator;

/// What became of each backend from one run to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The run that is compared with.
    pub before: ComparedRun,
    /// The run that is compared.
    pub after: ComparedRun,
    /// A figure is equivalent if its ratio's interval is within this share of one, and worse or better if it is beyond.
    pub within: f64,
    /// Confidence of the interval of each ratio, and of all outcomes that are confirmed together.
    pub confidence: f64,
    /// In what the runs are unlike, and were compared all the same; a sentence each.
    pub unlike: Vec<String>,
    /// What else changed between the runs: versions, settings, the machine's software; a sentence each.
    pub changed: Vec<String>,
    /// What the reader should know of the comparison, a sentence each.
    pub notes: Vec<String>,
    /// The backends of both runs, in the order of the later one.
    pub backends: Vec<ComparedBackend>,
    /// Names of those that only the earlier run measured.
    pub only_before: Vec<String>,
    /// Names of those that only the later run measured.
    pub only_after: Vec<String>,
}

/// A run in a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedRun {
    /// Name of its folder.
    pub id: String,
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
    /// Whether it came to its end.
    pub complete: bool,
}

/// A backend of both runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedBackend {
    /// Its name.
    pub name: String,
    /// Its figures.
    pub figures: Vec<ComparedFigure>,
    /// How close its vectors were to the reference in the earlier run, and in the later one.
    pub vectors: (String, String),
    /// What changed of it: options, versions, what ran; a sentence each.
    pub changed: Vec<String>,
}

/// A figure of both runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedFigure {
    /// What it is.
    pub indicator: Indicator,
    /// In the earlier run, in the indicator's unit.
    pub before: f64,
    /// In the later run.
    pub after: f64,
    /// The later one divided by the earlier one.
    pub ratio: RatioInterval,
    /// What that says.
    pub outcome: Change,
    /// Whether it still says so with all figures of the comparison taken together.
    pub confirmed: bool,
}

/// What the interval of a ratio says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Better by more than the share that is allowed.
    Better,
    /// The same, within the share that is allowed.
    Equivalent,
    /// Worse by more than the share that is allowed.
    Worse,
    /// The interval leaves more than one of these.
    CannotTell,
}

impl Comparison {
    /// Whether a figure of any backend is worse, for certain.
    #[must_use]
    pub fn has_regression(&self) -> bool {
        let mut figures = self.backends.iter().flat_map(|backend| &backend.figures);
        figures.any(|figure| figure.outcome == Change::Worse && figure.confirmed)
    }
}

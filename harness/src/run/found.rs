//! What was found out about a backend before it is timed. It holds for every measurement of that backend.

use tailmark_providers::provider::Loaded;
use tailmark_providers::start::Launch;
use tailmark_reports::record::{Equivalence, Execution, Fallback, RepeatProbe, Requirement};

/// What a backend is known to be.
#[derive(Clone)]
pub(super) struct Found {
    /// How to start it; `None` when it cannot be.
    pub(super) launch: Option<Launch>,
    /// Whether the model has the graph that it is to run, or it runs none.
    pub(super) has_graph: bool,
    /// What its graph was made for and this processor is not, for example `made for ARM64 processors`.
    pub(super) made_for_others: Option<String>,
    /// Set once another kind runs than the one asked for.
    pub(super) fallback: Option<Fallback>,
    /// What it said of itself when it was loaded.
    pub(super) loaded: Option<Loaded>,
    /// Whether its vectors are right.
    pub(super) equivalence: Equivalence,
    /// What executed the model.
    pub(super) execution: Execution,
    /// What the scenario requires of that.
    pub(super) requirement: Option<Requirement>,
    /// What ran instead of what was required, where the scenario has it timed all the same.
    pub(super) partial: Option<String>,
    /// Whether repeated texts are computed.
    pub(super) repeat_probe: Option<RepeatProbe>,
}

impl Found {
    /// Before anything was looked at.
    pub(super) fn nothing() -> Self {
        let why = "the run did not get that far";
        Self {
            launch: None,
            has_graph: true,
            made_for_others: None,
            fallback: None,
            loaded: None,
            equivalence: Equivalence::NotChecked { why: why.to_owned() },
            execution: Execution::NotMeasured { why: why.to_owned() },
            requirement: None,
            partial: None,
            repeat_probe: None,
        }
    }

    /// What the report calls a backend of that name.
    pub(super) fn label(&self, name: &str) -> String {
        if let Some(Fallback { from, to, why }) = &self.fallback {
            return format!("{to} (fallback from {from}: {why})");
        }
        let remarks: Vec<&str> =
            [&self.made_for_others, &self.partial].into_iter().flatten().map(String::as_str).collect();
        if remarks.is_empty() { name.to_owned() } else { format!("{name} ({})", remarks.join(", ")) }
    }

    /// How many requests the backend works on at once, by its own account.
    pub(super) fn at_once(&self) -> usize {
        self.loaded.as_ref().map_or(1, |loaded| loaded.concurrency as usize)
    }

    /// How many threads the backend computes with, where it says.
    pub(super) fn threads(&self) -> Option<usize> {
        Some(self.loaded.as_ref()?.runs.threads? as usize)
    }

    /// The lowest cosine similarity to the reference, where there is a reference.
    pub(super) fn min_cosine(&self) -> Option<f64> {
        match self.equivalence {
            Equivalence::Checked { min_cosine, .. } => Some(min_cosine),
            Equivalence::NotChecked { .. } => None,
        }
    }
}

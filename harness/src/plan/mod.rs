//! A scenario with nothing left to fail but the world: every name looked up, every default filled in, the texts read.
//!
//! Knows nothing of how a plan is carried out.

mod asked;
mod backends;
mod capacity;
mod cells;
mod decision;
mod graphs;
mod model;
mod pairing;
mod phases;
mod resolve;
#[cfg(test)]
mod tests;
mod warnings;
mod workers;
mod wrong;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use asked::{Asked, AskedOf};
pub use capacity::{CapacityPlan, Levels};
pub use graphs::{GRAPH_OPTION, with_all_graphs};
pub use resolve::{Selection, resolve};
use tailmark_providers::kinds::Kind;
use tailmark_providers::provider::Options;
use tailmark_providers::start::Placement;
use tailmark_providers::worker::Deadlines;
use tailmark_reports::record::{Cell, EquivalenceClass, Warning};
pub use workers::WorkersPlan;

use crate::decision::Wish;
use crate::load::LoadModel;
use crate::objective::Objective;
use crate::requirement::Requirement;
use crate::scenario::PromptSetting;
use crate::workload::Corpus;

/// What a run will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the scenario.
    pub name: String,
    /// The question it answers.
    pub title: String,
    /// The model.
    pub model: ModelPlan,
    /// The texts, where a backend has none of its own.
    pub corpus: Arc<Corpus>,
    /// What is put before every text; `None` for what the model puts there itself.
    pub prompt: Option<PromptSetting>,
    /// Texts per request, where a backend has no number of its own.
    pub batch_size: usize,
    /// Seed of their order.
    pub seed: u64,
    /// When requests are due, where a backend has no load of its own.
    pub load: LoadModel,
    /// What is measured, and in which order.
    pub mode: Mode,
    /// How long to wait.
    pub deadlines: Deadlines,
    /// The least class of vectors that is timed.
    pub accepts: EquivalenceClass,
    /// What happens to workers that are lost, and how much memory one may take.
    pub workers: WorkersPlan,
    /// Whether serious doubts about the conditions turn verdicts.
    pub doubts_turn_verdicts: bool,
    /// What is preferred among backends that meet every objective.
    pub wish: Wish,
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// The backends that will run, in the order of the report.
    pub backends: Vec<BackendPlan>,
    /// Names of those of the scenario that will not, because they are optional or because others were asked for.
    pub not_asked_for: Vec<String>,
    /// What should be known before anything starts.
    pub warnings: Vec<Warning>,
    /// Every setting, defaults included, as TOML.
    pub resolved: String,
}

/// The ways to measure.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Every backend under its load, in rounds of restarts.
    Rounds,
    /// How much load each backend takes.
    Capacity(Box<CapacityPlan>),
    /// Two backends in turn, block by block.
    Paired(Box<PairingPlan>),
}

/// How two backends are measured in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct PairingPlan {
    /// Their names; one name twice compares a backend with itself.
    pub backends: [String; 2],
    /// Blocks of each in a replicate, an even number.
    pub blocks: u32,
    /// Requests of a block that count.
    pub requests: u64,
    /// Requests before them that do not.
    pub settling: u64,
    /// The percentile of the response time that is asked about, in (0, 1).
    pub quantile: f64,
    /// The same within this share, above 0.
    pub within: f64,
    /// Of each interval and each claim, in (0.5, 1).
    pub confidence: f64,
    /// Whether the first backend is measured against itself, too.
    pub control: bool,
    /// Whether a claim ends it.
    pub stop_early: bool,
}

/// Which model, and where from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPlan {
    /// A name in the catalog, or that of the model of one's own in the folder.
    pub name: String,
    /// A folder that holds its files.
    pub folder: Option<PathBuf>,
    /// Whether the folder is used as it is.
    pub in_place: bool,
    /// Whether the folder is a model of one's own, with a manifest.
    pub own: bool,
    /// Whether the name is that of a repository of the model hub.
    pub hub: bool,
    /// Which state of the repository.
    pub revision: Option<String>,
}

/// One backend of the plan.
#[derive(Clone, Debug)]
pub struct BackendPlan {
    /// Unique name.
    pub name: String,
    /// What it is.
    pub kind: &'static Kind,
    /// Where it runs.
    pub placement: Placement,
    /// What must have executed its model.
    pub require: Option<Requirement>,
    /// What to run when the model has no ONNX file.
    pub fallback: Option<&'static Kind>,
    /// What an hour of the machine costs that it needs, if the scenario says.
    pub price_per_hour: Option<f64>,
    /// Its options, defaults included.
    pub options: Options,
    /// Which graphs it still stands for.
    pub graphs: GraphRows,
    /// Workers of it side by side.
    pub replicas: u32,
    /// Its texts.
    pub corpus: Arc<Corpus>,
    /// Texts per request.
    pub batch_size: usize,
    /// When its requests are due.
    pub load: LoadModel,
    /// Which variation it is; `None` for a backend as the scenario has it.
    pub cell: Option<Cell>,
    /// Its phases.
    pub phases: Phases,
}

impl BackendPlan {
    /// The name of the scenario's backend that it is, or is a variation of.
    #[must_use]
    pub fn base(&self) -> &str {
        self.cell.as_ref().map_or(&self.name, |cell| &cell.of)
    }
}

/// Which graphs a backend of a plan stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GraphRows {
    /// The one that its options name.
    #[default]
    One,
    /// These, which become a row each as soon as the plan is made.
    Named(Vec<String>),
    /// All of the model's, which are known once the model is there.
    All,
}

/// The phases of one backend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phases {
    /// Fresh processes at least.
    pub restarts: u32,
    /// The warm-up of each.
    pub warm_up: WarmUp,
    /// Steady state over all of them.
    pub steady: Steady,
}

/// How long a restart warms up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUp {
    /// So many requests, and nothing is looked for.
    Fixed(u64),
    /// Until the series is steady.
    Found {
        /// Requests at least.
        fewest: u64,
        /// Requests at most.
        most: u64,
    },
}

/// When the steady state ends: every objective decided and both minima reached, at the latest at a maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steady {
    /// Whether objectives are decided as soon as the evidence allows, without a horizon.
    pub quick: bool,
    /// Whether `[pairing]` says how many requests there are.
    pub in_blocks: bool,
    /// Requests at least.
    pub min_requests: u64,
    /// Time at least.
    pub min_time: Duration,
    /// Requests at most.
    pub max_requests: u64,
    /// Time at most.
    pub max_time: Duration,
}

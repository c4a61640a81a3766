//! A scenario with nothing left to fail but the world: every name looked up, every default filled in, the texts read.
//!
//! Knows nothing of how a plan is carried out.

mod resolve;

use std::path::PathBuf;
use std::time::Duration;

pub use resolve::{Selection, resolve};
use tailmark_providers::kinds::Kind;
use tailmark_providers::provider::Options;

use crate::load::LoadModel;
use crate::scenario::Percentile;
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
    /// The texts.
    pub corpus: Corpus,
    /// Texts per request, where a backend has no number of its own.
    pub batch_size: usize,
    /// Seed of their order.
    pub seed: u64,
    /// When requests are started.
    pub load: LoadModel,
    /// How long to wait.
    pub deadlines: Deadlines,
    /// What must hold.
    pub objectives: Vec<ObjectivePlan>,
    /// The backends that will run, in the order of the report.
    pub backends: Vec<BackendPlan>,
    /// Every setting, defaults included, as TOML.
    pub resolved: String,
}

/// Which model, and where from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPlan {
    /// A name in the catalogue.
    pub name: String,
    /// A folder that holds its files.
    pub folder: Option<PathBuf>,
    /// Whether the folder is used as it is.
    pub in_place: bool,
}

/// How long to wait before a step counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Spawn to handshake.
    pub start: Duration,
    /// Loading the model.
    pub load: Duration,
    /// One request.
    pub request: Duration,
    /// Ending when asked to.
    pub shutdown: Duration,
}

/// What must hold, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectivePlan {
    /// Which percentile of the response time.
    pub percentile: Percentile,
    /// The limit it must stay under.
    pub limit: Duration,
    /// 1 - the largest accepted chance of a wrong decision, each way.
    pub confidence: f64,
    /// The backends it applies to; `None` for all.
    pub backends: Option<Vec<String>>,
}

impl ObjectivePlan {
    /// Whether the objective is asked of this backend.
    #[must_use]
    pub fn applies_to(&self, backend: &str) -> bool {
        self.backends.as_ref().is_none_or(|names| names.iter().any(|name| name == backend))
    }
}

/// Where a backend runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// A process of its own.
    Worker,
    /// The harness's own process.
    InProcess,
}

impl Placement {
    /// The placement as the scenario and the record write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::InProcess => "in-process",
        }
    }
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
    /// What to run when the model has no ONNX file.
    pub fallback: Option<&'static Kind>,
    /// Its options, defaults included.
    pub options: Options,
    /// Texts per request.
    pub batch_size: usize,
    /// Its phases.
    pub phases: Phases,
}

/// The phases of one backend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phases {
    /// Fresh processes.
    pub restarts: u32,
    /// Warm-up requests in each.
    pub warm_up_requests: u64,
    /// Steady state over all of them.
    pub steady: Steady,
}

/// When the steady state ends: both minima reached, at the latest at a maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steady {
    /// Requests at least.
    pub min_requests: u64,
    /// Time at least.
    pub min_time: Duration,
    /// Requests at most.
    pub max_requests: Option<u64>,
    /// Time at most.
    pub max_time: Duration,
}

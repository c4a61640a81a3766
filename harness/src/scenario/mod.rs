//! A scenario as it was written: the TOML file's types and nothing more.
//!
//! A `Scenario` may be wrong in ways that only its reader can see (an unknown backend kind, an empty corpus); turning
//! it into a plan finds those. The doc comments here are the descriptions in the JSON Schema.

mod fault;
mod load;
mod overrides;
mod parse;
mod proof;
mod renamed;
mod shipped;
mod units;

use std::path::PathBuf;

pub(crate) use fault::dotted;
pub use fault::{Fault, Step, did_you_mean};
pub use load::{CapacitySection, LoadSection, MatrixSection};
pub use parse::{Parsed, parse, parse_with};
pub use proof::{EquivalenceSection, RequireSection};
pub use renamed::OldKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use shipped::{CORPORA, OpenError, SCENARIOS, Shipped, corpus, open};
pub use units::{Percentile, TimeSpan, gap, memory, rate, share};

/// A tailmark scenario: which backends, which texts, which phases, and what must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Name of the scenario, used in the run folder's name. Default: the file's name without `.toml`.
    pub name: Option<String>,
    /// The question it answers, one sentence.
    pub title: Option<String>,
    /// The model every backend loads.
    pub model: ModelSection,
    /// The texts and how they are batched.
    pub workload: WorkloadSection,
    /// When requests are started.
    pub load: LoadSection,
    /// Cold start, warm-up and steady state.
    pub phases: PhasesSection,
    /// How long to wait before a step counts as failed.
    pub deadlines: DeadlinesSection,
    /// How close a backend's vectors must be to the reference for it to be timed.
    pub equivalence: EquivalenceSection,
    /// What happens to workers that are lost, and that take too much memory.
    pub workers: WorkersSection,
    /// What doubts about the conditions of the run do to its verdicts.
    pub validity: ValiditySection,
    /// What must hold, for each backend. Without any, the run measures and judges nothing.
    pub objective: Vec<ObjectiveSection>,
    /// The backends, in the order in which they are reported.
    pub backend: Vec<BackendSection>,
    /// What is varied: each combination of the values becomes a backend of its own.
    pub matrix: Vec<MatrixSection>,
    /// Asks for the highest rate at which every objective holds, instead of judging one load.
    pub capacity: Option<CapacitySection>,
}

/// The model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// Name of a model tailmark knows, or of the model of your own in `folder`. Default: the name in the folder's manifest,
    /// else `sentence-transformers/all-MiniLM-L6-v2`.
    pub name: Option<String>,
    /// A folder that already holds the model's files; they are checked by hash and copied into the model store. A folder that
    /// `tailmark model export` made a model of is used as it is.
    pub folder: Option<PathBuf>,
    /// Use `folder` as it is, instead of copying it into the model store. What it lacks (for example `model.onnx`) is
    /// then lacking for the backends too. Default: false.
    pub in_place: Option<bool>,
}

/// The texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadSection {
    /// A shipped corpus by name, or a path to a file: one text per line, or `.jsonl` with a string or an object with
    /// a `text` member per line. Default: `short_queries`.
    pub corpus: Option<String>,
    /// Texts per request, at least 1 and at most the texts in the corpus. Default: 1.
    pub batch_size: Option<u32>,
    /// Seed of the order in which the texts are taken. Default: 1.
    pub seed: Option<u64>,
}

/// The phases of a run. Each restart is a fresh process: its cold start, its warm-up, and its share of the steady
/// state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PhasesSection {
    /// Fresh processes per backend at least, at least 1. An objective that is still open may ask for more. Default: 3.
    pub restarts: Option<u32>,
    /// The requests after the first that are left out of the objective.
    pub warm_up: WarmUpSection,
    /// What the objective is judged on.
    pub steady: SteadySection,
}

/// The warm-up of each restart: over as soon as the series is steady, between the two bounds. With equal bounds it is a
/// fixed count, and nothing is looked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WarmUpSection {
    /// Requests at least. Default: 50.
    pub min_requests: Option<u64>,
    /// Requests at most; a restart that is not steady by then has no steady state, and no verdict. Default: 1000.
    pub max_requests: Option<u64>,
}

/// The steady state, summed over the restarts. It ends when every objective is decided, but not before its horizon (both
/// minima, over all restarts), and at the latest at a maximum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SteadySection {
    /// Requests at least: the horizon, a promise about which patterns the run could have seen. Default: 2000.
    pub min_requests: Option<u64>,
    /// Seconds at least. Default: 0.
    pub min_seconds: Option<f64>,
    /// Requests at most; what is not decided by then is INCONCLUSIVE. Default: 20000, or min_requests if that is more.
    pub max_requests: Option<u64>,
    /// Seconds at most, a request under way not counted. Default: 120.
    pub max_seconds: Option<f64>,
}

/// Whether the conditions of the run (a busy machine, a throttled processor) may turn its verdicts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValiditySection {
    /// `inconclusive`: a serious doubt turns PASS into INCONCLUSIVE, and FAIL too unless even the fastest tenth of the
    /// requests misses the limit. `note`: doubts are shown and turn nothing, for scenarios that ask whether something
    /// works and not how fast it is. Default: `inconclusive`.
    pub on_doubt: Option<String>,
}

/// How long to wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadlinesSection {
    /// For a process to start and shake hands. Default: "30s".
    pub start: Option<TimeSpan>,
    /// For a model to load. Default: "120s".
    pub load: Option<TimeSpan>,
    /// For a request to be answered; then it counts as timed out. Default: "10s".
    pub request: Option<TimeSpan>,
    /// For a process to end when asked to; then it is killed. Default: "5s".
    pub shutdown: Option<TimeSpan>,
}

/// The workers' processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkersSection {
    /// How many workers of a backend that were lost while it was timed (they crashed, hung or broke the protocol) are
    /// replaced by a fresh process, 0 to 100. One more, and the backend is broken; what was measured stays. Default: 2.
    pub max_replacements: Option<u32>,
    /// The most resident memory that one worker may take, in quotes and with its unit: "2GiB". One that takes more is killed,
    /// which is a loss like any other. Default: no limit.
    #[serde(deserialize_with = "units::limit")]
    pub max_memory: Option<String>,
}

/// Something that must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveSection {
    /// What is judged: `p95 response time`, `p95 service time` or `p50 cold start` (any percentile above 0 and below 100),
    /// `throughput`, `failure share`, `peak rss`, or `cosine`.
    pub indicator: Option<String>,
    /// The limit it must stay under, in quotes and with its unit: "20ms", "0.1%", "400MiB".
    #[serde(deserialize_with = "units::limit")]
    pub below: Option<String>,
    /// The limit it must reach, for `throughput` ("100/s", texts) and `cosine` ("0.999").
    #[serde(deserialize_with = "units::limit")]
    pub at_least: Option<String>,
    /// 1 - the largest accepted chance of a wrong PASS, and of a wrong FAIL. Between 0.5 and 1. Default: 0.99.
    pub confidence: Option<f64>,
    /// Names of the backends it applies to. Default: all.
    pub backends: Option<Vec<String>>,
}

/// A backend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackendSection {
    /// Its name in the report, unique. Default: the kind.
    pub name: Option<String>,
    /// The kind of backend; `tailmark backends` lists them.
    pub kind: Option<String>,
    /// `worker` (a process of its own) or `in-process` (Rust backends only). Default: `worker`.
    pub placement: Option<String>,
    /// Run only when named with `--backend`. Default: false.
    pub optional: Option<bool>,
    /// Workers of it side by side, each request going to the one with the fewest in flight. Default: 1.
    pub replicas: Option<u32>,
    /// The kind to run instead when the model has no ONNX file; announced, and carried in every report.
    pub fallback: Option<String>,
    /// Texts per request for this backend, instead of the workload's.
    pub batch_size: Option<u32>,
    /// Fresh processes for this backend, instead of the phases'.
    pub restarts: Option<u32>,
    /// Exactly so many warm-up requests for this backend, instead of the phases' bounds.
    pub warm_up_requests: Option<u64>,
    /// Least steady-state requests for this backend, instead of the phases'.
    pub min_requests: Option<u64>,
    /// Most steady-state requests for this backend, instead of the phases'.
    pub max_requests: Option<u64>,
    /// What must have executed the model, by the runtime's own record.
    pub require: Option<RequireSection>,
    /// The kind's own options, for example `{ threads = 2 }`.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub options: Option<toml::Table>,
}

/// The JSON Schema of a scenario file.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Scenario)
}

//! A scenario as it was written: the TOML file's types and nothing more.
//!
//! A `Scenario` may be wrong in ways that reading the file cannot catch (an unknown backend kind, an empty corpus); turning
//! it into a plan catches those. The doc comments here are the descriptions in the JSON Schema.

mod fault;
mod load;
mod overrides;
mod pairing;
mod parse;
mod proof;
mod renamed;
mod shipped;
mod units;

use std::path::PathBuf;

pub(crate) use fault::dotted;
pub use fault::{Fault, Step, did_you_mean};
pub use load::{CapacitySection, LoadSection, MatrixSection};
pub use pairing::PairingSection;
pub use parse::{Parsed, parse, parse_with};
pub use proof::{EquivalenceSection, RequireSection};
pub use renamed::OldKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use shipped::{CORPORA, OpenError, SCENARIOS, Shipped, corpus, open};
pub use units::{Percentile, TimeSpan, gap, memory, rate, share};

/// A tailmark scenario: which backends to run, on which texts, through which phases, and which objectives they must meet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Name of the scenario, used in the run folder's name. Default: the file's name without `.toml`, with `_` for every
    /// character that a name cannot have.
    pub name: Option<String>,
    /// The question that the scenario answers, in one sentence.
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
    /// How close a backend's vectors must be to the reference before it is timed.
    pub equivalence: EquivalenceSection,
    /// What happens when a worker is lost or takes too much memory.
    pub workers: WorkersSection,
    /// Whether doubts about the conditions of the run change its verdicts.
    pub validity: ValiditySection,
    /// Which of the backends that meet every objective is the better one.
    pub decision: DecisionSection,
    /// What each backend must meet. Without objectives, the run measures and judges nothing.
    pub objective: Vec<ObjectiveSection>,
    /// The backends, in the order of the report.
    pub backend: Vec<BackendSection>,
    /// What to vary: each combination of values is measured as a separate backend.
    pub matrix: Vec<MatrixSection>,
    /// Searches for the highest rate at which every objective is met, instead of judging one load.
    pub capacity: Option<CapacitySection>,
    /// Measures two of the backends in turn, block by block, and compares them.
    pub pairing: Option<PairingSection>,
}

/// The model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// Name of a known model, of a repository of the model hub (`BAAI/bge-small-en-v1.5`), or of your own model in `folder`. Default: the name in the folder's manifest, or
    /// `sentence-transformers/all-MiniLM-L6-v2` without one.
    pub name: Option<String>,
    /// The folder of the model to measure. A folder prepared by `tailmark model export` is used in place; any other must contain
    /// the files of the known model `name`, which are checked by hash and copied into the model store.
    pub folder: Option<PathBuf>,
    /// A branch, a tag or a commit of a repository of the model hub. Default: what `tailmark.lock` beside the scenario has, or `main`.
    pub revision: Option<String>,
    /// Use `folder` in place instead of copying it into the model store. Files that it lacks (for example `model.onnx`) are
    /// then missing for the backends too. Default: false.
    pub in_place: Option<bool>,
}

/// A prompt: a name, or a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a prompt is the name of one of the model's, `none`, or a table { text = \"...\" }"
)]
pub enum PromptSetting {
    /// One of the model's, by its name; `none` for none.
    Name(String),
    /// One that is written out.
    Text {
        /// The text.
        text: String,
    },
}

/// The texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadSection {
    /// A shipped corpus by name, or a path to a file: one text per line; `.jsonl` or `.ndjson` with a string, or an object with
    /// a `text` member, per line; or `.json` with an array of those. Default: `short_queries`.
    pub corpus: Option<String>,
    /// What is put before every text: the name of one of the model's prompts, `{ text = "..." }` for one that you write out, or `none`.
    /// Default: what the model itself puts there.
    pub prompt: Option<PromptSetting>,
    /// Texts per request, at least 1 and at most the texts in the corpus. Default: 1.
    pub batch_size: Option<u32>,
    /// Seed for the order of the texts. Default: 1.
    pub seed: Option<u64>,
}

/// The phases of a run. Each restart is a fresh process: its cold start, its warm-up, and its share of the steady
/// state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PhasesSection {
    /// Fewest fresh processes per backend, at least 1. An objective that is still undecided may ask for more. Default: 3, and 6
    /// with `[pairing]`.
    pub restarts: Option<u32>,
    /// The requests after the first that do not count toward the objectives.
    pub warm_up: WarmUpSection,
    /// The requests that the objectives are judged on.
    pub steady: SteadySection,
}

/// The warm-up of each restart. It ends as soon as response times are steady, between the two bounds. If the bounds are equal,
/// it is a fixed number of requests, and tailmark does not check whether they are steady.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WarmUpSection {
    /// Fewest requests. Default: 50.
    pub min_requests: Option<u64>,
    /// Most requests. A restart that is not steady by then has no steady state and gets no verdict. Default: 1000.
    pub max_requests: Option<u64>,
}

/// The steady state, summed over the restarts. It ends when every objective is decided, but not before the horizon (both
/// minimums, over all restarts), and no later than either maximum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SteadySection {
    /// Fewest requests. They are the horizon: a slow pattern that comes less often than this may go unseen. Default: 2000.
    pub min_requests: Option<u64>,
    /// Fewest seconds. Default: 0.
    pub min_seconds: Option<f64>,
    /// Most requests. An objective that is undecided by then is INCONCLUSIVE. Default: 20000, or min_requests if that is larger.
    pub max_requests: Option<u64>,
    /// Most seconds, including those spent waiting for the next request. A request that is in flight is allowed to finish.
    /// Default: 120.
    pub max_seconds: Option<f64>,
}

/// Whether the conditions of the run (a busy machine, a throttled processor) may change its verdicts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValiditySection {
    /// `inconclusive`: a serious doubt turns PASS into INCONCLUSIVE, and FAIL too unless even the fastest tenth of the
    /// requests misses the limit. `note`: doubts are shown but change nothing, for scenarios that ask whether something
    /// works rather than how fast it is. Default: `inconclusive`.
    pub on_doubt: Option<String>,
}

/// Which of the backends that meet every objective is the better one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionSection {
    /// What counts: `latency` (the first percentile of a response or service time that an objective judges, else the P95),
    /// `throughput`, `memory`, `cost` or `cold_start`. Default: `latency`.
    pub prefer: Option<String>,
    /// Two backends are the same if the interval of their ratio is within this share of one, in quotes: "10%". Default: "10%".
    #[serde(deserialize_with = "units::limit")]
    pub same_within: Option<String>,
    /// What an hour of the machine costs, in any currency: for `prefer = "cost"`. A backend can have a price of its own.
    pub price_per_hour: Option<f64>,
}

/// How long to wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadlinesSection {
    /// For a process to start and complete the handshake. Default: "30s".
    pub start: Option<TimeSpan>,
    /// For a model to load. Default: "120s".
    pub load: Option<TimeSpan>,
    /// For a request to be answered; after that it counts as timed out. Default: "10s".
    pub request: Option<TimeSpan>,
    /// For a process to exit when asked to; after that it is killed. Default: "5s".
    pub shutdown: Option<TimeSpan>,
}

/// The workers' processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkersSection {
    /// How many lost workers of a backend (they crashed, hung or broke the protocol while being timed) are replaced by a fresh
    /// process, 0 to 100. After one more loss the backend is broken; what was measured is kept. Default: 2.
    pub max_replacements: Option<u32>,
    /// The most resident memory that one worker may use, in quotes with a unit: "2GiB". A worker that uses more is killed,
    /// which counts as a loss. Default: no limit.
    #[serde(deserialize_with = "units::limit")]
    pub max_memory: Option<String>,
}

/// An objective: something that each backend must meet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveSection {
    /// What is judged: `p95 response time`, `p95 service time` or `p50 cold start` (any percentile above 0 and below 100),
    /// `throughput`, `failure share`, `peak rss`, or `cosine`.
    pub indicator: Option<String>,
    /// The limit to stay under, in quotes with a unit: "20ms", "0.1%", "400MiB".
    #[serde(deserialize_with = "units::limit")]
    pub below: Option<String>,
    /// The value to reach, for `throughput` ("100/s", texts) and `cosine` ("0.999").
    #[serde(deserialize_with = "units::limit")]
    pub at_least: Option<String>,
    /// 1 - the largest accepted chance of a wrong PASS, and of a wrong FAIL. Between 0.5 and 1. Default: 0.99.
    pub confidence: Option<f64>,
    /// Names of the backends it applies to. Default: all.
    pub backends: Option<Vec<String>>,
}

/// Graphs of the model that are a row each: a word, or their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "graphs are \"all\", or a list of names such as [\"model.onnx\", \"onnx/model_O2.onnx\"]"
)]
pub enum GraphsSetting {
    /// `all`.
    Word(String),
    /// Their names below the model's folder.
    Names(Vec<String>),
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
    /// Number of workers side by side; each request goes to the one with the fewest in flight. Default: 1.
    pub replicas: Option<u32>,
    /// The graphs to measure, each as a row of its own: their names, or `all` for every graph that the model came with or that
    /// tailmark made of it. Default: the one of the option `graph`.
    pub graphs: Option<GraphsSetting>,
    /// What an hour of the machine costs that this backend needs, instead of the price in `[decision]`.
    pub price_per_hour: Option<f64>,
    /// The kind to run instead if the model has no ONNX file. The fallback is announced and shown in every report.
    pub fallback: Option<String>,
    /// Texts per request for this backend, instead of the workload's.
    pub batch_size: Option<u32>,
    /// Fewest fresh processes for this backend, instead of the number in `[phases]`.
    pub restarts: Option<u32>,
    /// Exact number of warm-up requests for this backend, instead of the bounds in `[phases.warm_up]`.
    pub warm_up_requests: Option<u64>,
    /// Fewest steady-state requests for this backend, instead of the number in `[phases.steady]`.
    pub min_requests: Option<u64>,
    /// Most steady-state requests for this backend, instead of the number in `[phases.steady]`.
    pub max_requests: Option<u64>,
    /// What must have executed the model, according to the runtime's own record.
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

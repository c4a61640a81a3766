//! A run as a whole: how it ended, what it was made with and on, and what stands against believing it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backend::{BackendRecord, Bridge};
use super::decision::Decision;
use super::load::{Capacity, Load};
use super::pairing::Pairing;
use super::verdict::{Objective, Verdict};

/// The version of the record this crate writes. A reader refuses any other and says so.
pub const RECORD_VERSION: u32 = 4;

/// One run of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// [`RECORD_VERSION`] of the tailmark that wrote it.
    pub record_version: u32,
    /// Name of the run folder.
    pub id: String,
    /// When the run began, RFC 3339, UTC.
    pub started_at: String,
    /// How long the run took; absent while it is under way or when it was killed.
    pub elapsed_ns: Option<u64>,
    /// How the run ended.
    pub status: RunStatus,
    /// The worst verdict over all objectives and backends; absent when nothing was judged.
    pub overall: Option<Verdict>,
    /// Which backend the run speaks for; absent in records of a tailmark that did not say, of runs that have one backend to choose
    /// from, and of those that search for a capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What measuring two backends in turn came to; absent in runs that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<Pairing>,
    /// The tailmark that measured.
    pub tool: Tool,
    /// The command line as typed.
    pub command_line: Vec<String>,
    /// Commit of the working directory the run was started in; absent outside a git checkout.
    pub git: Option<Git>,
    /// The scenario.
    pub scenario: ScenarioSummary,
    /// The machine.
    pub machine: Machine,
    /// The model; absent when no backend needed one.
    pub model: Option<Model>,
    /// The texts.
    pub workload: Workload,
    /// When requests were started, where a backend has no load of its own.
    pub load: Load,
    /// `default`, or `quick`: decide as soon as the evidence allows, taking requests to be independent.
    pub mode: String,
    /// What had to be measured before any decision; absent when nothing had to.
    pub horizon: Option<Horizon>,
    /// What the machine was like while it measured.
    pub conditions: Vec<Condition>,
    /// What stands against believing the verdicts.
    pub doubts: Vec<Doubt>,
    /// What was asked of the backends, in the scenario's order.
    pub objectives: Vec<Objective>,
    /// The backends, in the scenario's order.
    pub backends: Vec<BackendRecord>,
    /// Names of backends of the scenario that this run was not asked for: optional ones, and all but those of `--only`.
    #[serde(default)]
    pub not_asked_for: Vec<String>,
    /// What a worker process costs, for each backend that ran both in one and inside tailmark; absent in records of a
    /// tailmark that did not compute it.
    #[serde(default)]
    pub bridges: Vec<Bridge>,
    /// How much load each backend takes; empty unless the scenario asks for it.
    pub capacities: Vec<Capacity>,
    /// What the reader should know before believing the figures.
    pub warnings: Vec<Warning>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunStatus {
    /// The record was written while the run was still going on; found later, the run was killed.
    Running,
    /// Everything that was planned was done.
    Complete,
    /// Stopped before its end; what is there was measured.
    Interrupted {
        /// What was under way, for example `steady state of onnx-cpu, restart 2 of 3`.
        during: String,
        /// From the run's beginning to the last thing that is known of it; absent when nothing is.
        after_ns: Option<u64>,
        /// What stopped it: `stopped by the user`, or `tailmark was killed`.
        by: String,
    },
}

/// The tailmark that measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Version of tailmark.
    pub version: String,
    /// `dev` or `release`.
    pub profile: String,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Git {
    /// Full hash.
    pub commit: String,
    /// Whether tracked files differed from it.
    pub dirty: bool,
}

/// The scenario as it was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioSummary {
    /// The scenario's name.
    pub name: String,
    /// What it asks, one sentence.
    pub title: String,
    /// Where it was read from: a path, or `built in`.
    pub source: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// What `--set` changed, as typed: `key=value`.
    pub overrides: Vec<String>,
    /// Every setting, defaults included, as TOML.
    pub resolved: String,
}

/// The machine and its software.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// For example `linux`, `macos`.
    pub os: String,
    /// Name and version of the operating system.
    pub os_version: Option<String>,
    /// Kernel version.
    pub kernel: Option<String>,
    /// For example `x86_64`, `aarch64`.
    pub arch: String,
    /// The processor's name.
    pub cpu: Option<String>,
    /// Physical cores.
    pub physical_cores: Option<u32>,
    /// Logical processors.
    pub logical_cores: u32,
    /// Installed memory.
    pub memory_bytes: u64,
    /// Load average over one minute when the run began; absent where there is none.
    pub load_average: Option<f64>,
}

/// The model, checked by hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// For example `sentence-transformers/all-MiniLM-L6-v2`.
    pub name: String,
    /// Where the files came from: `model store`, `folder ...`, `model hub ...`, `package ...`.
    pub source: String,
    /// The folder the backends read.
    pub folder: String,
    /// The files and their hashes.
    pub files: Vec<ModelFile>,
    /// Length of a vector.
    pub dimensions: u32,
    /// Texts are cut to this many tokens.
    pub max_tokens: u32,
    /// What the vectors were compared with when the model was made, and what else a reader should know of it: one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
}

/// A file of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelFile {
    /// Name in the folder.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// The texts that were embedded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// The corpus: a shipped one's name, or a path.
    pub corpus: String,
    /// Texts in it.
    pub texts: u64,
    /// Texts per request.
    pub batch_size: u32,
    /// Seed of the order in which they are taken.
    pub seed: u64,
    /// Smallest, median and largest token count of a text, from the first backend that said.
    pub tokens: Option<TokenCounts>,
    /// Texts of the corpus longer than the model takes; they were cut.
    pub truncated: u64,
    /// What was put before every text; its tokens are counted in `tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
}

/// A text that is put before every text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prompt {
    /// The model's name for it; `None` for one that the scenario wrote out.
    pub name: Option<String>,
    /// The text.
    pub text: String,
    /// Its tokens, special tokens included.
    pub tokens: u32,
}

/// Token counts over the corpus, special tokens included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCounts {
    /// Smallest.
    pub min: u32,
    /// Median.
    pub median: u32,
    /// Largest.
    pub max: u32,
}

/// The least that is measured before a decision: a promise about which patterns the run could have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Horizon {
    /// Requests in steady state, over all restarts.
    pub requests: u64,
    /// Restarts.
    pub restarts: u32,
}

/// Something of the machine that was watched during the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// For example `other processes' CPU share`.
    pub name: String,
    /// As shown, with its unit, for example `3.1 %`.
    pub value: String,
    /// How it was measured, or why it could not be.
    pub note: Option<String>,
}

/// Something that stands against believing a verdict, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Doubt {
    /// The backend it concerns; absent when it concerns the run.
    pub backend: Option<String>,
    /// What was noticed.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether it is enough to turn a verdict into INCONCLUSIVE.
    pub serious: bool,
}

/// Something the reader should know, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// The backend it concerns; absent when it concerns the run.
    pub backend: Option<String>,
    /// What was noticed.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

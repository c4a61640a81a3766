//! What was measured of one backend.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::equivalence::Equivalence;
use super::execution::{Execution, Loss, RepeatProbe, Requirement};
use super::latency::Latency;
use super::load::{Arrivals, Cell, Load};
use super::verdict::ObjectiveVerdict;

/// One backend of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackendRecord {
    /// The name the scenario gives it, unique in the run.
    pub name: String,
    /// The kind of backend that was asked for, for example `onnx`.
    pub kind: String,
    /// What to call it in a report: the name, and after a fallback
    /// `python-torch (fallback from python-onnx: <why>)`.
    pub label: String,
    /// `worker` or `in-process`.
    pub placement: String,
    /// Which variation of a backend of the scenario it is; absent when it is that backend itself.
    pub cell: Option<Cell>,
    /// Workers of it side by side.
    pub replicas: u32,
    /// When its requests were started.
    pub load: Load,
    /// Its texts: a shipped corpus's name, or a path.
    pub corpus: String,
    /// Texts per request.
    pub batch_size: u32,
    /// The backend's options, defaults included.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Set when another kind ran than the one asked for.
    pub fallback: Option<Fallback>,
    /// How it went.
    pub outcome: BackendOutcome,
    /// What really ran, in the backend's own words; absent when it never loaded.
    pub runs: Option<Runs>,
    /// What executed the model, by the runtime's own account of a probe.
    pub execution: Execution,
    /// What the scenario requires of the execution; absent when nothing.
    pub requirement: Option<Requirement>,
    /// Whether repeated texts are computed; absent when that was not looked at.
    pub repeat_probe: Option<RepeatProbe>,
    /// Whether its vectors are right.
    pub equivalence: Equivalence,
    /// Workers that were lost, in order.
    pub losses: Vec<Loss>,
    /// How many lost workers are replaced before the backend is given up.
    #[serde(alias = "max_restarts")]
    pub max_replacements: u32,
    /// One entry per restart, in order.
    pub cold_starts: Vec<ColdStart>,
    /// How long each restart took to become steady, in order; empty where warm-up was not looked for.
    pub warm_up: Vec<WarmUp>,
    /// Set when the latency was found to drift within the steady state.
    pub drift: Option<Drift>,
    /// Summaries: cold start's first embeddings, warm-up, steady state, and all of them mixed.
    pub phases: Vec<PhaseSummary>,
    /// Memory and processor use of the worker.
    pub resources: Option<Resources>,
    /// Latency over time, thinned; the slowest and the fastest of every group are kept. On disk it is in `timeline.json`, beside
    /// `run.json`; records of earlier tailmarks have it here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineGroup>,
    /// The percentile curve of the steady state, as far as the count carries it.
    pub curve: Vec<CurvePoint>,
    /// One entry per objective that applies to it; empty when it was not timed.
    pub verdicts: Vec<ObjectiveVerdict>,
}

/// A fallback that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fallback {
    /// The kind that was asked for.
    pub from: String,
    /// The kind that ran.
    pub to: String,
    /// Why.
    pub why: String,
}

/// How it went with a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BackendOutcome {
    /// Not begun, or not finished, when the record was written.
    Pending,
    /// Timed as planned.
    Measured,
    /// This machine lacks what it needs. Not an error.
    NotAvailable {
        /// What is lacking.
        why: String,
    },
    /// Its vectors are wrong; it was not timed.
    Wrong {
        /// How wrong.
        why: String,
    },
    /// It works, but not on what the scenario requires; it was not timed under that name.
    NotAsRequired {
        /// What was required, and what ran.
        why: String,
    },
    /// It broke.
    Broken {
        /// How, with the tail of its stderr.
        why: String,
    },
}

/// What really ran, from what the runtime reports; what it does not tell is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Runs {
    /// The runtime, for example `onnxruntime`.
    pub engine: Option<String>,
    /// Its version.
    pub engine_version: Option<String>,
    /// `cpu`, `mps`, `cuda`, ...
    pub device: Option<String>,
    /// ONNX Runtime's execution provider.
    pub execution_provider: Option<String>,
    /// Intra-op threads.
    pub threads: Option<u32>,
    /// Element type of the weights.
    pub dtype: Option<String>,
    /// Versions of the other libraries that matter.
    pub versions: BTreeMap<String, String>,
}

/// One cold start: from spawning a process to its first vector. The stages add up to `total_ns`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ColdStart {
    /// Counted from 1.
    pub restart: u32,
    /// From spawning the process to its answer to `initialize`; absent when there is no process to spawn.
    pub spawn_ns: Option<u64>,
    /// Importing or opening libraries, as the worker reports it; absent when the backend does not tell.
    pub import_ns: Option<u64>,
    /// The rest of `load`: tokenizer, weights, session.
    pub load_ns: u64,
    /// The first embedding.
    pub first_embedding_ns: u64,
    /// From spawn to the first vector.
    pub total_ns: u64,
}

/// How long one restart took to become steady.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WarmUp {
    /// Counted from 1.
    pub restart: u32,
    /// Requests until then, or until it was given up.
    pub requests: u64,
    /// Whether it became steady.
    pub steady: bool,
}

/// A trend of the response time within the restarts' steady states.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Relative change per 1,000 requests: 0.02 is 2 % slower.
    pub change_per_thousand: f64,
    /// How unlikely it is by chance, as a standard normal deviate; positive when the response time rises.
    pub deviate: f64,
}

/// Which requests a summary is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The first embedding of each restart, counted from spawn: what the first caller waits.
    ColdStart,
    /// The requests after it that are left out of the objective.
    WarmUp,
    /// What the objective is judged on.
    Steady,
    /// All of the above pooled, as a naive script would have them; never judged.
    Mixed,
}

impl Phase {
    /// Its name in a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ColdStart => "cold start",
            Self::WarmUp => "warm-up",
            Self::Steady => "steady state",
            Self::Mixed => "mixed",
        }
    }
}

/// The figures of one phase of one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseSummary {
    /// The phase.
    pub phase: Phase,
    /// Requests, failures included.
    pub requests: u64,
    /// Failed requests, timeouts included.
    pub failures: u64,
    /// Of those, the ones that timed out.
    pub timeouts: u64,
    /// Texts embedded.
    pub texts: u64,
    /// Time spent in this phase, summed over restarts.
    pub elapsed_ns: u64,
    /// Answered requests per second of `elapsed_ns`.
    pub requests_per_second: Option<f64>,
    /// Embedded texts per second of `elapsed_ns`.
    pub texts_per_second: Option<f64>,
    /// Response times; absent when nothing was answered.
    pub response_time: Option<Latency>,
    /// Service times; absent when nothing was answered, or where they are not told apart from response times.
    pub service_time: Option<Latency>,
    /// What became of the load that was offered; absent in the cold start and in the mixture.
    pub arrivals: Option<Arrivals>,
    /// Mean split of the response time; absent when nothing was answered.
    pub stages: Option<Stages>,
    /// One line for each distinct reason why requests failed, most frequent first.
    pub failure_reasons: Vec<FailureReason>,
}

/// Why requests failed, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureReason {
    /// The error.
    pub why: String,
    /// How many requests.
    pub requests: u64,
}

/// Mean nanoseconds a request spent in each stage; they add up to the mean response time. Stages that the backend does not tell
/// are absent, and their time is part of the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stages {
    /// Waiting for a slot: started - scheduled.
    pub queue_ns: f64,
    /// Request to bytes, in the harness.
    #[serde(alias = "serialise_ns")]
    pub serialize_ns: f64,
    /// Texts to tokens.
    pub tokenize_ns: Option<f64>,
    /// Forward pass.
    pub infer_ns: Option<f64>,
    /// Pooling and normalizing.
    pub pool_ns: Option<f64>,
    /// In the worker, outside the three above.
    pub worker_other_ns: Option<f64>,
    /// Answer's bytes to numbers, in the harness.
    #[serde(alias = "deserialise_ns")]
    pub deserialize_ns: f64,
    /// The rest: the pipe, wake-ups, and the worker's own encoding of the answer.
    pub pipe_ns: f64,
    /// The way to a server and back; absent for a backend that is not asked over a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkStages>,
}

/// Mean nanoseconds that a request to a server spent on its way, by tailmark's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkStages {
    /// Opening connections, spread over all requests.
    pub connect_ns: f64,
    /// Handing the request to the system.
    pub send_ns: f64,
    /// From its last byte to the first byte of the answer, without what the server says of its own stages.
    pub wait_ns: f64,
    /// From the first byte of the answer to its last.
    pub receive_ns: f64,
}

/// What the worker used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Largest resident memory of any of the restarts, all replicas together.
    pub peak_rss_bytes: Option<u64>,
    /// The same of each restart, in order; empty in records of a tailmark that did not keep them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peaks_rss_bytes: Vec<u64>,
    /// Median resident memory in steady state.
    pub steady_rss_bytes: Option<u64>,
    /// Processor time over wall time in steady state: 1.0 is one core kept busy.
    pub cpu_cores: Option<f64>,
}

/// The same backend in a worker process and inside tailmark, with nothing else that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bridge {
    /// Name of the backend in a worker.
    pub worker: String,
    /// Name of the one inside tailmark.
    pub in_process: String,
    /// P50 of the worker's response time in steady state.
    pub worker_p50_ns: u64,
    /// P50 of the other.
    pub in_process_p50_ns: u64,
    /// What the worker takes longer; negative when it is faster.
    pub difference_ns: i64,
}

/// Neighboring requests of one phase, drawn as one stroke from fastest to slowest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineGroup {
    /// The phase; never [`Phase::Mixed`].
    pub phase: Phase,
    /// Counted from 1.
    pub restart: u32,
    /// Start of the first request of the group, since this backend was first started, without the time in which other
    /// backends were measured.
    pub at_ns: u64,
    /// Requests in the group.
    pub requests: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Fastest answered; absent when all failed.
    pub min_ns: Option<u64>,
    /// Slowest answered; absent when all failed.
    pub max_ns: Option<u64>,
}

/// A point of the percentile curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurvePoint {
    /// Between 0 and 1, ascending.
    pub quantile: f64,
    /// Response time.
    pub value_ns: u64,
    /// Lower end of its 95 % interval.
    pub low_ns: u64,
    /// Upper end; absent when the count puts no bound on it.
    pub high_ns: Option<u64>,
}

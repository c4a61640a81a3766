//! What a probe apart from the timed requests showed: what executed the model, and whether repeated texts are computed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What executed the model in a probe run apart from the timed ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Execution {
    /// Not measured, and why.
    NotMeasured {
        /// For example `it answers without a model`.
        why: String,
    },
    /// Recorded by the runtime itself.
    Measured {
        /// What recorded it, for example `ONNX Runtime's profile`.
        source: String,
        /// Probe runs that were recorded.
        runs: u32,
        /// What was asked for, as the parts are named.
        asked: String,
        /// Nodes of the graph, counted where they are handed to execution providers, and for the CPU alone as it runs them; absent
        /// where there is no graph.
        nodes: Option<u32>,
        /// Where the model ran, what was asked for first. Shares add up to 1.
        parts: Vec<ExecutionPart>,
        /// Operators that did not run on what was asked for, most time first.
        elsewhere: Vec<Operator>,
        /// Where the weights lie and as what, for example `float32 on mps:0 (103 tensors)`; empty where the runtime does not say.
        weights: Vec<String>,
        /// Where the output lay and as what, for example `float32 on mps:0`.
        output: Option<String>,
        /// Which implementation of attention ran, for example `sdpa`.
        attention: Option<String>,
        /// Whether the runtime was allowed to move operators to the CPU by itself; absent where that is no question.
        cpu_fallback: Option<bool>,
        /// What else the reader should know, a sentence each.
        notes: Vec<String>,
    },
}

/// What ran on one execution provider or device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExecutionPart {
    /// For example `CoreML`, `CPU`, `mps`.
    pub on: String,
    /// Nodes of the graph that ran there; absent where there is no graph.
    pub nodes: Option<u32>,
    /// Share of all nodes, or of all operator calls where there is no graph.
    pub node_share: f64,
    /// Stretches of the graph that ran there in one piece; absent where there is no graph.
    pub partitions: Option<u32>,
    /// Nanoseconds in kernels per run; absent where the runtime records no times there.
    pub kernel_ns_per_run: Option<f64>,
    /// Share of the kernel time of all parts; absent when any part has no times.
    pub time_share: Option<f64>,
}

/// A kind of operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operator {
    /// Its type, for example `LayerNormalization`.
    pub name: String,
    /// Where it ran.
    pub on: String,
    /// Nodes of this type, or calls per run where there is no graph.
    pub nodes: u32,
    /// Share of all kernel time; absent where there are no times.
    pub time_share: Option<f64>,
}

/// What a scenario requires of the execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Requirement {
    /// In words, for example `at least 90 % of the time on CoreML`.
    pub text: String,
    /// Whether it held; absent when that could not be measured.
    pub met: Option<bool>,
    /// Why not; absent when it held.
    pub why: Option<String>,
}

/// Whether a backend answers a text that it has just seen faster than a new one of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatProbe {
    /// Pairs of requests: the same text again, and a text never sent before.
    pub pairs: u32,
    /// Median service time of the repeated text.
    pub repeated_ns: u64,
    /// Median service time of new texts.
    pub new_ns: u64,
    /// Whether repeats are so much faster that they were hardly computed.
    pub caching: bool,
}

/// A worker that was lost while it was needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// The restart that it ended, counted from 1.
    pub restart: u32,
    /// What was under way, for example `steady state`.
    pub during: String,
    /// Requests of that restart that were made by then, the first embedding included.
    pub requests: u64,
    /// How it was lost, with the tail of its stderr.
    pub why: String,
    /// Whether another process was started in its place.
    pub restarted: bool,
}

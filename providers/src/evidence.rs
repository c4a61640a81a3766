//! What a runtime records of itself when a probe is run apart from the timed requests: which kernel ran where, how often
//! and for how long. Facts only; what they come to is computed in [`execution`](crate::execution).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Texts to run the model on, for the record and not for their vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProveRequest {
    /// At least one text.
    pub texts: Vec<Arc<str>>,
    /// How many recorded runs, at least 1.
    pub runs: u32,
}

/// What a runtime recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What recorded it, for example `ONNX Runtime's profile`; if nothing did, why.
    pub source: String,
    /// Recorded runs; 0 when nothing was recorded.
    pub runs: u32,
    /// The runtime's own name of what was asked for, for example `CoreMLExecutionProvider` or `mps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// One entry for each distinct kernel, in the order of the first run, run as the timed requests are.
    pub kernels: Vec<Kernel>,
    /// The same probe before the runtime fused nodes for the CPU; left out when only the CPU was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ungrouped: Option<Ungrouped>,
    /// Where the weights lie, and as what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<Weights>,
    /// Where the output lay, and as what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<TensorPlace>,
    /// Which implementation of attention ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<String>,
    /// Whether the runtime may move operators to the CPU by itself, if that is a setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_fallback: Option<bool>,
    /// Operators that the runtime itself said it moved to the CPU.
    #[serde(default)]
    pub fell_back: Vec<String>,
    /// What else the reader should know, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A kernel that ran: a node of a graph, several of them in one, or an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// The node's name, or the operator's if there are no nodes.
    pub name: String,
    /// The operator's type.
    pub op: String,
    /// The execution provider or device it ran on, by the runtime's own name.
    pub on: String,
    /// How often it ran, over all recorded runs.
    pub calls: u64,
    /// Nanoseconds over all recorded runs; left out if no times are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns: Option<u64>,
}

/// The probe with only those rewrites of the graph that come before its nodes are handed out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ungrouped {
    /// On what was asked for: a partition is one kernel, however many nodes it swallowed.
    pub asked: Vec<Kernel>,
    /// On the CPU alone: every node of the graph.
    pub cpu: Vec<Kernel>,
}

/// Weights that lie in the same place and are of the same type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// For example `mps:0`.
    pub device: String,
    /// For example `float32`.
    pub dtype: String,
    /// How many tensors.
    pub tensors: u64,
    /// How many numbers in them.
    pub numbers: u64,
}

/// Where a tensor lay, and as what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorPlace {
    /// For example `mps:0`.
    pub device: String,
    /// For example `float32`.
    pub dtype: String,
}

impl Evidence {
    /// That there is nothing to record, and why.
    #[must_use]
    pub fn none(why: &str) -> Self {
        Self { source: why.to_owned(), ..Self::default() }
    }
}

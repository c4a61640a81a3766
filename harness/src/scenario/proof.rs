//! What a scenario asks of a backend before it is timed: what must have executed the model, and how close its vectors must
//! be. As written; the doc comments are the descriptions in the JSON Schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How close vectors must be to the reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EquivalenceSection {
    /// The lowest class of vectors that is still timed: `exact`, `fp16` or `int8`. Default: `int8`.
    pub accept: Option<String>,
}

/// What must have executed a backend's model, according to the runtime's own record of a probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequireSection {
    /// ONNX Runtime's execution provider, for example `coreml`.
    pub execution_provider: Option<String>,
    /// Or torch's device, for example `mps`.
    pub device: Option<String>,
    /// Least share of the kernel time that must be spent there, above 0 and up to 1. If the runtime records no times, the
    /// share of nodes is used instead. Default: 0.9.
    pub min_time_share: Option<f64>,
    /// Least share of the graph's nodes (or of torch's operator calls) that must run there, from 0 to 1. Default: 0.
    pub min_node_share: Option<f64>,
    /// What to do with a backend that does not meet this: `refuse` (not timed; exit code 3) or `label` (timed under a label that
    /// says what ran). Default: `refuse`.
    pub when_partial: Option<String>,
}

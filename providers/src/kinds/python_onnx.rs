//! `python-onnx`: ONNX Runtime in a Python worker. The options are checked here so that a scenario's faults are all found before
//! anything starts; the worker checks them again. Knows no Python.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Kind, Started, placed_anywhere};
use crate::graph_options::{GraphFile, StaticShape};
use crate::onnx::settings::{ExecutionProvider, GraphOptimization, provider_option_faults};
use crate::option_values::Threads;
use crate::options::{self, OptionFault, OptionRules, OptionSet};
use crate::python_environment::Extra;
use crate::start::{Opening, Placement};

pub(super) const KIND: Kind = Kind {
    name: NAME,
    summary: "ONNX Runtime in a Python worker",
    placements: &[Placement::Worker],
    options: OptionRules::of::<PythonOnnxOptions>(),
    check_placed: placed_anywhere,
    available: |options, platform| {
        options::parse::<PythonOnnxOptions>(options)?.execution_provider.check_platform(platform)
    },
    needs_model: true,
    needs_weights: false,
    own: None,
    start: |ask, provision| {
        let opening = Opening::Worker(provision.environment(Extra::Base)?.worker_command(NAME));
        Ok(Started { opening, load: provision.load_graph(ask.options.clone())? })
    },
};

const NAME: &str = "python-onnx";

/// Options of `python-onnx`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PythonOnnxOptions {
    /// What executes the graph's nodes.
    execution_provider: ExecutionProvider,
    /// Threads within one operator, the caller's included.
    threads: Threads,
    /// How far ONNX Runtime rewrites the graph before it runs it.
    graph_optimization: GraphOptimization,
    /// Passed to the execution provider as they are, for example `MLComputeUnits = "ALL"`.
    provider_options: BTreeMap<String, String>,
    /// The graph to run: a file of the model's folder, for example `model.int8.onnx`.
    graph: GraphFile,
    /// Fixed shapes `[texts, tokens]` instead of one session for all: each request runs in the smallest that holds it,
    /// padded. For execution providers that compile a graph for one shape.
    static_shapes: Vec<StaticShape>,
}

impl Default for PythonOnnxOptions {
    fn default() -> Self {
        Self {
            execution_provider: ExecutionProvider::default(),
            threads: Threads::fixed(1),
            graph_optimization: GraphOptimization::default(),
            provider_options: BTreeMap::new(),
            graph: GraphFile::default(),
            static_shapes: Vec::new(),
        }
    }
}

impl OptionSet for PythonOnnxOptions {
    fn conflicts(&self) -> Vec<OptionFault> {
        provider_option_faults(self.execution_provider, &self.provider_options)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::options::resolve;

    #[test]
    fn defaults_are_those_of_the_worker() {
        assert_eq!(
            serde_json::Value::Object(resolve::<PythonOnnxOptions>(&serde_json::Map::new())),
            json!({"execution_provider": "cpu", "threads": 1, "graph_optimization": "all", "provider_options": {},
                   "graph": "model.onnx", "static_shapes": []})
        );
    }
}

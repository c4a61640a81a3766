//! What ONNX Runtime can be told, from Rust and from Python: the options of `onnx`, and the value types that
//! `python-onnx` shares with it. Knows where an execution provider can be at all; looks into no library.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::graph_options::{GraphFile, StaticShape};
use crate::option_values::{Threads, absolute_path};
use crate::options::{OptionFault, OptionSet};
use crate::platform::Platform;
use crate::provider::ProviderError;

/// Options of `onnx`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OnnxOptions {
    /// What executes the graph's nodes.
    pub execution_provider: ExecutionProvider,
    /// Threads within one operator, the caller's included.
    pub threads: Threads,
    /// How far ONNX Runtime rewrites the graph before it runs it.
    pub graph_optimization: GraphOptimization,
    /// Passed to the execution provider as they are, for example `MLComputeUnits = "ALL"`.
    pub provider_options: BTreeMap<String, String>,
    /// The graph to run: a file of the model's folder, for example `model.int8.onnx`.
    pub graph: GraphFile,
    /// Fixed shapes `[texts, tokens]` instead of one session for all: each request runs in the smallest that holds it,
    /// padded. For execution providers that compile a graph for one shape.
    pub static_shapes: Vec<StaticShape>,
    /// Whether idle threads spin for a while before they sleep: faster with more than one thread, and busy.
    pub intra_op_spinning: bool,
    /// The ONNX Runtime library. Found by tailmark when left out.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absolute_path")]
    pub library: Option<PathBuf>,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        Self {
            execution_provider: ExecutionProvider::default(),
            threads: Threads::fixed(1),
            graph_optimization: GraphOptimization::default(),
            provider_options: BTreeMap::new(),
            graph: GraphFile::default(),
            static_shapes: Vec::new(),
            intra_op_spinning: true,
            library: None,
        }
    }
}

impl OptionSet for OnnxOptions {
    fn conflicts(&self) -> Vec<OptionFault> {
        provider_option_faults(self.execution_provider, &self.provider_options)
    }
}

/// The rule between an execution provider and its options.
pub(crate) fn provider_option_faults(
    provider: ExecutionProvider,
    options: &BTreeMap<String, String>,
) -> Vec<OptionFault> {
    let fault = |why: String| vec![OptionFault { key: "provider_options".to_owned(), why }];
    match options.iter().find(|(key, value)| key.is_empty() || key.contains('\0') || value.contains('\0')) {
        Some((key, value)) => fault(format!(
            "found {key:?} = {value:?}: names are not empty, and neither names nor values hold the character NUL"
        )),
        None if provider == ExecutionProvider::Cpu && !options.is_empty() => {
            let names = options.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            fault(format!(
                "found {names}: the execution provider `cpu` has no options\n\n\
                 hint: set `execution_provider`, or leave out `provider_options`"
            ))
        }
        None => Vec::new(),
    }
}

/// What executes a graph's nodes. Nodes that it does not take run on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionProvider {
    /// ONNX Runtime's own kernels.
    #[default]
    Cpu,
    /// Apple's Core ML.
    #[serde(rename = "coreml")]
    CoreMl,
    /// NVIDIA's CUDA.
    Cuda,
    /// Intel's OpenVINO.
    #[serde(rename = "openvino")]
    OpenVino,
    /// XNNPACK: CPU kernels made for ARM.
    Xnnpack,
}

impl ExecutionProvider {
    /// As it is written in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::CoreMl => "coreml",
            Self::Cuda => "cuda",
            Self::OpenVino => "openvino",
            Self::Xnnpack => "xnnpack",
        }
    }

    /// Whether it can be on a machine like this at all; whether the library has it is only known when it is opened.
    ///
    /// # Errors
    /// [`ProviderError::NotAvailable`] naming what it needs and what this is.
    pub fn check_platform(self, platform: &Platform) -> Result<(), ProviderError> {
        let what = || format!("execution provider `{}`", self.name());
        match self {
            Self::CoreMl => platform.must_be(what, &["macos"], &[]),
            Self::Cuda => platform.must_be(what, &["linux", "windows"], &[]),
            Self::OpenVino => platform.must_be(what, &["linux", "windows"], &["x86_64"]),
            Self::Cpu | Self::Xnnpack => Ok(()),
        }
    }
}

/// How far ONNX Runtime rewrites a graph before it runs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GraphOptimization {
    /// Not at all.
    Disable,
    /// Removes what is redundant.
    Basic,
    /// Fuses nodes too.
    Extended,
    /// Changes memory layouts too.
    #[default]
    All,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::options::check;

    fn faults(options: Value) -> Vec<String> {
        let options = options.as_object().expect("an object").clone();
        check::<OnnxOptions>(&options)
            .into_iter()
            .map(|fault| format!("{}: {}", fault.key, fault.why))
            .collect()
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        assert_eq!(
            faults(json!({"execution_provider": "gpu", "graph_optimization": "some"})),
            [
                "execution_provider: unknown `gpu` (known: cpu, coreml, cuda, openvino, xnnpack)",
                "graph_optimization: unknown `some` (known: disable, basic, extended, all)",
            ]
        );
    }

    #[test]
    fn options_of_a_provider_that_has_none_are_refused() {
        let found = faults(json!({"provider_options": {"device": "GPU"}}));
        assert_eq!(
            found,
            ["provider_options: found `device`: the execution provider `cpu` has no options\n\n\
              hint: set `execution_provider`, or leave out `provider_options`"]
        );
        let coreml = json!({"execution_provider": "coreml", "provider_options": {"MLComputeUnits": "ALL"}});
        assert_eq!(faults(coreml), Vec::<String>::new());
        let nul = json!({"execution_provider": "coreml", "provider_options": {"a\0": "b"}});
        assert_eq!(faults(nul).len(), 1, "a C string cannot hold NUL");
    }

    #[test]
    fn providers_are_refused_on_machines_that_cannot_have_them() {
        let linux = Platform { os: "linux".to_owned(), arch: "x86_64".to_owned() };
        let mac = Platform { os: "macos".to_owned(), arch: "aarch64".to_owned() };
        let words = |provider: ExecutionProvider, platform| {
            provider.check_platform(platform).map_err(|error| error.to_string())
        };
        assert_eq!(
            words(ExecutionProvider::CoreMl, &linux),
            Err("execution provider `coreml` is not available here: it needs macOS; this is Linux on x86_64"
                .to_owned())
        );
        assert_eq!(words(ExecutionProvider::CoreMl, &mac), Ok(()));
        assert_eq!(
            words(ExecutionProvider::OpenVino, &mac),
            Err("execution provider `openvino` is not available here: it needs Linux or Windows on x86_64; \
                 this is macOS on aarch64"
                .to_owned())
        );
        assert_eq!(words(ExecutionProvider::Cpu, &mac), Ok(()));
    }
}

//! The options of the backends that the Python worker serves. They are checked here so that a scenario's faults are all
//! found before anything starts; the worker checks them again. Knows no Python.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::graph_options::{GraphFile, StaticShape};
use crate::onnx::settings::{ExecutionProvider, GraphOptimisation, provider_option_faults};
use crate::option_values::Threads;
use crate::options::{OptionFault, OptionSet};
use crate::platform::Platform;
use crate::provider::ProviderError;

/// Options of `python-onnx`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PythonOnnxOptions {
    /// What executes the graph's nodes.
    pub execution_provider: ExecutionProvider,
    /// Threads within one operator, the caller's included.
    pub threads: Threads,
    /// How far ONNX Runtime rewrites the graph before it runs it.
    pub graph_optimization: GraphOptimisation,
    /// Passed to the execution provider as they are, for example `MLComputeUnits = "ALL"`.
    pub provider_options: BTreeMap<String, String>,
    /// The graph to run: a file of the model's folder, for example `model.int8.onnx`.
    pub graph: GraphFile,
    /// Fixed shapes `[texts, tokens]` instead of one session for all: each request runs in the smallest that holds it,
    /// padded. For execution providers that compile a graph for one shape.
    pub static_shapes: Vec<StaticShape>,
}

impl Default for PythonOnnxOptions {
    fn default() -> Self {
        Self {
            execution_provider: ExecutionProvider::default(),
            threads: Threads::fixed(1),
            graph_optimization: GraphOptimisation::default(),
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

/// Options of `python-torch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PythonTorchOptions {
    /// Where the model runs.
    pub device: TorchDevice,
    /// Threads within one operator, on the CPU.
    pub threads: Threads,
    /// Element type of the weights.
    pub dtype: TorchDtype,
}

impl Default for PythonTorchOptions {
    fn default() -> Self {
        Self { device: TorchDevice::default(), threads: Threads::fixed(1), dtype: TorchDtype::default() }
    }
}

impl OptionSet for PythonTorchOptions {}

/// Where torch runs a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TorchDevice {
    /// The first there is of `mps`, `cuda` and `cpu`; what it took is in the record.
    #[default]
    Auto,
    /// The GPU of an Apple processor.
    Mps,
    /// An NVIDIA GPU.
    Cuda,
    /// The processor.
    Cpu,
}

impl TorchDevice {
    /// Whether it can be on a machine like this at all; torch itself is asked when it is loaded.
    ///
    /// # Errors
    /// [`ProviderError::NotAvailable`] naming what it needs and what this is.
    pub fn check_platform(self, platform: &Platform) -> Result<(), ProviderError> {
        match self {
            Self::Mps => platform.must_be(|| "device `mps`".to_owned(), &["macos"], &["aarch64"]),
            Self::Cuda => platform.must_be(|| "device `cuda`".to_owned(), &["linux", "windows"], &[]),
            Self::Auto | Self::Cpu => Ok(()),
        }
    }
}

/// Element type of torch's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TorchDtype {
    /// 32 bits.
    #[default]
    Float32,
    /// 16 bits, five of them exponent.
    Float16,
    /// 16 bits, eight of them exponent.
    Bfloat16,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::options::{check, resolve};

    #[test]
    fn a_device_that_a_machine_cannot_have_is_named_with_what_it_needs() {
        let linux = Platform { os: "linux".to_owned(), arch: "x86_64".to_owned() };
        let intel_mac = Platform { os: "macos".to_owned(), arch: "x86_64".to_owned() };
        let apple_mac = Platform { os: "macos".to_owned(), arch: "aarch64".to_owned() };
        let words = |platform| TorchDevice::Mps.check_platform(platform).map_err(|error| error.to_string());
        let needs = "device `mps` is not available here: it needs macOS on aarch64; this is";
        assert_eq!(words(&linux), Err(format!("{needs} Linux on x86_64")));
        assert_eq!(words(&intel_mac), Err(format!("{needs} macOS on x86_64")));
        assert_eq!(words(&apple_mac), Ok(()));
        assert_eq!(TorchDevice::Auto.check_platform(&linux), Ok(()));
    }

    #[test]
    fn options_are_refused_by_name() {
        let options = json!({"device": "gpu", "dtype": "int8", "execution_provider": "cpu", "threads": 2000});
        let keys: Vec<_> = check::<PythonTorchOptions>(options.as_object().expect("an object"))
            .into_iter()
            .map(|fault| fault.key)
            .collect();
        assert_eq!(keys, ["device", "dtype", "execution_provider", "threads"]);
    }

    #[test]
    fn defaults_are_those_of_the_worker() {
        let written_out = |options| serde_json::Value::Object(options);
        assert_eq!(
            written_out(resolve::<PythonTorchOptions>(&serde_json::Map::new())),
            json!({"device": "auto", "threads": 1, "dtype": "float32"})
        );
        assert_eq!(
            written_out(resolve::<PythonOnnxOptions>(&serde_json::Map::new())),
            json!({"execution_provider": "cpu", "threads": 1, "graph_optimization": "all", "provider_options": {},
                   "graph": "model.onnx", "static_shapes": []})
        );
    }
}

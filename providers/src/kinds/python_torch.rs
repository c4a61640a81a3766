//! `python-torch`: PyTorch in a Python worker. The options are checked here so that a scenario's faults are all found before
//! anything starts; the worker checks them again. Knows no Python.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Kind, Started, placed_anywhere};
use crate::option_values::Threads;
use crate::options::{self, OptionRules, OptionSet};
use crate::platform::Platform;
use crate::provider::ProviderError;
use crate::python_environment::Extra;
use crate::start::{Opening, Placement};

pub(super) const KIND: Kind = Kind {
    name: NAME,
    summary: "PyTorch in a Python worker, on the processor, on CUDA or on Apple's GPU",
    placements: &[Placement::Worker],
    options: OptionRules::of::<PythonTorchOptions>(),
    check_placed: placed_anywhere,
    available: |options, platform| {
        options::parse::<PythonTorchOptions>(options)?.device.check_platform(platform)
    },
    needs_model: true,
    needs_weights: true,
    own: None,
    start: |ask, provision| {
        let opening = Opening::Worker(provision.environment(Extra::Torch)?.worker_command(NAME));
        Ok(Started { opening, load: provision.load_weights(ask.options.clone())? })
    },
};

const NAME: &str = "python-torch";

/// Options of `python-torch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PythonTorchOptions {
    /// Where the model runs.
    device: TorchDevice,
    /// Threads within one operator, on the CPU.
    threads: Threads,
    /// Element type of the weights; `auto` is the file's own.
    dtype: TorchDtype,
    /// Runs the Python code that the model's folder brings with it, without which some models cannot be loaded. It can do whatever
    /// you can: read it first.
    trust_remote_code: bool,
}

impl Default for PythonTorchOptions {
    fn default() -> Self {
        Self {
            device: TorchDevice::default(),
            threads: Threads::fixed(1),
            dtype: TorchDtype::default(),
            trust_remote_code: false,
        }
    }
}

impl OptionSet for PythonTorchOptions {}

/// Where torch runs a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TorchDevice {
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
    fn check_platform(self, platform: &Platform) -> Result<(), ProviderError> {
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
enum TorchDtype {
    /// 32 bits.
    #[default]
    Float32,
    /// 16 bits, five of them exponent.
    Float16,
    /// 16 bits, eight of them exponent.
    Bfloat16,
    /// What the file of weights has, which is what sentence-transformers computes in.
    Auto,
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
        assert_eq!(
            serde_json::Value::Object(resolve::<PythonTorchOptions>(&serde_json::Map::new())),
            json!({"device": "auto", "threads": 1, "dtype": "float32", "trust_remote_code": false})
        );
    }
}

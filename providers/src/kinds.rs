//! The table of backends: what each is called, needs, and can be told. Adding a backend is a file of its own and one
//! entry here. Starts nothing, and knows no scenario.

use schemars::Schema;

use crate::null::{NullBackend, NullOptions, NullProvider};
use crate::onnx::OnnxBackend;
use crate::onnx::settings::OnnxOptions;
use crate::options::{self, OptionFault};
use crate::platform::Platform;
use crate::provider::{Backend, Options, Provider, ProviderError};
use crate::python_environment::Extra;
use crate::python_kinds::{PythonOnnxOptions, PythonTorchOptions};
use crate::rten::{RtenBackend, RtenOptions};
use crate::simulated::settings::SimulatedOptions;
use crate::simulated::{self, SimulatedBackend, SimulatedProvider};
use crate::threaded::Threaded;
use crate::worker::Deadlines;

/// A kind of backend.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As it is written in a scenario and on a worker's command line.
    pub name: &'static str,
    /// What it is, one sentence.
    pub summary: &'static str,
    /// What must be there before it can be loaded.
    pub needs: &'static [Need],
    /// What serves it.
    pub runtime: Runtime,
    /// Everything that is wrong with its options.
    pub check_options: fn(&Options) -> Vec<OptionFault>,
    /// What is wrong with these options in a worker alone.
    pub check_worker_options: fn(&Options) -> Vec<OptionFault>,
    /// Its options with the defaults written out; for options that nothing is wrong with.
    pub resolve_options: fn(&Options) -> Options,
    /// The JSON Schema of its options.
    pub options_schema: fn() -> Schema,
    /// Whether a machine like this can have what the options ask for, as far as that is known without starting
    /// anything: [`ProviderError::NotAvailable`] when it cannot, [`ProviderError::Option`] for faulty options.
    pub available: fn(&Options, &Platform) -> Result<(), ProviderError>,
}

/// Something a backend needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A model folder.
    Model,
    /// ONNX Runtime's shared library, named by the option `library`.
    OnnxRuntimeLibrary,
    /// A Python environment.
    Python(Extra),
}

/// What serves a kind.
#[derive(Clone, Copy, Debug)]
pub enum Runtime {
    /// This crate.
    Rust {
        /// Makes a backend for a worker to serve.
        backend: fn() -> Box<dyn Backend>,
        /// Makes a provider for use in the caller's own process, which keeps the deadlines that apply without one.
        in_process: fn(Deadlines) -> Box<dyn Provider>,
    },
    /// The Python worker.
    Python,
}

/// Every kind of backend there is.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "onnx",
        summary: "ONNX Runtime, called from Rust",
        needs: &[Need::Model, Need::OnnxRuntimeLibrary],
        runtime: Runtime::Rust {
            backend: || Box::new(OnnxBackend::default()),
            in_process: |deadlines| threaded(Box::new(OnnxBackend::default()), deadlines),
        },
        check_options: options::check::<OnnxOptions>,
        check_worker_options: nothing_more,
        resolve_options: options::resolve::<OnnxOptions>,
        options_schema: options::schema::<OnnxOptions>,
        available: |options, platform| {
            options::parse::<OnnxOptions>(options)?.execution_provider.check_platform(platform)
        },
    },
    Kind {
        name: "rten",
        summary: "RTen, an ONNX runtime in pure Rust: needs the model and nothing else",
        needs: &[Need::Model],
        runtime: Runtime::Rust {
            backend: || Box::new(RtenBackend::default()),
            in_process: |deadlines| threaded(Box::new(RtenBackend::default()), deadlines),
        },
        check_options: options::check::<RtenOptions>,
        check_worker_options: nothing_more,
        resolve_options: options::resolve::<RtenOptions>,
        options_schema: options::schema::<RtenOptions>,
        available: |options, _| options::parse::<RtenOptions>(options).map(|_| ()),
    },
    Kind {
        name: "python-onnx",
        summary: "ONNX Runtime in a Python worker",
        needs: &[Need::Model, Need::Python(Extra::Base)],
        runtime: Runtime::Python,
        check_options: options::check::<PythonOnnxOptions>,
        check_worker_options: nothing_more,
        resolve_options: options::resolve::<PythonOnnxOptions>,
        options_schema: options::schema::<PythonOnnxOptions>,
        available: |options, platform| {
            options::parse::<PythonOnnxOptions>(options)?.execution_provider.check_platform(platform)
        },
    },
    Kind {
        name: "python-torch",
        summary: "PyTorch in a Python worker, on the processor, on CUDA or on Apple's GPU",
        needs: &[Need::Model, Need::Python(Extra::Torch)],
        runtime: Runtime::Python,
        check_options: options::check::<PythonTorchOptions>,
        check_worker_options: nothing_more,
        resolve_options: options::resolve::<PythonTorchOptions>,
        options_schema: options::schema::<PythonTorchOptions>,
        available: |options, platform| {
            options::parse::<PythonTorchOptions>(options)?.device.check_platform(platform)
        },
    },
    Kind {
        name: "null",
        summary: "answers at once without a model: measures tailmark itself",
        needs: &[],
        runtime: Runtime::Rust {
            backend: || Box::new(NullBackend::default()),
            in_process: |_| Box::new(NullProvider::default()),
        },
        check_options: options::check::<NullOptions>,
        check_worker_options: nothing_more,
        resolve_options: options::resolve::<NullOptions>,
        options_schema: options::schema::<NullOptions>,
        available: |options, _| options::parse::<NullOptions>(options).map(|_| ()),
    },
    Kind {
        name: "simulated",
        summary: "answers after seeded delays, stalls and failures without a model: proves the statistics",
        needs: &[],
        runtime: Runtime::Rust {
            backend: || Box::new(SimulatedBackend::default()),
            in_process: |deadlines| Box::new(SimulatedProvider::with_deadline(deadlines.request)),
        },
        check_options: options::check::<SimulatedOptions>,
        check_worker_options: simulated::check_in_worker,
        resolve_options: options::resolve::<SimulatedOptions>,
        options_schema: options::schema::<SimulatedOptions>,
        available: |options, _| options::parse::<SimulatedOptions>(options).map(|_| ()),
    },
];

/// A worker takes the same options as any other placement.
fn nothing_more(_: &Options) -> Vec<OptionFault> {
    Vec::new()
}

fn threaded(backend: Box<dyn Backend>, deadlines: Deadlines) -> Box<dyn Provider> {
    Box::new(Threaded::new(backend).with_deadlines(deadlines.load, deadlines.request))
}

/// The kind of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The versions of a package in the lock file, for tests that hold what a backend says of itself against it.
#[cfg(test)]
pub(crate) fn locked_version(package: &str) -> Vec<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    lock.split("[[package]]")
        .filter(|entry| entry.contains(&format!("\nname = \"{package}\"\n")))
        .filter_map(|entry| entry.split("version = \"").nth(1)?.split('"').next())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Options without a default: they are in the schema, and not among those that are written out.
    const WITHOUT_DEFAULT: &[(&str, &str)] = &[("onnx", "library"), ("simulated", "stall")];

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        for kind in KINDS {
            assert_eq!(find(kind.name).map(|found| found.summary), Some(kind.summary));
        }
        assert!(find("onxx").is_none());
    }

    #[test]
    fn defaults_written_out_are_options_that_nothing_is_wrong_with() {
        for kind in KINDS {
            let resolved = (kind.resolve_options)(&Options::new());
            assert_eq!((kind.check_options)(&resolved), [], "{}", kind.name);
            assert_eq!((kind.resolve_options)(&resolved), resolved, "{}", kind.name);
        }
    }

    #[test]
    fn the_schema_lists_the_options_there_are_and_describes_each() {
        for kind in KINDS {
            let schema = (kind.options_schema)();
            let properties = schema.get("properties").and_then(Value::as_object).expect("an object's schema");
            let mut written: BTreeSet<String> =
                (kind.resolve_options)(&Options::new()).keys().cloned().collect();
            written.extend(
                WITHOUT_DEFAULT
                    .iter()
                    .filter(|(name, _)| *name == kind.name)
                    .map(|(_, key)| (*key).to_owned()),
            );
            assert_eq!(properties.keys().cloned().collect::<BTreeSet<_>>(), written, "{}", kind.name);
            assert_eq!(schema.get("additionalProperties"), Some(&Value::Bool(false)), "{}", kind.name);
            for (key, property) in properties {
                assert!(property.get("description").is_some(), "{}: {key} is not described", kind.name);
            }
        }
    }

    #[test]
    fn every_kind_refuses_an_unknown_option_and_loads_nothing_with_it() {
        let options = Options::from_iter([("no_such_option".to_owned(), Value::from(1))]);
        for kind in KINDS {
            let faults = (kind.check_options)(&options);
            assert_eq!(faults.len(), 1, "{}", kind.name);
            assert!(faults[0].why.starts_with("unknown option"), "{}: {}", kind.name, faults[0].why);
            assert!((kind.available)(&options, &Platform::here()).is_err(), "{}", kind.name);
        }
    }

    #[test]
    fn with_defaults_every_kind_can_be_on_every_machine() {
        for (os, arch) in
            [("linux", "x86_64"), ("linux", "aarch64"), ("macos", "aarch64"), ("windows", "x86_64")]
        {
            let platform = Platform { os: os.to_owned(), arch: arch.to_owned() };
            for kind in KINDS {
                assert_eq!((kind.available)(&Options::new(), &platform), Ok(()), "{} on {os}", kind.name);
            }
        }
    }
}

//! How a session is made: on which execution provider, with which threads, rewrites and shapes, and whether the runtime
//! records what it does. Knows no request.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ort::ep::{
    self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider as _, ExecutionProviderDispatch,
};
use ort::session::Session;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};
use ort::value::{Outlet, TensorElementType, ValueType};

use super::library::OnnxRuntime;
use super::settings::{ExecutionProvider, GraphOptimization, OnnxOptions};
use crate::graph::roles::{Declared, Element};
use crate::graph_options::StaticShape;
use crate::provider::ProviderError;

/// The names that exported graphs give their two free axes.
const FREE_AXES: [&str; 2] = ["batch", "sequence"];

/// Everything a session is made of.
#[derive(Clone, Debug)]
pub(super) struct Making<'a> {
    runtime: &'a OnnxRuntime,
    settings: &'a OnnxOptions,
    /// What executes its nodes.
    pub(super) provider: ExecutionProvider,
    /// How far the graph is rewritten.
    pub(super) optimization: GraphOptimization,
    /// The beginning of the name of the file to record into; `None` for a session that records nothing.
    pub(super) profile: Option<PathBuf>,
}

impl<'a> Making<'a> {
    /// As the options say.
    pub(super) fn new(runtime: &'a OnnxRuntime, settings: &'a OnnxOptions) -> Self {
        let (provider, optimization) = (settings.execution_provider, settings.graph_optimization);
        Self { runtime, settings, provider, optimization, profile: None }
    }

    /// A session for this graph, of one shape if there is one.
    pub(super) fn session(&self, graph: &Path, shape: Option<StaticShape>) -> Result<Session, ProviderError> {
        let mut builder = self.builder()?;
        if let Some(shape) = shape {
            for (axis, size) in FREE_AXES.into_iter().zip([shape.batch(), shape.tokens()]) {
                builder = builder.with_dimension_override(axis, size as i64).map_err(load_error)?;
            }
        }
        if let Some(profile) = &self.profile {
            builder = builder.with_profiling(profile).map_err(load_error)?;
        }
        builder.commit_from_file(graph).map_err(load_error)
    }

    fn builder(&self) -> Result<SessionBuilder, ProviderError> {
        let Self { runtime, settings, provider, .. } = *self;
        let level = match self.optimization {
            GraphOptimization::Disable => GraphOptimizationLevel::Disable,
            GraphOptimization::Basic => GraphOptimizationLevel::Level1,
            GraphOptimization::Extended => GraphOptimizationLevel::Level2,
            GraphOptimization::All => GraphOptimizationLevel::All,
        };
        let builder = Session::builder(&runtime.environment)
            .map_err(load_error)?
            // The crate's own default prefers whatever device saves energy, which on a Mac turns a session that was asked
            // for the CPU into one on Core ML. Only the provider that was asked for may run.
            .with_auto_device(AutoDevicePolicy::PreferCPU)
            .map_err(load_error)?
            .with_optimization_level(level)
            .map_err(load_error)?
            .with_intra_threads(settings.threads.get() as usize)
            .map_err(load_error)?
            .with_intra_op_spinning(settings.intra_op_spinning)
            .map_err(load_error)?;
        let Some(registration) = registration(provider, settings) else { return Ok(builder) };
        let not_available = |why: String| ProviderError::NotAvailable {
            what: format!("execution provider `{}`", provider.name()),
            why,
        };
        let builder = builder
            .with_execution_providers([registration])
            .map_err(|error| not_available(error.message().to_owned()))?;
        if is_compiled_in(provider) {
            Ok(builder)
        } else {
            Err(not_available(format!("ONNX Runtime {} was built without it", runtime.version)))
        }
    }
}

/// The fixed shapes, one of which must hold the longest text.
pub(super) fn check_shapes(
    shapes: &[StaticShape],
    max_tokens: u32,
) -> Result<Vec<StaticShape>, ProviderError> {
    let longest = shapes.iter().map(|shape| shape.tokens()).max();
    match longest {
        Some(longest) if longest < max_tokens as usize => Err(ProviderError::Option {
            key: "static_shapes".to_owned(),
            why: format!(
                "the longest shape holds {longest} tokens, and the model takes texts of up to {max_tokens}; add a shape \
                 of [1, {max_tokens}]"
            ),
        }),
        _ => Ok(shapes.to_vec()),
    }
}

/// What registers the execution provider that was asked for; `None` for the CPU, which is always there.
fn registration(provider: ExecutionProvider, settings: &OnnxOptions) -> Option<ExecutionProviderDispatch> {
    let options = &settings.provider_options;
    match provider {
        ExecutionProvider::Cpu => None,
        ExecutionProvider::CoreMl => Some(configured(ep::CoreML::default(), options)),
        ExecutionProvider::Cuda => Some(configured(ep::CUDA::default(), options)),
        ExecutionProvider::OpenVino => Some(configured(ep::OpenVINO::default(), options)),
        ExecutionProvider::Xnnpack => {
            // XNNPACK has threads of its own and would take one, whatever the session has.
            let threads = settings.threads.get();
            Some(configured(
                ep::XNNPACK::default().with_arbitrary_config("intra_op_num_threads", threads),
                options,
            ))
        }
    }
}

/// Without `error_on_failure` a provider that is not there is passed over in silence and the CPU runs in its place.
fn configured<P>(provider: P, options: &BTreeMap<String, String>) -> ExecutionProviderDispatch
where
    P: ArbitrarilyConfigurableExecutionProvider + Into<ExecutionProviderDispatch>,
{
    let set = |provider: P, (key, value): (&String, &String)| provider.with_arbitrary_config(key, value);
    options.iter().fold(provider, set).into().error_on_failure()
}

fn is_compiled_in(provider: ExecutionProvider) -> bool {
    let asked = match provider {
        ExecutionProvider::Cpu => ep::CPU::is_available(),
        ExecutionProvider::CoreMl => ep::CoreML::is_available(),
        ExecutionProvider::Cuda => ep::CUDA::is_available(),
        ExecutionProvider::OpenVino => ep::OpenVINO::is_available(),
        ExecutionProvider::Xnnpack => ep::XNNPACK::is_available(),
    };
    asked.unwrap_or(false)
}

pub(super) fn canonical_name(provider: ExecutionProvider) -> &'static str {
    match provider {
        ExecutionProvider::Cpu => ep::CPU::NAME,
        ExecutionProvider::CoreMl => ep::CoreML::NAME,
        ExecutionProvider::Cuda => ep::CUDA::NAME,
        ExecutionProvider::OpenVino => ep::OpenVINO::NAME,
        ExecutionProvider::Xnnpack => ep::XNNPACK::NAME,
    }
}

pub(super) fn computes_on_cpu(provider: ExecutionProvider) -> bool {
    matches!(provider, ExecutionProvider::Cpu | ExecutionProvider::Xnnpack)
}

pub(super) fn device(provider: ExecutionProvider) -> &'static str {
    if computes_on_cpu(provider) { "cpu" } else { provider.name() }
}

/// What a graph declares of its inputs or outputs.
pub(super) fn declared(puts: &[Outlet]) -> Vec<Declared> {
    puts.iter()
        .map(|put| {
            let (element, axes) = match put.dtype() {
                ValueType::Tensor { ty, shape, .. } => {
                    let axes = shape.iter().map(|axis| usize::try_from(*axis).ok()).collect();
                    (element(*ty), axes)
                }
                other => (Element::Other(other.to_string()), Vec::new()),
            };
            Declared { name: put.name().to_owned(), element, axes }
        })
        .collect()
}

fn element(found: TensorElementType) -> Element {
    match found {
        TensorElementType::Int64 => Element::Int64,
        TensorElementType::Int32 => Element::Int32,
        TensorElementType::Float32 => Element::Float32,
        TensorElementType::Float16 => Element::Float16,
        other => Element::Other(other.to_string()),
    }
}

fn load_error<R>(error: ort::Error<R>) -> ProviderError {
    ProviderError::Load(error.message().to_owned())
}

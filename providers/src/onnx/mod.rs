//! The backend that runs the model's ONNX graph in ONNX Runtime, whose shared library is opened when the model is
//! loaded. Decides how a session is made; knows no Python and no place where the library might be.

mod library;
pub mod settings;

use std::collections::BTreeMap;
use std::time::Instant;

use ort::ep::{
    self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider as _, ExecutionProviderDispatch,
};
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use self::library::OnnxRuntime;
use self::settings::{ExecutionProvider, GraphOptimisation, OnnxOptions};
use crate::graph::{self, GraphInput, StageEnds};
use crate::null::not_loaded;
use crate::options;
use crate::pooling::TokenVectors;
use crate::provider::{Backend, EmbedRequest, Embeddings, LoadRequest, Loaded, Pooling, ProviderError, Runs};
use crate::tokenise::{self, TokenBatch, Tokenizer};

/// `onnx`, loaded or not.
#[derive(Debug, Default)]
pub struct OnnxBackend {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    tokenizer: Tokenizer,
    session: Session,
    inputs: Vec<GraphInput>,
    pooling: Pooling,
    /// Used again for every request.
    batch: TokenBatch<i64>,
}

impl Backend for OnnxBackend {
    fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError> {
        let started = Instant::now();
        let settings = options::parse::<OnnxOptions>(&request.options)?;
        let folder = graph::model_of(request)?;
        let graph_file = graph::graph_file(folder)?;
        let runtime = OnnxRuntime::open(settings.library.as_deref())?;
        let imported = Instant::now();

        let tokenizer = Tokenizer::from_folder(&folder.folder, folder.max_tokens)?;
        let session = builder(&runtime, &settings)?.commit_from_file(&graph_file).map_err(load_error)?;
        let inputs = GraphInput::of_graph(session.inputs().iter().map(Outlet::name))?;
        let (dimensions, dtype) = output(&session)?;
        self.running = Some(Running {
            tokenizer,
            session,
            inputs,
            pooling: folder.pooling,
            batch: TokenBatch::default(),
        });
        let finished = Instant::now();

        let provider = settings.execution_provider;
        let runs = Runs {
            engine: "onnxruntime".to_owned(),
            engine_version: runtime.version,
            device: device(provider).to_owned(),
            execution_provider: Some(canonical_name(provider).to_owned()),
            threads: computes_on_cpu(provider).then_some(settings.threads.get()),
            dtype,
            versions: BTreeMap::from([
                ("onnxruntime build".to_owned(), runtime.build),
                ("tokenizers".to_owned(), tokenise::LIBRARY_VERSION.to_owned()),
            ]),
        };
        Ok(Loaded {
            dimensions,
            concurrency: 1,
            runs,
            import_ns: (imported - started).as_nanos() as u64,
            load_ns: (finished - imported).as_nanos() as u64,
        })
    }

    fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let started = Instant::now();
        let Running { tokenizer, session, inputs, pooling, batch } =
            self.running.as_mut().ok_or_else(not_loaded)?;
        tokenizer.encode(&request.texts, batch)?;
        let tokenised = Instant::now();

        let shape = [request.texts.len(), batch.sequence];
        let values = inputs
            .iter()
            .map(|input| {
                TensorRef::from_array_view((shape, input.of_batch(batch))).map(SessionInputValue::from)
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(embed_error)?;
        let outputs = session.run(values.as_slice()).map_err(embed_error)?;
        let (found, hidden) = outputs[graph::OUTPUT].try_extract_tensor::<f32>().map_err(embed_error)?;
        let found: Vec<usize> = found.iter().map(|axis| usize::try_from(*axis).unwrap_or_default()).collect();
        let dimensions = graph::check_shape(&found, shape[0], shape[1])?;
        let inferred = Instant::now();

        let tokens = TokenVectors { values: hidden, sequence: batch.sequence, dimensions };
        let ends = StageEnds { started, tokenised, inferred };
        Ok(graph::answer(*pooling, tokens, batch, request.normalize, &ends))
    }
}

fn builder(runtime: &OnnxRuntime, settings: &OnnxOptions) -> Result<SessionBuilder, ProviderError> {
    let level = match settings.graph_optimisation {
        GraphOptimisation::Disable => GraphOptimizationLevel::Disable,
        GraphOptimisation::Basic => GraphOptimizationLevel::Level1,
        GraphOptimisation::Extended => GraphOptimizationLevel::Level2,
        GraphOptimisation::All => GraphOptimizationLevel::All,
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
    match registration(settings) {
        None => Ok(builder),
        Some(provider) => {
            let not_available = |why: String| ProviderError::NotAvailable {
                what: format!("execution provider `{}`", settings.execution_provider.name()),
                why,
            };
            let builder = builder
                .with_execution_providers([provider])
                .map_err(|error| not_available(error.message().to_owned()))?;
            if is_compiled_in(settings.execution_provider) {
                Ok(builder)
            } else {
                Err(not_available(format!("ONNX Runtime {} was built without it", runtime.version)))
            }
        }
    }
}

/// What registers the execution provider that was asked for; `None` for the CPU, which is always there.
fn registration(settings: &OnnxOptions) -> Option<ExecutionProviderDispatch> {
    let options = &settings.provider_options;
    match settings.execution_provider {
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

fn canonical_name(provider: ExecutionProvider) -> &'static str {
    match provider {
        ExecutionProvider::Cpu => ep::CPU::NAME,
        ExecutionProvider::CoreMl => ep::CoreML::NAME,
        ExecutionProvider::Cuda => ep::CUDA::NAME,
        ExecutionProvider::OpenVino => ep::OpenVINO::NAME,
        ExecutionProvider::Xnnpack => ep::XNNPACK::NAME,
    }
}

fn computes_on_cpu(provider: ExecutionProvider) -> bool {
    matches!(provider, ExecutionProvider::Cpu | ExecutionProvider::Xnnpack)
}

fn device(provider: ExecutionProvider) -> &'static str {
    if computes_on_cpu(provider) { "cpu" } else { provider.name() }
}

/// The length of a vector, and the element type of the output that holds the token vectors.
fn output(session: &Session) -> Result<(u32, String), ProviderError> {
    let output = session.outputs().iter().find(|output| output.name() == graph::OUTPUT);
    let output =
        output.ok_or_else(|| ProviderError::Load(format!("the graph has no output `{}`", graph::OUTPUT)))?;
    match output.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
            Ok((graph::dimensions(shape.last().copied())?, "float32".to_owned()))
        }
        other => Err(ProviderError::Load(format!(
            "the graph's output `{}` is {other}, expected a float32 tensor",
            graph::OUTPUT
        ))),
    }
}

fn load_error<R>(error: ort::Error<R>) -> ProviderError {
    ProviderError::Load(error.message().to_owned())
}

fn embed_error(error: ort::Error) -> ProviderError {
    ProviderError::Embed(error.message().to_owned())
}

#[cfg(test)]
mod tests;

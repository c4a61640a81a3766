//! The backend that needs no C++ and no Python: RTen runs the model's ONNX graph in pure Rust.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rten::{
    DataType, Dimension, Model, ModelOptions, NodeId, NodeInfo, RunOptions, ThreadPool, Value, ValueOrView,
    ValueType,
};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensorView, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, ProveRequest};
use crate::external_data;
use crate::graph::roles::{self, Declared, Element, Input, Output, Role};
use crate::graph::{self, StageEnds};
use crate::graph_options::GraphFile;
use crate::model::head::Head;
use crate::model::recipe::OutputKind;
use crate::null::not_loaded;
use crate::option_values::Threads;
use crate::options::{self, OptionSet};
use crate::provider::{Backend, EmbedRequest, Embeddings, LoadRequest, Loaded, ProviderError, Runs};
use crate::tokenize::{self, TokenBatch, Tokenizer};

/// The version of the runtime compiled in; it does not say it itself.
const ENGINE_VERSION: &str = "0.27.0";

/// Options of `rten`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RtenOptions {
    /// Threads within one operator.
    pub threads: Threads,
    /// The graph to run: a file of the model's folder.
    pub graph: GraphFile,
}

impl Default for RtenOptions {
    fn default() -> Self {
        Self { threads: Threads::fixed(1), graph: GraphFile::default() }
    }
}

impl OptionSet for RtenOptions {}

/// `rten`, loaded or not.
#[derive(Default)]
pub struct RtenBackend {
    running: Option<Running>,
}

struct Running {
    tokenizer: Tokenizer,
    model: Model,
    threads: Arc<ThreadPool>,
    inputs: Vec<(NodeId, Input)>,
    output_id: NodeId,
    output: Output,
    /// Given to the input `task_id`, if there is one.
    task_id: u32,
    head: Head,
    /// Used again for every request.
    batch: TokenBatch<i32>,
}

impl Backend for RtenBackend {
    fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError> {
        let started = Instant::now();
        let RtenOptions { threads, graph } = options::parse(&request.options)?;
        let threads = threads.get();
        let folder = graph::model_of(request)?;
        let graph_file = graph::graph_file(folder, &graph)?;
        let tokenizer = Tokenizer::from_folder(&folder.folder, &folder.recipe)?;
        // Weights laid out for the processor beforehand: short texts are 1.6 times as fast, for 50 ms more of loading and
        // a second copy of the weights in memory.
        let mut model_options = ModelOptions::with_all_ops();
        model_options.prepack_weights(true);
        let model = load_graph(model_options, &graph_file)?;

        let inputs = roles::inputs(&declared(&model, model.input_ids()), &folder.recipe)?;
        let inputs = model.input_ids().iter().copied().zip(inputs).collect();
        let outputs = declared(&model, model.output_ids());
        let output = roles::output(&outputs, &folder.recipe)?;
        let at = outputs.iter().position(|put| put.name == output.name).unwrap_or_default();
        let output_id = model.output_ids()[at];
        let head = graph::head(folder, &output, &tokenizer)?;
        let dimensions = head.dimensions();

        let threads_pool = Arc::new(ThreadPool::with_num_threads(threads as usize));
        self.running = Some(Running {
            tokenizer,
            model,
            threads: threads_pool,
            inputs,
            output_id,
            output,
            task_id: folder.recipe.task_id.unwrap_or_default(),
            head,
            batch: TokenBatch::default(),
        });
        let runs = Runs {
            engine: Some("rten".to_owned()),
            engine_version: Some(ENGINE_VERSION.to_owned()),
            device: Some("cpu".to_owned()),
            execution_provider: None,
            threads: Some(threads),
            dtype: Some("float32".to_owned()),
            versions: BTreeMap::from([("tokenizers".to_owned(), tokenize::LIBRARY_VERSION.to_owned())]),
        };
        // Everything is compiled in: there is no library to open.
        let load_ns = started.elapsed().as_nanos() as u64;
        Ok(Loaded { dimensions, concurrency: 1, runs, import_ns: Some(0), load_ns: Some(load_ns) })
    }

    fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let started = Instant::now();
        let Running { tokenizer, model, threads, inputs, output_id, output, task_id, head, batch } =
            self.running.as_mut().ok_or_else(not_loaded)?;
        tokenizer.encode(&request.texts, batch)?;
        let tokenized = Instant::now();

        let shape = [request.texts.len(), batch.sequence];
        let hidden = if shape.contains(&0) {
            // Texts of no tokens at all: there is nothing to run, and their vectors are zero.
            let dimensions = output.dimensions.unwrap_or_default() as usize;
            match output.is {
                OutputKind::Tokens => Tensor::zeros(&[shape[0], 0, dimensions]),
                OutputKind::Text => Tensor::zeros(&[shape[0], dimensions]),
            }
        } else {
            let values = inputs
                .iter()
                .map(|(id, input)| Ok((*id, value(input, *task_id, batch, shape)?)))
                .collect::<Result<_, ProviderError>>()?;
            let run_options = RunOptions::default().with_thread_pool(Some(Arc::clone(threads)));
            let [hidden] = model
                .run_n(values, [*output_id], Some(run_options))
                .map_err(|error| ProviderError::Embed(error.to_string()))?;
            hidden
                .try_into()
                .map_err(|error: rten::TryFromValueError| ProviderError::Embed(error.to_string()))?
        };
        let hidden = hidden.to_contiguous();
        let tokens = graph::vectors(output, hidden.data(), hidden.shape(), shape)?;
        let inferred = Instant::now();

        let ends = StageEnds { started, tokenized, inferred, pooled_before: 0 };
        let vectors = head.apply(tokens, &batch.token_counts, request.normalize);
        Ok(graph::answer(vectors, head.dimensions(), batch, &ends))
    }

    fn prove(&mut self, _: &ProveRequest) -> Result<Evidence, ProviderError> {
        Ok(Evidence::none(
            "RTen records nothing of its runs; it has kernels for the CPU and for nothing else",
        ))
    }
}

/// Loads a graph with the weights beside it.
///
/// RTen looks for weights beside the file that the graph's name leads to. In the cache of a model hub, the names of a model are
/// symbolic links to files of other names in another folder. Weights belong beside the name that was given, so for a link
/// they are read here.
fn load_graph(mut options: ModelOptions, path: &Path) -> Result<Model, ProviderError> {
    let failed = |error: rten::LoadError| ProviderError::Load(error.to_string());
    if !path.is_symlink() {
        return options.load_file(path).map_err(failed);
    }
    let read = |path: &Path| {
        fs::read(path)
            .map_err(|error| ProviderError::ModelFile { path: path.to_owned(), why: error.to_string() })
    };
    let graph = read(path)?;
    for name in external_data::files_named_in(&graph) {
        options.external_data(&name, read(&path.with_file_name(&name))?);
    }
    options.load(graph).map_err(failed)
}

/// What a graph declares of these inputs or outputs. RTen has integers of 32 bits and single precision, whatever the file has.
fn declared(model: &Model, ids: &[NodeId]) -> Vec<Declared> {
    let axis = |axis: &Dimension| match axis {
        Dimension::Fixed(length) => Some(*length),
        Dimension::Symbolic(_) => None,
    };
    ids.iter()
        .map(|id| {
            let node = model.node_info(*id);
            let shape = node.as_ref().and_then(NodeInfo::shape).unwrap_or_default();
            let element = match node.as_ref().and_then(NodeInfo::dtype) {
                Some(ValueType::Tensor(DataType::Int32)) => Element::Int32,
                Some(ValueType::Tensor(DataType::Float)) => Element::Float32,
                Some(other) => Element::Other(format!("{other:?}")),
                None => Element::Other("of no declared type".to_owned()),
            };
            Declared {
                name: node.as_ref().and_then(NodeInfo::name).unwrap_or_default().to_owned(),
                element,
                axes: shape.iter().map(axis).collect(),
            }
        })
        .collect()
}

/// The value of an input for a batch of this shape.
fn value<'a>(
    input: &Input,
    task_id: u32,
    batch: &'a TokenBatch<i32>,
    shape: [usize; 2],
) -> Result<ValueOrView<'a>, ProviderError> {
    input.check_shape(shape[0], shape[1])?;
    let view = |numbers: &'a [i32]| ValueOrView::from(NdTensorView::from_data(shape, numbers));
    let [texts, sequence] = shape;
    Ok(match input.role {
        Role::InputIds => view(&batch.ids),
        Role::AttentionMask => view(&batch.attention_mask),
        Role::TokenTypeIds => view(&batch.type_ids),
        Role::PositionIds => {
            let row = 0..i32::try_from(sequence).unwrap_or(i32::MAX);
            let positions: Vec<i32> = (0..texts).flat_map(|_| row.clone()).collect();
            Value::from(Tensor::from_data(&shape, positions)).into()
        }
        Role::TaskId => {
            let axes: Vec<usize> = input.axes.iter().map(|axis| axis.unwrap_or(texts)).collect();
            let count = axes.iter().product();
            Value::from(Tensor::from_data(&axes, vec![task_id.cast_signed(); count])).into()
        }
        Role::PastKeyValues => {
            let free = |(at, axis): (usize, &Option<usize>)| axis.unwrap_or(if at == 0 { texts } else { 0 });
            let axes: Vec<usize> = input.axes.iter().enumerate().map(free).collect();
            Value::from(Tensor::<f32>::zeros(&axes)).into()
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provider::Options;
    use crate::reference_check::{
        assert_reference_vectors, assert_short_reference_vectors, embed_request, linked_as_in_a_hubs_cache,
        load_request, model_folder,
    };

    #[test]
    fn the_version_said_is_the_version_locked() {
        assert_eq!(crate::lock_file::locked_version("rten"), [ENGINE_VERSION]);
    }

    #[test]
    fn the_real_model_gives_the_reference_vectors() {
        let Some(folder) = model_folder() else { return };
        let options = json!({"threads": 2}).as_object().expect("an object").clone();
        let mut backend = RtenBackend::default();
        let loaded = backend.load(&load_request(folder, options)).expect("loaded");
        assert_eq!((loaded.runs.threads, loaded.runs.device.as_deref()), (Some(2), Some("cpu")));
        assert_reference_vectors(&mut backend, &loaded);
    }

    #[test]
    fn a_graph_that_is_a_link_takes_the_weights_beside_its_own_name() {
        let Some(folder) = model_folder() else { return };
        let cache = linked_as_in_a_hubs_cache(&folder);
        let mut backend = RtenBackend::default();
        backend.load(&load_request(cache.path().join("snapshot"), Options::new())).expect("loaded");
        assert_short_reference_vectors(&mut backend);

        std::fs::remove_file(cache.path().join("snapshot/model.onnx_data")).expect("removed");
        let request = load_request(cache.path().join("snapshot"), Options::new());
        let error = RtenBackend::default().load(&request).expect_err("no weights").to_string();
        assert!(error.contains("snapshot/model.onnx_data: No such file"), "{error}");
    }

    #[test]
    fn embedding_before_loading_is_an_error() {
        let request = embed_request(&["text".to_owned()]);
        assert_eq!(RtenBackend::default().embed(&request), Err(not_loaded()));
    }

    #[test]
    fn a_damaged_graph_is_an_error_of_loading() {
        let Some(folder) = model_folder() else { return };
        let damaged = tempfile::tempdir().expect("a temporary folder");
        std::fs::copy(folder.join("tokenizer.json"), damaged.path().join("tokenizer.json")).expect("a copy");
        let graph = std::fs::read(folder.join("model.onnx")).expect("the graph");
        std::fs::write(damaged.path().join("model.onnx"), &graph[..graph.len() / 2]).expect("a file");
        let error = RtenBackend::default()
            .load(&load_request(damaged.path().to_owned(), Options::new()))
            .expect_err("no graph");
        assert!(matches!(&error, ProviderError::Load(_)), "{error}");
    }
}

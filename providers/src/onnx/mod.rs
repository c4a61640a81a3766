//! The backend that runs the model's ONNX graph in ONNX Runtime, whose shared library is opened when the model is
//! loaded. Decides which session a request runs in; `session` is how one is made, `profile` what the runtime records.

mod inputs;
mod library;
mod profile;
mod session;
pub mod settings;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use ort::session::Session;
use ort::value::Shape;

use self::inputs::embed_error;
use self::library::OnnxRuntime;
use self::session::Making;
use self::settings::{ExecutionProvider, GraphOptimization, OnnxOptions};
use crate::evidence::{Evidence, ProveRequest, Ungrouped};
use crate::graph::roles::{self, Element, Input, Output};
use crate::graph::{self, StageEnds};
use crate::graph_options::{StaticShape, pieces};
use crate::model::head::{Head, TokenVectors};
use crate::model::recipe::OutputKind;
use crate::null::not_loaded;
use crate::options;
use crate::provider::{Backend, EmbedRequest, Embeddings, LoadRequest, Loaded, ProviderError, Runs};
use crate::tokenize::{self, TokenBatch, Tokenizer};

/// `onnx`, loaded or not.
#[derive(Debug, Default)]
pub struct OnnxBackend {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    runtime: OnnxRuntime,
    settings: OnnxOptions,
    graph_file: PathBuf,
    tokenizer: Tokenizer,
    sessions: Sessions,
    puts: Puts,
    head: Head,
    /// Used again for every request.
    batch: TokenBatch<i64>,
}

/// What goes into a graph and what is taken out of it.
#[derive(Debug)]
struct Puts {
    inputs: Vec<Input>,
    output: Output,
    /// Given to the input `task_id`, if there is one.
    task_id: u32,
}

/// One session for every shape, or one for each of the fixed shapes.
#[derive(Debug)]
struct Sessions {
    shapes: Vec<StaticShape>,
    /// As many as there are shapes; without any, one.
    sessions: Vec<Session>,
}

impl Backend for OnnxBackend {
    fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError> {
        let started = Instant::now();
        let settings = options::parse::<OnnxOptions>(&request.options)?;
        let folder = graph::model_of(request)?;
        let graph_file = graph::graph_file(folder, &settings.graph)?;
        let shapes = session::check_shapes(&settings.static_shapes, folder.recipe.max_tokens)?;
        let runtime = OnnxRuntime::open(settings.library.as_deref())?;
        let imported = Instant::now();

        let tokenizer = Tokenizer::from_folder(&folder.folder, &folder.recipe)?;
        let sessions = Sessions::make(&Making::new(&runtime, &settings), shapes, &graph_file)?;
        let first = &sessions.sessions[0];
        let mut inputs = roles::inputs(&session::declared(first.inputs()), &folder.recipe)?;
        if !sessions.shapes.is_empty() {
            // Which of the fixed shapes a batch runs in is chosen before; the other sessions have other axes.
            inputs.iter_mut().for_each(Input::free_square);
        }
        let puts = Puts {
            inputs,
            output: roles::output(&session::declared(first.outputs()), &folder.recipe)?,
            task_id: folder.recipe.task_id.unwrap_or_default(),
        };
        let head = graph::head(folder, &puts.output, &tokenizer)?;
        let (dimensions, dtype) = (head.dimensions(), puts.output.element.name().to_owned());
        let provider = settings.execution_provider;
        let runs = Runs {
            engine: Some("onnxruntime".to_owned()),
            engine_version: Some(runtime.version.clone()),
            device: Some(session::device(provider).to_owned()),
            execution_provider: Some(session::canonical_name(provider).to_owned()),
            threads: session::computes_on_cpu(provider).then_some(settings.threads.get()),
            dtype: Some(dtype),
            versions: BTreeMap::from([
                ("onnxruntime build".to_owned(), runtime.build.clone()),
                ("tokenizers".to_owned(), tokenize::LIBRARY_VERSION.to_owned()),
            ]),
        };
        let batch = TokenBatch::default();
        self.running =
            Some(Running { runtime, settings, graph_file, tokenizer, sessions, puts, head, batch });
        let finished = Instant::now();
        Ok(Loaded {
            dimensions,
            concurrency: 1,
            runs,
            import_ns: Some((imported - started).as_nanos() as u64),
            load_ns: Some((finished - imported).as_nanos() as u64),
        })
    }

    fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let started = Instant::now();
        let Running { tokenizer, sessions, puts, head, batch, .. } =
            self.running.as_mut().ok_or_else(not_loaded)?;
        tokenizer.encode(&request.texts, batch)?;
        let tokenized = Instant::now();
        let (mut vectors, mut pooling_ns) = (Vec::new(), 0);
        sessions.run(puts, batch, |rows, tokens| {
            let began = Instant::now();
            let pooled = head.apply(tokens, &batch.token_counts[rows], request.normalize);
            // The usual case is one piece: its vectors are taken as they are.
            if vectors.is_empty() {
                vectors = pooled
            } else {
                vectors.extend(pooled)
            }
            pooling_ns += began.elapsed().as_nanos() as u64;
        })?;
        let inferred = Instant::now();
        // Each piece is pooled when it has been computed, in between.
        let ends = StageEnds { started, tokenized, inferred, pooled_before: pooling_ns };
        Ok(graph::answer(vectors, head.dimensions(), batch, &ends))
    }

    fn prove(&mut self, request: &ProveRequest) -> Result<Evidence, ProviderError> {
        let running = self.running.as_mut().ok_or_else(not_loaded)?;
        let asked = running.settings.execution_provider;
        running.tokenizer.encode(&request.texts, &mut running.batch)?;
        let kernels = running.profiled(request.runs, |_| {})?;
        let ungrouped = if asked == ExecutionProvider::Cpu {
            None
        } else {
            // What comes after nodes were handed out would fuse those that are left, and they could not be counted.
            let basic = |making: &mut Making<'_>| {
                making.optimization = match making.optimization {
                    GraphOptimization::Disable => GraphOptimization::Disable,
                    _ => GraphOptimization::Basic,
                };
            };
            Some(Ungrouped {
                asked: running.profiled(request.runs, basic)?,
                cpu: running.profiled(request.runs, |making| {
                    basic(making);
                    making.provider = ExecutionProvider::Cpu;
                })?,
            })
        };
        Ok(Evidence {
            source: "ONNX Runtime's profile".to_owned(),
            runs: request.runs,
            asked: Some(session::canonical_name(asked).to_owned()),
            kernels,
            ungrouped,
            ..Evidence::default()
        })
    }
}

impl Running {
    /// Runs the batch in a session of its own with the profiler on, made as the timed one is but for the `change`.
    fn profiled(
        &self,
        runs: u32,
        change: impl FnOnce(&mut Making<'_>),
    ) -> Result<Vec<crate::evidence::Kernel>, ProviderError> {
        let failed = |why: String| ProviderError::Embed(format!("the probe's profile: {why}"));
        let folder = tempfile::Builder::new()
            .prefix("tailmark-profile-")
            .tempdir()
            .map_err(|error| failed(format!("no temporary folder: {error}")))?;
        let mut making = Making::new(&self.runtime, &self.settings);
        making.profile = Some(folder.path().join("probe"));
        change(&mut making);
        let shapes = self.sessions.shape_for(&self.batch)?;
        let mut sessions = Sessions::make(&making, shapes, &self.graph_file)?;
        for _ in 0..=runs {
            sessions.run(&self.puts, &self.batch, |_, _| {})?;
        }
        let file =
            sessions.sessions[0].end_profiling().map_err(|error| failed(error.message().to_owned()))?;
        profile::read(file.as_ref(), runs).map_err(failed)
    }
}

impl Sessions {
    fn make(
        making: &Making<'_>,
        shapes: Vec<StaticShape>,
        graph: &std::path::Path,
    ) -> Result<Self, ProviderError> {
        let sessions = if shapes.is_empty() {
            vec![making.session(graph, None)?]
        } else {
            shapes.iter().map(|shape| making.session(graph, Some(*shape))).collect::<Result<_, _>>()?
        };
        Ok(Self { shapes, sessions })
    }

    /// The fixed shape that the batch's first text runs in; empty without any.
    fn shape_for(&self, batch: &TokenBatch<i64>) -> Result<Vec<StaticShape>, ProviderError> {
        if self.shapes.is_empty() {
            return Ok(Vec::new());
        }
        let first = pieces(&self.shapes, &batch.token_counts[..1]).ok_or_else(too_long)?;
        Ok(first.first().map(|piece| self.shapes[piece.shape]).into_iter().collect())
    }

    /// Runs the batch, in pieces if shapes are fixed; `take` gets the token vectors of each stretch of texts, in order.
    fn run(
        &mut self,
        puts: &Puts,
        batch: &TokenBatch<i64>,
        mut take: impl FnMut(Range<usize>, TokenVectors<'_>),
    ) -> Result<(), ProviderError> {
        if self.shapes.is_empty() {
            let rows = 0..batch.token_counts.len();
            return run(&mut self.sessions[0], puts, batch, [rows.len(), batch.sequence], |tokens| {
                take(rows, tokens);
            });
        }
        for piece in pieces(&self.shapes, &batch.token_counts).ok_or_else(too_long)? {
            let rows = piece.first..piece.first + piece.texts;
            let shape = self.shapes[piece.shape];
            let padded = batch.padded(rows.clone(), shape.batch(), shape.tokens());
            let session = &mut self.sessions[piece.shape];
            run(session, puts, &padded, [shape.batch(), shape.tokens()], |tokens| take(rows, tokens))?;
        }
        Ok(())
    }
}

/// One run of a session on a whole batch of this shape.
fn run(
    session: &mut Session,
    puts: &Puts,
    batch: &TokenBatch<i64>,
    shape: [usize; 2],
    take: impl FnOnce(TokenVectors<'_>),
) -> Result<(), ProviderError> {
    if shape.contains(&0) {
        // Texts of no tokens at all: there is nothing to run, and their vectors are zero.
        let dimensions = puts.output.dimensions.unwrap_or_default() as usize;
        let (values, sequence) = match puts.output.is {
            OutputKind::Tokens => (Vec::new(), 0),
            OutputKind::Text => (vec![0.0; shape[0] * dimensions], 1),
        };
        take(TokenVectors { values: &values, sequence, dimensions });
        return Ok(());
    }
    let values = puts
        .inputs
        .iter()
        .map(|input| inputs::value(input, puts.task_id, batch, shape))
        .collect::<Result<Vec<_>, _>>()?;
    let outputs = session.run(values.as_slice()).map_err(embed_error)?;
    let output = &outputs[puts.output.name.as_str()];
    let axes = |found: &Shape| found.iter().map(|axis| usize::try_from(*axis).unwrap_or_default()).collect();
    if puts.output.element == Element::Float16 {
        let (found, halves) = output.try_extract_tensor::<half::f16>().map_err(embed_error)?;
        let (found, values): (Vec<usize>, Vec<f32>) =
            (axes(found), halves.iter().map(|half| half.to_f32()).collect());
        take(graph::vectors(&puts.output, &values, &found, shape)?);
        return Ok(());
    }
    let (found, values) = output.try_extract_tensor::<f32>().map_err(embed_error)?;
    let found: Vec<usize> = axes(found);
    take(graph::vectors(&puts.output, values, &found, shape)?);
    Ok(())
}

/// A batch that no shape holds: `load` saw to it that one holds the longest text.
fn too_long() -> ProviderError {
    ProviderError::Embed("a text has more tokens than the largest of `static_shapes`".to_owned())
}

#[cfg(test)]
mod tests;

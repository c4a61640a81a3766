//! What the runtimes that execute a model's graph have in common: which file, which inputs, which output, and the way from the
//! output to the answer. Knows neither runtime.

pub(crate) mod roles;

use std::path::PathBuf;
use std::time::Instant;

use self::roles::Output;
use crate::graph_options::GraphFile;
use crate::model::head::{Head, TokenVectors};
use crate::model::recipe::OutputKind;
use crate::provider::{Embeddings, LoadRequest, ModelFolder, ProviderError, StageTimes};
use crate::tokenize::{TokenBatch, Tokenizer};

/// The model that a request must name.
pub(crate) fn model_of(request: &LoadRequest) -> Result<&ModelFolder, ProviderError> {
    request.model.as_ref().ok_or_else(|| {
        ProviderError::Load("this backend needs a model, but the request to load names none".to_owned())
    })
}

/// The graph of a model folder.
pub(crate) fn graph_file(model: &ModelFolder, graph: &GraphFile) -> Result<PathBuf, ProviderError> {
    let path = model.folder.join(graph.name());
    if path.is_file() {
        return Ok(path);
    }
    let how = if *graph == GraphFile::default() {
        format!("make it with `tailmark model export {}`", model.folder.display())
    } else {
        "`tailmark model optimize MODEL` and `tailmark model quantize MODEL` make other forms of the graph"
            .to_owned()
    };
    Err(ProviderError::ModelFile { path, why: format!("there is no such file\n\nhint: {how}") })
}

/// When the stages of a request ended.
pub(crate) struct StageEnds {
    pub(crate) started: Instant,
    pub(crate) tokenized: Instant,
    pub(crate) inferred: Instant,
    /// Nanoseconds of pooling that are part of the time until then.
    pub(crate) pooled_before: u64,
}

/// The head of the model's recipe, or what a graph with this output leaves of it.
pub(crate) fn head(
    model: &ModelFolder,
    output: &Output,
    tokenizer: &Tokenizer,
) -> Result<Head, ProviderError> {
    let dimensions = output.dimensions.ok_or_else(|| {
        let name = &output.name;
        ProviderError::Load(format!("the graph's output `{name}` does not declare the length of a vector"))
    })?;
    let head = match output.is {
        OutputKind::Tokens => Head::new(&model.recipe, dimensions, &model.folder),
        OutputKind::Text => Head::of_texts(&model.recipe, dimensions),
    };
    let head = head.map_err(|error| ProviderError::Load(error.to_string()))?;
    Ok(head.with_prompt_tokens(tokenizer.prompt_tokens()?))
}

/// The vectors of a runtime's output that has this shape, which must fit the batch.
pub(crate) fn vectors<'a>(
    output: &Output,
    values: &'a [f32],
    found: &[usize],
    [texts, sequence]: [usize; 2],
) -> Result<TokenVectors<'a>, ProviderError> {
    match (output.is, found) {
        (OutputKind::Tokens, [rows, columns, dimensions]) if (*rows, *columns) == (texts, sequence) => {
            Ok(TokenVectors { values, sequence, dimensions: *dimensions })
        }
        (OutputKind::Text, [rows, dimensions]) if *rows == texts => {
            Ok(TokenVectors { values, sequence: 1, dimensions: *dimensions })
        }
        (is, _) => {
            let expected = match is {
                OutputKind::Tokens => format!("[{texts}, {sequence}, dimensions]"),
                OutputKind::Text => format!("[{texts}, dimensions]"),
            };
            Err(ProviderError::Embed(format!(
                "the graph answered with the shape {found:?}, expected {expected}"
            )))
        }
    }
}

/// The answer to a batch whose vectors have just been pooled.
pub(crate) fn answer<I>(
    vectors: Vec<f32>,
    dimensions: u32,
    batch: &TokenBatch<I>,
    ends: &StageEnds,
) -> Embeddings {
    let pooled = Instant::now();
    let nanoseconds = |from: Instant, to: Instant| (to - from).as_nanos() as u64;
    Embeddings {
        vectors,
        dimensions,
        token_counts: Some(batch.token_counts.clone()),
        tokens_in_all: None,
        truncated: Some(batch.truncated),
        stages: StageTimes {
            tokenize_ns: Some(nanoseconds(ends.started, ends.tokenized)),
            infer_ns: Some(nanoseconds(ends.tokenized, ends.inferred).saturating_sub(ends.pooled_before)),
            pool_ns: Some(nanoseconds(ends.inferred, pooled) + ends.pooled_before),
            worker_ns: Some(nanoseconds(ends.started, pooled)),
            ..StageTimes::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recipe::{PoolingMode, Recipe};

    #[test]
    fn a_missing_graph_says_how_to_make_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let recipe = Recipe::pooling(PoolingMode::Mean, 256);
        let model = ModelFolder { folder: folder.path().to_owned(), recipe };
        let error = graph_file(&model, &GraphFile::default()).expect_err("no graph");
        let at = folder.path().display();
        assert_eq!(
            error.to_string(),
            format!(
                "model file {at}/model.onnx: there is no such file\n\n\
                 hint: make it with `tailmark model export {at}`"
            )
        );
    }

    #[test]
    fn an_output_of_another_shape_is_an_error() {
        let output =
            |is| Output { name: "out".to_owned(), is, element: roles::Element::Float32, dimensions: Some(1) };
        let of = |is, found: &[usize]| {
            vectors(&output(is), &[], found, [2, 7])
                .map(|found| (found.sequence, found.dimensions))
                .map_err(|error| error.to_string())
        };
        assert_eq!(of(OutputKind::Tokens, &[2, 7, 384]), Ok((7, 384)));
        assert_eq!(of(OutputKind::Text, &[2, 384]), Ok((1, 384)));
        let error = of(OutputKind::Tokens, &[2, 384]).unwrap_err();
        assert!(error.contains("[2, 384], expected [2, 7, dimensions]"), "{error}");
        let error = of(OutputKind::Text, &[3, 384]).unwrap_err();
        assert!(error.contains("[3, 384], expected [2, dimensions]"), "{error}");
    }
}

//! What the runtimes that execute `model.onnx` have in common: which file, which inputs, which output, and the way from
//! token vectors to the answer. Knows neither runtime.

use std::path::PathBuf;
use std::time::Instant;

use crate::graph_options::GraphFile;
use crate::model::head::Head;
use crate::provider::{Embeddings, LoadRequest, ModelFolder, ProviderError, StageTimes};
use crate::tokenize::TokenBatch;

/// The output that holds the token vectors, `[texts, sequence, dimensions]`.
pub(crate) const OUTPUT: &str = "last_hidden_state";

/// An input that a graph of a BERT-like model may declare. Only those it declares are given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GraphInput {
    InputIds,
    AttentionMask,
    TokenTypeIds,
}

impl GraphInput {
    /// The inputs of a graph, in its own order.
    pub(crate) fn of_graph<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Self>, ProviderError> {
        names
            .map(|name| match name {
                "input_ids" => Ok(Self::InputIds),
                "attention_mask" => Ok(Self::AttentionMask),
                "token_type_ids" => Ok(Self::TokenTypeIds),
                other => Err(ProviderError::Load(format!(
                    "the graph has an input `{other}`; only input_ids, attention_mask and token_type_ids are supported"
                ))),
            })
            .collect()
    }

    /// This input's numbers, row-major `[texts, sequence]`.
    pub(crate) fn of_batch<I>(self, batch: &TokenBatch<I>) -> &[I] {
        match self {
            Self::InputIds => &batch.ids,
            Self::AttentionMask => &batch.attention_mask,
            Self::TokenTypeIds => &batch.type_ids,
        }
    }
}

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

/// The length of a token's vector, from the output's declared shape.
pub(crate) fn dimensions(last_axis: Option<i64>) -> Result<u32, ProviderError> {
    last_axis.and_then(|axis| u32::try_from(axis).ok()).filter(|axis| *axis > 0).ok_or_else(|| {
        ProviderError::Load(format!("the graph's output `{OUTPUT}` does not declare the length of a vector"))
    })
}

/// When the stages of a request ended.
pub(crate) struct StageEnds {
    pub(crate) started: Instant,
    pub(crate) tokenized: Instant,
    pub(crate) inferred: Instant,
    /// Nanoseconds of pooling that are part of the time until then.
    pub(crate) pooled_before: u64,
}

/// The head of the model's recipe, for a graph whose token vectors have this length.
pub(crate) fn head(model: &ModelFolder, token_dimensions: u32) -> Result<Head, ProviderError> {
    Head::new(&model.recipe, token_dimensions).map_err(|error| ProviderError::Load(error.to_string()))
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

/// The shape a runtime answered with, checked against the batch.
pub(crate) fn check_shape(found: &[usize], texts: usize, sequence: usize) -> Result<usize, ProviderError> {
    match *found {
        [rows, columns, dimensions] if rows == texts && columns == sequence => Ok(dimensions),
        _ => Err(ProviderError::Embed(format!(
            "the graph answered with the shape {found:?}, expected [{texts}, {sequence}, dimensions]"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recipe::{PoolingMode, Recipe};

    #[test]
    fn inputs_come_in_the_graphs_own_order_and_an_unknown_one_is_named() {
        let names = ["attention_mask", "input_ids"];
        let inputs = GraphInput::of_graph(names.into_iter()).expect("known inputs");
        assert_eq!(inputs, [GraphInput::AttentionMask, GraphInput::InputIds]);
        let error = GraphInput::of_graph(["pixel_values"].into_iter()).expect_err("not a text model");
        assert!(error.to_string().contains("the graph has an input `pixel_values`"), "{error}");
    }

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
        assert_eq!(check_shape(&[2, 7, 384], 2, 7), Ok(384));
        assert!(check_shape(&[2, 384], 2, 7).is_err_and(|error| error.to_string().contains("[2, 384]")));
        assert!(
            check_shape(&[1, 7, 384], 2, 7)
                .is_err_and(|error| error.to_string().contains("[2, 7, dimensions]"))
        );
    }

    #[test]
    fn an_output_without_a_length_is_an_error() {
        assert_eq!(dimensions(Some(384)), Ok(384));
        for unknown in [None, Some(-1), Some(0)] {
            assert!(dimensions(unknown).is_err(), "{unknown:?}");
        }
    }
}

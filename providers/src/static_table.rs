//! The backend of models that are a table with a vector for each token: a text's tokens are looked up, and the recipe's head makes
//! one vector of theirs.

use std::collections::BTreeMap;
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, ProveRequest};
use crate::graph::{self, StageEnds};
use crate::model::head::{Head, TokenVectors};
use crate::model::manifest::WEIGHTS;
use crate::model::table::Table;
use crate::null::not_loaded;
use crate::options::{self, OptionSet};
use crate::provider::{Backend, EmbedRequest, Embeddings, LoadRequest, Loaded, ProviderError, Runs};
use crate::tokenize::{self, TokenBatch, Tokenizer};

/// Options of `static`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StaticOptions {}

impl OptionSet for StaticOptions {}

/// `static`, loaded or not.
#[derive(Debug, Default)]
pub(crate) struct StaticBackend {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    tokenizer: Tokenizer,
    table: Table,
    head: Head,
    /// Used again for every request.
    batch: TokenBatch<i32>,
}

impl Backend for StaticBackend {
    fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError> {
        let started = Instant::now();
        let StaticOptions {} = options::parse(&request.options)?;
        let model = graph::model_of(request)?;
        let tokenizer = Tokenizer::from_folder(&model.folder, &model.recipe)?;
        let table = Table::read(&model.folder.join(WEIGHTS))
            .map_err(|error| ProviderError::ModelFile { path: error.path, why: error.why })?;
        let head = Head::new(&model.recipe, table.dimensions() as u32, &model.folder)
            .map_err(|error| ProviderError::Load(error.to_string()))?
            .with_prompt_tokens(tokenizer.prompt_tokens()?);
        let (dimensions, dtype) = (head.dimensions(), table.dtype.clone());
        self.running = Some(Running { tokenizer, table, head, batch: TokenBatch::default() });
        let runs = Runs {
            engine: Some("tailmark's table".to_owned()),
            engine_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            device: Some("cpu".to_owned()),
            execution_provider: None,
            threads: Some(1),
            dtype: Some(dtype),
            versions: BTreeMap::from([("tokenizers".to_owned(), tokenize::LIBRARY_VERSION.to_owned())]),
        };
        let load_ns = started.elapsed().as_nanos() as u64;
        Ok(Loaded { dimensions, concurrency: 1, runs, import_ns: Some(0), load_ns: Some(load_ns) })
    }

    fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let started = Instant::now();
        let Running { tokenizer, table, head, batch } = self.running.as_mut().ok_or_else(not_loaded)?;
        tokenizer.encode(&request.texts, batch)?;
        let tokenized = Instant::now();
        let (dimensions, sequence) = (table.dimensions(), batch.sequence);
        let mut values = vec![0.0_f32; batch.token_counts.len() * sequence * dimensions];
        let rows = values.chunks_exact_mut((sequence * dimensions).max(1));
        for ((text, ids), count) in rows.zip(batch.ids.chunks_exact(sequence.max(1))).zip(&batch.token_counts)
        {
            for (vector, id) in text.chunks_exact_mut(dimensions).zip(ids).take(*count as usize) {
                let row = usize::try_from(*id).ok().and_then(|id| table.row(id));
                vector.copy_from_slice(row.ok_or_else(|| {
                    ProviderError::Embed(format!(
                        "a text has the token {id}, and the model's table has rows for {} tokens: tokenizer.json and the \
                         table are of different models",
                        table.tokens()
                    ))
                })?);
            }
        }
        let inferred = Instant::now();
        let tokens = TokenVectors { values: &values, sequence, dimensions };
        let ends = StageEnds { started, tokenized, inferred, pooled_before: 0 };
        let vectors = head.apply(tokens, &batch.token_counts, request.normalize);
        Ok(graph::answer(vectors, head.dimensions(), batch, &ends))
    }

    fn prove(&mut self, _: &ProveRequest) -> Result<Evidence, ProviderError> {
        Ok(Evidence::none("a table is looked up by tailmark itself, on the CPU: there is no runtime to ask"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::model::recipe::{Module, PoolingMode, Recipe};
    use crate::provider::{ModelFolder, Options};

    const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "decoder": null,
        "post_processor": {"type": "BertProcessing", "sep": ["[S]", 2], "cls": ["[C]", 1]},
        "model": {"type": "WordLevel", "unk_token": "[U]", "vocab": {"[U]": 0, "[C]": 1, "[S]": 2, "red": 3, "green": 4}}}"#;

    fn floats(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Five tokens with vectors of two numbers.
    fn table() -> Vec<u8> {
        floats(&[9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 1.0, 2.0, 3.0, 6.0])
    }

    fn write(folder: &Path, tensors: Vec<(&str, TensorView<'_>)>) {
        std::fs::write(folder.join("tokenizer.json"), TOKENIZER).expect("a file");
        std::fs::write(folder.join(WEIGHTS), safetensors::serialize(tensors, None).expect("tensors"))
            .expect("a file");
    }

    fn recipe(modules: &[Module]) -> Recipe {
        let mut recipe = Recipe { special_tokens: false, ..Recipe::pooling(PoolingMode::Mean, 64) };
        recipe.head.extend_from_slice(modules);
        recipe
    }

    fn vectors(folder: &Path, recipe: Recipe, texts: &[&str]) -> Result<Vec<f32>, ProviderError> {
        let model = Some(ModelFolder { folder: folder.to_owned(), recipe });
        let mut backend = StaticBackend::default();
        backend.load(&LoadRequest { model, options: Options::new() })?;
        let texts = texts.iter().map(|text| Arc::from(*text)).collect();
        Ok(backend.embed(&EmbedRequest { texts, normalize: false })?.vectors)
    }

    #[test]
    fn a_text_has_the_mean_of_its_tokens_without_special_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = table();
        write(
            folder.path(),
            vec![("embedding.weight", TensorView::new(Dtype::F32, vec![5, 2], &bytes).expect("a tensor"))],
        );
        let texts = ["red", "red green green red", ""];
        assert_eq!(vectors(folder.path(), recipe(&[]), &texts), Ok(vec![1.0, 2.0, 2.0, 4.0, 0.0, 0.0]));
        assert_eq!(vectors(folder.path(), recipe(&[]), &[""]), Ok(vec![0.0, 0.0]));
        let cut = recipe(&[Module::Truncate { dimensions: 1 }]);
        assert_eq!(vectors(folder.path(), cut, &["green"]), Ok(vec![3.0]));
    }

    #[test]
    fn a_mapping_and_weights_are_applied_to_the_table() {
        let folder = tempfile::tempdir().expect("a folder");
        let rows = floats(&[1.0, 2.0, 3.0, 6.0]);
        let mapping: Vec<u8> = [0_i64, 0, 0, 1, 0].iter().flat_map(|row| row.to_le_bytes()).collect();
        let weights: Vec<u8> =
            [1.0_f64, 1.0, 1.0, 2.0, 0.5].iter().flat_map(|weight| weight.to_le_bytes()).collect();
        let tensors = |weights_shape: usize| {
            vec![
                ("embeddings", TensorView::new(Dtype::F32, vec![2, 2], &rows).expect("a tensor")),
                ("mapping", TensorView::new(Dtype::I64, vec![5], &mapping).expect("a tensor")),
                (
                    "weights",
                    TensorView::new(Dtype::F64, vec![weights_shape], &weights[..8 * weights_shape])
                        .expect("a tensor"),
                ),
            ]
        };
        write(folder.path(), tensors(5));
        assert_eq!(vectors(folder.path(), recipe(&[]), &["red", "green"]), Ok(vec![6.0, 12.0, 0.5, 1.0]));
        write(folder.path(), tensors(4));
        let error = vectors(folder.path(), recipe(&[]), &["red"]).expect_err("too few").to_string();
        assert!(error.ends_with("its `weights` are 4, expected one for each of 5 tokens"), "{error}");
    }

    #[test]
    fn a_table_of_another_model_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = floats(&[1.0, 2.0]);
        write(
            folder.path(),
            vec![("embeddings", TensorView::new(Dtype::F32, vec![1, 2], &bytes).expect("a tensor"))],
        );
        let error = vectors(folder.path(), recipe(&[]), &["green"]).expect_err("beyond").to_string();
        assert!(
            error.contains("a text has the token 4, and the model's table has rows for 1 tokens"),
            "{error}"
        );
        write(
            folder.path(),
            vec![("weight", TensorView::new(Dtype::F32, vec![1, 2], &bytes).expect("a tensor"))],
        );
        let error = vectors(folder.path(), recipe(&[]), &["green"]).expect_err("no table").to_string();
        assert!(error.contains("none of its tensors is `embedding.weight` or `embeddings`"), "{error}");
    }
}

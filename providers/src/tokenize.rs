//! Texts to token ids by a model's recipe: its prompt and its case, no padding but to the longest text of the batch, and
//! truncation at the model's own length, whatever the tokenizer file says. Knows no runtime.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use tokenizers::normalizers::{BertNormalizer, Lowercase, NormalizerWrapper, Sequence};
use tokenizers::{TruncationDirection, TruncationParams};

use crate::model::recipe::{Recipe, Side, TokenTypes};
use crate::provider::ProviderError;

/// The version of the `tokenizers` library compiled in; it does not say it itself.
pub const LIBRARY_VERSION: &str = "0.23.2";

/// An integer that a runtime takes token ids as.
pub trait TokenInteger: Copy {
    /// Zero: the id of padding where the mask is zero too, and the mask's value there.
    const ZERO: Self;
    /// One: the mask's value for a token.
    const ONE: Self;
    /// A token id or a type id. Vocabularies are far below 2^31.
    fn from_id(id: u32) -> Self;
}

impl TokenInteger for i64 {
    const ZERO: Self = 0;
    const ONE: Self = 1;

    fn from_id(id: u32) -> Self {
        Self::from(id)
    }
}

impl TokenInteger for i32 {
    const ZERO: Self = 0;
    const ONE: Self = 1;

    fn from_id(id: u32) -> Self {
        id.cast_signed()
    }
}

/// A batch of texts as token ids, each padded to the longest. Made to be used again: the buffers keep their size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch<I> {
    /// Row-major `[texts, sequence]`.
    pub ids: Vec<I>,
    /// One for a token, zero for padding; the same shape.
    pub attention_mask: Vec<I>,
    /// Which of two sentences a token belongs to, or zeros, as the recipe says; the same shape.
    pub type_ids: Vec<I>,
    /// Tokens of the longest text.
    pub sequence: usize,
    /// The id of padding.
    pub padding: I,
    /// Tokens per text, special tokens included, after truncation.
    pub token_counts: Vec<u32>,
    /// How many texts were cut.
    pub truncated: u32,
}

impl<I: TokenInteger> Default for TokenBatch<I> {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            attention_mask: Vec::new(),
            type_ids: Vec::new(),
            sequence: 0,
            padding: I::ZERO,
            token_counts: Vec::new(),
            truncated: 0,
        }
    }
}

impl<I: TokenInteger> TokenBatch<I> {
    /// A stretch of the texts in a larger shape. What is added is masked out, but for one token of each added text: there
    /// are runtimes that make something that is no number of a text without any.
    #[must_use]
    pub fn padded(&self, rows: Range<usize>, texts: usize, tokens: usize) -> Self {
        let fill = |from: &[I], filling: I| {
            let mut wide = vec![filling; texts * tokens];
            for (row, line) in rows.clone().zip(wide.chunks_exact_mut(tokens)) {
                let kept = self.sequence.min(tokens);
                line[..kept].copy_from_slice(&from[row * self.sequence..][..kept]);
            }
            wide
        };
        let padding = self.padding;
        let mut attention_mask = fill(&self.attention_mask, I::ZERO);
        for added in attention_mask.chunks_exact_mut(tokens).skip(rows.len()) {
            added[0] = I::ONE;
        }
        Self {
            ids: fill(&self.ids, padding),
            attention_mask,
            type_ids: fill(&self.type_ids, I::ZERO),
            sequence: tokens,
            padding,
            token_counts: self.token_counts[rows.clone()].to_vec(),
            truncated: 0,
        }
    }
}

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Put before every text; empty without a prompt.
    prompt: String,
    padding_id: u32,
    special_tokens: bool,
    token_types: TokenTypes,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a model folder, to be used by this recipe.
    ///
    /// The padding and the truncation written in the file are left aside: all-MiniLM-L6-v2's would compute every short text
    /// as 128 tokens.
    ///
    /// # Errors
    /// [`ProviderError::ModelFile`] when the file is missing, is no tokenizer, or has more special tokens than the recipe
    /// leaves room for.
    pub fn from_folder(folder: &Path, recipe: &Recipe) -> Result<Self, ProviderError> {
        let path = folder.join("tokenizer.json");
        let fault = |why: String| ProviderError::ModelFile { path: path.clone(), why };
        let content = std::fs::read(&path).map_err(|error| fault(error.to_string()))?;
        // Some editors leave a byte order mark.
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
        let mut inner = tokenizers::Tokenizer::from_bytes(content)
            .map_err(|error| fault(format!("it is not a tokenizer: {error}")))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| fault(error.to_string()))?;
        if recipe.strip_accents || recipe.lower_case {
            let normalizer = normalizer(recipe, inner.get_normalizer());
            inner.with_normalizer(Some(normalizer)).map_err(|error| fault(error.to_string()))?;
        }
        let special_tokens =
            inner.encode_fast("", recipe.special_tokens).map_err(|error| fault(error.to_string()))?.len();
        let max_tokens = recipe.max_tokens;
        if (max_tokens as usize) <= special_tokens {
            return Err(fault(format!(
                "it adds {special_tokens} special tokens to every text, which fill the model's {max_tokens} tokens"
            )));
        }
        let direction = match recipe.truncation_side {
            Side::Left => TruncationDirection::Left,
            Side::Right => TruncationDirection::Right,
        };
        let truncation =
            TruncationParams { max_length: max_tokens as usize, direction, ..TruncationParams::default() };
        inner.with_truncation(Some(truncation)).map_err(|error| fault(error.to_string()))?;
        Ok(Self {
            inner,
            prompt: recipe.prompt().to_owned(),
            padding_id: recipe.padding_id,
            special_tokens: recipe.special_tokens,
            token_types: recipe.token_types,
        })
    }

    /// With how many tokens of the prompt each text begins: those of the prompt alone, but for a special token at its end, which
    /// then comes after the text. As sentence-transformers counts them.
    ///
    /// # Errors
    /// [`ProviderError::Embed`] when the library cannot encode the prompt.
    pub fn prompt_tokens(&self) -> Result<u32, ProviderError> {
        if self.prompt.is_empty() {
            return Ok(0);
        }
        let encoding = self
            .inner
            .encode(self.prompt.as_str(), self.special_tokens)
            .map_err(|error| ProviderError::Embed(format!("the prompt could not be tokenized: {error}")))?;
        let ends_special = encoding.get_special_tokens_mask().last() == Some(&1);
        Ok((encoding.len() - usize::from(ends_special)) as u32)
    }

    /// Encodes the texts into `batch`, in their order.
    ///
    /// One after the other on the caller's thread: the library's own batch call starts a thread pool, which would take
    /// processors from the runtime that is being measured.
    ///
    /// # Errors
    /// [`ProviderError::Embed`] when the library cannot encode a text.
    pub fn encode<I: TokenInteger>(
        &self,
        texts: &[Arc<str>],
        batch: &mut TokenBatch<I>,
    ) -> Result<(), ProviderError> {
        let encodings = texts
            .iter()
            .map(|text| match self.prompt.as_str() {
                "" => self.inner.encode_fast(text.as_ref(), self.special_tokens),
                prompt => self.inner.encode_fast(format!("{prompt}{text}"), self.special_tokens),
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ProviderError::Embed(format!("a text could not be tokenized: {error}")))?;
        batch.sequence = encodings.iter().map(tokenizers::Encoding::len).max().unwrap_or_default();
        batch.truncated = 0;
        batch.padding = I::from_id(self.padding_id);
        batch.ids.clear();
        batch.attention_mask.clear();
        batch.type_ids.clear();
        batch.token_counts.clear();
        for (row, encoding) in (1..).zip(&encodings) {
            let end = row * batch.sequence;
            batch.ids.extend(encoding.get_ids().iter().map(|id| I::from_id(*id)));
            batch.ids.resize(end, I::from_id(self.padding_id));
            batch.attention_mask.resize(batch.attention_mask.len() + encoding.len(), I::ONE);
            batch.attention_mask.resize(end, I::ZERO);
            if self.token_types == TokenTypes::Tokenizer {
                batch.type_ids.extend(encoding.get_type_ids().iter().map(|id| I::from_id(*id)));
            }
            batch.type_ids.resize(end, I::ZERO);
            batch.token_counts.push(encoding.len() as u32);
            batch.truncated += u32::from(!encoding.get_overflowing().is_empty());
        }
        Ok(())
    }
}

/// What the recipe asks for, and after it what the tokenizer does by itself.
fn normalizer(recipe: &Recipe, own: Option<&NormalizerWrapper>) -> Sequence {
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if recipe.strip_accents {
        // As BERT does it: marks that take up space, as in Hindi, are letters and stay.
        steps.push(BertNormalizer::new(false, false, Some(true), false).into());
    }
    if recipe.lower_case {
        steps.push(Lowercase.into());
    }
    steps.extend(own.cloned());
    Sequence::new(steps)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::model::recipe::PoolingMode;

    /// A tokenizer of whole words with the same traps as the real one: padding and truncation baked into the file.
    const SMALL_TOKENIZER: &str = r#"{
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 9, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]",
                  "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "red": 3, "green": 4, "blue": 5, "[PAD]": 9}}
    }"#;

    fn tokenizer(max_tokens: u32) -> Tokenizer {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("tokenizer.json"), SMALL_TOKENIZER).expect("a file");
        Tokenizer::from_folder(folder.path(), &recipe(max_tokens)).expect("a tokenizer")
    }

    fn recipe(max_tokens: u32) -> Recipe {
        Recipe { padding_id: 9, ..Recipe::pooling(PoolingMode::Mean, max_tokens) }
    }

    fn texts(texts: &[&str]) -> Vec<Arc<str>> {
        texts.iter().map(|text| Arc::from(*text)).collect()
    }

    #[test]
    fn a_batch_is_padded_to_its_longest_text_and_no_further() {
        let mut batch = TokenBatch::<i64>::default();
        tokenizer(256).encode(&texts(&["red", "green blue red"]), &mut batch).expect("tokens");
        assert_eq!(batch.sequence, 5);
        assert_eq!(batch.ids, [1, 3, 2, 9, 9, 1, 4, 5, 3, 2]);
        assert_eq!(batch.attention_mask, [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]);
        assert_eq!(batch.type_ids, [0; 10]);
        assert_eq!(batch.token_counts, [3, 5]);
        assert_eq!(batch.truncated, 0);
    }

    #[test]
    fn a_text_is_cut_at_the_models_length_and_not_at_the_files() {
        let mut batch = TokenBatch::<i32>::default();
        let long = "red green blue red green blue";
        tokenizer(6).encode(&texts(&[long, "blue", "red green blue red"]), &mut batch).expect("tokens");
        assert_eq!(batch.token_counts, [6, 3, 6]);
        assert_eq!(batch.truncated, 1, "only the first text has more than four words");
        assert_eq!(&batch.ids[..6], [1, 3, 4, 5, 3, 2]);
    }

    #[test]
    fn a_batch_that_is_used_again_holds_the_new_texts_only() {
        let tokenizer = tokenizer(5);
        let mut batch = TokenBatch::<i64>::default();
        tokenizer.encode(&texts(&["red red red red", "red"]), &mut batch).expect("tokens");
        tokenizer.encode(&texts(&["blue"]), &mut batch).expect("tokens");
        let mut fresh = TokenBatch::default();
        tokenizer.encode(&texts(&["blue"]), &mut fresh).expect("tokens");
        assert_eq!(batch, fresh);
    }

    #[test]
    fn an_empty_text_still_has_its_special_tokens() {
        let mut batch = TokenBatch::<i64>::default();
        tokenizer(256).encode(&texts(&[""]), &mut batch).expect("tokens");
        assert_eq!(batch.ids, [1, 2]);
    }

    #[test]
    fn a_missing_file_and_a_file_that_is_no_tokenizer_are_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tokenizer.json");
        let missing = Tokenizer::from_folder(folder.path(), &recipe(256)).expect_err("no file");
        assert!(
            matches!(&missing, ProviderError::ModelFile { path: named, .. } if *named == path),
            "{missing}"
        );
        std::fs::write(&path, "{}").expect("a file");
        let wrong = Tokenizer::from_folder(folder.path(), &recipe(256)).expect_err("no tokenizer");
        assert!(wrong.to_string().contains("it is not a tokenizer: "), "{wrong}");
    }

    #[test]
    fn a_length_without_room_for_a_word_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("tokenizer.json"), SMALL_TOKENIZER).expect("a file");
        let error = Tokenizer::from_folder(folder.path(), &recipe(2)).expect_err("no room");
        assert!(
            error
                .to_string()
                .ends_with("adds 2 special tokens to every text, which fill the model's 2 tokens"),
            "{error}"
        );
    }

    /// The committed suite, which the Python package runs too: what recipes make of texts with one tokenizer.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Suite {
        tokenizer: serde_json::Value,
        examples: Vec<Example>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        name: String,
        recipe: Recipe,
        texts: Vec<String>,
        input_ids: Vec<Vec<i64>>,
        attention_mask: Vec<Vec<i64>>,
        token_counts: Vec<u32>,
        truncated: u32,
        /// Zeros if they are left out.
        #[serde(default)]
        token_type_ids: Vec<Vec<i64>>,
        #[serde(default)]
        prompt_tokens: u32,
    }

    #[test]
    fn every_example_of_the_suite_has_the_tokens_that_it_says() {
        let suite: Suite =
            serde_json::from_str(include_str!("../conformance/recipes/texts.json")).expect("the suite");
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A byte order mark, as some editors leave it, is no part of the file.
        let content = format!("\u{feff}{}", suite.tokenizer);
        std::fs::write(folder.path().join("tokenizer.json"), content).expect("a file");
        assert!(suite.examples.len() >= 8, "only {} examples", suite.examples.len());
        for example in suite.examples {
            let tokenizer = Tokenizer::from_folder(folder.path(), &example.recipe).expect("a tokenizer");
            let texts: Vec<Arc<str>> = example.texts.iter().map(|text| Arc::from(text.as_str())).collect();
            let mut batch = TokenBatch::<i64>::default();
            tokenizer.encode(&texts, &mut batch).expect("tokens");
            let name = &example.name;
            assert_eq!(batch.ids, example.input_ids.concat(), "{name}");
            assert_eq!(batch.attention_mask, example.attention_mask.concat(), "{name}");
            assert_eq!(tokenizer.prompt_tokens(), Ok(example.prompt_tokens), "{name}");
            let zeros = vec![0; batch.ids.len()];
            let types = example.token_type_ids.concat();
            assert_eq!(batch.type_ids, if types.is_empty() { zeros } else { types }, "{name}");
            assert_eq!(
                (batch.token_counts, batch.truncated),
                (example.token_counts, example.truncated),
                "{name}"
            );
        }
    }

    #[test]
    fn the_version_said_is_the_version_locked() {
        assert!(crate::lock_file::locked_version("tokenizers").contains(&LIBRARY_VERSION));
    }
}

//! How a model's texts become vectors: what is done to a text before it is tokenized, where it is cut, and which modules its
//! token vectors go through. Described once, kept in the manifest and sent whole to every backend; nothing here computes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Everything that makes two backends embed alike.
///
/// Padding is at the right whatever a tokenizer file says: it is masked, and where a text ends is known by its count of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Texts to put before a text, by their names.
    #[serde(default)]
    pub prompts: BTreeMap<String, String>,
    /// The name of the prompt that is put before every text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_prompt: Option<String>,
    /// Accents are removed before the tokenizer sees the text.
    #[serde(default)]
    pub strip_accents: bool,
    /// Letters are lower-cased before the tokenizer sees the text.
    #[serde(default)]
    pub lower_case: bool,
    /// Texts are cut to this many tokens, special tokens included.
    pub max_tokens: u32,
    /// Which end of a text that is too long is lost.
    #[serde(default)]
    pub truncation_side: Side,
    /// The id of the token that fills shorter texts up to the longest of a batch.
    #[serde(default)]
    pub padding_id: u32,
    /// What the token vectors go through, in order. The first module pools them into one vector.
    pub head: Vec<Module>,
}

/// An end of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The beginning.
    Left,
    /// The end.
    #[default]
    Right,
}

/// One module of a head. [`super::head`] is where each is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "module", rename_all = "lowercase", deny_unknown_fields)]
pub enum Module {
    /// The vectors of a text's tokens become one.
    Pooling {
        /// How.
        mode: PoolingMode,
    },
    /// All but the first numbers are left out.
    Truncate {
        /// How many stay.
        dimensions: u32,
    },
    /// The vector is scaled to length one.
    Normalize,
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolingMode {
    /// The mean over the tokens that are not padding.
    Mean,
    /// The vector of the first token.
    Cls,
}

impl fmt::Display for Module {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pooling { mode: PoolingMode::Mean } => write!(formatter, "mean pooling"),
            Self::Pooling { mode: PoolingMode::Cls } => write!(formatter, "CLS pooling"),
            Self::Truncate { dimensions } => write!(formatter, "first {dimensions} numbers"),
            Self::Normalize => write!(formatter, "length one"),
        }
    }
}

/// A recipe that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model's recipe cannot be followed: {0}")]
pub struct RecipeError(pub(crate) String);

impl Recipe {
    /// A recipe that pools the tokens, does nothing to the text and cuts it to this length.
    #[must_use]
    pub fn pooling(mode: PoolingMode, max_tokens: u32) -> Self {
        Self {
            prompts: BTreeMap::new(),
            default_prompt: None,
            strip_accents: false,
            lower_case: false,
            max_tokens,
            truncation_side: Side::Right,
            padding_id: 0,
            head: vec![Module::Pooling { mode }],
        }
    }

    /// The text that is put before every text; empty without a default prompt.
    #[must_use]
    pub fn prompt(&self) -> &str {
        let name = self.default_prompt.as_ref();
        name.and_then(|name| self.prompts.get(name)).map_or("", String::as_str)
    }

    /// Whether the parts fit together. How long the vectors are is not known here: see [`super::head::Head::new`].
    ///
    /// # Errors
    /// When there is no room for a token, the default prompt has no text, or the head does not begin with the one pooling.
    pub fn check(&self) -> Result<(), RecipeError> {
        let wrong = |why: String| Err(RecipeError(why));
        if self.max_tokens == 0 {
            return wrong("`max_tokens` is 0".to_owned());
        }
        if let Some(name) = self.default_prompt.as_ref().filter(|name| !self.prompts.contains_key(*name)) {
            let known: Vec<&str> = self.prompts.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return wrong(format!("its default prompt is `{name}`, and its prompts are: {known}"));
        }
        let poolings = self.head.iter().filter(|module| matches!(module, Module::Pooling { .. })).count();
        if poolings != 1 || !matches!(self.head.first(), Some(Module::Pooling { .. })) {
            return wrong("its head must begin with a module `pooling`, and have no second one".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_read_as_it_was_written_and_an_unknown_module_is_named() {
        let mut recipe = Recipe::pooling(PoolingMode::Cls, 8);
        recipe.prompts.insert("query".to_owned(), "query: ".to_owned());
        recipe.default_prompt = Some("query".to_owned());
        recipe.head.extend([Module::Normalize, Module::Truncate { dimensions: 4 }]);
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(
            text,
            r#"{"prompts":{"query":"query: "},"default_prompt":"query","strip_accents":false,"lower_case":false,"max_tokens":8,"#
                .to_owned()
                + r#""truncation_side":"right","padding_id":0,"head":[{"module":"pooling","mode":"cls"},{"module":"normalize"},"#
                + r#"{"module":"truncate","dimensions":4}]}"#
        );
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
        assert_eq!(recipe.prompt(), "query: ");
        let unknown = serde_json::from_str::<Recipe>(&text.replace("normalize", "dense")).unwrap_err();
        assert!(unknown.to_string().starts_with("unknown variant `dense`"), "{unknown}");
    }

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        let sound = Recipe::pooling(PoolingMode::Mean, 8);
        assert_eq!(sound.check(), Ok(()));
        let pooling = sound.head[0];
        for (wrong, part) in [
            (Recipe { max_tokens: 0, ..sound.clone() }, "`max_tokens` is 0"),
            (Recipe { head: vec![], ..sound.clone() }, "must begin with a module `pooling`"),
            (Recipe { head: vec![Module::Normalize, pooling], ..sound.clone() }, "must begin with a module"),
            (Recipe { head: vec![pooling, pooling], ..sound.clone() }, "and have no second one"),
            (
                Recipe { default_prompt: Some("query".to_owned()), ..sound.clone() },
                "its default prompt is `query`, and its prompts are: none",
            ),
        ] {
            let said = wrong.check().unwrap_err().to_string();
            assert!(
                said.starts_with("the model's recipe cannot be followed: ") && said.contains(part),
                "{said}"
            );
        }
    }
}

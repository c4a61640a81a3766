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
    /// What a model that has token types is given as such.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub token_types: TokenTypes,
    /// Whether the tokenizer's special tokens are put around a text.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub special_tokens: bool,
    /// What a graph's input `task_id` is given; a graph that has this input cannot be run without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<u32>,
    /// Which of a graph's outputs is taken, where it has both kinds; tokens unless this says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputKind>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "module", rename_all = "snake_case", deny_unknown_fields)]
pub enum Module {
    /// The vectors of a text's tokens become one.
    Pooling {
        /// How. Several give vectors that are put side by side, in this order.
        mode: PoolingModes,
        /// Whether the tokens of the prompt are pooled too.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        include_prompt: bool,
    },
    /// The vector is multiplied by a matrix.
    Dense(Dense),
    /// The vector's numbers are brought to mean 0 and variance 1, then scaled and shifted one by one.
    LayerNorm {
        /// The safetensors file, below the model's folder, that has `norm.weight` and `norm.bias`.
        file: String,
        /// How many numbers there are.
        dimensions: u32,
    },
    /// All but the first numbers are left out.
    Truncate {
        /// How many stay.
        dimensions: u32,
    },
    /// The vector is scaled to length one.
    Normalize,
}

/// A matrix that a vector is multiplied by, and what is done to the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// The safetensors file, below the model's folder, that has `linear.weight` and what else is needed.
    pub file: String,
    /// How many numbers go in.
    pub inputs: u32,
    /// How many come out.
    pub dimensions: u32,
    /// What each number of the product goes through.
    #[serde(default)]
    pub activation: Activation,
    /// Whether `linear.bias` is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether the vector that went in is added to what comes out, by way of `residual.weight` where the lengths differ.
    #[serde(default)]
    pub residual: bool,
}

/// What a number goes through after a matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// The hyperbolic tangent.
    Tanh,
    /// The number if it is positive, else zero.
    Relu,
    /// The number times the normal distribution's probability of a smaller one.
    Gelu,
    /// The number times its sigmoid.
    Silu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
}

/// How the vectors of a text's tokens become one: one way, or several whose vectors are put side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMore", into = "OneOrMore")]
pub struct PoolingModes(pub Vec<PoolingMode>);

#[derive(Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "the pooling is none of mean, cls, max, mean_sqrt_len, weighted_mean and last, nor a list of these"
)]
enum OneOrMore {
    One(PoolingMode),
    More(Vec<PoolingMode>),
}

impl From<OneOrMore> for PoolingModes {
    fn from(modes: OneOrMore) -> Self {
        match modes {
            OneOrMore::One(mode) => Self(vec![mode]),
            OneOrMore::More(modes) => Self(modes),
        }
    }
}

impl From<PoolingModes> for OneOrMore {
    fn from(PoolingModes(modes): PoolingModes) -> Self {
        match modes[..] {
            [mode] => Self::One(mode),
            _ => Self::More(modes),
        }
    }
}

impl From<PoolingMode> for PoolingModes {
    fn from(mode: PoolingMode) -> Self {
        Self(vec![mode])
    }
}

/// One way in which the vectors of a text's tokens become one. Padding is in none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolingMode {
    /// The mean over the tokens.
    Mean,
    /// The vector of the first token.
    Cls,
    /// The largest of each number.
    Max,
    /// The sum over the tokens, divided by the square root of their count.
    MeanSqrtLen,
    /// The mean over the tokens, the first counted once, the second twice, and so on.
    WeightedMean,
    /// The vector of the last token.
    Last,
}

impl PoolingMode {
    /// Its name for a person.
    fn title(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "CLS",
            Self::Max => "max",
            Self::MeanSqrtLen => "mean-sqrt-len",
            Self::WeightedMean => "weighted mean",
            Self::Last => "last token",
        }
    }
}

impl Module {
    /// A pooling of all tokens in one way.
    #[must_use]
    pub fn pooling(mode: PoolingMode) -> Self {
        Self::Pooling { mode: mode.into(), include_prompt: true }
    }

    /// The file that its numbers are in, if it has any.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Dense(Dense { file, .. }) | Self::LayerNorm { file, .. } => Some(file),
            Self::Pooling { .. } | Self::Truncate { .. } | Self::Normalize => None,
        }
    }

    /// How many numbers it makes of so many.
    fn dimensions_of(&self, found: u32) -> Result<u32, RecipeError> {
        let fits = |what: &str, inputs: u32, dimensions: u32| {
            if inputs == found && dimensions > 0 {
                return Ok(dimensions);
            }
            Err(RecipeError(format!(
                "its module `{what}` takes vectors of {inputs} numbers and gives {dimensions}, and the module before it gives {found}"
            )))
        };
        match self {
            Self::Pooling { mode, .. } => {
                let poolings = u32::try_from(mode.0.len()).ok();
                let dimensions = poolings.and_then(|poolings| poolings.checked_mul(found));
                dimensions
                    .ok_or_else(|| RecipeError(format!("its pooling gives more than {} numbers", u32::MAX)))
            }
            Self::Dense(dense) => fits("dense", dense.inputs, dense.dimensions),
            Self::LayerNorm { dimensions, .. } => fits("layer_norm", *dimensions, *dimensions),
            Self::Truncate { dimensions: kept } if (1..=found).contains(kept) => Ok(*kept),
            Self::Truncate { dimensions: kept } => Err(RecipeError(format!(
                "it keeps {kept} numbers of a vector that has {found}; between 1 and {found} are possible"
            ))),
            Self::Normalize => Ok(found),
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pooling { mode, include_prompt } => {
                let modes: Vec<&str> = mode.0.iter().map(|mode| mode.title()).collect();
                let left_out = if *include_prompt { "" } else { " without the prompt" };
                write!(formatter, "{} pooling{left_out}", modes.join(" and "))
            }
            Self::Dense(Dense { inputs, dimensions, activation, .. }) => {
                let activation = match activation {
                    Activation::Identity => String::new(),
                    other => format!(" with {}", format!("{other:?}").to_lowercase()),
                };
                write!(formatter, "dense {inputs} to {dimensions}{activation}")
            }
            Self::LayerNorm { .. } => write!(formatter, "layer norm"),
            Self::Truncate { dimensions } => write!(formatter, "first {dimensions} numbers"),
            Self::Normalize => write!(formatter, "length one"),
        }
    }
}

/// Which numbers a model's `token_type_ids` are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenTypes {
    /// Zeros, as sentence-transformers has them.
    #[default]
    Zeros,
    /// Those of the tokenizer.
    Tokenizer,
}

/// What a graph's output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// A vector for each token.
    Tokens,
    /// A vector for each text: the head's modules up to the last that has numbers of its own are in the graph.
    Text,
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(value: &bool) -> bool {
    *value
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
            token_types: TokenTypes::Zeros,
            special_tokens: true,
            task_id: None,
            output: None,
            head: vec![Module::pooling(mode)],
        }
    }

    /// The text that is put before every text; empty without a default prompt.
    #[must_use]
    pub fn prompt(&self) -> &str {
        let name = self.default_prompt.as_ref();
        name.and_then(|name| self.prompts.get(name)).map_or("", String::as_str)
    }

    /// What is done to texts and vectors, for a person.
    #[must_use]
    pub fn in_steps(&self) -> String {
        let prompt = self.default_prompt.as_ref().map(|name| format!("prompt `{name}`"));
        let case = self.lower_case.then(|| "lower case".to_owned());
        let side = (self.truncation_side == Side::Left).then(|| "cut at the beginning".to_owned());
        let head = self.head.iter().map(ToString::to_string);
        prompt.into_iter().chain(case).chain(side).chain(head).collect::<Vec<_>>().join(", ")
    }

    /// How tokens are pooled, in a word or two.
    #[must_use]
    pub fn pooling_in_short(&self) -> String {
        let modes = self.head.iter().find_map(|module| match module {
            Module::Pooling { mode, .. } => {
                Some(mode.0.iter().map(|mode| mode.title()).collect::<Vec<_>>().join(" and "))
            }
            _ => None,
        });
        modes.unwrap_or_default()
    }

    /// How long a text's vector is where a token's has this length.
    ///
    /// # Errors
    /// When the recipe cannot be followed, or a module takes other vectors than the one before it gives.
    pub fn dimensions(&self, token_dimensions: u32) -> Result<u32, RecipeError> {
        self.check()?;
        self.head.iter().try_fold(token_dimensions, |found, module| module.dimensions_of(found))
    }

    /// How many of the head's modules are done by a graph whose output is a text's vector: those up to the last that has numbers
    /// of its own. The others are done again without harm.
    #[must_use]
    pub fn modules_within_graph(&self) -> usize {
        let own = |module: &Module| {
            matches!(module, Module::Pooling { .. } | Module::Dense(_) | Module::LayerNorm { .. })
        };
        self.head.iter().rposition(own).map_or(0, |last| last + 1)
    }

    /// Whether the parts fit together. Whether the modules' lengths do is said by [`Self::dimensions`].
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
        if let Some(Module::Pooling { mode: PoolingModes(modes), .. }) = self.head.first()
            && (modes.is_empty() || (1..modes.len()).any(|at| modes[..at].contains(&modes[at])))
        {
            return wrong("its pooling must name at least one mode, and none twice".to_owned());
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
        let unknown = serde_json::from_str::<Recipe>(&text.replace("normalize", "dens")).unwrap_err();
        assert!(unknown.to_string().starts_with("unknown variant `dens`"), "{unknown}");
    }

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        let sound = Recipe::pooling(PoolingMode::Mean, 8);
        assert_eq!(sound.check(), Ok(()));
        let pooling = sound.head[0].clone();
        for (wrong, part) in [
            (Recipe { max_tokens: 0, ..sound.clone() }, "`max_tokens` is 0"),
            (Recipe { head: vec![], ..sound.clone() }, "must begin with a module `pooling`"),
            (
                Recipe { head: vec![Module::Normalize, pooling.clone()], ..sound.clone() },
                "must begin with a module",
            ),
            (Recipe { head: vec![pooling.clone(), pooling], ..sound.clone() }, "and have no second one"),
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

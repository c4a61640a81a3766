//! What a sentence-transformers folder says of its model: how long a vector and a text are, what is done to a text, and what its
//! token vectors go through. It refuses what a backend would compute otherwise, and reads no weights.

mod modules;
mod prompts;
mod settings;
mod tokens;

use std::path::Path;

use serde_json::{Map, Value};

pub use self::settings::DescribeError;
use self::settings::{object, whole_number, wrong};
use crate::model::contents::Contents;
use crate::model::head::Head;
use crate::model::manifest::WEIGHTS;
use crate::model::recipe::{Module, Recipe};

/// Files without which there is no model.
const NEEDED: [&str; 3] = ["config.json", "tokenizer.json", WEIGHTS];
/// Files that say how a model is used, where it has them.
const SETTINGS: [&str; 5] = [
    modules::FILE,
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    prompts::FILE,
];

/// Model types whose positions are counted from the padding token's id plus one, so that as many are never used.
const OFFSET_POSITIONS: [&str; 8] = [
    "camembert",
    "data2vec-text",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
];

/// What a folder says of its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The model's type, for example `bert`; empty where its configuration has none.
    pub model_type: String,
    /// Length of its vectors.
    pub dimensions: u32,
    /// How texts become vectors.
    pub recipe: Recipe,
    /// The files it came with and that say what it is, below the folder, with `/` between the parts of a name.
    pub files: Vec<String>,
    /// What a person should know of how the files were read: one sentence each.
    pub notes: Vec<String>,
}

/// Reads a sentence-transformers folder, or one that holds a transformer alone.
///
/// # Errors
/// When files are missing, when they do not say how long vectors or texts are, or when the model has a pooling or a module
/// that no backend here computes.
pub fn describe(folder: &Path) -> Result<Description, DescribeError> {
    // First, because what a list of modules names is known better than what its folder lacks.
    let modules = modules::read(folder)?;
    let missing: Vec<String> =
        NEEDED.iter().filter(|name| !folder.join(name).is_file()).map(|name| (*name).to_owned()).collect();
    if !missing.is_empty() {
        let contents = Contents::of(folder);
        return Err(DescribeError::Missing { folder: folder.to_owned(), missing, contents });
    }
    let config = object(&folder.join("config.json"))?.unwrap_or_default();
    let mut notes = Vec::new();
    let (mut head, pooling_file) = match modules {
        Some(modules) => (modules.head, modules.pooling_file),
        None => modules::of_a_transformer_alone(folder, &config, &mut notes)?,
    };
    let mut files: Vec<String> = NEEDED.iter().map(|name| (*name).to_owned()).collect();
    let settings = SETTINGS.iter().map(|name| (*name).to_owned()).chain([pooling_file.clone()]);
    files.extend(settings.filter(|name| folder.join(name).is_file()));
    let prompts = prompts::read(folder, &mut notes)?;
    if let Some(name) = &prompts.default_prompt {
        refuse_pooling_without_prompt(&folder.join(pooling_file), name)?;
    }
    head.extend(prompts.truncate_dimensions.map(|dimensions| Module::Truncate { dimensions }));
    let tokens = tokens::read(folder, &config)?;
    let recipe = Recipe {
        prompts: prompts.prompts,
        default_prompt: prompts.default_prompt,
        strip_accents: tokens.strip_accents,
        lower_case: tokens.lower_case,
        max_tokens: max_tokens(folder, &config, &mut notes)?,
        truncation_side: tokens.truncation_side,
        padding_id: tokens.padding_id,
        head,
    };
    note_precision(&config, &mut notes);
    let path = folder.join("config.json");
    let head = Head::new(&recipe, dimensions(&path, &config)?)
        .map_err(|error| wrong(&folder.join(prompts::FILE), &error.to_string(), None))?;
    Ok(Description {
        model_type: config.get("model_type").and_then(Value::as_str).unwrap_or_default().to_owned(),
        dimensions: head.dimensions(),
        recipe,
        files,
        notes,
    })
}

/// A prompt whose tokens are left out of the pooling, as for INSTRUCTOR models, is not the same as a text that begins with it.
fn refuse_pooling_without_prompt(pooling_file: &Path, prompt: &str) -> Result<(), DescribeError> {
    let settings = object(pooling_file)?.unwrap_or_default();
    if settings.get("include_prompt").and_then(Value::as_bool) != Some(false) {
        return Ok(());
    }
    let why = format!(
        "its pooling leaves out the tokens of the default prompt `{prompt}`, and no backend here does"
    );
    Err(wrong(pooling_file, &why, None))
}

/// Weights in half precision are computed in 32 bits unless a backend is told otherwise, and other software takes them as they are.
fn note_precision(config: &Map<String, Value>, notes: &mut Vec<String>) {
    let named = ["dtype", "torch_dtype"].iter().find_map(|key| config.get(*key)?.as_str());
    if let Some(precision) = named.filter(|name| *name != "float32") {
        notes.push(format!(
            "its configuration says {precision}, in which sentence-transformers computes; tailmark computes in float32 unless a \
             backend's options say otherwise, and times and memory are those of float32"
        ));
    }
}

fn dimensions(path: &Path, config: &Map<String, Value>) -> Result<u32, DescribeError> {
    // DistilBERT has a name of its own for it.
    let found = ["hidden_size", "dim"].iter().find_map(|key| whole_number(config.get(*key)));
    found.ok_or_else(|| {
        wrong(path, "it does not say how long a vector is: there is no `hidden_size` and no `dim`", None)
    })
}

/// The shorter of what the files allow and what the model has positions for.
fn max_tokens(
    folder: &Path,
    config: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<u32, DescribeError> {
    let path = folder.join("config.json");
    let kind = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let mut positions = whole_number(config.get("max_position_embeddings"));
    if OFFSET_POSITIONS.contains(&kind) {
        // MPNet's own padding id is always 1, whatever its file says.
        let padding = if kind == "mpnet" { None } else { config.get("pad_token_id").and_then(Value::as_u64) };
        let unused = u32::try_from(padding.unwrap_or(1) + 1).unwrap_or(u32::MAX);
        positions = positions.and_then(|all| all.checked_sub(unused)).filter(|left| *left > 0);
    }
    for (name, key) in
        [("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")]
    {
        let settings = object(&folder.join(name))?.unwrap_or_default();
        let Some(length) = whole_number(settings.get(key)) else { continue };
        return Ok(match positions {
            Some(positions) if positions < length => {
                notes.push(format!(
                    "{name} allows {length} tokens and the model has positions for {positions}: texts are cut to {positions}"
                ));
                positions
            }
            _ => length,
        });
    }
    positions.ok_or_else(|| {
        let why = "no file says how many tokens the model takes: sentence_bert_config.json has no `max_seq_length`, \
                   tokenizer_config.json no `model_max_length`, and this file no usable `max_position_embeddings`";
        wrong(&path, why, None)
    })
}

#[cfg(test)]
mod tests;

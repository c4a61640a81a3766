//! What a sentence-transformers folder says of its model: how long a vector and a text are, what is done to a text, and what its
//! token vectors go through. It refuses what a backend would compute otherwise, and reads no weights.

mod modules;
mod prompts;
mod settings;
mod table;
mod tokens;
mod weights;

use std::path::Path;

use serde_json::{Map, Value};

pub use self::modules::Converted;
pub use self::settings::DescribeError;
use self::settings::{object, whole_number, wrong};
pub use self::weights::{FoundGraph, is_reduced, usual_graph};
use crate::external_data;
use crate::model::contents::Contents;
use crate::model::manifest::WEIGHTS;
use crate::model::recipe::{Module, OutputKind, Recipe, TokenTypes};

/// Files that say how a model is used, where it has them.
const SETTINGS: [&str; 7] = [
    modules::FILE,
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    prompts::FILE,
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
];

/// The tokenizer in the form that is read.
pub const TOKENIZER: &str = "tokenizer.json";
/// Other forms of it, of which the exporter makes that one.
const OTHER_TOKENIZERS: [&str; 6] =
    ["vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model"];

/// A text of a table of vectors has no longest length; this one is far beyond any text.
const ANY_LENGTH: u32 = 1_000_000;

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
    /// Which of them have the weights; none if only a graph has them.
    pub weights: Vec<String>,
    /// The graphs that it came with.
    pub graphs: Vec<FoundGraph>,
    /// Whether it is a table of vectors, and no transformer.
    pub is_table: bool,
    /// Whether no file says how tokens are pooled, so that it is as sentence-transformers has it then.
    pub assumed_pooling: bool,
    /// Files of numbers that have to be made.
    pub converted: Vec<Converted>,
    /// Whether `tokenizer.json` has to be made of another form of the tokenizer.
    pub makes_tokenizer: bool,
    /// Files of Python code that torch would have to run for the model to be loaded.
    pub custom_code: Vec<String>,
    /// What a person should know of how the files were read: one sentence each.
    pub notes: Vec<String>,
}

/// Reads a sentence-transformers folder, or one that holds a transformer, a graph or a table of vectors alone.
///
/// # Errors
/// When files are missing, when they do not say how long vectors or texts are, or when the model has a module or is of a kind
/// that no backend here computes.
pub fn describe(folder: &Path) -> Result<Description, DescribeError> {
    // First, because what a list of modules names is known better than what its folder lacks.
    let modules = modules::read(folder)?;
    let weights = weights::files(folder)?;
    let graphs = weights::graphs(folder);
    let is_table = modules.as_ref().is_some_and(|modules| modules.is_table);
    let makes_tokenizer = !folder.join(TOKENIZER).is_file()
        && OTHER_TOKENIZERS.iter().any(|name| folder.join(name).is_file())
        && !weights.is_empty();
    let lacks = |name: &str| !folder.join(name).is_file();
    let missing: Vec<String> = [
        (!is_table && lacks("config.json"), "config.json"),
        (lacks(TOKENIZER) && !makes_tokenizer, TOKENIZER),
        (weights.is_empty() && graphs.is_empty(), WEIGHTS),
    ]
    .into_iter()
    .filter(|(is_missing, _)| *is_missing)
    .map(|(_, name)| name.to_owned())
    .collect();
    if !missing.is_empty() {
        let contents = Contents::of(folder);
        return Err(DescribeError::Missing { folder: folder.to_owned(), missing, contents });
    }
    let config = object(&folder.join("config.json"))?.unwrap_or_default();
    let mut notes = Vec::new();
    let modules = match modules {
        Some(modules) => modules,
        None => modules::of_a_transformer_alone(folder, &config, &mut notes)?,
    };
    let custom_code = custom_code(folder, &config);
    let settings = SETTINGS.into_iter().chain(OTHER_TOKENIZERS).map(str::to_owned);
    let mut files: Vec<String> = Vec::new();
    let found = ["config.json", TOKENIZER].into_iter().map(str::to_owned).chain(weights.iter().cloned());
    let found = found.chain(settings).chain(modules.files);
    for name in found.chain(custom_code.iter().cloned()).filter(|name| folder.join(name).is_file()) {
        if !files.contains(&name) {
            files.push(name);
        }
    }
    let prompts = prompts::read(folder, &mut notes)?;
    let mut head = modules.head;
    head.extend(prompts.truncate_dimensions.map(|dimensions| Module::Truncate { dimensions }));
    let tokens = tokens::read(folder, &config)?;
    let recipe = Recipe {
        prompts: prompts.prompts,
        default_prompt: prompts.default_prompt,
        strip_accents: tokens.strip_accents,
        lower_case: tokens.lower_case,
        max_tokens: if modules.is_table { ANY_LENGTH } else { max_tokens(folder, &config, &mut notes)? },
        truncation_side: tokens.truncation_side,
        padding_id: tokens.padding_id,
        token_types: TokenTypes::Zeros,
        special_tokens: !modules.is_table,
        task_id: None,
        output: None,
        head,
    };
    note_precision(&config, &mut notes);
    let path = folder.join("config.json");
    let of_a_token =
        if modules.is_table { table::dimensions(folder, &weights)? } else { dimensions(&path, &config)? };
    let dimensions = recipe
        .dimensions(of_a_token)
        .map_err(|error| wrong(&folder.join(modules::FILE), &error.to_string(), None))?;
    let model_type = config.get("model_type").and_then(Value::as_str);
    let usual = if modules.is_table { "a table of vectors" } else { "" };
    Ok(Description {
        model_type: model_type.unwrap_or(usual).to_owned(),
        dimensions,
        recipe,
        files,
        weights,
        graphs,
        is_table: modules.is_table,
        assumed_pooling: modules.assumed,
        converted: modules.converted,
        makes_tokenizer,
        custom_code,
        notes,
    })
}

/// Says which output of a graph is taken, where the folder says nothing of how tokens are pooled and the graph does it itself.
pub fn choose_output(folder: &Path, graph: &FoundGraph, described: &mut Description) {
    let content = std::fs::read(folder.join(&graph.name)).unwrap_or_default();
    let outputs = external_data::outputs_of(&content);
    if !described.assumed_pooling || !outputs.iter().any(|name| name == "sentence_embedding") {
        return;
    }
    described.recipe.output = Some(OutputKind::Text);
    described.notes.retain(|note| !note.contains(modules::ASSUMED));
    described.notes.push(format!(
        "no file says how tokens are pooled, and {} does it itself: its output `sentence_embedding` is taken",
        graph.name
    ));
}

/// The files of Python code that the configuration names for torch, and those beside them.
fn custom_code(folder: &Path, config: &Map<String, Value>) -> Vec<String> {
    if config.get("auto_map").and_then(Value::as_object).is_none_or(Map::is_empty) {
        return Vec::new();
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".py"))
        .collect();
    names.sort();
    names
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
    // DistilBERT, T5 and GPT's relatives have names of their own for it.
    let keys = ["hidden_size", "dim", "d_model", "n_embd"];
    let found = keys.iter().find_map(|key| whole_number(config.get(*key)));
    let text = config.get("text_config").and_then(Value::as_object);
    let within = || keys.iter().find_map(|key| whole_number(text?.get(*key)));
    found.or_else(within).ok_or_else(|| {
        let why =
            format!("it does not say how long a token's vector is: there is none of `{}`", keys.join("`, `"));
        wrong(path, &why, None)
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
    let mut positions = ["max_position_embeddings", "n_positions", "max_sequence_length"]
        .iter()
        .find_map(|key| whole_number(config.get(*key)));
    // T5 counts distances and not positions; its `n_positions` is the length that it was trained with.
    if ["t5", "mt5", "umt5", "longt5"].contains(&kind) {
        positions = None;
    }
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

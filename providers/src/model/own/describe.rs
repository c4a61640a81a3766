//! What a sentence-transformers folder says of its model: how long a vector and a text are, how tokens are pooled. It refuses
//! what a backend would compute otherwise, and reads no weights.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::catalogue::WEIGHTS;
use crate::provider::Pooling;

/// Files without which there is no model.
const NEEDED: [&str; 3] = ["config.json", "tokenizer.json", WEIGHTS];
/// Files that say how a model is used, where it has them.
const SETTINGS: [&str; 5] = [
    MODULES,
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "config_sentence_transformers.json",
];
const MODULES: &str = "modules.json";
/// Where the pooling's settings are unless `modules.json` says otherwise.
const POOLING_FOLDER: &str = "1_Pooling";

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

/// Tokenizer files write "no limit" as a huge number; no encoder has positions for this many tokens.
const NO_LIMIT: f64 = 1e6;

/// What a folder says of its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The model's type, for example `bert`; empty where its configuration has none.
    pub model_type: String,
    /// Length of its vectors.
    pub dimensions: u32,
    /// Texts are cut to this many tokens, special tokens included.
    pub max_tokens: u32,
    /// How token vectors become the text's vector.
    pub pooling: Pooling,
    /// Whether the model itself scales vectors to length one.
    pub normalize: bool,
    /// The files it came with and that say what it is, below the folder, with `/` between the parts of a name.
    pub files: Vec<String>,
    /// What a person should know of how the files were read: one sentence each.
    pub notes: Vec<String>,
}

/// Why a folder is not one from which a model can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// Files are missing.
    #[error(
        "{} is not a model's folder: it lacks {}\n\nhint: a sentence-transformers model saved with `model.save_pretrained(folder)` \
         has them", folder.display(), missing.join(", ")
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The files.
        missing: Vec<String>,
    },
    /// A file is not what its name says, or asks for what no backend here does.
    #[error("{}: {why}{}", path.display(), hint.as_deref().map(|hint| format!("\n\nhint: {hint}")).unwrap_or_default())]
    File {
        /// The file.
        path: PathBuf,
        /// What was found and what is allowed.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// Reads a sentence-transformers folder, or one that holds a transformer alone.
///
/// # Errors
/// When files are missing, when they do not say how long vectors or texts are, or when the model has a pooling or a module
/// that no backend here computes.
pub fn describe(folder: &Path) -> Result<Description, DescribeError> {
    let missing: Vec<String> =
        NEEDED.iter().filter(|name| !folder.join(name).is_file()).map(|name| (*name).to_owned()).collect();
    if !missing.is_empty() {
        return Err(DescribeError::Missing { folder: folder.to_owned(), missing });
    }
    let config = object(&folder.join("config.json"))?.unwrap_or_default();
    let mut notes = Vec::new();
    let modules = modules(folder)?;
    let pooling_folder = match &modules {
        Some(modules) => modules.pooling_folder.clone(),
        None => POOLING_FOLDER.to_owned(),
    };
    let pooling_file = format!("{pooling_folder}/config.json");
    let pooling = match object(&folder.join(&pooling_file))? {
        Some(settings) => pooling(&folder.join(&pooling_file), &settings)?,
        None => {
            notes.push(format!("there is no {pooling_file}, so vectors are the mean over a text's tokens"));
            Pooling::Mean
        }
    };
    let normalize = modules.is_some_and(|modules| modules.normalize);
    let mut files: Vec<String> = NEEDED.iter().map(|name| (*name).to_owned()).collect();
    let settings = SETTINGS.iter().map(|name| (*name).to_owned()).chain([pooling_file]);
    files.extend(settings.filter(|name| folder.join(name).is_file()));
    if let Some(settings) = object(&folder.join("config_sentence_transformers.json"))?
        && let Some(prompt) = settings.get("default_prompt_name").and_then(Value::as_str)
    {
        notes.push(format!(
            "its default prompt `{prompt}` is not put before the texts: write it into the corpus where it is wanted"
        ));
    }
    Ok(Description {
        model_type: config.get("model_type").and_then(Value::as_str).unwrap_or_default().to_owned(),
        dimensions: dimensions(&folder.join("config.json"), &config)?,
        max_tokens: max_tokens(folder, &config, &mut notes)?,
        pooling,
        normalize,
        files,
        notes,
    })
}

/// What `modules.json` says.
struct Modules {
    pooling_folder: String,
    normalize: bool,
}

/// The modules that come after one another, as far as a graph of the transformer and a pooling can stand for them.
fn modules(folder: &Path) -> Result<Option<Modules>, DescribeError> {
    let path = folder.join(MODULES);
    let Some(content) = json(&path)? else { return Ok(None) };
    let entries = content.as_array().and_then(|list| list.iter().map(module).collect::<Option<Vec<_>>>());
    let entries = entries
        .ok_or_else(|| wrong(&path, "it is not a list of modules with a `type` and a `path`", None))?;
    let mut found = Modules { pooling_folder: POOLING_FOLDER.to_owned(), normalize: false };
    for (kind, place) in entries {
        match kind {
            "Transformer" if place.is_empty() => {}
            "Transformer" => {
                let why = format!(
                    "its transformer is in the folder `{place}`, and known are models with theirs at the top"
                );
                return Err(wrong(&path, &why, None));
            }
            "Pooling" => found.pooling_folder = place.to_owned(),
            "Normalize" => found.normalize = true,
            other => {
                let why = format!(
                    "it has a module `{other}` ({place}), and known are Transformer, Pooling and Normalize: without it the \
                     vectors would be other vectors"
                );
                let hint = (other == "Dense").then_some(
                    "a model with a Dense module after its pooling cannot be run yet; the same transformer without it is \
                     another model, which has to be trained as such",
                );
                return Err(wrong(&path, &why, hint));
            }
        }
    }
    Ok(Some(found))
}

/// The last part of a module's type, which is all that its versions have in common, and its place.
fn module(entry: &Value) -> Option<(&str, &str)> {
    let kind = entry.get("type")?.as_str()?;
    Some((
        kind.rsplit('.').next().unwrap_or(kind),
        entry.get("path").and_then(Value::as_str).unwrap_or_default(),
    ))
}

fn pooling(path: &Path, settings: &Map<String, Value>) -> Result<Pooling, DescribeError> {
    let flags: Vec<(&str, bool)> = settings
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("pooling_mode_")?, value.as_bool()?)))
        .collect();
    let chosen: Vec<&str> = match settings.get("pooling_mode") {
        // Newer files have one key with a name, older ones a row of flags.
        Some(Value::String(name)) if flags.is_empty() => vec![name],
        Some(Value::Array(names)) if flags.is_empty() => names.iter().filter_map(Value::as_str).collect(),
        _ => flags.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect(),
    };
    match chosen[..] {
        ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::Cls),
        [] => Err(wrong(path, "it names no pooling; known are mean and cls", None)),
        _ => {
            let why = format!(
                "its pooling is {}, and known are mean or cls, one of them alone",
                chosen.join(" with ")
            );
            Err(wrong(path, &why, None))
        }
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

fn whole_number(value: Option<&Value>) -> Option<u32> {
    let number = value?.as_f64()?;
    ((1.0..NO_LIMIT).contains(&number) && number.fract() == 0.0).then_some(number as u32)
}

/// A JSON object; `None` where there is no such file.
fn object(path: &Path) -> Result<Option<Map<String, Value>>, DescribeError> {
    match json(path)? {
        Some(Value::Object(content)) => Ok(Some(content)),
        Some(_) => Err(wrong(path, "it is not a JSON object", None)),
        None => Ok(None),
    }
}

fn json(path: &Path) -> Result<Option<Value>, DescribeError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(path, &format!("it cannot be read: {error}"), None)),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| wrong(path, &format!("it is not JSON: {error}"), None))
}

fn wrong(path: &Path, why: &str, hint: Option<&str>) -> DescribeError {
    DescribeError::File { path: path.to_owned(), why: why.to_owned(), hint: hint.map(str::to_owned) }
}

#[cfg(test)]
mod tests;

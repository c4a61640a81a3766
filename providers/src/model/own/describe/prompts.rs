//! `config_sentence_transformers.json`: the texts that a model wants before its texts, and how much of its vectors is used.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::settings::{DescribeError, object, whole_number, wrong};

/// Name of the file.
pub(super) const FILE: &str = "config_sentence_transformers.json";

/// What it says.
#[derive(Default)]
pub(super) struct Prompts {
    pub(super) prompts: BTreeMap<String, String>,
    /// A prompt that has a text.
    pub(super) default_prompt: Option<String>,
    /// So many numbers of a vector are used.
    pub(super) truncate_dimensions: Option<u32>,
}

/// Reads the file, if there is one.
pub(super) fn read(folder: &Path, notes: &mut Vec<String>) -> Result<Prompts, DescribeError> {
    let path = folder.join(FILE);
    let Some(settings) = object(&path)? else { return Ok(Prompts::default()) };
    let named = settings.get("prompts").and_then(Value::as_object).into_iter().flatten();
    // A prompt without a text is written by sentence-transformers for models that have none.
    let prompts: BTreeMap<String, String> = named
        .filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())))
        .filter(|(_, text)| !text.is_empty())
        .collect();
    let default = settings.get("default_prompt_name").and_then(Value::as_str);
    if let Some(name) = default {
        let known = settings.get("prompts").and_then(|prompts| prompts.get(name)).is_some();
        if !known {
            let why = format!("its default prompt is `{name}`, and it has no prompt of that name");
            return Err(wrong(&path, &why, None));
        }
    }
    let default_prompt = default.filter(|name| prompts.contains_key(*name)).map(str::to_owned);
    let names = || prompts.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match &default_prompt {
        Some(name) => notes.push(format!("its default prompt `{name}` is put before every text")),
        None if !prompts.is_empty() => notes.push(format!(
            "it has the prompts {}, none of them the default: they are put before no text, as by `encode`",
            names()
        )),
        None => {}
    }
    let truncate_dimensions = whole_number(settings.get("truncate_dim"));
    if let Some(dimensions) = truncate_dimensions {
        notes.push(format!("the first {dimensions} numbers of its vectors are used"));
    }
    Ok(Prompts { prompts, default_prompt, truncate_dimensions })
}

//! `modules.json` and the settings of the pooling: which modules a model's token vectors go through. A folder without that list
//! holds a transformer alone.

use std::path::{Component, Path};

use serde_json::{Map, Value};

use super::settings::{DescribeError, json, object, wrong};
use crate::model::recipe::{Module, PoolingMode};

/// Name of the list of modules.
pub(super) const FILE: &str = "modules.json";
/// Where the pooling's settings are in a folder without such a list.
const POOLING_FILE: &str = "1_Pooling/config.json";

/// What the list says.
pub(super) struct Modules {
    pub(super) head: Vec<Module>,
    /// The file that the pooling's settings are in.
    pub(super) pooling_file: String,
}

/// Reads the modules that come after one another; `None` where there is no list.
pub(super) fn read(folder: &Path) -> Result<Option<Modules>, DescribeError> {
    let path = folder.join(FILE);
    let Some(content) = json(&path)? else { return Ok(None) };
    let entries = content.as_array().and_then(|list| list.iter().map(module).collect::<Option<Vec<_>>>());
    let entries = entries
        .ok_or_else(|| wrong(&path, "it is not a list of modules with a `type` and a `path`", None))?;
    let (mut head, mut pooling_file) = (Vec::new(), None);
    for (kind, place) in entries {
        match kind {
            "Transformer" if place.is_empty() && head.is_empty() => {}
            "Transformer" => {
                let why =
                    format!("its transformer is in the folder `{place}`, and tailmark expects it at the top");
                let hint = "save it again with a current sentence-transformers: `SentenceTransformer(folder).save_pretrained(other)`";
                return Err(wrong(&path, &why, Some(hint)));
            }
            "Pooling" if pooling_file.is_none() => {
                let below = |part: Component<'_>| matches!(part, Component::Normal(_));
                if place.is_empty() || !Path::new(place).components().all(below) {
                    return Err(wrong(
                        &path,
                        &format!("its pooling is in `{place}`, which is no folder below this one"),
                        None,
                    ));
                }
                let file = format!("{place}/config.json");
                head.push(Module::Pooling { mode: mode_in(folder, &file)?.unwrap_or(PoolingMode::Mean) });
                pooling_file = Some(file);
            }
            "Normalize" => head.push(Module::Normalize),
            other => return Err(unknown(&path, other, place)),
        }
    }
    let pooling_file = pooling_file.ok_or_else(|| {
        let why = "it has no module `Pooling`: its vector is the model's own pooled output, and tailmark can only pool token vectors";
        wrong(&path, why, None)
    })?;
    if !matches!(head.first(), Some(Module::Pooling { .. })) {
        return Err(wrong(&path, "its module `Pooling` does not come right after the transformer", None));
    }
    Ok(Some(Modules { head, pooling_file }))
}

/// The head of a folder without a list of modules, and the file that says how tokens are pooled.
pub(super) fn of_a_transformer_alone(
    folder: &Path,
    config: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<(Vec<Module>, String), DescribeError> {
    let architectures = config.get("architectures").and_then(Value::as_array).into_iter().flatten();
    let architectures: Vec<&str> = architectures.filter_map(Value::as_str).collect();
    if let Some(causal) = architectures.iter().find(|name| name.ends_with("ForCausalLM")) {
        let why = format!(
            "it is a `{causal}`, and without {FILE} its vector is that of the last token; supported are the mean and the first token"
        );
        return Err(wrong(&folder.join("config.json"), &why, None));
    }
    if let Some(ranker) = architectures.iter().find(|name| name.ends_with("ForSequenceClassification")) {
        notes.push(format!("it is a `{ranker}`, a re-ranker or classifier: only its transformer is used"));
    }
    let mode = mode_in(folder, POOLING_FILE)?.unwrap_or_else(|| {
        notes.push(format!("there is no {POOLING_FILE}, so vectors are the mean over a text's tokens"));
        PoolingMode::Mean
    });
    Ok((vec![Module::Pooling { mode }], POOLING_FILE.to_owned()))
}

/// The last part of a module's type, which is all that its versions have in common, and its place.
fn module(entry: &Value) -> Option<(&str, &str)> {
    let kind = entry.get("type")?.as_str()?;
    Some((
        kind.rsplit('.').next().unwrap_or(kind),
        entry.get("path").and_then(Value::as_str).unwrap_or_default(),
    ))
}

fn unknown(path: &Path, kind: &str, place: &str) -> DescribeError {
    let why = format!(
        "it has a module `{kind}` ({place}), and supported are Transformer, Pooling and Normalize: without this module the \
         vectors would be different"
    );
    let hint = match kind {
        "Dense" => Some(
            "tailmark cannot run a model with a Dense module yet; the same transformer without it is a different model",
        ),
        "StaticEmbedding" => {
            Some("it is a table of vectors without a transformer: no backend here runs one yet")
        }
        "MLMTransformer" | "SpladePooling" => {
            Some("its vectors are sparse, and tailmark measures dense ones")
        }
        "Router" | "Asym" => {
            Some("it embeds queries and documents by different models: export one of them alone")
        }
        "CLIPModel" => Some("it embeds images too, and tailmark measures models of texts"),
        _ => None,
    };
    wrong(path, &why, hint)
}

/// The pooling that a file names; `None` where there is no such file.
fn mode_in(folder: &Path, file: &str) -> Result<Option<PoolingMode>, DescribeError> {
    let path = folder.join(file);
    let Some(settings) = object(&path)? else { return Ok(None) };
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
        ["mean" | "mean_tokens"] => Ok(Some(PoolingMode::Mean)),
        ["cls" | "cls_token"] => Ok(Some(PoolingMode::Cls)),
        [] => Err(wrong(&path, "it names no pooling; supported are mean and cls", None)),
        _ => {
            let why = format!(
                "its pooling is {}; supported are mean and cls, one at a time",
                chosen.join(" with ")
            );
            Err(wrong(&path, &why, None))
        }
    }
}

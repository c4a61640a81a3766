//! `modules.json` and the settings of each module: what a model's token vectors go through. A folder without that list holds a
//! transformer alone.

use std::path::{Component, Path};

use serde_json::{Map, Value};

use super::settings::{DescribeError, json, object, whole_number, wrong};
use crate::model::recipe::{Activation, Dense, Module, PoolingMode, PoolingModes};

/// Name of the list of modules.
pub(super) const FILE: &str = "modules.json";
/// Where the pooling's settings are in a folder without such a list.
const POOLING_FILE: &str = "1_Pooling/config.json";
/// How a note ends that says what was assumed of the pooling.
pub(super) const ASSUMED: &str = "as sentence-transformers has it";
/// Names of the file with a module's numbers: the form that is read, and the one that the exporter turns into it.
const NUMBERS: &str = "model.safetensors";
const PICKLED_NUMBERS: &str = "pytorch_model.bin";

/// What the list says.
#[derive(Debug, Default)]
pub(super) struct Modules {
    pub(super) head: Vec<Module>,
    /// The files that the modules' settings and numbers are in.
    pub(super) files: Vec<String>,
    /// Files of numbers that have to be made, each with the pickled file that they are in.
    pub(super) converted: Vec<Converted>,
    /// Whether the first module is a table of vectors and no transformer.
    pub(super) is_table: bool,
    /// Whether no file says how tokens are pooled.
    pub(super) assumed: bool,
}

/// A file of numbers in a form that is not read, and the one that is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The file that is there.
    pub from: String,
    /// The safetensors file that is made.
    pub to: String,
}

/// Reads the modules that come after one another; `None` where there is no list.
pub(super) fn read(folder: &Path) -> Result<Option<Modules>, DescribeError> {
    let path = folder.join(FILE);
    let Some(content) = json(&path)? else { return Ok(None) };
    let entries = content.as_array().and_then(|list| list.iter().map(module).collect::<Option<Vec<_>>>());
    let entries = entries
        .ok_or_else(|| wrong(&path, "it is not a list of modules with a `type` and a `path`", None))?;
    let mut found = Modules::default();
    let pools = |kind: &str| matches!(kind, "Pooling" | "StaticEmbedding");
    let known = |kind: &str| {
        pools(kind) || matches!(kind, "Transformer" | "Dense" | "LayerNorm" | "Normalize" | "Dropout")
    };
    if entries.iter().all(|(kind, _)| known(kind) && !pools(kind)) {
        let why = "it has no module `Pooling`: its vector is the model's own pooled output, and tailmark can only pool token vectors";
        return Err(wrong(&path, why, None));
    }
    for (at, (kind, place)) in entries.into_iter().enumerate() {
        let below = |part: Component<'_>| matches!(part, Component::Normal(_));
        if !Path::new(place).components().all(below) {
            let why = format!("its module `{kind}` is in `{place}`, which is no folder below this one");
            return Err(wrong(&path, &why, None));
        }
        let own = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") };
        match kind {
            "Transformer" if place.is_empty() && at == 0 => {}
            "Transformer" => {
                let why =
                    format!("its transformer is in the folder `{place}`, and tailmark expects it at the top");
                let hint = "save it again with a current sentence-transformers: `SentenceTransformer(folder).save_pretrained(other)`";
                return Err(wrong(&path, &why, Some(hint)));
            }
            "StaticEmbedding" if place.is_empty() && at == 0 => {
                found.is_table = true;
                found.head.push(Module::pooling(PoolingMode::Mean));
            }
            "Pooling" if found.head.is_empty() => {
                let file = own("config.json");
                let (mode, include_prompt) =
                    pooling_in(folder, &file)?.unwrap_or((PoolingMode::Mean.into(), true));
                found.head.push(Module::Pooling { mode, include_prompt });
                found.files.push(file);
            }
            "Dense" | "LayerNorm" if !found.head.is_empty() => {
                let settings = own("config.json");
                let file = found.numbers(folder, own(NUMBERS), own(PICKLED_NUMBERS));
                let module = if kind == "Dense" {
                    dense(&folder.join(&settings), file)?
                } else {
                    layer_norm(&folder.join(&settings), file)?
                };
                found.head.push(module);
                found.files.push(settings);
            }
            "Normalize" if !found.head.is_empty() => found.head.push(Module::Normalize),
            // Outside of training it leaves a vector as it is.
            "Dropout" => {}
            "Pooling" => {
                return Err(wrong(
                    &path,
                    "it has a second module `Pooling`, and tailmark can pool once",
                    None,
                ));
            }
            "Dense" | "LayerNorm" | "Normalize" => {
                let why = format!(
                    "its module `{kind}` comes before the pooling, and tailmark applies it to texts alone"
                );
                return Err(wrong(&path, &why, None));
            }
            other => return Err(unknown(&path, other, place)),
        }
    }
    Ok(Some(found))
}

impl Modules {
    /// The file of a module's numbers, to be made if it is there in another form alone.
    fn numbers(&mut self, folder: &Path, file: String, pickled: String) -> String {
        if !folder.join(&file).is_file() && folder.join(&pickled).is_file() {
            self.converted.push(Converted { from: pickled, to: file.clone() });
        } else {
            self.files.push(file.clone());
        }
        file
    }
}

/// A matrix, by its settings.
fn dense(path: &Path, file: String) -> Result<Module, DescribeError> {
    let settings = settings(path)?;
    let number = |key: &str| {
        let why = format!("it does not say how long its vectors are: there is no `{key}`");
        whole_number(settings.get(key)).ok_or_else(|| wrong(path, &why, None))
    };
    for key in ["module_input_name", "module_output_name"] {
        let name = settings.get(key).and_then(Value::as_str);
        if let Some(name) = name.filter(|name| *name != "sentence_embedding") {
            let why = format!(
                "its `{key}` is `{name}`, and tailmark applies a Dense module to a text's vector alone"
            );
            return Err(wrong(path, &why, None));
        }
    }
    let class = settings.get("activation_function").and_then(Value::as_str);
    let is_set = |key: &str| settings.get(key).and_then(Value::as_bool);
    Ok(Module::Dense(Dense {
        file,
        inputs: number("in_features")?,
        dimensions: number("out_features")?,
        // Without a name it is the hyperbolic tangent, as in sentence-transformers.
        activation: class.map_or(Ok(Activation::Tanh), |class| activation(path, class))?,
        bias: is_set("bias").unwrap_or(true),
        residual: is_set("use_residual").unwrap_or(false),
    }))
}

/// The activation of torch's class of that name.
fn activation(path: &Path, class: &str) -> Result<Activation, DescribeError> {
    let known = [
        ("Identity", Activation::Identity),
        ("Tanh", Activation::Tanh),
        ("ReLU", Activation::Relu),
        ("GELU", Activation::Gelu),
        ("SiLU", Activation::Silu),
        ("Sigmoid", Activation::Sigmoid),
    ];
    let name = class.strip_prefix("torch.").and_then(|class| class.rsplit('.').next());
    let found = known.iter().find(|(known, _)| Some(*known) == name);
    found.map(|(_, activation)| *activation).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let why = format!("its activation is `{class}`; supported are torch's {}", names.join(", "));
        wrong(path, &why, None)
    })
}

fn layer_norm(path: &Path, file: String) -> Result<Module, DescribeError> {
    let settings = settings(path)?;
    let dimensions = whole_number(settings.get("dimension")).ok_or_else(|| {
        wrong(path, "it does not say how long its vectors are: there is no `dimension`", None)
    })?;
    Ok(Module::LayerNorm { file, dimensions })
}

fn settings(path: &Path) -> Result<Map<String, Value>, DescribeError> {
    object(path)?.ok_or_else(|| wrong(path, "there is no such file", None))
}

/// The head of a folder without a list of modules, and the file that says how tokens are pooled.
pub(super) fn of_a_transformer_alone(
    folder: &Path,
    config: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<Modules, DescribeError> {
    let mut modules = Modules::default();
    if config.get("model_type").and_then(Value::as_str) == Some("model2vec") {
        modules.is_table = true;
        modules.head.push(Module::pooling(PoolingMode::Mean));
        if config.get("normalize").and_then(Value::as_bool) == Some(true) {
            modules.head.push(Module::Normalize);
        }
        return Ok(modules);
    }
    let architectures = config.get("architectures").and_then(Value::as_array).into_iter().flatten();
    let architectures: Vec<&str> = architectures.filter_map(Value::as_str).collect();
    refuse_other_kinds(folder, config, &architectures)?;
    let (mode, include_prompt) = match pooling_in(folder, POOLING_FILE)? {
        Some(found) => {
            modules.files.push(POOLING_FILE.to_owned());
            found
        }
        None => {
            let causal = architectures.iter().find(|name| name.ends_with("ForCausalLM"));
            let (mode, what) = match causal {
                Some(_) => (PoolingMode::Last, "that of a text's last token, as it is for a causal model"),
                None => (PoolingMode::Mean, "the mean over a text's tokens"),
            };
            modules.assumed = true;
            notes.push(format!(
                "neither {FILE} nor {POOLING_FILE} is there, so a text's vector is {what}, {ASSUMED}"
            ));
            (mode.into(), true)
        }
    };
    modules.head.push(Module::Pooling { mode, include_prompt });
    Ok(modules)
}

/// Refuses by name what does not make one vector of a text.
fn refuse_other_kinds(
    folder: &Path,
    config: &Map<String, Value>,
    architectures: &[&str],
) -> Result<(), DescribeError> {
    let path = folder.join("config.json");
    if let Some(ranker) = architectures.iter().find(|name| name.ends_with("ForSequenceClassification")) {
        let why = format!(
            "it is a `{ranker}`, a re-ranker or a classifier: it scores texts, and an embedding model gives a vector for each"
        );
        let hint = "to measure the transformer alone, save it with `AutoModel.from_pretrained(folder).save_pretrained(other)`";
        return Err(wrong(&path, &why, Some(hint)));
    }
    let kind = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    if ["clip", "siglip", "siglip2", "chinese_clip", "blip", "align", "clap", "jina_clip"].contains(&kind) {
        let why = format!(
            "its model type is `{kind}`: it embeds images or sound too, and tailmark measures models of texts"
        );
        return Err(wrong(&path, &why, None));
    }
    Ok(())
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
        "it has a module `{kind}` ({place}), and supported are Transformer, StaticEmbedding, Pooling, Dense, LayerNorm, Dropout and \
         Normalize: without this module the vectors would be different"
    );
    let hint = match kind {
        "MLMTransformer" | "SpladePooling" | "SparseAutoEncoder" | "SparseStaticEmbedding" => Some(
            "it is a SPLADE or another sparse model: its vectors are sparse, and tailmark measures dense ones",
        ),
        "Router" | "Asym" => {
            Some("it embeds queries and documents by different models: export one of them alone")
        }
        "CLIPModel" => Some("it is CLIP, which embeds images too, and tailmark measures models of texts"),
        "WordWeights" | "WordEmbeddings" | "BoW" | "CNN" | "LSTM" | "WeightedLayerPooling" => Some(
            "it is a module of early sentence-transformers that hardly any deployed model has; open an issue if yours does",
        ),
        _ => None,
    };
    wrong(path, &why, hint)
}

/// The pooling that a file names, and whether a prompt is pooled too; `None` where there is no such file.
fn pooling_in(folder: &Path, file: &str) -> Result<Option<(PoolingModes, bool)>, DescribeError> {
    let path = folder.join(file);
    let Some(settings) = object(&path)? else { return Ok(None) };
    // In this order sentence-transformers puts side by side what a row of flags turns on.
    let known = [
        ("cls", "cls_token", PoolingMode::Cls),
        ("max", "max_tokens", PoolingMode::Max),
        ("mean", "mean_tokens", PoolingMode::Mean),
        ("mean_sqrt_len_tokens", "mean_sqrt_len_tokens", PoolingMode::MeanSqrtLen),
        ("weightedmean", "weightedmean_tokens", PoolingMode::WeightedMean),
        ("lasttoken", "lasttoken", PoolingMode::Last),
    ];
    let modes: Vec<PoolingMode> = match settings.get("pooling_mode") {
        // Newer files have one key with a name or several, older ones a row of flags.
        Some(named) => {
            let names: Vec<&str> = match named {
                Value::String(name) => vec![name],
                Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            let mut modes = Vec::new();
            for name in names {
                let found = known.iter().find(|(now, before, _)| name == *now || name == *before);
                modes.push(found.ok_or_else(|| unknown_pooling(&path, name, &known))?.2);
            }
            modes
        }
        None => {
            let flags = settings.iter().filter_map(|(key, value)| {
                let name = key.strip_prefix("pooling_mode_")?;
                (value.as_bool() == Some(true)).then_some(name)
            });
            let on: Vec<&str> = flags.collect();
            if let Some(name) = on.iter().find(|name| known.iter().all(|(_, before, _)| before != *name)) {
                return Err(unknown_pooling(&path, name, &known));
            }
            known.iter().filter(|(_, before, _)| on.contains(before)).map(|(_, _, mode)| *mode).collect()
        }
    };
    if modes.is_empty() {
        let names: Vec<&str> = known.iter().map(|(name, _, _)| *name).collect();
        return Err(wrong(&path, &format!("it names no pooling; supported are {}", names.join(", ")), None));
    }
    let include_prompt = settings.get("include_prompt").and_then(Value::as_bool) != Some(false);
    Ok(Some((PoolingModes(modes), include_prompt)))
}

fn unknown_pooling(path: &Path, name: &str, known: &[(&str, &str, PoolingMode)]) -> DescribeError {
    let names: Vec<&str> = known.iter().map(|(name, _, _)| *name).collect();
    wrong(path, &format!("its pooling is {name}; supported are {}", names.join(", ")), None)
}

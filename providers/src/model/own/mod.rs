//! Models of the user's own: a folder with a manifest that pins its files by hash, as the catalogue does for the known ones.
//! It decides what such a folder must hold; what is in the model is read by [`describe`], manifests of an earlier tailmark by
//! `earlier`, and which folders there are is kept by [`registry`].

pub mod describe;
mod earlier;
pub mod registry;

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use super::digest;
pub use super::manifest::is_in;
use super::manifest::{MANIFEST, Manifest, REFERENCE};
use super::store::{ResolvedModel, data_is_there};
use crate::text_file::{self, TextFileError};

/// Why a folder is no model of the user's own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnModelError {
    /// It has no manifest.
    #[error(
        "{} has no {MANIFEST}, so tailmark cannot run it\n\nhint: run `tailmark model export {}` to create it, with the graph \
         and the reference vectors", folder.display(), folder.display()
    )]
    NoManifest {
        /// The folder.
        folder: PathBuf,
    },
    /// Its manifest cannot be read, or is none.
    #[error("{}: {why}\n\nhint: run `tailmark model export {}` to write it again", folder.join(MANIFEST).display(), folder.display())]
    Manifest {
        /// The folder.
        folder: PathBuf,
        /// One sentence.
        why: String,
    },
    /// A file is not what the manifest says.
    #[error(
        "the model in {} is damaged or was changed: {name} {why}\n\nhint: restore the file, or run `tailmark model export {}` \
         to make graph, reference vectors and manifest from the files that are there now", folder.display(), folder.display()
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

/// Reads the manifest of a folder.
///
/// # Errors
/// [`OwnModelError::NoManifest`], or [`OwnModelError::Manifest`] when it makes no sense.
pub fn read(folder: &Path) -> Result<Manifest, OwnModelError> {
    read_of_any_age(folder).map(|(manifest, _)| manifest)
}

/// The manifest, and whether an earlier tailmark wrote it.
fn read_of_any_age(folder: &Path) -> Result<(Manifest, bool), OwnModelError> {
    let wrong = |why: String| OwnModelError::Manifest { folder: folder.to_owned(), why };
    let text = text_file::read(&folder.join(MANIFEST)).map_err(|error| match error {
        error if error.is_missing() => OwnModelError::NoManifest { folder: folder.to_owned() },
        TextFileError::Read { source, .. } => wrong(format!("it cannot be read: {source}")),
        TextFileError::NotText { source, .. } => wrong(source.to_string()),
    })?;
    match earlier::parse(&text) {
        Some(manifest) => Ok((manifest.described_anew(folder).map_err(wrong)?, true)),
        None => Ok((Manifest::parse(&text).map_err(wrong)?, false)),
    }
}

/// The model in a folder of the user's own, all of its files checked by hash and used where they are.
///
/// # Errors
/// When the folder is no model, or a file is missing or is not the pinned one.
pub fn resolve(folder: &Path) -> Result<ResolvedModel, OwnModelError> {
    let (manifest, is_earlier) = read_of_any_age(folder)?;
    let damaged = |name: &str, why: String| OwnModelError::Damaged {
        folder: folder.to_owned(),
        name: name.to_owned(),
        why,
    };
    for file in manifest.all_files() {
        digest::check(&folder.join(&file.name), &file)
            .map_err(|fault| damaged(&file.name, fault.to_string()))?;
    }
    let second_names = manifest.graph_data().iter().filter(|data| data.of.is_some());
    if let Some(data) = second_names.into_iter().find(|data| !data_is_there(folder, data)) {
        return Err(damaged(
            &data.name,
            format!("is missing or is not {}", data.of.as_deref().unwrap_or_default()),
        ));
    }
    let reference_json = fs::read_to_string(folder.join(REFERENCE))
        .map_err(|error| damaged(REFERENCE, format!("cannot be read: {error}")))?;
    manifest.check_reference(&reference_json).map_err(|why| damaged(REFERENCE, why))?;
    let files = manifest.all_files().map(Cow::into_owned).collect();
    let note = if is_earlier {
        "; an earlier version of tailmark exported it and did not compare it with sentence-transformers: export it again"
    } else {
        ""
    };
    Ok(ResolvedModel {
        folder: folder.to_owned(),
        source: format!("the folder {}, in place{note}", folder.display()),
        files,
        manifest,
        reference_json: reference_json.into(),
    })
}

#[cfg(test)]
pub(crate) mod tests;

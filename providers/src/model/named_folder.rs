//! Whether a folder of the user's holds the known model that it was named for. A folder that was named is measured or refused,
//! and no other model is measured in its place.

use std::path::Path;

use super::catalogue::KnownModel;
use super::contents::Contents;
use super::digest::{self, Fault};
use super::error::StoreError;

/// Whether every file of a known model is in the folder, by its hash.
///
/// # Errors
/// [`StoreError::NotThisModel`] with what is missing or other, and what the folder contains.
pub fn check(model: &KnownModel, folder: &Path) -> Result<(), StoreError> {
    let mut faults: Vec<String> = Vec::new();
    for file in &model.manifest.files {
        let path = folder.join(&file.name);
        // The weights come last and take longest to hash: one small file that is wrong has decided it already.
        if !faults.is_empty() && path.is_file() {
            continue;
        }
        match digest::check(&path, file) {
            Ok(()) => {}
            // Most likely another model's, and not the half of a download.
            Err(Fault::Length { found, expected }) => {
                faults.push(format!("{} has {found} bytes, expected {expected}", file.name));
            }
            Err(fault) => faults.push(format!("{} {fault}", file.name)),
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(StoreError::NotThisModel {
        model: model.name().to_owned(),
        folder: folder.to_owned(),
        faults,
        contents: Contents::of(folder),
    })
}

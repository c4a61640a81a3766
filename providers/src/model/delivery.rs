//! What every source of a model's files does alike: writes into the store's part folder, and says whether the source or the
//! store is at fault when that fails. It does not know where the files come from.

use std::fs::File;
use std::io;
use std::path::Path;

use super::catalogue::KnownModel;
use super::digest;
use super::error::StoreError;

/// Why a source delivered nothing.
pub(crate) enum FetchError {
    /// This source has not got it, or cannot be reached: ask the next one.
    Source(String),
    /// The store cannot be written to: no other source will fare better.
    Store(StoreError),
}

/// Copies a file into the store's part folder; reading can fail for the source, writing for the store.
pub(crate) fn copy_file(
    from: &Path,
    to: &Path,
    model: &KnownModel,
    moved: &mut dyn FnMut(u64),
) -> Result<(), FetchError> {
    let unreadable =
        |error: io::Error| FetchError::Source(format!("{} cannot be read: {error}", from.display()));
    let mut source = File::open(from).map_err(unreadable)?;
    let mut target = create(to, model)?;
    // Which end failed cannot be told from the error; the reading end was whole a moment ago.
    digest::copy(&mut source, &mut target, moved).map_err(|error| not_written(to, model, error))?;
    Ok(())
}

/// Creates a file in the store's part folder.
pub(crate) fn create(path: &Path, model: &KnownModel) -> Result<File, FetchError> {
    File::create(path).map_err(|error| not_written(path, model, error))
}

/// A failed write in the store's part folder.
pub(crate) fn not_written(path: &Path, model: &KnownModel, error: io::Error) -> FetchError {
    FetchError::Store(StoreError::writing("write", path, error, model.total_bytes()))
}

//! Where inputs begin: files of `corpus/`, of the repository, and texts that a target makes itself.

use std::fs;
use std::path::{Path, PathBuf};

/// An input that is tried as it stands, and that others are made from.
pub(super) struct Example {
    /// Where it comes from.
    pub(super) origin: String,
    /// The input.
    pub(super) bytes: Vec<u8>,
}

/// An example that a target makes.
pub(super) fn made(origin: &str, text: impl Into<Vec<u8>>) -> Example {
    Example { origin: origin.to_owned(), bytes: text.into() }
}

/// The examples of a target in `corpus/`; none where it has no folder.
pub(super) fn in_corpus(target: &str) -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    if folder.is_dir() { files(&folder, "") } else { Vec::new() }
}

/// The files of a folder of the repository that end so, those that are too long to be tried left out.
pub(super) fn in_repository(folder: &str, ending: &str) -> Vec<Example> {
    let found = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), ending);
    assert!(!found.is_empty(), "{folder} has no file that ends in `{ending}`");
    found
}

fn files(folder: &Path, ending: &str) -> Vec<Example> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
    // The system's own order differs from machine to machine.
    paths.sort();
    let read = |path: PathBuf| Example { origin: path.display().to_string(), bytes: fs::read(path).unwrap() };
    paths.into_iter().map(read).filter(|example| example.bytes.len() <= super::target::LONGEST).collect()
}

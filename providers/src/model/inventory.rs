//! What lies in a model's folder: its files, the space they take, the graphs among them. Whether they are the right ones is
//! checked elsewhere.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The files of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Each file's path below the folder, with its length.
    pub files: Vec<(PathBuf, u64)>,
    /// The space that they take: a file with two names counts once.
    pub bytes: u64,
}

/// The graph files in a folder, sorted by name.
#[must_use]
pub fn graph_files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".onnx") && !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// The space a model's folder takes: a file with two names counts once, links count as links.
#[must_use]
pub fn size(folder: &Path) -> u64 {
    weigh(folder).map_or(0, |found| found.bytes)
}

/// Every file below a folder with its length, links as links.
pub(crate) fn weigh(folder: &Path) -> io::Result<Inventory> {
    let mut inventory = Inventory { files: Vec::new(), bytes: 0 };
    let mut seen = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            let found = fs::symlink_metadata(&path)?;
            if found.is_dir() {
                folders.push(path);
                continue;
            }
            if seen.insert((found.dev(), found.ino())) {
                inventory.bytes += found.len();
            }
            inventory.files.push((path.strip_prefix(folder).unwrap_or(&path).to_owned(), found.len()));
        }
    }
    inventory.files.sort();
    Ok(inventory)
}

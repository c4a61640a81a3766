//! A folder that a target writes its inputs into, and that is emptied from one to the next.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Where files cost no disk: most of a case's time would go into folders and files that nobody will look at.
const IN_MEMORY: &str = "/dev/shm";

/// An empty folder, removed in the end.
pub(super) struct Scratch(TempDir);

impl Scratch {
    /// A new one.
    pub(super) fn new() -> Self {
        let made = tempfile::Builder::new().prefix("tailmark-fuzz-").tempdir_in(IN_MEMORY);
        Self(made.or_else(|_| tempfile::tempdir()).expect("a folder for temporary files"))
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, in a folder within where its name has one.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        if let Some(folder) = path.parent().filter(|folder| *folder != self.path()) {
            fs::create_dir_all(folder).expect("a folder within");
        }
        fs::write(&path, bytes).expect("a file");
        path
    }
}

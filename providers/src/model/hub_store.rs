//! Where in the model store the repositories of the model hub are: a folder for each, with one below it for each commit. What is
//! in them is not known here.

use std::fs;
use std::path::{Path, PathBuf};

use super::inventory::{Inventory, weigh};
use super::remove::{RemoveError, check, failed};
use super::store::ModelStore;
use crate::cache::Lock;
use crate::progress::Progress;

/// Begins the names of these folders.
const OF_THE_HUB: &str = "hub--";

impl ModelStore {
    /// The folders of models that were fetched from the model hub, sorted.
    #[must_use]
    pub fn of_the_hub(&self) -> Vec<PathBuf> {
        let is_of_the_hub = |folder: &PathBuf| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(OF_THE_HUB))
        };
        folders_in(self.root()).into_iter().filter(is_of_the_hub).flat_map(|of| folders_in(&of)).collect()
    }

    /// The folder of a repository, `organization/name`.
    #[must_use]
    pub fn hub_folder(&self, repository: &str) -> PathBuf {
        self.root().join(plain(repository))
    }

    /// The folders of a repository's commits that were fetched, sorted.
    #[must_use]
    pub fn commits_of(&self, repository: &str) -> Vec<PathBuf> {
        folders_in(&self.hub_folder(repository))
    }

    /// Waits until nobody else fetches a repository or removes it, and keeps others from it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn lock_of_hub(&self, repository: &str, progress: &dyn Progress) -> std::io::Result<Lock> {
        let lock = self.root().join(format!(".lock-{}", plain(repository)));
        Lock::acquire(&lock, || progress.step("waiting for another tailmark that is fetching the model"))
    }

    /// Removes every commit of a repository with everything in it.
    ///
    /// # Errors
    /// When nothing of it is there, its folder is a link, or the system refuses.
    pub fn remove_of_hub(&self, repository: &str, progress: &dyn Progress) -> Result<Inventory, RemoveError> {
        let folder = self.hub_folder(repository);
        let absent = || RemoveError::NotThere { what: repository.to_owned(), root: self.root().to_owned() };
        // Looked at before the lock is made: a store that is not there is not made by this.
        check(&folder, absent)?;
        let _lock = self.lock_of_hub(repository, progress).map_err(failed(&folder))?;
        check(&folder, absent)?;
        let removed = weigh(&folder).map_err(failed(&folder))?;
        fs::remove_dir_all(&folder).map_err(failed(&folder))?;
        Ok(removed)
    }
}

fn plain(repository: &str) -> String {
    format!("{OF_THE_HUB}{}", repository.replace('/', "--"))
}

/// The folders in a folder, sorted; none of one that is not there.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn a_repository_goes_with_all_of_its_commits_and_no_other_goes() {
        let scratch = tempfile::tempdir().unwrap();
        let store = ModelStore::at(scratch.path());
        for (repository, commit) in [("a/b", "1"), ("a/b", "2"), ("a/b-c", "1")] {
            let folder = store.hub_folder(repository).join(commit);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("model.onnx"), "12345").unwrap();
        }
        assert_eq!(store.commits_of("a/b").len(), 2);
        assert_eq!(store.of_the_hub().len(), 3);
        let removed = store.remove_of_hub("a/b", &Silent).unwrap();
        assert_eq!((removed.bytes, removed.files.len()), (10, 2));
        assert_eq!(store.of_the_hub(), [store.hub_folder("a/b-c").join("1")]);
        let error = store.remove_of_hub("a/b", &Silent).unwrap_err().to_string();
        assert!(error.contains("a/b is not in the model store"), "{error}");
    }

    #[test]
    fn a_link_is_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let store = ModelStore::at(scratch.path());
        std::os::unix::fs::symlink(elsewhere.path(), store.hub_folder("a/b")).unwrap();
        let error = store.remove_of_hub("a/b", &Silent).unwrap_err().to_string();
        assert!(error.contains(" is a link") && elsewhere.path().exists(), "{error}");
    }
}

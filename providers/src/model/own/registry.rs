//! Which folders with models of the user's own there are: a list in the model store, so that they can be listed and called by
//! name. It does not look into the folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::aside;
use super::super::store::ModelStore;
use crate::cache::Lock;

/// Name of the list in the store's folder.
const LIST: &str = "own-models.json";

/// A folder that was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// The model's name.
    pub name: String,
    /// Its folder, from the root of the file system.
    pub folder: PathBuf,
}

/// The list cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the list of models of one's own, {}: {why}\n\nhint: {hint}", path.display())]
pub struct RegistryError {
    path: PathBuf,
    why: String,
    hint: &'static str,
}

impl ModelStore {
    /// The models of the user's own that were registered, by name.
    ///
    /// # Errors
    /// When there is a list and it cannot be read.
    pub fn registered(&self) -> Result<Vec<Registered>, RegistryError> {
        let path = self.root().join(LIST);
        let error = |why: String, hint| RegistryError { path: path.clone(), why, hint };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => {
                return Err(error(
                    format!("cannot be read: {cause}"),
                    "name another store with --model-store",
                ));
            }
        };
        serde_json::from_str(&text).map_err(|cause| {
            error(
                format!("makes no sense: {cause}"),
                "remove it; `tailmark model export FOLDER` puts a folder on a new one, and no model is lost",
            )
        })
    }

    /// Puts a folder on the list, in place of any other of that name.
    ///
    /// # Errors
    /// When the list cannot be read or written.
    pub fn register(&self, name: &str, folder: &Path) -> Result<(), RegistryError> {
        self.change(|list| {
            list.retain(|entry| entry.name != name);
            list.push(Registered { name: name.to_owned(), folder: folder.to_owned() });
            list.sort_by(|one, other| one.name.cmp(&other.name));
        })
    }

    /// Takes a name off the list. The folder stays as it is.
    ///
    /// # Errors
    /// When the list cannot be read or written.
    pub fn forget(&self, name: &str) -> Result<(), RegistryError> {
        self.change(|list| list.retain(|entry| entry.name != name))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Registered>)) -> Result<(), RegistryError> {
        let path = self.root().join(LIST);
        let failed = |cause: io::Error| RegistryError {
            path: path.clone(),
            why: format!("cannot be written: {cause}"),
            hint: "name a store you may write to with --model-store",
        };
        let _lock = Lock::acquire(&self.root().join(".lock-own-models"), || {}).map_err(failed)?;
        let mut list = self.registered()?;
        change(&mut list);
        let text = serde_json::to_string_pretty(&list).expect("a list is JSON: this is a bug");
        aside::replace(&path, &format!("{text}\n")).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_on_the_list_once_and_can_be_taken_off() {
        let scratch = tempfile::tempdir().unwrap();
        let store = ModelStore::at(scratch.path().join("store"));
        assert_eq!(store.registered().unwrap(), []);
        for (name, folder) in [("b", "/x"), ("a", "/y"), ("b", "/z")] {
            store.register(name, Path::new(folder)).unwrap();
        }
        let entry = |name: &str, folder: &str| Registered { name: name.to_owned(), folder: folder.into() };
        assert_eq!(store.registered().unwrap(), [entry("a", "/y"), entry("b", "/z")]);
        store.forget("a").unwrap();
        assert_eq!(store.registered().unwrap(), [entry("b", "/z")]);
    }

    #[test]
    fn a_list_that_makes_no_sense_is_not_taken_for_an_empty_one() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join(LIST), "[{}]").unwrap();
        let store = ModelStore::at(scratch.path());
        let error = store.register("a", Path::new("/x")).unwrap_err().to_string();
        assert!(
            error.contains("own-models.json: makes no sense: ") && error.contains("hint: remove it"),
            "{error}"
        );
    }
}

//! Taking a model, or only its variants, out of the store. Nothing outside the store's folder is ever removed, and no link
//! is followed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::catalogue::KnownModel;
use super::inventory::{Inventory, graph_files, weigh};
use super::manifest::GRAPH;
use super::store::ModelStore;
use super::variants::VARIANTS;
use crate::cache::Lock;
use crate::progress::Progress;

/// Why nothing was removed, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// The store has nothing of it.
    #[error("{what} is not in the model store {}: nothing was removed", root.display())]
    NotThere {
        /// The model, or its variants.
        what: String,
        /// The store.
        root: PathBuf,
    },
    /// The model's folder is a link to somewhere else.
    #[error(
        "{} is a link: tailmark removes only what lies in the model store itself\n\nhint: remove the link, and what it leads to if \
         that is not wanted either", path.display()
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot remove {}: {source}\n\nhint: what was removed until then is fetched again by `tailmark model fetch`", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl ModelStore {
    /// Removes a model with everything in its folder. Waits for whoever is fetching it.
    ///
    /// # Errors
    /// When it is not there, is a link, or the system refuses.
    pub fn remove(&self, model: &KnownModel, progress: &dyn Progress) -> Result<Inventory, RemoveError> {
        let (folder, _lock) = self.to_empty(model, progress)?;
        let removed = weigh(&folder).map_err(failed(&folder))?;
        fs::remove_dir_all(&folder).map_err(failed(&folder))?;
        let left = self.part_root(model);
        if left.exists() {
            fs::remove_dir_all(&left).map_err(failed(&left))?;
        }
        Ok(removed)
    }

    /// Removes a model's other graphs and their list, and leaves the model.
    ///
    /// # Errors
    /// When there are none, the model's folder is a link, or the system refuses.
    pub fn remove_variants(
        &self,
        model: &KnownModel,
        progress: &dyn Progress,
    ) -> Result<Inventory, RemoveError> {
        let (folder, _lock) = self.to_empty(model, progress)?;
        let graphs = graph_files(&folder).into_iter().filter(|name| name != GRAPH);
        // What a list that cannot be read would have named has the ending of a graph, and so has its data.
        let names: HashSet<String> = graphs.flat_map(|name| [format!("{name}_data"), name]).collect();
        let mut removed = weigh(&folder).map_err(failed(&folder))?;
        removed
            .files
            .retain(|(path, _)| path.to_str().is_some_and(|name| names.contains(name) || name == VARIANTS));
        if removed.files.is_empty() {
            let what = format!("a variant of {}", model.name());
            return Err(RemoveError::NotThere { what, root: self.root().to_owned() });
        }
        removed.files.sort();
        removed.bytes = removed.files.iter().map(|(_, bytes)| bytes).sum();
        for (name, _) in &removed.files {
            let path = folder.join(name);
            fs::remove_file(&path).map_err(failed(&path))?;
        }
        Ok(removed)
    }

    /// The model's folder, there and no link, under the model's lock.
    fn to_empty(&self, model: &KnownModel, progress: &dyn Progress) -> Result<(PathBuf, Lock), RemoveError> {
        let folder = self.folder_of(model);
        let absent = || RemoveError::NotThere { what: model.name().to_owned(), root: self.root().to_owned() };
        // Looked at before the lock is made: a store that is not there is not made by this.
        check(&folder, absent)?;
        let lock = self.lock_file(model);
        let waiting = || progress.step("waiting for another tailmark that is fetching the model");
        let held = Lock::acquire(&lock, waiting).map_err(failed(&lock))?;
        check(&folder, absent)?;
        Ok((folder, held))
    }
}

pub(super) fn check(folder: &Path, absent: impl Fn() -> RemoveError) -> Result<(), RemoveError> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(RemoveError::Link { path: folder.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(absent()),
        Err(error) => Err(failed(folder)(error)),
    }
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> RemoveError {
    let path = path.to_owned();
    move |source| RemoveError::Folder { path, source }
}

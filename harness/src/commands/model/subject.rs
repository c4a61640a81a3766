//! Which model is meant by what was typed: a known one, one of the user's own, or a folder.

use std::path::{Path, PathBuf};

use tailmark_providers::model::{self, KnownModel, ModelStore};

use crate::commands::CommandError;

/// The model that is meant.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A known one.
    Known(&'static KnownModel),
    /// One of the user's own, in this folder.
    Own(PathBuf),
}

impl Subject {
    /// The model of this name; folders are not looked for.
    pub(super) fn named(store: &ModelStore, name: &str) -> Result<Self, CommandError> {
        Self::find(store, name)?.ok_or_else(|| unknown(store, name, ""))
    }

    /// The model of this name, else the one in the folder of this path.
    pub(super) fn named_or_in(store: &ModelStore, text: &str) -> Result<Self, CommandError> {
        if let Some(found) = Self::find(store, text)? {
            return Ok(found);
        }
        let folder = Path::new(text);
        if folder.is_dir() {
            absolute(folder).map(Self::Own)
        } else if folder.exists() {
            Err(unknown(store, text, ", and that path is not a folder"))
        } else {
            Err(unknown(store, text, ", and there is no folder at that path either"))
        }
    }

    fn find(store: &ModelStore, name: &str) -> Result<Option<Self>, CommandError> {
        if let Ok(known) = model::find(name) {
            return Ok(Some(Self::Known(known)));
        }
        let registered = store.registered()?;
        let found = registered.into_iter().find(|entry| entry.name == name);
        Ok(found.map(|entry| Self::Own(entry.folder)))
    }
}

fn unknown(store: &ModelStore, name: &str, and: &str) -> CommandError {
    let known = model::known().iter().map(|model| model.name().to_owned());
    let own = store.registered().unwrap_or_default().into_iter().map(|entry| entry.name);
    let names = known.chain(own).collect::<Vec<_>>().join(", ");
    CommandError::Usage(format!("unknown model `{name}`{and}\n\nhint: known are {names}"))
}

/// A path that stays right when it is used from another working folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    std::fs::canonicalize(path)
        .map_err(|error| CommandError::Usage(format!("{} cannot be used: {error}", path.display())))
}

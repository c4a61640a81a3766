//! Which model is meant by what was typed: a known one, one of the user's own, one of the model hub, or a folder.

use std::path::{Path, PathBuf};

use tailmark_providers::model::hub_repository::is_name;
use tailmark_providers::model::{self, KnownModel, ModelStore};

use crate::commands::CommandError;

/// The model that is meant.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A known one.
    Known(&'static KnownModel),
    /// One of the user's own, in this folder.
    Own(PathBuf),
    /// One of the model hub.
    Hub {
        /// Its repository.
        repository: String,
        /// The folders of its commits in the store; none if it has to be fetched.
        commits: Vec<PathBuf>,
    },
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

    /// The model of this name, else the hub's repository of this name, which nobody asked for yet.
    pub(super) fn named_or_of_the_hub(store: &ModelStore, name: &str) -> Result<Self, CommandError> {
        match Self::find(store, name)? {
            Some(found) => Ok(found),
            None if is_name(name) => Ok(Self::Hub { repository: name.to_owned(), commits: Vec::new() }),
            None => Err(unknown(store, name, "")),
        }
    }

    /// The model of this name, else the one in the folder of this path, else the hub's repository of this name.
    pub(super) fn wherever_it_is(store: &ModelStore, text: &str) -> Result<Self, CommandError> {
        if !Path::new(text).exists() && is_name(text) {
            return Self::named_or_of_the_hub(store, text);
        }
        Self::named_or_in(store, text)
    }

    fn find(store: &ModelStore, name: &str) -> Result<Option<Self>, CommandError> {
        if let Ok(known) = model::find(name) {
            return Ok(Some(Self::Known(known)));
        }
        let registered = store.registered()?;
        if let Some(entry) = registered.into_iter().find(|entry| entry.name == name) {
            return Ok(Some(Self::Own(entry.folder)));
        }
        let commits = if is_name(name) { store.commits_of(name) } else { Vec::new() };
        let found = (!commits.is_empty()).then(|| Self::Hub { repository: name.to_owned(), commits });
        Ok(found)
    }
}

/// The folder of a repository's one commit in the store.
pub(super) fn only_commit<'a>(repository: &str, commits: &'a [PathBuf]) -> Result<&'a Path, CommandError> {
    match commits {
        [folder] => Ok(folder),
        [] => Err(CommandError::Usage(format!(
            "{repository} is not in the model store\n\nhint: `tailmark model fetch {repository}` brings it"
        ))),
        several => {
            let folders: Vec<String> =
                several.iter().map(|folder| format!("  {}", folder.display())).collect();
            Err(CommandError::Usage(format!(
                "{repository} is in the model store at {} commits\n\nhint: name the folder of one:\n{}",
                several.len(),
                folders.join("\n")
            )))
        }
    }
}

fn unknown(store: &ModelStore, name: &str, and: &str) -> CommandError {
    let known = model::known().iter().map(|model| model.name().to_owned());
    let own = store.registered().unwrap_or_default().into_iter().map(|entry| entry.name);
    let names = known.chain(own).collect::<Vec<_>>().join(", ");
    CommandError::Usage(format!(
        "unknown model `{name}`{and}\n\nhint: known are {names}; one of the model hub is named organization/name"
    ))
}

/// A path that stays right when it is used from another working folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    std::fs::canonicalize(path)
        .map_err(|error| CommandError::Usage(format!("{} cannot be used: {error}", path.display())))
}

//! `tailmark.lock`, beside a scenario: which state of a repository of the model hub was measured, to the last byte. Later runs are
//! held to it. It is meant to be kept with the scenario, and to be read in a review.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tailmark_providers::model::PinnedFile;

/// Its name.
pub(crate) const LOCK: &str = "tailmark.lock";
const VERSION: u32 = 1;
const HEAD: &str = "# Written by tailmark, and kept with the scenario: the models of the hub that it measures, to the last byte.\n\
                    # Take a model's entry out to measure what the hub has now.\n\n";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockFile {
    /// Of this form.
    version: u32,
    /// The models.
    #[serde(default, rename = "model")]
    models: Vec<LockedModel>,
}

/// One model of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockedModel {
    /// The repository.
    pub(crate) name: String,
    /// The branch, tag or commit that was asked for.
    pub(crate) asked: String,
    /// The commit that it was.
    pub(crate) revision: String,
    /// Whether the files are all the graphs that the repository had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) all_graphs: bool,
    /// Every file that was fetched.
    #[serde(default, rename = "file")]
    pub(crate) files: Vec<PinnedFile>,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}\n\nhint: {hint}", path.display())]
pub struct LockError {
    path: PathBuf,
    why: String,
    hint: &'static str,
}

impl LockFile {
    /// Where it is for a scenario in this file.
    pub(crate) fn beside(scenario: &Path) -> PathBuf {
        scenario.with_file_name(LOCK)
    }

    /// Reads it; an empty one if it is not there.
    pub(crate) fn read(path: &Path) -> Result<Self, LockError> {
        let error = |why: String| LockError {
            path: path.to_owned(),
            why,
            hint: "restore the file as it was, or remove it: then the next run pins what the hub has now",
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { version: VERSION, models: Vec::new() });
            }
            Err(cause) => return Err(error(format!("cannot be read: {cause}"))),
        };
        let file: Self = toml::from_str(&text).map_err(|cause| error(format!("makes no sense: {cause}")))?;
        if file.version != VERSION {
            return Err(error(format!(
                "has version {}, and this tailmark reads version {VERSION}",
                file.version
            )));
        }
        Ok(file)
    }

    /// The entry of a model.
    pub(crate) fn find(&self, name: &str) -> Option<&LockedModel> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The entry of a model, unless the scenario asks for another revision than it was written for.
    pub(crate) fn entry(
        &self,
        path: &Path,
        name: &str,
        revision: Option<&str>,
    ) -> Result<Option<&LockedModel>, LockError> {
        let Some(entry) = self.find(name) else { return Ok(None) };
        match revision.filter(|revision| *revision != entry.asked && *revision != entry.revision) {
            None => Ok(Some(entry)),
            Some(revision) => Err(LockError {
                path: path.to_owned(),
                why: format!(
                    "pins {name} at {} (asked for as `{}`), and the scenario asks for the revision `{revision}`",
                    entry.revision, entry.asked
                ),
                hint: "write the same revision in both, or take the model's entry out of the file to pin the other one",
            }),
        }
    }

    /// Puts an entry into the file, in place of that of the same name. Files that it had before and this one lacks stay pinned.
    pub(crate) fn put(&mut self, mut entry: LockedModel) {
        if let Some(before) = self.find(&entry.name).filter(|before| before.revision == entry.revision) {
            let known = |file: &&PinnedFile| entry.files.iter().all(|other| other.name != file.name);
            let kept: Vec<PinnedFile> = before.files.iter().filter(known).cloned().collect();
            entry.files.extend(kept);
            entry.all_graphs |= before.all_graphs;
        }
        entry.files.sort_by(|one, other| one.name.cmp(&other.name));
        self.models.retain(|model| model.name != entry.name);
        self.models.push(entry);
        self.models.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let aside = path.with_file_name(format!("{LOCK}.{}", std::process::id()));
        fs::write(&aside, format!("{HEAD}{text}"))
            .and_then(|()| fs::rename(&aside, path))
            .inspect_err(|_| drop(fs::remove_file(&aside)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, sha256: &str) -> PinnedFile {
        PinnedFile { name: name.to_owned(), bytes: 3, sha256: sha256.to_owned() }
    }

    fn entry(name: &str, revision: &str, files: &[PinnedFile]) -> LockedModel {
        LockedModel {
            name: name.to_owned(),
            asked: "main".to_owned(),
            revision: revision.to_owned(),
            all_graphs: false,
            files: files.to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_a_later_file_is_added_to_what_was_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let path = LockFile::beside(&folder.path().join("scenario.toml"));
        let mut lock = LockFile::read(&path).unwrap();
        lock.put(entry("b/two", "22", &[file("config.json", "aa")]));
        lock.put(entry("a/one", "11", &[file("x", "aa")]));
        lock.put(entry("b/two", "22", &[file("config.json", "aa"), file("a.onnx", "bb")]));
        lock.write(&path).unwrap();
        let read = LockFile::read(&path).unwrap();
        assert_eq!(read, lock);
        let names: Vec<&str> =
            read.find("b/two").unwrap().files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.onnx", "config.json"]);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# Written by tailmark") && text.contains("[[model.file]]"), "{text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_commit_replaces_all_that_was_pinned() {
        let mut lock = LockFile { version: VERSION, models: Vec::new() };
        lock.put(entry("a/one", "11", &[file("x", "aa")]));
        lock.put(entry("a/one", "22", &[file("y", "bb")]));
        assert_eq!(lock.models, [entry("a/one", "22", &[file("y", "bb")])]);
    }

    #[test]
    fn another_revision_than_the_pinned_one_is_refused() {
        let mut lock = LockFile { version: VERSION, models: Vec::new() };
        lock.put(entry("a/one", "11", &[]));
        let path = Path::new("tailmark.lock");
        for same in [None, Some("main"), Some("11")] {
            assert!(lock.entry(path, "a/one", same).unwrap().is_some());
        }
        assert!(lock.entry(path, "a/other", Some("v2")).unwrap().is_none());
        let error = lock.entry(path, "a/one", Some("v2")).unwrap_err().to_string();
        assert!(
            error.contains(
                "pins a/one at 11 (asked for as `main`), and the scenario asks for the revision `v2`"
            ),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_makes_no_sense_is_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        for (text, part) in
            [("version = 2\n", "has version 2"), ("version = 1\nmodels = 3\n", "makes no sense")]
        {
            fs::write(&path, text).unwrap();
            let error = LockFile::read(&path).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("hint: restore the file"), "{error}");
        }
    }
}

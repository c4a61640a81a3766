//! Where the model hub's own tools keep what they fetched, and the token they log in with, as far as tailmark reads it.
//!
//! Paths and variables are those of the hub's Python package (`huggingface_hub`, "Environment variables" and "Understand
//! caching" in its manual). Nothing is written there: the folder belongs to those tools.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

/// The first of these variables that is set to something.
fn variable(names: &[&str]) -> Option<OsString> {
    names.iter().find_map(|name| env::var_os(name).filter(|value| !value.is_empty()))
}

fn home() -> Option<PathBuf> {
    variable(&["HF_HOME"])
        .map(PathBuf::from)
        .or_else(|| Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("huggingface")))
}

/// The folder of fetched files; `None` when the user has no home folder.
pub(super) fn folder() -> Option<PathBuf> {
    variable(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
        .map(PathBuf::from)
        .or_else(|| Some(home()?.join("hub")))
}

/// The user's token, for repositories that are not public. It is sent to the hub, and written nowhere.
pub(super) fn token() -> Option<String> {
    if let Some(token) = variable(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
        return token.into_string().ok().map(|token| token.trim().to_owned());
    }
    let file = variable(&["HF_TOKEN_PATH"])
        .map_or_else(|| home().map(|home| home.join("token")), |path| Some(path.into()));
    let token = fs::read_to_string(file?).ok()?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

/// The path of a fetched file; `None` when the cache lacks the revision or the file. The file is not looked into.
pub(super) fn find(cache: &Path, repository: &str, revision: &str, file: &str) -> Option<PathBuf> {
    let folder = cache.join(format!("models--{}", repository.replace('/', "--")));
    // A branch or a tag is a file that holds the commit; a commit stands for itself.
    let commit = fs::read_to_string(folder.join("refs").join(revision));
    let commit = commit.as_deref().map_or(revision, str::trim);
    let path = folder.join("snapshots").join(commit).join(file);
    path.is_file().then_some(path)
}

/// A fetched repository: its commit, and the folder that has it; `None` when the cache lacks the revision.
pub(super) fn snapshot(cache: &Path, repository: &str, revision: &str) -> Option<(String, PathBuf)> {
    let folder = cache.join(format!("models--{}", repository.replace('/', "--")));
    let commit = fs::read_to_string(folder.join("refs").join(revision));
    let commit = commit.as_deref().map_or(revision, str::trim).to_owned();
    let path = folder.join("snapshots").join(&commit);
    path.is_dir().then_some((commit, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_branch_and_by_its_commit() {
        let cache = tempfile::tempdir().unwrap();
        let repository = cache.path().join("models--someone--tiny");
        let commit = "0123456789012345678901234567890123456789";
        let file = repository.join("snapshots").join(commit).join("onnx/model.onnx");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::create_dir_all(repository.join("refs")).unwrap();
        fs::write(&file, "x").unwrap();
        fs::write(repository.join("refs/main"), format!("{commit}\n")).unwrap();
        for revision in ["main", commit] {
            assert_eq!(find(cache.path(), "someone/tiny", revision, "onnx/model.onnx"), Some(file.clone()));
        }
        assert_eq!(find(cache.path(), "someone/tiny", "v2", "onnx/model.onnx"), None);
        assert_eq!(find(cache.path(), "someone/tiny", "main", "model.onnx"), None);
    }
}

//! Any repository of the model hub: what it lists at a revision, which of its files a model is made of, and how they are fetched:
//! several at a time, each checked, a broken one gone on with where it broke off. What is made of them is not known here.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, RANGE, RETRY_AFTER};

use super::digest::{self, PinnedFile};
use super::hub::{Hub, client, describe, refusal};
use super::hub_cache;
use super::manifest::is_below;
use super::own::describe::{FoundGraph, usual_graph};
use crate::progress::Progress;

/// Files fetched side by side: more would only share the line.
const AT_ONCE: usize = 4;
/// How often a hub that asks for patience is asked again, and how long it may ask to wait.
const TRIES: usize = 3;
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// A listing is a few hundred kilobytes at most; what is longer is none.
const LONGEST_LISTING: u64 = 32 << 20;
/// A file of which the hub does not say how long it is: no setting is longer.
const LONGEST_UNTOLD: u64 = 512 << 20;
/// Ends the name of a file that is not whole yet.
const PART: &str = ".part";

/// Names at the top that say what a model is.
const SETTINGS: [&str; 15] = [
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
    "README.md",
];

/// A file as the hub lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFile {
    /// Its name below the repository.
    pub name: String,
    /// Its length; not known of some small files.
    pub bytes: Option<u64>,
    /// Its SHA-256, by the hub's own account; known of large files alone.
    pub sha256: Option<String>,
}

/// A repository at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// For example `BAAI/bge-small-en-v1.5`.
    pub repository: String,
    /// The commit, which stays what it is while a branch moves on.
    pub commit: String,
    /// Its files.
    pub files: Vec<ListedFile>,
}

/// Which files of a repository are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Graphs by their names, beside the usual one.
    pub graphs: Vec<String>,
    /// Every graph that there is.
    pub all_graphs: bool,
    /// The weights too, even if there is a graph.
    pub weights: bool,
}

/// Why a repository, or a file of it, cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model hub's repository {repository}: {why}\n\nhint: {hint}")]
pub struct RepositoryError {
    repository: String,
    why: String,
    hint: String,
}

/// The hub's answer, as far as it is read.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    oid: Option<String>,
    size: Option<u64>,
}

/// Whether a name is one that a repository of the hub can have: `organization/name`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !part.is_empty() && part.len() <= 96 && part.chars().all(plain) && !part.starts_with(['.', '-'])
    };
    name.split_once('/').is_some_and(|(organization, name)| part(organization) && part(name))
}

impl RepositoryError {
    fn new(repository: &str, why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { repository: repository.to_owned(), why: why.into(), hint: hint.into() }
    }
}

impl Listing {
    /// The files that a model is made of, and the graph that stands for it if there is one.
    ///
    /// # Errors
    /// When a graph that was asked for is not there, or there is neither a graph nor weights.
    pub fn select(&self, wish: &Wish) -> Result<Vec<&ListedFile>, RepositoryError> {
        let graphs = self.graphs();
        let mut chosen: BTreeSet<&str> = BTreeSet::new();
        let names = || self.files.iter().map(|file| file.name.as_str());
        chosen.extend(names().filter(|name| SETTINGS.contains(name) && *name != "README.md"));
        chosen.extend(names().filter(|name| is_of_a_module(name)));
        let mut wanted: Vec<&FoundGraph> = usual_graph(&graphs).into_iter().collect();
        if wish.all_graphs {
            wanted = graphs.iter().collect();
        }
        for name in &wish.graphs {
            let graph = graphs.iter().find(|graph| graph.name == *name).ok_or_else(|| {
                let there: Vec<&str> = graphs.iter().map(|graph| graph.name.as_str()).collect();
                let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
                RepositoryError::new(
                    &self.repository,
                    format!("it has no graph `{name}` at commit {}", self.commit),
                    format!("its graphs are: {there}"),
                )
            })?;
            wanted.push(graph);
        }
        for graph in &wanted {
            let named =
                names().filter(|name| *name == graph.name || graph.data.iter().any(|data| data == name));
            chosen.extend(named);
        }
        let weights = self.weights();
        if wanted.is_empty() || wish.weights {
            chosen.extend(&weights);
        }
        if wanted.is_empty() && weights.is_empty() {
            return Err(RepositoryError::new(
                &self.repository,
                "it has neither a graph (*.onnx) nor weights (model.safetensors, pytorch_model.bin)",
                "name a repository of an embedding model; those of adapters and of GGUF files cannot be run",
            ));
        }
        Ok(self.files.iter().filter(|file| chosen.contains(file.name.as_str())).collect())
    }

    /// The graphs, each with the files beside it whose names begin with its own: they are the data of a graph.
    fn graphs(&self) -> Vec<FoundGraph> {
        let below = |name: &str| !name.contains('/') || name.starts_with("onnx/");
        let graphs = self.files.iter().filter(|file| file.name.ends_with(".onnx") && below(&file.name));
        let data = |graph: &str| {
            let beside = self.files.iter().filter(|file| {
                let rest = file.name.strip_prefix(graph);
                rest.is_some_and(|rest| rest.starts_with("_data") || rest.starts_with(".data"))
            });
            beside.map(|file| file.name.clone()).collect()
        };
        graphs.map(|file| FoundGraph { name: file.name.clone(), data: data(&file.name) }).collect()
    }

    /// Safetensors, whole or in shards, else pickled weights.
    fn weights(&self) -> Vec<&str> {
        let top = |ending: &'static str, whole: &'static str, start: &'static str| {
            let names = self.files.iter().map(|file| file.name.as_str()).filter(|name| !name.contains('/'));
            let all: Vec<&str> = names.collect();
            if all.contains(&whole) {
                return vec![whole];
            }
            let index = format!("{whole}.index.json");
            all.into_iter()
                .filter(|name| *name == index || name.starts_with(start) && name.ends_with(ending))
                .collect()
        };
        let safe = top(".safetensors", "model.safetensors", "model-");
        if safe.is_empty() { top(".bin", "pytorch_model.bin", "pytorch_model-") } else { safe }
    }
}

/// Whether a file is a module's: its settings, or its numbers.
fn is_of_a_module(name: &str) -> bool {
    let Some((folder, file)) = name.split_once('/') else { return false };
    let numbered = folder.split_once('_').is_some_and(|(number, kind)| {
        number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty() && !kind.is_empty()
    });
    numbered && ["config.json", "model.safetensors", "pytorch_model.bin"].contains(&file)
}

impl Hub {
    /// What a repository has at a branch, a tag or a commit. Offline it is what the hub's own cache on this machine has.
    ///
    /// # Errors
    /// When the hub cannot be reached or refuses, in words that say what to do.
    pub fn list(&self, repository: &str, revision: &str) -> Result<Listing, RepositoryError> {
        if self.offline {
            return self.list_cached(repository, revision);
        }
        let place = revision.replace('/', "%2F");
        let address = format!("{}/api/models/{repository}/revision/{place}?blobs=true", self.endpoint());
        let mut response = self.get(repository, revision, &address, None)?;
        let mut text = String::new();
        let mut body = response.body_mut().as_reader().take(LONGEST_LISTING);
        body.read_to_string(&mut text).map_err(|error| {
            let why = describe(&ureq::Error::from(error));
            RepositoryError::new(repository, format!("its listing broke off: {why}"), "try again")
        })?;
        let answer: Answer = serde_json::from_str(&text).map_err(|error| {
            let why = format!("its listing makes no sense: {error}");
            RepositoryError::new(repository, why, "is HF_ENDPOINT the address of a model hub?")
        })?;
        let is_commit = answer.sha.len() == 40 && answer.sha.chars().all(|c| c.is_ascii_hexdigit());
        if !is_commit || answer.siblings.iter().any(|file| !is_below(&file.rfilename)) {
            let why = "its listing names a file outside of it, or no commit";
            return Err(RepositoryError::new(repository, why, "is HF_ENDPOINT the address of a model hub?"));
        }
        let file = |sibling: Sibling| {
            let lfs = sibling.lfs;
            ListedFile {
                bytes: lfs.as_ref().and_then(|lfs| lfs.size).or(sibling.size),
                sha256: lfs.and_then(|lfs| lfs.sha256.or(lfs.oid)),
                name: sibling.rfilename,
            }
        };
        let files = answer.siblings.into_iter().map(file).collect();
        Ok(Listing { repository: repository.to_owned(), commit: answer.sha, files })
    }

    fn list_cached(&self, repository: &str, revision: &str) -> Result<Listing, RepositoryError> {
        let found = self.cache_folder().and_then(|cache| hub_cache::snapshot(&cache, repository, revision));
        let (commit, folder) = found.ok_or_else(|| {
            RepositoryError::new(
                repository,
                format!("HF_HUB_OFFLINE is set, and the hub's cache on this machine does not have it at {revision}"),
                "unset HF_HUB_OFFLINE once to fetch it",
            )
        })?;
        let mut files = Vec::new();
        walk(&folder, &folder, &mut files);
        Ok(Listing { repository: repository.to_owned(), commit, files })
    }

    /// Fetches files of a listing into a folder, where those that are there already stay. Every one is checked: against the hash
    /// that is `pinned`, else against the hub's own, else by its length. Gives each file as it is.
    ///
    /// # Errors
    /// When a file cannot be had or is not what it must be. What was fetched whole stays, and a large file that broke off is gone on
    /// with the next time.
    pub fn fetch_files(
        &self,
        listing: &Listing,
        files: &[&ListedFile],
        pinned: &[PinnedFile],
        into: &Path,
        progress: &dyn Progress,
    ) -> Result<Vec<PinnedFile>, RepositoryError> {
        let total = files.iter().filter_map(|file| file.bytes).sum();
        let fetch = Fetch { hub: self, listing, pinned, into, progress, total, done: AtomicU64::new(0) };
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(files.len()) {
                scope.spawn(|| {
                    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let result = fetch.one(file);
                        if result.is_err() {
                            // Nobody begins another one: this ends the fetch.
                            next.store(files.len(), Ordering::Relaxed);
                        }
                        results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(result);
                    }
                });
            }
        });
        let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut fetched = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        fetched.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(fetched)
    }

    fn get(
        &self,
        repository: &str,
        revision: &str,
        address: &str,
        from: Option<u64>,
    ) -> Result<ureq::http::Response<ureq::Body>, RepositoryError> {
        for attempt in 1.. {
            let mut request = client(self.patience()).get(address);
            // It is not sent on to another server that the hub leads to.
            if let Some(token) = hub_cache::token() {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            if let Some(from) = from {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let response = request.call().map_err(|error| {
                let why = describe(&error);
                RepositoryError::new(repository, why, "try again; what was fetched until now is kept")
            })?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return match refusal(&response, revision) {
                    // A range that cannot be had is the caller's affair.
                    Some(_) if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => Ok(response),
                    Some(why) => Err(RepositoryError::new(repository, why, remedy(response.status()))),
                    None => Ok(response),
                };
            }
            let asked = response.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
            let wait = Duration::from_secs(asked.unwrap_or(2));
            if wait > LONGEST_WAIT || attempt == TRIES {
                return Err(RepositoryError::new(
                    repository,
                    "too many requests from this address",
                    format!(
                        "try again in {} s, or set HF_TOKEN: the hub allows more to those it knows",
                        wait.as_secs()
                    ),
                ));
            }
            std::thread::sleep(wait);
        }
        unreachable!("the last attempt returns: this is a bug")
    }
}

fn remedy(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            "check the name and the revision on the hub's page; for a private or gated repository set HF_TOKEN to a token of yours \
             that may read it"
        }
        _ => "try again later; what was fetched until now is kept",
    }
}

struct Fetch<'a> {
    hub: &'a Hub,
    listing: &'a Listing,
    pinned: &'a [PinnedFile],
    into: &'a Path,
    progress: &'a dyn Progress,
    total: u64,
    done: AtomicU64,
}

impl Fetch<'_> {
    fn one(&self, file: &ListedFile) -> Result<PinnedFile, RepositoryError> {
        let target = self.into.join(&file.name);
        let pinned = self.pinned.iter().find(|pinned| pinned.name == file.name);
        let sha256 = pinned.map(|pinned| pinned.sha256.clone()).or_else(|| file.sha256.clone());
        let is_right = |found: &PinnedFile| {
            sha256.as_ref().is_none_or(|expected| *expected == found.sha256)
                && file.bytes.is_none_or(|bytes| bytes == found.bytes)
        };
        if let Ok(found) = digest::measure(&file.name, &target)
            && is_right(&found)
        {
            self.advance(found.bytes);
            return Ok(found);
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|error| self.not_written(folder, &error))?;
        }
        let part = target.with_file_name(format!("{}{PART}", file_name(&file.name)));
        let from_cache = self.copy_cached(file, &part)?;
        if !from_cache {
            if self.hub.offline {
                return Err(self.error(
                    file,
                    "HF_HUB_OFFLINE is set, and the hub's cache on this machine does not have it",
                    "unset HF_HUB_OFFLINE once to fetch it",
                ));
            }
            self.download(file, &part)?;
        }
        let found = digest::measure(&file.name, &part).map_err(|error| self.not_written(&part, &error))?;
        if let Some(bytes) = file.bytes.filter(|bytes| *bytes != found.bytes) {
            // A whole answer of another length is no beginning of the right one.
            let _ = fs::remove_file(&part);
            let why = format!("has {} bytes, expected {bytes}", found.bytes);
            return Err(self.error(file, &why, "try again"));
        }
        if !is_right(&found) {
            let _ = fs::remove_file(&part);
            let (expected, hint) = (
                sha256.unwrap_or_default(),
                match pinned {
                    Some(_) => {
                        "tailmark.lock holds the run to what was measured before: take its entry of this model out to measure what \
                     the hub has now"
                    }
                    None => {
                        "the file was damaged on its way, or something between here and the hub changes it: try again"
                    }
                },
            );
            return Err(self.error(
                file,
                &format!("has SHA-256 {}, expected {expected}", found.sha256),
                hint,
            ));
        }
        fs::rename(&part, &target).map_err(|error| self.not_written(&target, &error))?;
        Ok(found)
    }

    fn copy_cached(&self, file: &ListedFile, part: &Path) -> Result<bool, RepositoryError> {
        let Listing { repository, commit, .. } = self.listing;
        let cached = self.hub.cache_folder();
        let Some(path) = cached.and_then(|cache| hub_cache::find(&cache, repository, commit, &file.name))
        else {
            return Ok(false);
        };
        let bytes = fs::copy(&path, part).map_err(|error| self.not_written(part, &error))?;
        self.advance(bytes);
        Ok(true)
    }

    /// Goes on with what is there if the server can, else begins anew.
    fn download(&self, file: &ListedFile, part: &Path) -> Result<(), RepositoryError> {
        let there = fs::metadata(part).map_or(0, |found| found.len());
        // Only a file whose hash is known can be told to be whole afterwards.
        let resumable = file.sha256.is_some() && file.bytes.is_some_and(|bytes| there < bytes) && there > 0;
        let Listing { repository, commit, .. } = self.listing;
        let address = format!("{}/{repository}/resolve/{commit}/{}", self.hub.endpoint(), file.name);
        let mut response = self
            .hub
            .get(repository, commit, &address, resumable.then_some(there))
            .map_err(|error| RepositoryError { why: format!("{}: {}", file.name, error.why), ..error })?;
        let goes_on = resumable && response.status() == StatusCode::PARTIAL_CONTENT;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            let _ = fs::remove_file(part);
            return Err(self.error(
                file,
                "what was fetched of it before does not fit",
                "try again: it is fetched anew",
            ));
        }
        let mut output = File::options()
            .create(true)
            .write(true)
            .append(goes_on)
            .truncate(!goes_on)
            .open(part)
            .map_err(|error| self.not_written(part, &error))?;
        let mut written = if goes_on { there } else { 0 };
        self.advance(written);
        let mut buffer = vec![0; 1 << 17];
        let mut body = response.body_mut().as_reader();
        loop {
            let length = body.read(&mut buffer).map_err(|error| {
                let why = describe(&ureq::Error::from(error));
                let kept = if file.sha256.is_some() { written } else { 0 };
                self.error(
                    file,
                    &format!("it broke off after {written} bytes: {why}"),
                    &format!("try again: it goes on from byte {kept}"),
                )
            })?;
            if length == 0 {
                break;
            }
            written += length as u64;
            let expected = file.bytes.unwrap_or(LONGEST_UNTOLD);
            if written > expected {
                drop(output);
                let _ = fs::remove_file(part);
                return Err(self.error(file, &format!("is longer than {expected} bytes"), "try again"));
            }
            output.write_all(&buffer[..length]).map_err(|error| self.not_written(part, &error))?;
            self.advance(length as u64);
        }
        if let Some(bytes) = file.bytes.filter(|bytes| written < *bytes) {
            return Err(self.error(
                file,
                &format!("it broke off after {written} of {bytes} bytes"),
                "try again: what was fetched until now is kept",
            ));
        }
        output.sync_all().map_err(|error| self.not_written(part, &error))
    }

    fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.progress.bytes(done.min(self.total), self.total);
    }

    fn error(&self, file: &ListedFile, why: &str, hint: &str) -> RepositoryError {
        RepositoryError::new(&self.listing.repository, format!("{} {why}", file.name), hint)
    }

    fn not_written(&self, path: &Path, error: &io::Error) -> RepositoryError {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                format!(
                    "make room for {} MB, or name a folder on another disk with --model-store",
                    self.total.div_ceil(1_000_000)
                )
            }
            _ => {
                "give yourself the right to write there, or name another folder with --model-store".to_owned()
            }
        };
        RepositoryError::new(
            &self.listing.repository,
            format!("cannot write {}: {error}", path.display()),
            hint,
        )
    }
}

fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<ListedFile>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            walk(root, &path, found);
        } else if let Ok(name) = path.strip_prefix(root) {
            let bytes = fs::metadata(&path).ok().map(|found| found.len());
            found.push(ListedFile { name: name.to_string_lossy().into_owned(), bytes, sha256: None });
        }
    }
}

#[cfg(test)]
mod tests;

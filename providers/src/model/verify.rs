//! Whether a model's files are what they must be: every one of them by its hash, or a quick look at sizes alone. It changes
//! nothing, and what follows from a fault is said elsewhere.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use super::catalogue::KnownModel;
use super::digest::{self, PinnedFile};
use super::inventory::graph_files;
use super::manifest::{GraphData, MANIFEST, Manifest, REFERENCE};
use super::own::{self, OwnModelError};
use super::store::{ModelStore, is_same_file};
use super::variants::{self, VARIANTS, Variant};

/// What was found of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name in the model's folder.
    pub name: String,
    /// What it is.
    pub state: FileState,
    /// Whether it was made of the model here, or is the list of what was.
    pub is_variant: bool,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// As it must be; the words say what was compared.
    Right(String),
    /// Not as it must be: the end of a sentence that begins with its name, for example `is missing`.
    Damaged(String),
    /// A graph that nothing is known of.
    Unknown,
}

/// What a look at the sizes says of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stock {
    /// It is not there.
    Absent,
    /// Every file is there and has the right length.
    Whole,
    /// Files are missing or have another length; their names.
    Damaged(Vec<String>),
}

/// The files that a model must consist of.
struct Wanted<'a> {
    files: Vec<Cow<'a, PinnedFile>>,
    /// What the graph reads under other names.
    data: Vec<&'a GraphData>,
}

/// Compares every file of a known model in the store with its hash.
#[must_use]
pub fn known(store: &ModelStore, model: &KnownModel) -> Vec<Finding> {
    compare(&store.folder_of(model), &known_files(model))
}

/// Compares every file of a model of the user's own with its hash, and the manifest with the reference vectors.
///
/// # Errors
/// When the folder has no manifest or none that makes sense.
pub fn own(folder: &Path) -> Result<Vec<Finding>, OwnModelError> {
    let manifest = own::read(folder)?;
    let fits = fs::read_to_string(folder.join(REFERENCE))
        .map_err(|error| format!("cannot be compared with {REFERENCE}: {error}"))
        .and_then(|text| {
            manifest
                .check_reference(&text)
                .map_err(|why| format!("does not fit {REFERENCE}: the latter {why}"))
        });
    let state = match fits {
        Ok(()) => FileState::Right(format!("fits {REFERENCE}")),
        Err(why) => FileState::Damaged(why),
    };
    let mut findings = vec![Finding { name: MANIFEST.to_owned(), state, is_variant: false }];
    findings.extend(compare(folder, &wanted(&manifest)));
    Ok(findings)
}

/// What a look at the sizes says of a known model.
#[must_use]
pub fn stock_of_known(store: &ModelStore, model: &KnownModel) -> Stock {
    stock(&store.folder_of(model), &known_files(model))
}

/// What a look at the sizes says of a model of the user's own.
#[must_use]
pub fn stock_of_own(folder: &Path) -> Stock {
    match own::read(folder) {
        Ok(manifest) => stock(folder, &wanted(&manifest)),
        Err(_) if !folder.exists() => Stock::Absent,
        Err(_) => Stock::Damaged(vec![MANIFEST.to_owned()]),
    }
}

fn wanted(manifest: &Manifest) -> Wanted<'_> {
    Wanted { files: manifest.all_files().collect(), data: second_names(manifest) }
}

/// The same of a known model in the store, whose reference vectors are compiled in.
fn known_files(model: &KnownModel) -> Wanted<'_> {
    let manifest = &model.manifest;
    let files = manifest.files.iter().chain(&manifest.graph).map(Cow::Borrowed);
    Wanted { files: files.collect(), data: second_names(manifest) }
}

fn second_names(manifest: &Manifest) -> Vec<&GraphData> {
    manifest.graph_data().iter().filter(|data| data.of.is_some()).collect()
}

fn compare(folder: &Path, wanted: &Wanted<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = wanted.files.iter().map(|file| by_hash(folder, file)).collect();
    let data = wanted.data.iter();
    findings.extend(data.map(|data| Finding {
        name: data.name.clone(),
        state: data_state(folder, data),
        is_variant: false,
    }));
    let recorded = match variants::read(folder) {
        Ok(recorded) => recorded,
        Err(error) => {
            let state = FileState::Damaged(error.why().to_owned());
            findings.push(Finding { name: VARIANTS.to_owned(), state, is_variant: true });
            Vec::new()
        }
    };
    findings.extend(recorded.iter().map(|variant| of_variant(folder, variant)));
    for name in graph_files(folder) {
        let known = wanted.files.iter().any(|file| file.name == name);
        if !known && recorded.iter().all(|variant| variant.file.name != name) {
            findings.push(Finding { name, state: FileState::Unknown, is_variant: true });
        }
    }
    findings
}

/// A variant may be as it was made and still not be for this processor, so what is known of that stands beside its hash.
fn of_variant(folder: &Path, variant: &Variant) -> Finding {
    let mut finding = Finding { is_variant: true, ..by_hash(folder, &variant.file) };
    if let (FileState::Right(what), Some(int8)) = (&mut finding.state, &variant.int8) {
        what.push_str(&format!("; {}", int8.note()));
    }
    finding
}

fn by_hash(folder: &Path, file: &PinnedFile) -> Finding {
    let state = match digest::check(&folder.join(&file.name), file) {
        Ok(()) => FileState::Right(format!("{} bytes, SHA-256 {}", file.bytes, file.sha256)),
        Err(fault) => FileState::Damaged(fault.to_string()),
    };
    Finding { name: file.name.clone(), state, is_variant: false }
}

/// A hard link to the weights needs no second look; a copy is hashed like any file.
fn data_state(folder: &Path, data: &GraphData) -> FileState {
    let of = data.of.as_deref().unwrap_or_default();
    let path = folder.join(&data.name);
    if is_same_file(&folder.join(of), &path) {
        return FileState::Right(format!("the same file as {of}"));
    }
    match digest::check(&path, &data.file()) {
        Ok(()) => FileState::Right(format!("a copy of {of}")),
        Err(fault) => FileState::Damaged(fault.to_string()),
    }
}

fn stock(folder: &Path, wanted: &Wanted<'_>) -> Stock {
    let length = |name: &str| fs::metadata(folder.join(name)).ok().map(|found| found.len());
    let mut there = 0;
    let mut damaged = Vec::new();
    let data = wanted.data.iter().map(|data| (data.name.as_str(), data.bytes));
    let variants = match variants::read(folder) {
        Ok(variants) => variants,
        Err(_) => {
            damaged.push(VARIANTS.to_owned());
            Vec::new()
        }
    };
    let files = wanted.files.iter().map(|file| &**file).chain(variants.iter().map(|variant| &variant.file));
    for (name, bytes) in files.map(|file| (file.name.as_str(), file.bytes)).chain(data) {
        match length(name) {
            Some(found) => {
                there += 1;
                if found != bytes {
                    damaged.push(name.to_owned());
                }
            }
            None => damaged.push(name.to_owned()),
        }
    }
    match (there, damaged.is_empty()) {
        (0, _) => Stock::Absent,
        (_, true) => Stock::Whole,
        (_, false) => Stock::Damaged(damaged),
    }
}

#[cfg(test)]
mod tests;

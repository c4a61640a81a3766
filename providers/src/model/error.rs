//! The ways in which a model cannot be had, each with what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::contents::Contents;

/// Why a model's files could not be brought into the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The user has no home folder, so there is no default place for the store.
    #[error(
        "no cache folder for the model store: this user has no home folder\n\nhint: name a folder with --model-store"
    )]
    NoCacheFolder,
    /// The disk is full, or the user's share of it.
    #[error(
        "the disk is full: {} cannot be written; the model needs {} MB\n\nhint: make room, or name a folder on another \
         disk with --model-store", path.display(), bytes.div_ceil(1_000_000)
    )]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// The model's files in all.
        bytes: u64,
    },
    /// The store's folder cannot be used.
    #[error("cannot {action} {}: {source}\n\nhint: {}", path.display(), remedy(source))]
    Folder {
        /// A verb, for example `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A folder was named as the place of a known model, and is not that model.
    #[error(
        "{} does not hold the model {model}: {}; {contents}\n\nhint: if it is a model of your own, run `tailmark model export {}` \
         first", folder.display(), faults.join(", "), folder.display()
    )]
    NotThisModel {
        /// The known model that is meant.
        model: String,
        /// The folder.
        folder: PathBuf,
        /// Each file that is missing or other, and how: `config.json is missing`.
        faults: Vec<String>,
        /// What the folder contains.
        contents: Contents,
    },
    /// No source had the files.
    #[error(
        "no source has the model {model}:{}\n\nhint: {}",
        Failures(failures),
        unavailable_remedy(failures)
    )]
    Unavailable {
        /// The model.
        model: String,
        /// Every source that was asked, in order.
        failures: Vec<SourceFailure>,
    },
}

/// A source that did not deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFailure {
    /// The source, for example `the model hub`.
    pub source: String,
    /// Why it did not deliver.
    pub why: String,
}

struct Failures<'a>(&'a [SourceFailure]);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.0 {
            // What a source says may have several lines; they stay under its name.
            write!(formatter, "\n- {}: {}", failure.source, failure.why.trim_end().replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

impl StoreError {
    /// The error for a failed write below the store, `needed` being the length of the model's files in all.
    pub(crate) fn writing(action: &'static str, path: &Path, source: io::Error, needed: u64) -> Self {
        if is_full(&source) {
            Self::DiskFull { path: path.to_owned(), bytes: needed }
        } else {
            Self::Folder { action, path: path.to_owned(), source }
        }
    }
}

/// Whether an error says that nothing more can be written.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "name a folder you may write to with --model-store"
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            "something else is in the way there: move it, or name another folder with --model-store"
        }
        io::ErrorKind::Unsupported => {
            "the file system there lacks what the store needs (locks): name a local folder with --model-store"
        }
        _ => "name another folder with --model-store",
    }
}

fn unavailable_remedy(failures: &[SourceFailure]) -> &'static str {
    if failures.iter().any(|failure| failure.why.contains("SHA-256")) {
        "a file with another SHA-256 is another model or a damaged copy, and is never used: copy the right files from \
         another machine and give their folder as the model's folder; a model of your own needs `tailmark model export FOLDER` \
         first"
    } else {
        "connect to a network once, or copy the model's files from another machine and give their folder as the \
         model's folder"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_that_failed_is_listed_with_its_reason() {
        let failure =
            |source: &str, why: &str| SourceFailure { source: source.to_owned(), why: why.to_owned() };
        let error = StoreError::Unavailable {
            model: "m".to_owned(),
            failures: vec![
                failure("the model hub", "no connection"),
                failure("the package p", "pip said:\nno"),
            ],
        };
        assert_eq!(
            error.to_string(),
            "no source has the model m:\n- the model hub: no connection\n- the package p: pip said:\n  no\n\n\
             hint: connect to a network once, or copy the model's files from another machine and give their folder as \
             the model's folder"
        );
    }

    #[test]
    fn a_full_disk_says_how_much_is_needed() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = StoreError::writing("write", Path::new("/store/x"), full, 91_335_235);
        assert_eq!(
            error.to_string(),
            "the disk is full: /store/x cannot be written; the model needs 92 MB\n\n\
             hint: make room, or name a folder on another disk with --model-store"
        );
    }
}

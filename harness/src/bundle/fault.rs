//! Why a bundle was not made, or is none.

use std::io;
use std::path::PathBuf;

use super::{BUNDLE_VERSION, MANIFEST};

/// What to do about an archive that is not as it was made.
const AGAIN: &str = "get the bundle again from where it was made; `tailmark bundle RUN` makes one";

/// Why a bundle was not made, or is none.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The archive to write is there.
    #[error("{} is there already, and no bundle replaces a file\n\nhint: name another one with --out FILE", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The run folder lacks a file.
    #[error(
        "{} has no {name}, without which nothing can be computed again\n\nhint: `tailmark report FOLDER` completes the folder of a \
         run; samples.csv can only be copied from where the run was made",
        folder.display()
    )]
    Lacks {
        /// The folder.
        folder: PathBuf,
        /// The file.
        name: &'static str,
    },
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is too large for a bundle, or grew while it was packed.
    #[error(
        "{name} has {bytes} bytes, and a bundle takes {most} of it at most\n\nhint: give the run folder itself to whoever asks"
    )]
    TooLarge {
        /// The file.
        name: String,
        /// Its size.
        bytes: u64,
        /// The most.
        most: u64,
    },
    /// It is not a gzipped tar archive with a manifest, or ends too early.
    #[error("{} is no bundle, or only a part of one: {why}\n\nhint: {AGAIN}", path.display())]
    NotABundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The manifest is of another version.
    #[error("{} has bundle version {found}, and this tailmark reads version {BUNDLE_VERSION}\n\nhint: verify it with the tailmark that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: u64,
    },
    /// A member is not what the manifest says.
    #[error("{}, member {member}: {why}\n\nhint: {AGAIN}", path.display())]
    Member {
        /// The file.
        path: PathBuf,
        /// The member.
        member: String,
        /// What is wrong with it.
        why: String,
    },
}

impl BundleError {
    pub(super) fn not_a_bundle(path: &std::path::Path, why: impl Into<String>) -> Self {
        Self::NotABundle { path: path.to_owned(), why: why.into() }
    }

    pub(super) fn member(path: &std::path::Path, member: &str, why: impl Into<String>) -> Self {
        let member: String = member.chars().take(80).collect::<String>().escape_debug().to_string();
        Self::Member { path: path.to_owned(), member, why: why.into() }
    }

    /// A member that is there and in no manifest.
    pub(super) fn unlisted(path: &std::path::Path, member: &str) -> Self {
        Self::member(path, member, format!("{MANIFEST} does not list it, and a bundle has nothing else"))
    }
}

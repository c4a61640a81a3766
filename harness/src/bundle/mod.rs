//! A run in one file: a gzipped tar archive whose first member is a manifest with the size and the SHA-256 of every other.
//!
//! The same folder gives the same bytes. What is read comes from strangers: nothing is taken that the manifest does not list, and
//! nothing is written outside a folder of its own. Knows no record and no statistic.

mod fault;
mod open;
mod pack;
#[cfg(test)]
mod tests;

pub use fault::BundleError;
pub use open::{Opened, open};
pub use pack::pack;
use serde::{Deserialize, Serialize};

/// The version of the manifest that this tailmark writes and reads.
pub const BUNDLE_VERSION: u32 = 1;

/// The name of the manifest.
pub const MANIFEST: &str = "bundle.json";

/// What a bundle must have.
pub const NEEDED: [&str; 3] = ["run.json", "samples.csv", "scenario.toml"];

/// What it has where the run folder does: the rest of the record, and what was rendered of it.
pub const ALSO: [&str; 6] =
    ["timeline.json", "report.md", "report.html", "junit.xml", "summary.csv", "metrics.txt"];

/// The ending of the pictures of a report, which go in too.
const PICTURE: &str = ".svg";

/// The largest manifest.
const MOST_MANIFEST: u64 = 1 << 20;
/// The largest member that is read whole.
const MOST_WHOLE: u64 = 1 << 28;
/// The largest file of samples: about 500 million of them.
const MOST_SAMPLES: u64 = 1 << 36;
/// The most members.
const MOST_MEMBERS: usize = 64;
/// No samples pack to less than this part of their size; what does unpacks without end.
const MOST_RATIO: u64 = 200;
/// A small archive may unpack to this all the same.
const ALWAYS: u64 = 1 << 24;

/// What a bundle holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`BUNDLE_VERSION`] of the tailmark that wrote it.
    pub bundle_version: u32,
    /// Version of the tailmark that wrote it.
    pub tailmark: String,
    /// Its files, by name.
    pub members: Vec<Member>,
}

/// A file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name in the run folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Whether a file of that name belongs into a bundle.
fn belongs(name: &str) -> bool {
    let picture = name
        .strip_suffix(PICTURE)
        .is_some_and(|stem| !stem.is_empty() && stem.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    picture || NEEDED.contains(&name) || ALSO.contains(&name)
}

/// The most bytes of a member.
fn most_bytes(name: &str) -> u64 {
    if name == "samples.csv" { MOST_SAMPLES } else { MOST_WHOLE }
}

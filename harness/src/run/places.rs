//! The folders that a run reads and writes.

use std::path::Path;

/// Where a run finds what it needs, and where it leaves what it saw.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The folder in which the run's own folder is made.
    pub runs: &'a Path,
    /// A Python interpreter with the workers' packages, instead of an environment made by tailmark.
    pub python: Option<&'a Path>,
    /// The folder in which models are kept, instead of the one in the user's cache.
    pub model_store: Option<&'a Path>,
    /// The file of the scenario, beside which models of the hub are pinned; `None` for one that comes with tailmark.
    pub scenario: Option<&'a Path>,
}

//! Load models: when requests are started. A load model is data and a rule; the driver has the one loop that follows it.
//!
//! Adding one is a file here and a line in [`KINDS`].

mod closed;

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use crate::scenario::LoadSection;

/// When requests are started.
pub trait Rule: fmt::Debug + Send + Sync {
    /// The kind's name in a scenario.
    fn kind(&self) -> &'static str;

    /// How many requests may be in flight at once.
    fn concurrency(&self) -> usize;

    /// One sentence for the report: what kind of caller this is, and what it leaves out.
    fn note(&self) -> String;

    /// When the next request is due, given since when a slot has been free for it.
    fn next_start(&self, slot_free_since: Instant) -> Instant;
}

/// A load model that passed its checks.
pub type LoadModel = Arc<dyn Rule>;

/// The key at fault in `[load]`, and why.
pub type ReadFault = (&'static str, String);

/// A kind of load model.
#[derive(Clone, Copy, Debug)]
pub struct LoadKind {
    /// Name in a scenario.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Reads and checks the section.
    pub read: fn(&LoadSection) -> Result<LoadModel, ReadFault>,
}

/// Every load model.
pub const KINDS: &[LoadKind] = &[closed::KIND];

/// The load model of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static LoadKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_models_have_names_of_their_own_and_accept_their_defaults() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|other| other.name != kind.name), "{}", kind.name);
            let model = (kind.read)(&LoadSection::default()).expect(kind.name);
            assert_eq!(model.kind(), kind.name);
            assert!(!model.note().is_empty());
        }
    }
}

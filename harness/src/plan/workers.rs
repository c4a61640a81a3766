//! What happens when a worker is lost, and how much memory one may use.

use crate::scenario::{self, WorkersSection};

/// Lost workers of one backend that can be replaced at most.
const MOST_REPLACEMENTS: u32 = 100;

/// What holds for the workers of every backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkersPlan {
    /// How many lost workers of a backend are replaced.
    pub max_replacements: u32,
    /// The most resident memory of one worker, in bytes; `None` without a limit.
    pub max_memory: Option<u64>,
}

/// Reads `[workers]`; the faults are a key and a sentence each.
pub(super) fn workers(section: &WorkersSection) -> Result<WorkersPlan, Vec<(&'static str, String)>> {
    let mut faults = Vec::new();
    let max_replacements = section.max_replacements.unwrap_or_default();
    if max_replacements > MOST_REPLACEMENTS {
        let why = format!("{max_replacements} replacements; must be between 0 and {MOST_REPLACEMENTS}");
        faults.push(("max_replacements", why));
    }
    let max_memory = section.max_memory.as_deref().map(scenario::memory).transpose();
    match max_memory {
        Ok(max_memory) if faults.is_empty() => {
            Ok(WorkersPlan { max_replacements, max_memory: max_memory.map(|bytes| bytes as u64) })
        }
        Ok(_) => Err(faults),
        Err(why) => {
            faults.push(("max_memory", why));
            Err(faults)
        }
    }
}

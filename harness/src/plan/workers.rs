//! What happens to workers that are lost, and how much memory one may take.

use super::resolve::{Faults, key};
use crate::scenario::{self, Scenario};

/// Lost workers of one backend that can be replaced at most.
const MOST_RESTARTS: u32 = 100;

/// What holds for the workers of every backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkersPlan {
    /// How many lost workers of a backend are replaced.
    pub max_restarts: u32,
    /// The most resident memory of one worker, in bytes; `None` without a limit.
    pub max_memory: Option<u64>,
}

pub(super) fn workers(scenario: &Scenario, faults: &mut Faults<'_>) -> WorkersPlan {
    let section = &scenario.workers;
    let max_restarts = section.max_restarts.unwrap_or_default();
    if max_restarts > MOST_RESTARTS {
        let why =
            format!("{max_restarts} lost workers to be replaced; between 0 and {MOST_RESTARTS} are possible");
        faults.add(&[key("workers"), key("max_restarts")], why);
    }
    let max_memory = section.max_memory.as_deref().and_then(|text| match scenario::memory(text) {
        Ok(bytes) => Some(bytes as u64),
        Err(why) => {
            faults.add(&[key("workers"), key("max_memory")], why);
            None
        }
    });
    WorkersPlan { max_restarts, max_memory }
}

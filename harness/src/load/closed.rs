//! The closed model: a fixed number of callers, each of which asks again as soon as it was answered.

use std::sync::Arc;

use tokio::time::Instant;

use super::{LoadKind, LoadModel, ReadFault, Rule};
use crate::scenario::LoadSection;

/// The entry in the table of load models.
pub(super) const KIND: LoadKind =
    LoadKind { name: "closed", summary: "the next request starts when a slot is free", read };

#[derive(Debug)]
struct Closed {
    concurrency: u32,
}

fn read(section: &LoadSection) -> Result<LoadModel, ReadFault> {
    let concurrency = section.concurrency.unwrap_or(1);
    if !(1..=10_000).contains(&concurrency) {
        return Err(("concurrency", format!("{concurrency} slots; between 1 and 10000 are possible")));
    }
    Ok(Arc::new(Closed { concurrency }))
}

impl Rule for Closed {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn concurrency(&self) -> usize {
        self.concurrency as usize
    }

    fn note(&self) -> String {
        format!(
            "closed model, concurrency {}: no arrival rate was promised; callers wait for an answer before they ask \
             again, so queues never build up",
            self.concurrency
        )
    }

    fn next_start(&self, slot_free_since: Instant) -> Instant {
        slot_free_since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_slots_and_absurdly_many_are_refused_by_name() {
        for concurrency in [0, 10_001] {
            let section = LoadSection { concurrency: Some(concurrency), ..LoadSection::default() };
            let (key, why) = read(&section).expect_err("refused");
            assert_eq!(key, "concurrency");
            assert!(why.contains(&concurrency.to_string()), "{why}");
        }
    }
}

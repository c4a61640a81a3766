//! What the open models share: reading a rate and the two bounds, and the note that says what kind of caller they stand for.

use std::time::Duration;

use tailmark_reports::units;

use super::rule::{Limits, ReadFault, Schedule};
use crate::scenario::{self, LoadSection};

/// The highest rate that can be asked for, per second: one request a microsecond is more than one thread can start.
pub const FASTEST: f64 = 1e6;
/// The lowest rate that can be asked for, per second: one request in about a quarter of an hour.
const SLOWEST: f64 = 1e-3;
/// Requests that may wait for a slot, unless it is said otherwise: these, or those of one second if that is more.
const QUEUE: u32 = 1_000;

/// A rate in requests per second.
pub(super) fn rate(text: Option<&str>, key: &'static str, faults: &mut Vec<ReadFault>) -> f64 {
    let Some(text) = text else {
        faults.push((key, format!("missing; write requests per second, for example {key} = \"30/s\"")));
        return 1.0;
    };
    match scenario::rate(text) {
        Ok(rate) if (SLOWEST..=FASTEST).contains(&rate) => rate,
        Ok(rate) => {
            faults.push((key, format!("{rate}/s; must be between {SLOWEST}/s and {FASTEST}/s")));
            1.0
        }
        Err(why) => {
            faults.push((key, why));
            1.0
        }
    }
}

/// How many requests of an open model may be in flight and wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    max_in_flight: Option<u32>,
    max_queue: u32,
}

impl Bounds {
    /// The section's bounds for a load of so many requests per second.
    pub(super) fn read(section: &LoadSection, rate: f64, faults: &mut Vec<ReadFault>) -> Self {
        if let Some(most) = section.max_in_flight.filter(|most| !(1..=1_000).contains(most)) {
            faults.push((
                "max_in_flight",
                format!("{most} requests; must be between 1 and 1000, more wait in the queue"),
            ));
        }
        let queue = section.max_queue.unwrap_or_else(|| QUEUE.max(rate.ceil() as u32));
        if !(1..=10_000_000).contains(&queue) {
            faults.push(("max_queue", format!("{queue} requests; must be between 1 and 10000000")));
        }
        Self { max_in_flight: section.max_in_flight, max_queue: queue }
    }

    pub(super) fn limits(self) -> Limits {
        Limits::Queue { max_in_flight: self.max_in_flight, max_queue: self.max_queue }
    }
}

/// The sentence about what callers these are.
pub(super) fn note(what: &str) -> String {
    format!(
        "open model, {what}: each request is timed from when it was scheduled, so one that finds no free slot waits and the \
         wait counts; nothing is skipped"
    )
}

/// A rate as it is shown.
pub(super) fn per_second(rate: f64) -> String {
    units::rate(rate)
}

/// A schedule that runs by itself.
pub(super) struct Endless<F>(pub(super) F);

impl<F: FnMut() -> Option<Duration> + Send> Schedule for Endless<F> {
    fn next(&mut self) -> Option<Duration> {
        (self.0)()
    }

    fn answered(&mut self, _: Duration) {}
}

//! The closed model: a fixed number of callers, each of which sends its next request some time after its answer, or at once.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailmark_reports::units;

use super::rule::{Limits, LoadKind, LoadModel, ReadFault, Rule, Schedule};
use crate::scenario::{self, LoadSection};

/// The entry in the table of load models.
pub(super) const KIND: LoadKind = LoadKind {
    name: "closed",
    summary: "the next request starts when a slot is free",
    keys: &["concurrency", "think_time"],
    fill_in: |load| {
        load.concurrency.get_or_insert(1);
        load.think_time.get_or_insert_with(|| vec!["0ms".to_owned()]);
    },
    at_rate: None,
    read,
};

/// Callers at most; each costs a slot, and a worker that has more than a thousand requests waiting is not being measured.
const MOST_CALLERS: u32 = 1_000;

#[derive(Debug)]
struct Closed {
    callers: u32,
    think_time: Duration,
}

/// The model of so many callers.
pub(super) fn of(callers: u32, think_time: Duration) -> LoadModel {
    Arc::new(Closed { callers, think_time })
}

fn read(section: &LoadSection, _: Option<&Path>) -> Result<LoadModel, Vec<ReadFault>> {
    let mut faults = Vec::new();
    let callers = section.concurrency.unwrap_or(1);
    if !(1..=MOST_CALLERS).contains(&callers) {
        faults.push(("concurrency", format!("{callers} slots; must be between 1 and {MOST_CALLERS}")));
    }
    // Several gaps are several backends by the time this is read: each has one.
    let think_time = match section.think_time.as_deref().unwrap_or_default() {
        [] => Duration::ZERO,
        [gap, ..] => scenario::gap(gap).unwrap_or_else(|why| {
            faults.push(("think_time", why));
            Duration::ZERO
        }),
    };
    if faults.is_empty() { Ok(of(callers, think_time)) } else { Err(faults) }
}

impl Rule for Closed {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn text(&self) -> String {
        let pause = if self.think_time.is_zero() {
            String::new()
        } else {
            format!(", think time {}", units::duration(self.think_time.as_nanos() as f64))
        };
        format!("closed, concurrency {}{pause}", self.callers)
    }

    fn note(&self) -> String {
        let callers = units::counted(u64::from(self.callers), "caller");
        format!(
            "closed model: there is no fixed arrival rate; {callers} in all, and each waits for its answer before it sends the \
             next request, so queues never build up"
        )
    }

    fn limits(&self) -> Limits {
        Limits::Callers(self.callers)
    }

    fn due_within(&self, time: Duration) -> f64 {
        // An answer takes no time here, so this is the most there can be.
        let each = (time.as_secs_f64() / self.think_time.as_secs_f64()).floor() + 1.0;
        f64::from(self.callers) * each
    }

    fn schedule(&self, _: u64) -> Box<dyn Schedule> {
        let due = std::iter::repeat_n(Duration::ZERO, self.callers as usize).collect();
        Box::new(Callers { due, think_time: self.think_time })
    }
}

struct Callers {
    /// When each caller that waits for nothing asks, rising: all think for as long, so they ask in the order of their
    /// answers.
    due: VecDeque<Duration>,
    think_time: Duration,
}

impl Schedule for Callers {
    fn next(&mut self) -> Option<Duration> {
        self.due.pop_front()
    }

    fn answered(&mut self, at: Duration) {
        self.due.push_back(at + self.think_time);
    }
}

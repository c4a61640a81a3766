//! Counts what comes and goes in each stage of a drive, and says which stage an arrival belongs to.

use std::time::Duration;

use tokio::time::Instant;

use super::stage::{Driven, Ended, Stage};
use crate::sample::Flow;

/// The books of a drive.
pub(super) struct Books<'a> {
    stages: &'a [Stage],
    flows: Vec<Flow>,
    /// Index of the present stage.
    present: usize,
    /// When each stage that was begun began.
    began: Vec<Instant>,
    /// When the observer had seen enough of it.
    enough: Option<Instant>,
    in_system: u64,
    looked: Instant,
}

impl<'a> Books<'a> {
    /// Begins with the first stage.
    pub(super) fn open(stages: &'a [Stage], begun: Instant) -> Self {
        Self {
            stages,
            flows: vec![Flow::default(); stages.len().min(1)],
            present: 0,
            began: vec![begun; stages.len().min(1)],
            enough: None,
            in_system: 0,
            looked: begun,
        }
    }

    /// Whether there is a stage for a request that is due then. A stage begins with its first request; if none is due in as
    /// long as it may last, its time goes by all the same.
    pub(super) fn admits(&self, at: Instant) -> bool {
        if self.present_admits(at) {
            return true;
        }
        let mut over = self.present_over();
        self.later().iter().any(|stage| {
            let admits = over.is_some_and(|over| is_within(at, over, stage));
            over = over.and_then(|over| behind(over, stage));
            admits
        })
    }

    /// When the time of every stage is over, if nothing else ends them.
    pub(super) fn over(&self) -> Option<Instant> {
        self.later().iter().try_fold(self.present_over()?, behind)
    }

    fn later(&self) -> &[Stage] {
        self.stages.get(self.present + 1..).unwrap_or_default()
    }

    fn present_admits(&self, at: Instant) -> bool {
        let (Some(stage), Some(flow)) = (self.stages.get(self.present), self.flows.get(self.present)) else {
            return false;
        };
        self.enough.is_none()
            && flow.arrived < stage.max_requests
            && at.saturating_duration_since(self.began[self.present]) < stage.max_time
    }

    /// When the present stage was over, or will be at the latest, and not before what was seen last; `None` if only its requests
    /// end it.
    fn present_over(&self) -> Option<Instant> {
        let (stage, flow) = (self.stages.get(self.present)?, self.flows.get(self.present)?);
        let began = self.began[self.present];
        let is_full = flow.arrived >= stage.max_requests;
        let full = is_full.then(|| began + flow.arriving);
        let over = self.enough.or(full).or_else(|| began.checked_add(stage.max_time))?;
        Some(over.max(self.looked))
    }

    /// A request is due: its stage and number, or `None` when there is no stage for it.
    pub(super) fn arrive(&mut self, scheduled: Instant) -> Option<(usize, u64)> {
        while !self.present_admits(scheduled) {
            let next = self.later().first()?;
            let over = self.present_over()?;
            let begins = if is_within(scheduled, over, next) { scheduled } else { over };
            self.advance(begins);
        }
        self.pass(scheduled);
        self.in_system += 1;
        let (stage, flow) = (&self.stages[self.present], &mut self.flows[self.present]);
        let number = stage.first_number + flow.arrived;
        flow.arrived += 1;
        flow.arriving = scheduled.saturating_duration_since(self.began[self.present]);
        Some((self.present, number))
    }

    /// A request ended. Its start counts for the stage in whose time it was, which is a later one than its own when there is
    /// a backlog.
    pub(super) fn leave(&mut self, started: Instant, finished: Instant) {
        self.pass(finished);
        self.in_system = self.in_system.saturating_sub(1);
        let stage = self.began.iter().rposition(|began| *began <= started).unwrap_or_default();
        let flow = &mut self.flows[stage];
        flow.started += 1;
        flow.starting = flow.starting.max(started.saturating_duration_since(self.began[stage]));
    }

    /// A request of that stage was given up in the queue.
    pub(super) fn give_up(&mut self, stage: usize, now: Instant) {
        self.pass(now);
        self.in_system = self.in_system.saturating_sub(1);
        self.flows[stage].given_up += 1;
    }

    /// The driver itself did not run for so long while requests became due.
    pub(super) fn stall(&mut self, stalled: Duration) {
        if let Some(flow) = self.flows.get_mut(self.present) {
            flow.stalled += stalled;
        }
    }

    /// So many are in flight and waiting.
    pub(super) fn count(&mut self, in_flight: usize, waiting: usize) {
        if let Some(flow) = self.flows.get_mut(self.present) {
            flow.most_in_flight = flow.most_in_flight.max(in_flight as u64);
            flow.most_waiting = flow.most_waiting.max(waiting as u64);
        }
    }

    /// The observer has seen enough of a stage; what it says of one that is over changes nothing.
    pub(super) fn seen_enough(&mut self, stage: usize) {
        if stage == self.present {
            self.enough.get_or_insert(self.looked);
        }
    }

    /// No request was due in what was left of the time of the stages, which is over by now.
    pub(super) fn time_is_over(&mut self) {
        while let (Some(over), Some(_)) = (self.present_over(), self.later().first()) {
            self.advance(over);
        }
        if let Some(over) = self.present_over() {
            self.pass(over);
        }
    }

    pub(super) fn close(mut self, ended: Ended) -> Driven {
        if let Some(flow) = self.flows.get_mut(self.present) {
            flow.elapsed = self.looked.saturating_duration_since(self.began[self.present]);
        }
        Driven { ended, stages: self.flows }
    }

    /// Time went by until then.
    fn pass(&mut self, now: Instant) {
        let went_by = now.saturating_duration_since(self.looked);
        if let Some(flow) = self.flows.get_mut(self.present) {
            flow.in_system_ns += u128::from(self.in_system) * went_by.as_nanos();
        }
        self.looked += went_by;
    }

    fn advance(&mut self, now: Instant) {
        self.pass(now);
        self.flows[self.present].elapsed = now.saturating_duration_since(self.began[self.present]);
        self.flows.push(Flow::default());
        self.present += 1;
        self.began.push(now);
        self.enough = None;
    }
}

/// Whether a stage that can begin at `from` at the earliest has a place for a request that is due then.
fn is_within(at: Instant, from: Instant, stage: &Stage) -> bool {
    stage.max_requests > 0 && at.saturating_duration_since(from) < stage.max_time
}

/// When a stage that begins then is over at the latest.
fn behind(from: Instant, stage: &Stage) -> Option<Instant> {
    if stage.max_requests == 0 { Some(from) } else { from.checked_add(stage.max_time) }
}

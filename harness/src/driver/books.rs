//! Counts what comes and goes in each stage of a drive, and says which stage an arrival belongs to.

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
    /// Whether the observer has seen enough of it.
    enough: bool,
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
            enough: false,
            in_system: 0,
            looked: begun,
        }
    }

    /// Whether there is a stage for a request that is due then.
    pub(super) fn admits(&self, at: Instant) -> bool {
        let later = self.stages.get(self.present + 1..).unwrap_or_default();
        self.present_admits(at) || later.iter().any(|stage| stage.max_requests > 0)
    }

    fn present_admits(&self, at: Instant) -> bool {
        let (Some(stage), Some(flow)) = (self.stages.get(self.present), self.flows.get(self.present)) else {
            return false;
        };
        !self.enough
            && flow.arrived < stage.max_requests
            && at.saturating_duration_since(self.began[self.present]) < stage.max_time
    }

    /// A request is due: its stage and number, or `None` when there is no stage for it.
    pub(super) fn arrive(&mut self, scheduled: Instant) -> Option<(usize, u64)> {
        while !self.present_admits(scheduled) {
            if self.present + 1 >= self.stages.len() {
                return None;
            }
            self.advance(scheduled);
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

    /// So many are in flight and waiting.
    pub(super) fn count(&mut self, in_flight: usize, waiting: usize) {
        if let Some(flow) = self.flows.get_mut(self.present) {
            flow.most_in_flight = flow.most_in_flight.max(in_flight as u64);
            flow.most_waiting = flow.most_waiting.max(waiting as u64);
        }
    }

    /// The observer has seen enough of a stage; what it says of one that is over changes nothing.
    pub(super) fn seen_enough(&mut self, stage: usize) {
        self.enough |= stage == self.present;
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
        self.enough = false;
    }
}

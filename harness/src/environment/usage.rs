//! From cumulative counters to shares: over the whole watch, and over the stretches between looks.
//!
//! Pure: the times and the readings are given.

use std::time::Duration;

use super::conditions::{DISTURBED_FROM, OthersCpu};
use super::processors::Reading;

/// Shortest stretch that is judged alone. Counters move in ticks of 10 ms, so here they are right to about 2 %.
pub(super) const SHORTEST_STRETCH: Duration = Duration::from_millis(500);

/// Readings seen so far, summed up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    first: Option<Reading>,
    last: Option<Reading>,
    stretch_began: Option<(Duration, Reading)>,
    stretches: Duration,
    disturbed: Duration,
    busiest: Option<f64>,
}

impl Usage {
    /// Adds a reading taken `at` some time after the watch began. Readings come in the order of time.
    pub(super) fn add(&mut self, at: Duration, reading: Reading) {
        self.first.get_or_insert(reading);
        self.last = Some(reading);
        let (began, before) = *self.stretch_began.get_or_insert((at, reading));
        let length = at.saturating_sub(began);
        if length < SHORTEST_STRETCH {
            // Joined to the next, because the counters' ticks would be a large part of so short a time.
            return;
        }
        self.stretch_began = Some((at, reading));
        let Some(share) = others(before, reading) else { return };
        self.stretches += length;
        self.busiest = Some(self.busiest.map_or(share, |busiest| busiest.max(share)));
        if share > DISTURBED_FROM {
            self.disturbed += length;
        }
    }

    /// What others used; `None` when the counters have not moved.
    pub(super) fn others(&self) -> Option<OthersCpu> {
        let mean_share = others(self.first?, self.last?)?;
        let all = self.stretches.as_secs_f64();
        let disturbed_share = (all > 0.0).then(|| self.disturbed.as_secs_f64() / all);
        Some(OthersCpu { mean_share, disturbed_share, busiest_share: self.busiest })
    }

    /// What the hypervisor gave to other guests.
    pub(super) fn steal_share(&self) -> Option<f64> {
        let (first, last) = (self.first?, self.last?);
        share(last.stolen? - first.stolen?, last.capacity - first.capacity)
    }
}

fn others(first: Reading, last: Reading) -> Option<f64> {
    let (busy, own) = (last.busy - first.busy, last.own - first.own);
    share(busy - own, last.capacity - first.capacity)
}

/// The machine's counters and a process's are kept apart by the kernel and may differ by a tick or two.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two processors, a hundred ticks a second: seconds, and ticks used by all and by tailmark.
    fn watched(looks: &[(f64, f64, f64)]) -> Usage {
        let mut usage = Usage::default();
        for &(seconds, busy, own) in looks {
            let stolen = Some(seconds * 2.0);
            let reading = Reading { capacity: seconds * 200.0, busy, own, stolen };
            usage.add(Duration::from_secs_f64(seconds), reading);
        }
        usage
    }

    #[test]
    fn what_tailmark_used_is_not_held_against_others() {
        let others = watched(&[(0.0, 0.0, 0.0), (10.0, 1_100.0, 1_000.0)]).others().unwrap();
        assert_eq!(others.mean_share, 0.05);
        assert_eq!(others.disturbed_share, Some(0.0));
        assert_eq!(others.busiest_share, Some(0.05));
    }

    #[test]
    fn a_burst_is_seen_although_the_mean_hides_it() {
        let usage = watched(&[(0.0, 0.0, 0.0), (9.0, 900.0, 900.0), (10.0, 1_100.0, 900.0)]);
        let others = usage.others().unwrap();
        assert_eq!(others.mean_share, 0.1);
        assert_eq!(others.busiest_share, Some(1.0));
        assert!((others.disturbed_share.unwrap() - 0.1).abs() < 1e-9, "{others:?}");
    }

    #[test]
    fn short_stretches_are_joined_to_the_next() {
        let usage = watched(&[(0.0, 0.0, 0.0), (0.3, 60.0, 0.0), (1.2, 60.0, 0.0)]);
        let others = usage.others().unwrap();
        assert_eq!(others.busiest_share, Some(0.25));
        assert_eq!(others.disturbed_share, Some(0.0), "a quarter is not above a quarter");
        let only_short = watched(&[(0.0, 0.0, 0.0), (0.3, 60.0, 0.0)]).others().unwrap();
        assert_eq!(only_short.disturbed_share, None);
        assert_eq!(only_short.mean_share, 1.0);
    }

    #[test]
    fn counters_that_stand_still_say_nothing_and_ticks_out_of_step_are_no_negative_share() {
        assert_eq!(watched(&[(1.0, 0.0, 0.0)]).others(), None);
        assert_eq!(watched(&[]).steal_share(), None);
        let usage = watched(&[(0.0, 0.0, 0.0), (1.0, 100.0, 102.0)]);
        assert_eq!(usage.others().unwrap().mean_share, 0.0);
        assert_eq!(usage.steal_share(), Some(0.01));
    }
}

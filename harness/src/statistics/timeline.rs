//! Latency over time in flat memory: neighboring requests share a group once there are many.

use tailmark_reports::record::{Phase, TimelineGroup};

const MOST_GROUPS: usize = 2_000;

/// Collects groups of neighboring requests; when there are too many, neighbors of the same phase and restart are put
/// together. The fastest and the slowest of every group are kept, so an outlier is never thinned away.
#[derive(Debug)]
pub struct Timeline {
    groups: Vec<TimelineGroup>,
    requests_per_group: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { groups: Vec::new(), requests_per_group: 1 }
    }
}

impl Timeline {
    /// Adds a request that began `at_ns` into the backend's own time; `None` for one that failed.
    pub fn record(&mut self, phase: Phase, restart: u32, at_ns: u64, response_ns: Option<u64>) {
        let one = TimelineGroup {
            phase,
            restart,
            at_ns,
            requests: 1,
            failures: u64::from(response_ns.is_none()),
            min_ns: response_ns,
            max_ns: response_ns,
        };
        match self.groups.last_mut() {
            Some(last) if last.requests < self.requests_per_group && same(last, &one) => absorb(last, &one),
            _ => self.groups.push(one),
        }
        if self.groups.len() > MOST_GROUPS {
            self.thin();
        }
    }

    /// The groups, in order of time.
    #[must_use]
    pub fn groups(&self) -> &[TimelineGroup] {
        &self.groups
    }

    fn thin(&mut self) {
        self.requests_per_group *= 2;
        let limit = self.requests_per_group;
        self.groups.dedup_by(|next, kept| {
            let together = same(kept, next) && kept.requests + next.requests <= limit;
            if together {
                absorb(kept, next);
            }
            together
        });
    }
}

fn same(a: &TimelineGroup, b: &TimelineGroup) -> bool {
    a.phase == b.phase && a.restart == b.restart
}

fn absorb(into: &mut TimelineGroup, other: &TimelineGroup) {
    into.requests += other.requests;
    into.failures += other.failures;
    into.min_ns = into.min_ns.into_iter().chain(other.min_ns).min();
    into.max_ns = into.max_ns.max(other.max_ns);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_every_request_counted_and_every_outlier_visible() {
        let mut timeline = Timeline::default();
        for n in 0..100_000_u64 {
            let response = match n {
                77_777 => Some(9_000_000),
                12_345 => None,
                _ => Some(1_000 + n % 7),
            };
            timeline.record(if n < 50 { Phase::WarmUp } else { Phase::Steady }, 1, n, response);
        }
        let groups = timeline.groups();
        assert!(groups.len() <= MOST_GROUPS);
        assert_eq!(groups.iter().map(|group| group.requests).sum::<u64>(), 100_000);
        assert_eq!(groups.iter().map(|group| group.failures).sum::<u64>(), 1);
        assert_eq!(groups.iter().filter_map(|group| group.max_ns).max(), Some(9_000_000));
        let warm_up: u64 =
            groups.iter().filter(|group| group.phase == Phase::WarmUp).map(|group| group.requests).sum();
        assert_eq!(warm_up, 50, "phases are never put together");
    }
}

//! The P95 of all requests pooled beside the P95 of the steady state, and which requests make the difference.
//!
//! Requests are counted, group by group, against a percentile that the record holds; nothing is estimated.

use crate::record::{BackendRecord, Phase};
use crate::units;
use crate::view::{latency, percentile, phase};

const QUANTILE: f64 = 0.95;

/// Two or three sentences; `None` when a phase or a percentile is missing, or nothing was mixed in.
pub(super) fn sentence(backend: &BackendRecord) -> Option<String> {
    let value = |of| percentile(latency(backend, of)?, QUANTILE)?.value_ns;
    let (mixed, steady) = (value(Phase::Mixed)?, value(Phase::Steady)?);
    let total = phase(backend, Phase::Mixed)?.requests;
    let others = total.checked_sub(phase(backend, Phase::Steady)?.requests).filter(|others| *others > 0)?;
    let [mixed_text, steady_text] = [mixed, steady].map(|value| units::duration(value as f64));
    let name = units::percentile(QUANTILE);
    let mut said = format!(
        "With cold start and warm-up mixed in, {name} is {mixed_text}; in steady state it is {steady_text}. {} of the {} \
         ({}) {} cold start or warm-up, and the slowest {} decide the {name}.",
        units::count(others),
        units::counted(total, "request"),
        units::percent(others as f64 / total as f64),
        if others == 1 { "is" } else { "are" },
        units::percent(1.0 - QUANTILE),
    );
    let slower = Slower::than(backend, mixed);
    if slower.cold_start.sure + slower.warm_up.sure > 0 {
        said.push_str(&format!(
            " Of {} slower than {mixed_text}, {} {} and {} warm-up.",
            slower.all.text(),
            slower.cold_start.verb(),
            if slower.cold_start.sure == 1 { "a cold start" } else { "cold starts" },
            slower.warm_up.verb(),
        ));
    }
    Some(said)
}

/// A count of requests; where a group of the timeline is too coarse to tell, its slowest alone is sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    sure: u64,
    more_possible: bool,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.sure += other.sure;
        self.more_possible |= other.more_possible;
    }

    fn text(self) -> String {
        let number = units::counted(self.sure, "request");
        if self.more_possible { format!("at least {number}") } else { format!("the {number}") }
    }

    fn verb(self) -> String {
        let verb = if self.sure == 1 { "is" } else { "are" };
        let bound = if self.more_possible { "at least " } else { "" };
        if self.sure == 0 && !self.more_possible {
            "none are".to_owned()
        } else {
            format!("{bound}{} {verb}", units::count(self.sure))
        }
    }
}

/// Requests slower than some limit, failures included, by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slower {
    cold_start: Count,
    warm_up: Count,
    all: Count,
}

impl Slower {
    fn than(backend: &BackendRecord, limit: u64) -> Self {
        let mut slower = Self::default();
        for group in &backend.timeline {
            let answered = group.requests.saturating_sub(group.failures);
            let (sure, more_possible) = match (group.min_ns, group.max_ns) {
                (Some(fastest), Some(_)) if fastest > limit => (answered, false),
                // The fastest is not, the slowest is; of those between nothing is known.
                (Some(_), Some(slowest)) if slowest > limit => (1, answered > 2),
                _ => (0, false),
            };
            // A failure is infinitely slow, so it is over any limit.
            let count = Count { sure: sure + group.failures, more_possible };
            slower.all.add(count);
            match group.phase {
                Phase::ColdStart => slower.cold_start.add(count),
                Phase::WarmUp => slower.warm_up.add(count),
                Phase::Steady | Phase::Mixed => {}
            }
        }
        slower
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::record::TimelineGroup;

    fn group(phase: Phase, requests: u64, failures: u64, min_ns: u64, max_ns: u64) -> TimelineGroup {
        let answered = requests > failures;
        let [min_ns, max_ns] = [min_ns, max_ns].map(|value| answered.then_some(value));
        TimelineGroup { phase, restart: 1, at_ns: 0, requests, failures, min_ns, max_ns }
    }

    #[test]
    fn requests_over_the_limit_are_counted_by_phase_and_failures_are_among_them() {
        let mut backend = fixture::one().backends.remove(0);
        backend.timeline = vec![
            group(Phase::ColdStart, 1, 0, 300, 300),
            group(Phase::WarmUp, 4, 0, 21, 40),
            group(Phase::WarmUp, 2, 0, 10, 21),
            group(Phase::Steady, 3, 1, 5, 9),
            group(Phase::Steady, 2, 2, 0, 0),
        ];
        let sure = |sure| Count { sure, more_possible: false };
        let expected = Slower { cold_start: sure(1), warm_up: sure(5), all: sure(9) };
        assert_eq!(Slower::than(&backend, 20), expected);
    }

    #[test]
    fn of_groups_too_coarse_to_tell_only_the_slowest_is_counted() {
        let mut backend = fixture::one().backends.remove(0);
        backend.timeline = vec![group(Phase::WarmUp, 3, 0, 5, 25)];
        let slower = Slower::than(&backend, 20);
        assert_eq!(
            (slower.warm_up.verb(), slower.all.text()),
            ("at least 1 is".into(), "at least 1 request".into())
        );
    }

    #[test]
    fn a_backend_without_a_steady_state_has_nothing_to_compare() {
        let mut backend = fixture::one().backends.remove(0);
        backend.phases.retain(|phase| phase.phase != Phase::Steady);
        assert_eq!(sentence(&backend), None);
    }
}

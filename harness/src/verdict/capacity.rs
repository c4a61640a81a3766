//! What the rates that were certified come to: the verdict of each, and of the capacity they were declared for.

use tailmark_reports::record::{BackendRecord, Capacity, LittlesLaw, RunRecord, Verdict};

use super::worst;

/// Brings the capacities of a record up to date with the levels that were measured; Little's law of a level is asked for by
/// its backend's name.
pub fn judge_levels(record: &mut RunRecord, littles_law: impl Fn(&str) -> Option<LittlesLaw>) {
    let RunRecord { capacities, backends, .. } = record;
    for capacity in capacities {
        for level in &mut capacity.levels {
            let measured = backends.iter().find(|backend| backend.name == level.backend);
            level.verdict = measured.and_then(of_backend);
            level.littles_law = level.verdict.and_then(|_| littles_law(&level.backend));
        }
        find_bounds(capacity);
    }
}

/// Finds the highest rate that passed and the lowest that failed.
pub fn find_bounds(capacity: &mut Capacity) {
    let with = |wanted: Verdict| {
        let levels = capacity.levels.iter().filter(move |level| level.verdict == Some(wanted));
        levels.map(|level| level.offered_per_second)
    };
    let (highest, lowest) = (with(Verdict::Pass).reduce(f64::max), with(Verdict::Fail).reduce(f64::min));
    (capacity.highest_pass, capacity.lowest_fail) = (highest, lowest);
}

/// The verdict over everything that was judged; `None` when nothing was. A backend whose rates were judged passes with the
/// highest of them that does.
#[must_use]
pub fn overall(backends: &[BackendRecord], capacities: &[Capacity]) -> Option<Verdict> {
    if capacities.is_empty() {
        return worst(backends.iter().filter_map(of_backend));
    }
    worst(capacities.iter().map(|capacity| match (capacity.highest_pass, capacity.lowest_fail) {
        (Some(_), _) => Verdict::Pass,
        (None, Some(_)) => Verdict::Fail,
        (None, None) => Verdict::Inconclusive,
    }))
}

/// The worst verdict of a backend's objectives.
fn of_backend(backend: &BackendRecord) -> Option<Verdict> {
    worst(backend.verdicts.iter().map(|judged| judged.verdict))
}

#[cfg(test)]
mod tests {
    use tailmark_reports::record::Level;

    use super::*;

    /// A capacity with a level for each of these verdicts, at 10, 20, ... requests per second.
    fn certified(verdicts: &[Option<Verdict>]) -> Capacity {
        let level = |(index, verdict): (usize, &Option<Verdict>)| Level {
            offered_per_second: 10.0 * (index + 1) as f64,
            backend: format!("null-at-{}", 10 * (index + 1)),
            verdict: *verdict,
            littles_law: None,
        };
        let mut capacity = Capacity {
            backend: "null".to_owned(),
            load: "poisson".to_owned(),
            search: Vec::new(),
            levels: verdicts.iter().enumerate().map(level).collect(),
            highest_pass: None,
            lowest_fail: None,
            why_not: None,
        };
        find_bounds(&mut capacity);
        capacity
    }

    #[test]
    fn the_highest_rate_that_passed_and_the_lowest_that_failed_are_the_bounds() {
        let capacity = certified(&[Some(Verdict::Pass), Some(Verdict::Pass), Some(Verdict::Fail), None]);
        assert_eq!((capacity.highest_pass, capacity.lowest_fail), (Some(20.0), Some(30.0)));
    }

    #[test]
    fn a_backend_passes_with_its_highest_rate_and_a_run_only_if_every_backend_does() {
        let passed = certified(&[Some(Verdict::Pass), Some(Verdict::Fail)]);
        let failed = certified(&[Some(Verdict::Fail)]);
        let open = certified(&[Some(Verdict::Inconclusive)]);
        assert_eq!(overall(&[], std::slice::from_ref(&passed)), Some(Verdict::Pass));
        assert_eq!(overall(&[], &[passed.clone(), open]), Some(Verdict::Inconclusive));
        assert_eq!(overall(&[], &[passed, failed]), Some(Verdict::Fail));
        assert_eq!(overall(&[], &[]), None);
    }
}

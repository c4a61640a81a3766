//! What is said of a run or a backend in words, the same in every report: the mode, what a verdict rests on, the
//! warm-up, a drift; the load, a capacity, what ran and its vectors, lost workers and headlines in files of their own,
//! the execution outside, because the harness says it too. Every number in them is one of the record's.

pub(crate) mod capacity;
pub(crate) mod comparison;
pub(crate) mod decision;
pub(crate) mod equivalence;
pub(crate) mod headlines;
pub(crate) mod load;
pub(crate) mod losses;
pub(crate) mod model;
pub(crate) mod pairing;
pub(crate) mod ran;

use crate::indicator::noun;
use crate::record::{BackendRecord, Doubt, Drift, Indicator, ObjectiveVerdict, Phase, RunRecord};
use crate::units::{count, counted, figure, percent};
use crate::variations::reached;
use crate::view::{phase, trouble, verdict_and_objectives, verdict_or_state, worst_verdict};

/// More restarts than these are summed up instead of listed.
const LISTED: usize = 8;

/// What the mode means for the verdicts; `None` when nothing is to be said.
pub(crate) fn mode(record: &RunRecord) -> Option<String> {
    if record.mode == "quick" {
        let what = "Quick mode (--quick): decided as soon as the evidence allowed, with no minimum number of requests. The \
                    verdicts hold only if requests are independent of each other.";
        return Some(what.to_owned());
    }
    let horizon = record.horizon?;
    let restarts = counted(u64::from(horizon.restarts), "restart");
    Some(format!("No verdict is given before {} over {restarts}.", counted(horizon.requests, "request")))
}

/// Which backends the run's verdict covers, unless it is all: a PASS says nothing about what was not measured. `None` if it is,
/// or if there is no verdict.
pub(crate) fn scope(record: &RunRecord) -> Option<String> {
    record.overall?;
    let missing: Vec<String> = reached(record)
        .filter_map(|backend| Some(format!("{} ({})", backend.label, trouble(backend)?.0)))
        .collect();
    let all = reached(record).count() + record.not_asked_for.len();
    let covered = all - missing.len() - record.not_asked_for.len();
    let mut said = format!("It covers {covered} of {}.", counted(all as u64, "backend"));
    for (why, names) in
        [("Not measured, or only in part", &missing), ("Not asked for", &record.not_asked_for)]
    {
        let (named, more) = names.split_at(names.len().min(LISTED));
        if !named.is_empty() {
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            said.push_str(&format!(" {why}: {}{more}.", named.join(", ")));
        }
    }
    (covered < all).then_some(said)
}

/// What a verdict rests on: the count, the restarts, and how many independent requests they are worth; `None` where the
/// count says all.
pub(crate) fn evidence(indicator: Option<&Indicator>, judged: &ObjectiveVerdict) -> Option<String> {
    if judged.restarts.is_none() && judged.correlation_time.is_none() && judged.effective_requests.is_none() {
        return None;
    }
    let mut said = counted(judged.requests, indicator.map_or("request", noun));
    if let Some(restarts) = judged.restarts {
        said.push_str(&format!(" over {}", counted(u64::from(restarts), "restart")));
    }
    match judged.correlation_time {
        // A correlation of exceedances of which there is none cannot be estimated, and 1.00 would look like an estimate.
        Some(time) if judged.exceeded == 0 && time <= 1.0 => {
            said.push_str(
                "; none was over the limit, so no correlation between slow requests could be measured",
            );
            return Some(said);
        }
        Some(time) => said.push_str(&format!(", correlated over about {} requests", figure(time))),
        None => {}
    }
    if let Some(effective) = judged.effective_requests {
        said.push_str(&format!(", so worth {} independent ones", count(effective.round() as u64)));
    }
    Some(said)
}

/// The error bound of the verdict that the backend's own is taken from: the worst, and of equals the first.
pub(crate) fn deciding_bound(backend: &BackendRecord) -> Option<&str> {
    let worst = worst_verdict(backend)?;
    backend.verdicts.iter().find(|judged| judged.verdict == worst).map(|judged| judged.error_bound.as_str())
}

/// A backend in one line, for places where there are many: the verdict with its error bound, or why there is none, and how
/// many requests failed.
pub(crate) fn in_short(backend: &BackendRecord) -> String {
    let mut said = match (trouble(backend), deciding_bound(backend)) {
        (Some((what, why)), _) => format!("{what}: {}", why.lines().next().unwrap_or_default()),
        (None, Some(bound)) => format!("{}, {bound}", verdict_and_objectives(backend)),
        (None, None) => verdict_or_state(backend).to_owned(),
    };
    let failures = phase(backend, Phase::Steady).map_or(0, |steady| steady.failures);
    if failures > 0 {
        said.push_str(&format!("; {} failed", counted(failures, "request")));
    }
    if !backend.losses.is_empty() {
        said.push_str(&format!("; {} lost", counted(backend.losses.len() as u64, "worker")));
    }
    said
}

/// When each restart became steady; `None` when that was not looked for.
pub(crate) fn warm_up(backend: &BackendRecord) -> Option<String> {
    if backend.warm_up.is_empty() {
        return None;
    }
    let of = |steady| backend.warm_up.iter().filter(move |warm_up| warm_up.steady == steady);
    let steady: Vec<u64> = of(true).map(|warm_up| warm_up.requests).collect();
    let mut said = Vec::new();
    if !steady.is_empty() {
        said.push(format!("warm-up ended after {}", requests(&steady)));
    }
    let unsteady: Vec<u64> = of(false).map(|warm_up| warm_up.requests).collect();
    if !unsteady.is_empty() {
        let within = requests(&unsteady);
        let numbers: Vec<String> = of(false).map(|warm_up| warm_up.restart.to_string()).collect();
        said.push(match numbers.len() {
            all if all == backend.warm_up.len() => format!("no steady state within {within}"),
            1 => format!("no steady state in restart {} within {within}", numbers[0]),
            2..=LISTED => format!("no steady state in restarts {} within {within}", numbers.join(", ")),
            many => format!("no steady state in {many} restarts within {within}"),
        });
    }
    Some(said.join("; "))
}

/// `64, 50, 80 requests`; one number when all are equal, a range when there are many.
fn requests(counts: &[u64]) -> String {
    let (least, most) = (counts.iter().min().copied(), counts.iter().max().copied());
    match (least, most) {
        (Some(least), Some(most)) if least == most => counted(least, "request"),
        (Some(least), Some(most)) if counts.len() > LISTED => {
            format!("{} to {} requests", count(least), count(most))
        }
        _ => {
            format!("{} requests", counts.iter().map(|number| count(*number)).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A drift in words.
pub(crate) fn drift(drift: &Drift) -> String {
    let direction = if drift.change_per_thousand < 0.0 { "falls" } else { "rises" };
    format!(
        "drift: the response time {direction} by {} per 1,000 requests within a restart ({:+.1} standard deviations)",
        percent(drift.change_per_thousand.abs()),
        drift.deviate,
    )
}

/// The doubts, serious ones first.
pub(crate) fn doubts(record: &RunRecord) -> impl Iterator<Item = &Doubt> {
    let of = |serious| record.doubts.iter().filter(move |doubt| doubt.serious == serious);
    of(true).chain(of(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::record::WarmUp;

    #[test]
    fn the_end_of_each_warm_up_is_said_and_so_is_that_there_was_none() {
        let said = |ends: &[(u64, bool)]| {
            let mut backend = fixture::one().backends.remove(0);
            let each =
                (1..).zip(ends).map(|(restart, &(requests, steady))| WarmUp { restart, requests, steady });
            backend.warm_up = each.collect();
            warm_up(&backend).unwrap_or_default()
        };
        assert_eq!(said(&[]), "");
        assert_eq!(said(&[(64, true), (50, true), (80, true)]), "warm-up ended after 64, 50, 80 requests");
        assert_eq!(said(&[(50, true), (50, true)]), "warm-up ended after 50 requests");
        assert_eq!(said(&[(1_000, false)]), "no steady state within 1,000 requests");
        assert_eq!(
            said(&[(64, true), (1_000, false), (80, true)]),
            "warm-up ended after 64, 80 requests; no steady state in restart 2 within 1,000 requests"
        );
        let many: Vec<_> = (0..12).map(|index| (50 + index, true)).collect();
        assert_eq!(said(&many), "warm-up ended after 50 to 61 requests");
    }

    #[test]
    fn a_quick_run_says_what_it_takes_for_granted_and_another_what_it_waited_for() {
        let mut record = fixture::one();
        assert_eq!(
            mode(&record).as_deref(),
            Some("No verdict is given before 300 requests over 3 restarts.")
        );
        record.horizon = None;
        assert_eq!(mode(&record), None);
        record.mode = "quick".into();
        assert!(mode(&record).is_some_and(|said| said.contains("hold only if requests are independent")));
    }

    #[test]
    fn a_verdict_says_whom_it_does_not_cover() {
        assert_eq!(scope(&fixture::one()), None);
        let mut record = fixture::five();
        record.not_asked_for = vec!["python-torch-cpu".into()];
        assert_eq!(
            scope(&record).as_deref(),
            Some(
                "It covers 3 of 7 backends. Not measured, or only in part: torch-mps (not available here), \
                 rten-int8 (wrong), onnx-openvino (broken). Not asked for: python-torch-cpu."
            )
        );
        assert_eq!(scope(&fixture::nothing()), None, "there is no verdict");
    }

    #[test]
    fn where_nothing_was_over_the_limit_no_correlation_is_claimed() {
        let mut judged = fixture::one().backends.remove(0).verdicts.remove(0);
        (judged.exceeded, judged.correlation_time) = (0, Some(1.0));
        let said = evidence(None, &judged).unwrap_or_default();
        let expected = "480 requests over 3 restarts; none was over the limit, so no correlation between slow requests \
                        could be measured";
        assert_eq!(said, expected);
        judged.exceeded = 1;
        assert!(
            evidence(None, &judged).is_some_and(|said| said.contains("correlated over about 1.00 requests"))
        );
    }

    #[test]
    fn a_drift_is_named_with_its_direction() {
        let said = |change_per_thousand, deviate| drift(&Drift { change_per_thousand, deviate });
        assert_eq!(
            said(0.021, 4.2),
            "drift: the response time rises by 2.1 % per 1,000 requests within a restart (+4.2 standard deviations)"
        );
        assert!(said(-0.1, -5.0).contains("falls by 10 % per 1,000 requests within a restart (-5.0 "));
    }

    #[test]
    fn serious_doubts_come_first() {
        let record = fixture::five();
        let serious: Vec<bool> = doubts(&record).map(|doubt| doubt.serious).collect();
        assert_eq!(serious, [true, false]);
        assert!(!record.doubts[0].serious, "they do not in the record");
    }
}

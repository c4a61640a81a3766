//! From counts to PASS, FAIL or INCONCLUSIVE: the exact binomial test of the exceedance, with why and what next.
//!
//! Pure: knows no clock, no file, and not how the requests were made.

use std::time::Duration;

use tailmark_reports::record::{Indicator, Interval, Objective, ObjectiveVerdict, Stages, Verdict};
use tailmark_reports::units;

use crate::scenario::Percentile;
use crate::statistics::{Accumulator, exceedance_at_least, exceedance_at_most, exceedance_interval};

/// A percentile of the response time that must stay under a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// Which percentile.
    pub percentile: Percentile,
    /// The limit.
    pub limit: Duration,
    /// 1 - the largest accepted chance of a wrong decision, each way.
    pub confidence: f64,
}

/// The objective as the record has it.
#[must_use]
pub fn objective(wanted: &Wanted) -> Objective {
    Objective {
        text: format!(
            "{} response time < {}",
            wanted.percentile,
            units::duration(wanted.limit.as_nanos() as f64)
        ),
        indicator: Indicator::ResponseTime { quantile: wanted.percentile.0 },
        limit: wanted.limit.as_nanos() as f64,
        confidence: wanted.confidence,
    }
}

/// Judges the steady state of one backend by the objective of that index, which is also the index of its limit in the
/// accumulator.
///
/// `P_q < L` holds when the share of requests over L, failures included, is below 1 - q. PASS when so few would be over
/// it with probability at most 1 - confidence if the share were 1 - q, FAIL when so many would. (One-sided exact
/// binomial tests; Clopper & Pearson, Biometrika 26, 1934.) The count must not depend on the outcome.
#[must_use]
pub fn judge(index: usize, wanted: &Wanted, steady: &Accumulator) -> ObjectiveVerdict {
    let allowed = 1.0 - wanted.percentile.0;
    let (requests, exceeded) = (steady.requests(), steady.exceeded(index));
    let error = 1.0 - wanted.confidence;
    let verdict = decide(exceeded, requests, allowed, error);
    let exceedance = exceedance_interval(exceeded, requests, 2.0 * wanted.confidence - 1.0)
        .map(|(low, high)| Interval { value: exceeded as f64 / requests as f64, low, high: Some(high) });
    let stages = steady.summary(tailmark_reports::record::Phase::Steady).stages;
    ObjectiveVerdict {
        objective: index,
        verdict,
        error_bound: match verdict {
            Verdict::Inconclusive => "no decision, so no wrong one".to_owned(),
            _ => format!("wrong at most {} of the time, if requests are independent", units::percent(error)),
        },
        method: "exact binomial test (Clopper-Pearson) at a fixed count".to_owned(),
        requests,
        exceeded,
        exceedance,
        estimate: steady.quantile(wanted.percentile.0),
        why: why(wanted, steady, exceeded, requests, allowed),
        next: next(verdict, steady, stages.as_ref(), (exceeded, requests), (allowed, error)),
    }
}

fn decide(exceeded: u64, requests: u64, allowed: f64, error: f64) -> Verdict {
    if requests == 0 {
        Verdict::Inconclusive
    } else if exceedance_at_most(exceeded, requests, allowed) <= error {
        Verdict::Pass
    } else if exceedance_at_least(exceeded, requests, allowed) <= error {
        Verdict::Fail
    } else {
        Verdict::Inconclusive
    }
}

fn why(wanted: &Wanted, steady: &Accumulator, exceeded: u64, requests: u64, allowed: f64) -> String {
    if requests == 0 {
        return "no request was made in steady state".to_owned();
    }
    let estimate = match steady.quantile(wanted.percentile.0) {
        Some(Interval { value, low, high }) => {
            let high = high.map_or_else(|| "unbounded".to_owned(), units::duration);
            format!(
                "{} is {}, 95 % interval {} to {high}; ",
                wanted.percentile,
                units::duration(value),
                units::duration(low)
            )
        }
        None => String::new(),
    };
    format!(
        "{estimate}{} of {} requests ({}) took longer than {} or failed, and {} may",
        units::count(exceeded),
        units::count(requests),
        units::percent(exceeded as f64 / requests as f64),
        units::duration(wanted.limit.as_nanos() as f64),
        units::percent(allowed),
    )
}

fn next(
    verdict: Verdict,
    steady: &Accumulator,
    stages: Option<&Stages>,
    (exceeded, requests): (u64, u64),
    (allowed, error): (f64, f64),
) -> Option<String> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Fail => Some(match stages.map(largest) {
            Some((name, share, remedy)) => {
                format!("{name} is {} of the response time: {remedy}", units::percent(share))
            }
            None => "no request was answered; see the failures".to_owned(),
        }),
        Verdict::Inconclusive if requests == 0 => Some("raise min_requests".to_owned()),
        Verdict::Inconclusive => Some(match requests_to_decide(exceeded, requests, allowed, error) {
            Some(needed) => {
                let each = steady.elapsed().as_secs_f64() / requests as f64;
                let more = needed - requests;
                format!(
                    "at this rate about {} more requests ({}) would decide it: set min_requests = {needed}",
                    units::count(more),
                    units::duration(Duration::from_secs_f64(each * more as f64).as_nanos() as f64),
                )
            }
            None => {
                "the exceedance is too close to what is allowed to be decided by a larger count".to_owned()
            }
        }),
    }
}

/// The least count, if any up to a hundred million, at which the present exceedance would be decided.
fn requests_to_decide(exceeded: u64, requests: u64, allowed: f64, error: f64) -> Option<u64> {
    let share = exceeded as f64 / requests as f64;
    let decided = |count: u64| {
        decide((share * count as f64).round() as u64, count, allowed, error) != Verdict::Inconclusive
    };
    let mut high = requests;
    while !decided(high) {
        high = high.checked_mul(2).filter(|high| *high <= 100_000_000)?;
    }
    let mut low = requests;
    while low < high {
        let middle = low + (high - low) / 2;
        if decided(middle) { high = middle } else { low = middle + 1 }
    }
    Some(high)
}

fn largest(stages: &Stages) -> (&'static str, f64, &'static str) {
    let all = [
        ("waiting for a slot", stages.queue_ns, "allow more requests in flight, or offer fewer"),
        ("serialising", stages.serialise_ns, "send shorter texts or fewer per request"),
        ("tokenizing", stages.tokenize_ns, "send shorter texts or fewer per request"),
        (
            "inference",
            stages.infer_ns,
            "send shorter texts or fewer per request, give it more threads, or take a faster backend",
        ),
        ("pooling", stages.pool_ns, "send shorter texts or fewer per request"),
        ("the worker outside the model", stages.worker_other_ns, "look at the worker's stderr"),
        ("deserialising", stages.deserialise_ns, "send fewer texts per request"),
        ("the pipe", stages.pipe_ns, "place the backend in-process, or free a processor for the worker"),
    ];
    let total: f64 = all.iter().map(|(_, nanoseconds, _)| nanoseconds).sum();
    let (name, nanoseconds, remedy) =
        all.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("a list that is not empty: this is a bug");
    (name, if total > 0.0 { nanoseconds / total } else { 0.0 }, remedy)
}

/// The worst of several verdicts: FAIL before INCONCLUSIVE before PASS; `None` of none.
#[must_use]
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Option<Verdict> {
    verdicts.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_counts_that_decide_are_the_published_ones() {
        // 59 answers in time and none late pass P95 at 95 %, 93 with one late (MLPerf's early-stopping table).
        for (exceeded, least) in [(0, 59), (1, 93), (2, 124), (10, 336)] {
            assert_eq!(decide(exceeded, least, 0.05, 0.05), Verdict::Pass);
            assert_eq!(decide(exceeded, least - 1, 0.05, 0.05), Verdict::Inconclusive);
        }
    }

    #[test]
    fn far_too_many_late_answers_fail_and_a_share_at_the_limit_is_undecided() {
        assert_eq!(decide(200, 1000, 0.05, 0.05), Verdict::Fail);
        assert_eq!(decide(50, 1000, 0.05, 0.05), Verdict::Inconclusive);
        assert_eq!(decide(0, 0, 0.05, 0.05), Verdict::Inconclusive);
    }

    #[test]
    fn what_would_settle_it_does_settle_it() {
        let needed = requests_to_decide(40, 1000, 0.05, 0.05).expect("4 % can be told from 5 %");
        assert_ne!(decide((0.04 * needed as f64).round() as u64, needed, 0.05, 0.05), Verdict::Inconclusive);
        assert_eq!(requests_to_decide(50, 1000, 0.05, 0.05), None, "exactly at the limit nothing settles it");
    }

    #[test]
    fn the_worst_verdict_is_the_runs() {
        assert_eq!(worst([Verdict::Pass, Verdict::Inconclusive]), Some(Verdict::Inconclusive));
        assert_eq!(worst([Verdict::Fail, Verdict::Inconclusive]), Some(Verdict::Fail));
        assert_eq!(worst([]), None);
    }
}

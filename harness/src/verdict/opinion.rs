//! What a judge says at the end, or so far: the verdict of one objective with its error bound, why, and what next.

mod words;

use std::time::Duration;

use tailmark_reports::record::{self, Bound, Interval, ObjectiveVerdict, Verdict};
use tailmark_reports::units;
use words::{largest, more_requests, read_off_remedy, ruled_out, unseen_correlation};

use super::{Decision, Findings, Judge, Procedure, Reason, failures, fixed};
use crate::objective::Indicator;
use crate::statistics::{Accumulator, exceedance_interval, quantile_ranks};

/// What was measured of the backend, as far as a judge looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Figures<'a> {
    /// The steady state; `None` when it was not reached.
    pub steady: Option<&'a Accumulator>,
    /// Spawn to first vector of every restart, in nanoseconds; [`u64::MAX`] for one that never had a vector.
    pub cold_starts_ns: &'a [u64],
    /// Largest resident memory of any restart.
    pub peak_rss_bytes: Option<u64>,
    /// Smallest cosine similarity to a reference vector.
    pub min_cosine: Option<f64>,
}

/// A slow spell must have come and gone this many times in a run for the bound on errors to hold: in simulations with the
/// exceedance at the limit, runs of ten cycles of hot and cold or more pass falsely in less than 1 %, and those of two in 3 %
/// (docs/METHODOLOGY.md).
const CYCLES: f64 = 10.0;

impl Judge {
    /// The verdict from what there is; what is still open is INCONCLUSIVE.
    #[must_use]
    pub fn opinion(&self, figures: Figures<'_>) -> ObjectiveVerdict {
        let blank = ObjectiveVerdict {
            objective: self.index,
            verdict: Verdict::Inconclusive,
            error_bound: "no decision".to_owned(),
            method: String::new(),
            requests: 0,
            exceeded: 0,
            exceedance: None,
            estimate: None,
            restarts: None,
            correlation_time: None,
            effective_requests: None,
            requests_to_settle: None,
            band: Vec::new(),
            doubted: None,
            why: String::new(),
            next: None,
        };
        match (self.objective.indicator, &self.procedure) {
            (_, Some(procedure)) => self.sequential(procedure.clone(), figures, blank),
            (Indicator::ColdStart { .. }, None) => self.cold_start(figures, blank),
            (Indicator::Throughput, None) => self.rate(figures, blank),
            (Indicator::PeakRss, None) => {
                self.read_off(figures.peak_rss_bytes.map(|bytes| bytes as f64), blank)
            }
            (_, None) => self.read_off(figures.min_cosine, blank),
        }
    }

    fn sequential(
        &self,
        mut procedure: Procedure,
        figures: Figures<'_>,
        blank: ObjectiveVerdict,
    ) -> ObjectiveVerdict {
        let decision = procedure.conclude();
        let findings = procedure.findings();
        let (allowed, estimate) = match self.objective.indicator {
            Indicator::ResponseTime { quantile } => {
                (1.0 - quantile, figures.steady.and_then(|steady| steady.quantile(quantile)))
            }
            Indicator::ServiceTime { quantile } => {
                (1.0 - quantile, figures.steady.and_then(|steady| steady.service_quantile(quantile)))
            }
            _ => (self.objective.limit, None),
        };
        let exceedance = findings.share.map(|value| Interval {
            value,
            low: findings.interval.low,
            high: Some(findings.interval.high),
        });
        let verdict = match decision {
            Decision::Pass => Verdict::Pass,
            Decision::Fail => Verdict::Fail,
            Decision::Inconclusive(_) | Decision::Continue { .. } => Verdict::Inconclusive,
        };
        let band = procedure.band().into_iter().map(|point| record::BandPoint {
            requests: point.requests,
            share: point.share,
            low: point.interval.low,
            high: point.interval.high,
        });
        ObjectiveVerdict {
            verdict,
            error_bound: match verdict {
                Verdict::Inconclusive => blank.error_bound,
                _ => self.bound(figures.steady),
            },
            method: "sequential test of the share of requests over the limit, corrected for correlation (docs/METHODOLOGY.md)".into(),
            requests: findings.requests,
            exceeded: findings.exceedances,
            exceedance,
            estimate: estimate.or(match self.objective.indicator {
                Indicator::FailureShare => exceedance,
                _ => None,
            }),
            restarts: Some(findings.restarts),
            correlation_time: Some(findings.correlation.time).filter(|_| findings.correlation_was_seen),
            effective_requests: Some(findings.effective_requests).filter(|_| findings.correlation_was_seen),
            requests_to_settle: findings.requests_to_settle,
            band: band.collect(),
            why: self.why(&findings, decision, estimate, allowed, figures.steady),
            next: self.next(&findings, decision, figures.steady),
            ..blank
        }
    }

    fn bound(&self, steady: Option<&Accumulator>) -> String {
        let chance = self.chance_of_error();
        if self.quick {
            return format!("{chance}, provided requests are independent (--quick)");
        }
        let elapsed = steady.map_or(Duration::ZERO, Accumulator::elapsed);
        format!(
            "{chance}, provided slow phases come at least once every {} (a tenth of the steady state)",
            units::duration(elapsed.as_nanos() as f64 / CYCLES)
        )
    }

    fn chance_of_error(&self) -> String {
        format!("at most a {} chance of error", units::percent(1.0 - self.objective.confidence))
    }

    fn why(
        &self,
        findings: &Findings,
        decision: Decision,
        estimate: Option<Interval>,
        allowed: f64,
        steady: Option<&Accumulator>,
    ) -> String {
        let Some(share) = findings.share else { return "no request was made in the steady state".to_owned() };
        let mut parts = Vec::new();
        let failures = steady.and_then(|steady| failures::foremost(steady, findings.exceedances));
        let failing = failures.is_some();
        parts.extend(failures);
        if let Decision::Inconclusive(reason) = decision {
            parts.push(reason.to_string());
        }
        if let Some(Interval { value, low, high }) = estimate {
            let high = high.map_or_else(|| "unbounded".to_owned(), units::duration);
            let (value, low) = (units::duration(value), units::duration(low));
            parts.push(format!("{} is {value}, 95 % interval {low} to {high}", self.objective.subject()));
        }
        let what = match self.objective.time_limit() {
            Some(_) => format!("took longer than {} or failed", self.objective.show_limit()),
            None => "failed".to_owned(),
        };
        parts.push(format!(
            "{} of {} requests ({}) {what}, and at most {} may; the run rules out {}",
            units::count(findings.exceedances),
            units::count(findings.requests),
            units::percent(share),
            units::percent(allowed),
            ruled_out(findings, self.objective.confidence),
        ));
        if !findings.correlation_was_seen && !failing && self.objective.time_limit().is_some() {
            parts.push(unseen_correlation(findings, steady));
        }
        if findings.correlation.time > 1.05 {
            parts.push(format!(
                "latencies are correlated over about {:.1} requests, so these count as {} independent ones",
                findings.correlation.time,
                units::count(findings.effective_requests as u64)
            ));
        }
        if let Some(stages) = steady.and_then(Accumulator::stages_over_limit)
            && self.objective.time_limit().is_some()
        {
            let (name, share, _) = largest(&stages);
            parts.push(format!(
                "{name} takes {} of the time of the requests over the limit",
                units::percent(share)
            ));
        }
        parts.join("; ")
    }

    fn next(&self, findings: &Findings, decision: Decision, steady: Option<&Accumulator>) -> Option<String> {
        let failing = steady.is_some_and(|steady| failures::foremost(steady, findings.exceedances).is_some());
        let reason = match decision {
            Decision::Pass => return None,
            Decision::Fail | Decision::Inconclusive(_) if failing => {
                return Some(failures::REMEDY.to_owned());
            }
            Decision::Fail => {
                let over = steady.and_then(Accumulator::stages_over_limit);
                return Some(match over.as_ref().map(largest) {
                    Some((name, _, remedy)) => {
                        format!("the largest share of the time goes to {name}: {remedy}")
                    }
                    None => "find out why requests fail".to_owned(),
                });
            }
            Decision::Inconclusive(reason) => reason,
            Decision::Continue { .. } => return None,
        };
        Some(match reason {
            Reason::NoSteadyState { .. } => {
                "raise phases.warm_up.max_requests, or look in latency_over_time.svg for what keeps changing".to_owned()
            }
            Reason::HorizonNotReached { requests, restarts } => format!(
                "raise phases.steady.max_seconds so that {} requests over {} fit in, or lower the minimum (min_requests, \
                 restarts)",
                units::count(requests),
                units::counted(u64::from(restarts), "restart")
            ),
            Reason::RestartsDisagree { .. } => {
                "compare the restarts in latency_over_time.svg; raise phases.restarts so that one odd process weighs less".to_owned()
            }
            Reason::Drifts { .. } => {
                "look for thermal throttling or a growing queue or cache; a longer run shows where the drift ends".to_owned()
            }
            Reason::TooShortForItsCorrelation { .. } | Reason::TooCloseToTheLimit => {
                more_requests(findings, steady, self.in_blocks)
            }
        })
    }

    fn cold_start(&self, figures: Figures<'_>, blank: ObjectiveVerdict) -> ObjectiveVerdict {
        let Indicator::ColdStart { quantile } = self.objective.indicator else { return blank };
        let mut times = figures.cold_starts_ns.to_vec();
        times.sort_unstable();
        let (allowed, error) = (1.0 - quantile, 1.0 - self.objective.confidence);
        let count = times.len() as u64;
        let exceeded = times.iter().filter(|time| **time as f64 > self.objective.limit).count() as u64;
        let verdict = fixed::decide(exceeded, count, allowed, error);
        let at = |rank: u64| {
            let time = usize::try_from(rank - 1).ok().and_then(|index| times.get(index));
            // A fresh process that was lost before its first vector is infinitely slow, and no time to show.
            time.filter(|time| **time < u64::MAX).map(|time| *time as f64)
        };
        let estimate = (count > 0).then(|| quantile_ranks(quantile, count, 0.95)).and_then(|ranks| {
            let value = at(ranks.estimate)?;
            Some(Interval {
                value,
                low: ranks.low.and_then(at).unwrap_or(0.0),
                high: ranks.high.and_then(at),
            })
        });
        let exceedance = exceedance_interval(exceeded, count, 2.0 * self.objective.confidence - 1.0)
            .map(|(low, high)| Interval { value: exceeded as f64 / count as f64, low, high: Some(high) });
        ObjectiveVerdict {
            verdict,
            error_bound: match verdict {
                Verdict::Inconclusive => blank.error_bound,
                _ => format!("{}, provided cold starts are independent", self.chance_of_error()),
            },
            method: "exact binomial test (Clopper-Pearson) over the restarts".to_owned(),
            requests: count,
            exceeded,
            exceedance,
            estimate,
            why: format!(
                "{} of {} took longer than {} or failed, and at most {} may",
                units::count(exceeded),
                units::counted(count, "cold start"),
                self.objective.show_limit(),
                units::percent(allowed)
            ),
            next: (verdict == Verdict::Inconclusive).then(|| {
                match fixed::count_to_decide(exceeded, count, allowed, error).filter(|_| count > 0) {
                    Some(needed) => {
                        format!("set phases.restarts = {needed}: that would settle it if this share holds")
                    }
                    None => "raise phases.restarts".to_owned(),
                }
            }),
            ..blank
        }
    }

    fn rate(&self, figures: Figures<'_>, blank: ObjectiveVerdict) -> ObjectiveVerdict {
        let limit = self.objective.limit;
        // Two one-sided decisions, each with the whole error to itself.
        let confidence = 2.0 * self.objective.confidence - 1.0;
        let rate = self.throughput.rate(confidence);
        let verdict = match rate {
            Some(rate) if rate.low >= limit => Verdict::Pass,
            Some(rate) if rate.high < limit => Verdict::Fail,
            _ => Verdict::Inconclusive,
        };
        let show = |value: f64| self.objective.show(value.max(0.0));
        ObjectiveVerdict {
            verdict,
            error_bound: match verdict {
                Verdict::Inconclusive => blank.error_bound,
                _ => format!("{}, provided batches of requests are independent", self.chance_of_error()),
            },
            method: "t interval of batch means, over as many requests as the other objectives needed"
                .to_owned(),
            requests: figures.steady.map_or(0, Accumulator::requests),
            estimate: rate.map(|rate| Interval { value: rate.value, low: rate.low, high: Some(rate.high) }),
            why: match rate {
                Some(rate) => format!(
                    "{}, {} interval {} to {}",
                    show(rate.value),
                    units::percent(confidence),
                    show(rate.low),
                    show(rate.high)
                ),
                None => "too few requests for an interval".to_owned(),
            },
            next: (verdict == Verdict::Inconclusive).then(|| {
                "raise phases.steady.min_requests: four times as many requests halve the interval".to_owned()
            }),
            ..blank
        }
    }

    /// An indicator that is a plain number of this run, so that there is no chance of being wrong about it.
    fn read_off(&self, value: Option<f64>, blank: ObjectiveVerdict) -> ObjectiveVerdict {
        let objective = &self.objective;
        let method = "read off".to_owned();
        let Some(value) = value else {
            return ObjectiveVerdict {
                method,
                why: format!("{} was not measured for this backend", objective.subject()),
                next: Some(
                    "name the backends that report it in `backends = [...]` of this objective".to_owned(),
                ),
                ..blank
            };
        };
        let holds = match objective.indicator.bound() {
            Bound::Below => value < objective.limit,
            Bound::AtLeast => value >= objective.limit,
        };
        ObjectiveVerdict {
            verdict: if holds { Verdict::Pass } else { Verdict::Fail },
            error_bound: "observed in this run; says nothing about the next one".to_owned(),
            method,
            estimate: Some(Interval { value, low: value, high: Some(value) }),
            why: format!("{} is {}", objective.subject(), objective.show(value)),
            next: (!holds).then(|| read_off_remedy(objective)),
            ..blank
        }
    }
}

//! One backend whose samples go through the judges and the statistics again, as they did when it was measured.

use std::time::Duration;

use tailmark_reports::record::{
    BackendOutcome, BackendRecord, ColdStart, Equivalence, Indicator, ObjectiveVerdict, Phase, Verdict,
};
use tailmark_reports::units;

use super::difference::Differences;
use crate::plan::{Asked, AskedOf, WarmUp};
use crate::run::backend_run::judges;
use crate::run::measured::Measured;
use crate::run::stopping_rule::Warming;
use crate::sample::Sample;
use crate::statistics::Accumulator;
use crate::statistics::series::Series;
use crate::verdict::Figures;

/// The requests at which a run looks first, if it may.
const FIRST_LOOK: u64 = 20;

/// A backend, as far as its samples were read.
pub(super) struct Again<'a> {
    recorded: &'a BackendRecord,
    of: AskedOf,
    request_deadline: Duration,
    /// Indicators that were judged, by the objective's index.
    indicators: Vec<Indicator>,
    /// Whether the record was completed after the run was killed.
    recovered: bool,
    measured: Measured,
    series: Series,
    /// The present restart.
    restart: u32,
    warming: Option<Warming>,
    cold_starts: Vec<ColdStart>,
    /// First and last instant of the steady state of the present restart, or of its present block.
    span: Option<(u64, u64)>,
    /// Steady-state time before that.
    before_ns: u64,
    steady: u64,
}

impl<'a> Again<'a> {
    pub(super) fn of(
        recorded: &'a BackendRecord,
        base: &str,
        asked: &Asked,
        of: AskedOf,
        recovered: bool,
    ) -> Self {
        Self {
            recorded,
            of,
            request_deadline: asked.request_deadline,
            indicators: asked.objectives.iter().map(|objective| objective.indicator).collect(),
            recovered,
            measured: Measured::nothing(judges(base, of.phases, &asked.objectives)),
            series: Series::default(),
            restart: 0,
            warming: None,
            cold_starts: Vec::new(),
            span: None,
            before_ns: 0,
            steady: 0,
        }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        if sample.restart != self.restart {
            self.end_restart();
            self.lose_before(sample.restart);
            self.begin_restart(sample.restart);
        }
        self.series.add(sample);
        self.measured.record(sample, sample.scheduled_ns);
        match sample.phase {
            Phase::ColdStart => self.cold_start(sample),
            Phase::WarmUp => {
                // Between two blocks the other backend had its turn.
                if self.of.phases.steady.in_blocks {
                    self.end_span();
                }
                if let Some(warming) = &mut self.warming {
                    warming.is_over(&mut self.measured, sample);
                }
            }
            Phase::Steady | Phase::Mixed => self.steady(sample),
        }
    }

    fn begin_restart(&mut self, number: u32) {
        self.restart = number;
        self.measured.begin_restart();
        self.warming = Some(Warming::of(self.of.phases.warm_up, self.request_deadline));
    }

    fn end_restart(&mut self) {
        if self.restart == 0 {
            return;
        }
        // A restart that was broken off in its cold start has looked for no warm-up.
        let reached = self.recorded.warm_up.iter().any(|warm_up| warm_up.restart == self.restart);
        if let Some(mut warming) = self.warming.take().filter(|_| reached) {
            warming.end(&mut self.measured);
        }
        self.end_span();
        if self.recorded.losses.iter().any(|loss| loss.restart == self.restart) {
            self.measured.lose_restart();
        }
        let lost = self.recorded.losses.iter().filter(|loss| loss.restart <= self.restart).count();
        let planned = self.of.phases.restarts;
        // The run asks whether it needs another restart.
        if !self.of.phases.steady.quick && self.restart as usize >= planned as usize + lost {
            self.measured.is_decided();
        }
    }

    fn end_span(&mut self) {
        if let Some((began, ended)) = self.span.take() {
            self.before_ns += ended.saturating_sub(began);
        }
    }

    /// Restarts that were lost before they had a sample.
    fn lose_before(&mut self, next: u32) {
        let between = self.restart..next;
        for loss in &self.recorded.losses {
            if loss.restart > between.start && between.contains(&loss.restart) {
                self.measured.begin_restart();
                self.measured.lose_restart();
            }
        }
    }

    fn cold_start(&mut self, sample: &Sample) {
        let Some(total_ns) = sample.response_ns() else { return };
        let recorded = self.recorded.cold_starts.iter().find(|start| start.restart == sample.restart);
        self.cold_starts.push(match recorded {
            Some(start) => ColdStart { total_ns, ..start.clone() },
            None => ColdStart {
                restart: sample.restart,
                spawn_ns: None,
                import_ns: None,
                load_ns: 0,
                first_embedding_ns: 0,
                total_ns,
            },
        });
    }

    fn steady(&mut self, sample: &Sample) {
        self.steady += 1;
        let span = self.span.get_or_insert((sample.scheduled_ns, sample.finished_ns));
        *span = (span.0.min(sample.scheduled_ns), span.1.max(sample.finished_ns));
        let here = sample.finished_ns.saturating_sub(span.0);
        let min_time = self.of.phases.steady.min_time;
        // From when on the run may have decided is a time of its own clock, which its first look tells more exactly than the samples.
        let first_look = self.recorded.verdicts.iter().find_map(|judged| judged.band.first());
        let may_decide = match first_look.filter(|first| first.requests > FIRST_LOOK) {
            _ if min_time.is_zero() => true,
            Some(first) => self.steady >= first.requests,
            None => Duration::from_nanos(self.before_ns + here) >= min_time,
        };
        if may_decide && self.measured.wants_fresh_process().is_some() {
            self.measured.is_decided();
        }
    }

    pub(super) fn has_samples(&self) -> bool {
        self.measured.has_samples()
    }

    pub(super) fn series(&self) -> &Series {
        &self.series
    }

    pub(super) fn price_per_hour(&self) -> Option<f64> {
        self.of.price_per_hour
    }

    /// The entry of the record as the samples give it; what they do not show is the record's.
    pub(super) fn finish(&mut self) -> BackendRecord {
        self.end_restart();
        self.lose_before(u32::MAX);
        let peaks = self.recorded.resources.as_ref().map_or(&[][..], |used| &used.peaks_rss_bytes);
        self.series.add_peaks(peaks);
        for recorded in self.recorded.phases.iter().filter(|recorded| recorded.phase != Phase::Mixed) {
            self.measured.phase(recorded.phase).add_elapsed(Duration::from_nanos(recorded.elapsed_ns));
        }
        let mut again = self.recorded.clone();
        again.phases = self.measured.summaries();
        for phase in &mut again.phases {
            let Some(recorded) = self.recorded.phases.iter().find(|recorded| recorded.phase == phase.phase)
            else {
                continue;
            };
            phase.failure_reasons.clone_from(&recorded.failure_reasons);
            phase.arrivals.clone_from(&recorded.arrivals);
            if let (Some(arrivals), Some(seen)) = (&mut phase.arrivals, self.measured.seen(phase.phase)) {
                (arrivals.lag, arrivals.lateness) = (seen.lag(), seen.lateness());
            }
        }
        let steady = self.measured.seen(Phase::Steady);
        again.curve = steady.map(Accumulator::curve).unwrap_or_default();
        again.timeline = self.measured.timeline().to_vec();
        if !self.recovered {
            again.cold_starts.clone_from(&self.cold_starts);
            if matches!(self.of.phases.warm_up, WarmUp::Found { .. }) {
                again.warm_up = self.measured.warm_ups().to_vec();
            }
            again.drift = self.measured.drift();
            again.verdicts = self.verdicts();
        }
        again
    }

    fn verdicts(&self) -> Vec<ObjectiveVerdict> {
        let steady = self.measured.seen(Phase::Steady);
        let mut cold_starts_ns: Vec<u64> = self.cold_starts.iter().map(|start| start.total_ns).collect();
        let never_asked = self.recorded.losses.iter().filter(|loss| loss.requests == 0).count();
        let begun =
            self.measured.seen(Phase::ColdStart).map_or(0, Accumulator::requests) as usize + never_asked;
        cold_starts_ns.resize(cold_starts_ns.len().max(begun), u64::MAX);
        let timed = (steady.is_some() || !self.recorded.verdicts.is_empty())
            && !matches!(self.recorded.outcome, BackendOutcome::Wrong { .. });
        let figures = Figures {
            steady,
            cold_starts_ns: &cold_starts_ns,
            peak_rss_bytes: self.recorded.resources.as_ref().and_then(|used| used.peak_rss_bytes),
            min_cosine: match &self.recorded.equivalence {
                Equivalence::Checked { min_cosine, .. } => Some(*min_cosine),
                Equivalence::NotChecked { .. } => None,
            },
        };
        let judges = self.measured.judges().iter().filter(|_| timed);
        judges.map(|judge| self.as_doubted(judge.opinion(figures))).collect()
    }

    /// The verdict with the doubt that the record has of it, which may not turn anything but a decision.
    fn as_doubted(&self, mut found: ObjectiveVerdict) -> ObjectiveVerdict {
        let recorded = self.recorded.verdicts.iter().find(|judged| judged.objective == found.objective);
        let Some(recorded) = recorded else { return found };
        let doubts = recorded.doubted.as_ref().and_then(|doubted| doubted.split_once(", but "));
        let never =
            matches!(self.indicators.get(found.objective), Some(Indicator::PeakRss | Indicator::Cosine));
        if let Some((_, doubts)) = doubts.filter(|_| found.verdict != Verdict::Inconclusive && !never) {
            let was = if found.verdict == Verdict::Pass { "PASS" } else { "FAIL" };
            found.doubted = Some(format!("{was}, but {doubts}"));
            found.verdict = Verdict::Inconclusive;
            "no decision".clone_into(&mut found.error_bound);
        }
        found
    }

    /// The time of the steady state is the record's, and cannot be shorter than its requests took.
    pub(super) fn compare_times(&self, found: &mut Differences) {
        let recorded = self.recorded.phases.iter().find(|phase| phase.phase == Phase::Steady);
        let Some(recorded) = recorded.filter(|_| self.steady > 0) else { return };
        if recorded.elapsed_ns < self.before_ns {
            let place = format!("{} steady elapsed", self.recorded.name);
            let show = |time: u64| units::duration(time as f64);
            let least = format!("at least {}", show(self.before_ns));
            found.add(&place, show(recorded.elapsed_ns), least);
        }
    }
}

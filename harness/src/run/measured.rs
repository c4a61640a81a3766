//! What was measured of one backend so far: its requests by phase, what the judges of its objectives make of them, and what its
//! processes used. Does not know what was planned.

use std::collections::BTreeMap;
use std::time::Duration;

use tailmark_reports::record::{
    ColdStart, Drift, LittlesLaw, Phase, PhaseSummary, TimelineGroup, WarmUp as WarmUpRecord,
};

use crate::monitor::Usage;
use crate::sample::{Flow, Sample};
use crate::statistics::series::Series;
use crate::statistics::{Accumulator, Timeline};
use crate::verdict::Judge;

/// The share of the offered rate below which a backend has not kept up, though no queue was full yet.
const KEPT_UP: f64 = 0.95;

/// The phases that requests are counted in, in their order.
const PHASES: [Phase; 3] = [Phase::ColdStart, Phase::WarmUp, Phase::Steady];

/// What was seen of one backend.
pub(super) struct Measured {
    judges: Vec<Judge>,
    restarts: u32,
    cold_starts: Vec<ColdStart>,
    warm_ups: Vec<WarmUpRecord>,
    phases: BTreeMap<u8, Accumulator>,
    timeline: Timeline,
    series: Series,
    own_time: Duration,
    usages: Vec<Usage>,
    overloaded_during: Option<Phase>,
}

/// More requests came than the backend could take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Overload {
    /// Requests per second that were due.
    pub(super) offered: f64,
    /// Requests per second that were started.
    pub(super) achieved: f64,
}

/// A part of the steady state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steady {
    pub(super) requests: u64,
    pub(super) time: Duration,
}

/// How far a backend was at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) requests: u64,
    pub(super) steady: Steady,
}

impl Measured {
    /// Nothing yet, to be judged by these.
    pub(super) fn nothing(judges: Vec<Judge>) -> Self {
        Self {
            judges,
            restarts: 0,
            cold_starts: Vec::new(),
            warm_ups: Vec::new(),
            phases: BTreeMap::new(),
            timeline: Timeline::default(),
            series: Series::default(),
            own_time: Duration::ZERO,
            usages: Vec::new(),
            overloaded_during: None,
        }
    }

    /// A restart begins. Gives its number, from 1.
    pub(super) fn begin_restart(&mut self) -> u32 {
        self.restarts += 1;
        self.judges.iter_mut().for_each(Judge::begin_restart);
        self.restarts
    }

    /// The present restart was lost.
    pub(super) fn lose_restart(&mut self) {
        self.judges.iter_mut().for_each(Judge::lose_restart);
    }

    /// A restart ended that took this long.
    pub(super) fn end_restart(&mut self, took: Duration) {
        self.own_time += took;
    }

    /// Restarts that were begun.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Adds a request; `restart_began_ns` is when its restart was spawned, in the samples' time.
    pub(super) fn record(&mut self, sample: &Sample, restart_began_ns: u64) {
        let own_ns = u64::try_from(self.own_time.as_nanos()).unwrap_or(u64::MAX);
        let at = own_ns + sample.scheduled_ns.saturating_sub(restart_began_ns);
        self.timeline.record(sample.phase, sample.restart, at, sample.response_ns());
        self.phase(sample.phase).record(sample);
        self.series.add(sample);
        if sample.phase == Phase::Steady {
            self.judges.iter_mut().for_each(|judge| judge.observe(sample));
        }
    }

    /// Adds what came and went in a phase of a restart; `open` when it came whether or not it was answered.
    pub(super) fn add_flow(&mut self, phase: Phase, flow: &Flow, open: bool) {
        self.phase(phase).add_flow(flow, open);
    }

    pub(super) fn add_cold_start(&mut self, cold_start: ColdStart) {
        self.cold_starts.push(cold_start);
    }

    pub(super) fn add_usage(&mut self, usage: Usage) {
        self.series.add_peak(usage.peak_rss_bytes);
        self.usages.push(usage);
    }

    /// Warm-up ended in the present restart.
    pub(super) fn end_warm_up(&mut self, requests: u64, steady: bool) {
        self.warm_ups.push(WarmUpRecord { restart: self.restarts, requests, steady });
        if !steady {
            self.judges.iter_mut().for_each(Judge::no_steady_state);
        }
    }

    /// The present restart was broken off in that phase because too many requests waited.
    pub(super) fn set_overloaded(&mut self, during: Phase) {
        self.overloaded_during = Some(during);
    }

    /// Whether every objective that decides as it goes has decided; true without any.
    pub(super) fn is_decided(&mut self) -> bool {
        self.judges.iter_mut().all(Judge::is_decided)
    }

    /// Whether an objective asks for another restart before the next request; `None` when none decides as it goes.
    pub(super) fn wants_fresh_process(&self) -> Option<bool> {
        self.judges.iter().filter_map(Judge::wants_fresh_process).reduce(|a, b| a || b)
    }

    /// Whether a request misses the limit of any objective.
    pub(super) fn is_missed_by(&self, sample: &Sample) -> bool {
        self.judges.iter().any(|judge| judge.is_missed_by(sample))
    }

    /// Whether a restart was broken off because too many requests waited.
    pub(super) fn is_overloaded(&self) -> bool {
        self.overloaded_during.is_some()
    }

    /// Set once more requests waited than may, or when clearly fewer were started than were due.
    pub(super) fn overload(&self) -> Option<Overload> {
        let phase = self.seen(self.overloaded_during.unwrap_or(Phase::Steady))?;
        let arrivals = phase.arrivals()?;
        let offered = arrivals.offered_per_second?;
        let achieved = arrivals.achieved_per_second.unwrap_or_default();
        let fell_behind = self.is_overloaded() || phase.fell_behind(KEPT_UP);
        fell_behind.then_some(Overload { offered, achieved })
    }

    /// The accumulator of a phase.
    pub(super) fn phase(&mut self, phase: Phase) -> &mut Accumulator {
        let limit = self.judges.iter().find_map(|judge| judge.objective.time_limit());
        self.phases.entry(rank(phase)).or_insert_with(|| Accumulator::new(limit))
    }

    /// What was seen of a phase; `None` before its first request.
    pub(super) fn seen(&self, phase: Phase) -> Option<&Accumulator> {
        self.phases.get(&rank(phase))
    }

    /// How far it is now.
    pub(super) fn mark(&self) -> Mark {
        let requests = PHASES.iter().filter_map(|phase| self.seen(*phase)).map(Accumulator::requests).sum();
        let steady = self.seen(Phase::Steady);
        let steady = steady.map(|seen| Steady { requests: seen.requests(), time: seen.elapsed() });
        Mark { requests, steady: steady.unwrap_or_default() }
    }

    /// Whether any request was made.
    pub(super) fn has_samples(&self) -> bool {
        self.phases.values().any(|phase| phase.requests() > 0)
    }

    /// Each phase that was begun, and all of them together.
    pub(super) fn summaries(&self) -> Vec<PhaseSummary> {
        let mut mixed = Accumulator::new(None);
        let mut summaries = Vec::new();
        for phase in PHASES {
            if let Some(accumulator) = self.seen(phase) {
                mixed.merge(accumulator);
                summaries.push(accumulator.summary(phase));
            }
        }
        if !summaries.is_empty() {
            summaries.push(mixed.summary(Phase::Mixed));
        }
        summaries
    }

    /// Little's law on the steady state.
    pub(super) fn littles_law(&self) -> Option<LittlesLaw> {
        self.seen(Phase::Steady)?.littles_law()
    }

    /// The 99th percentile of how late steady-state requests were started although a slot was free, in nanoseconds.
    pub(super) fn lateness_p99(&self) -> Option<f64> {
        Some(self.seen(Phase::Steady)?.lateness_quantile(0.99)?.value)
    }

    /// Whether even the fastest tenth of the steady-state requests is over a limit.
    pub(super) fn fastest_decile_is_over(&self, limit_ns: u64) -> bool {
        self.seen(Phase::Steady).is_some_and(|steady| steady.fastest_decile_is_over(limit_ns))
    }

    /// Whether the errors that the backend answered make it miss an objective, however fast the other requests were.
    pub(super) fn fails_by_errors_alone(&self, objective: usize) -> bool {
        let judge = self.judges.iter().find(|judge| judge.index == objective);
        judge.is_some_and(Judge::fails_by_errors_alone)
    }

    /// The trend of the latency within restarts, where one was found.
    pub(super) fn drift(&self) -> Option<Drift> {
        self.judges.iter().find_map(Judge::drift)
    }

    pub(super) fn judges(&self) -> &[Judge] {
        &self.judges
    }

    pub(super) fn cold_starts(&self) -> &[ColdStart] {
        &self.cold_starts
    }

    pub(super) fn warm_ups(&self) -> &[WarmUpRecord] {
        &self.warm_ups
    }

    pub(super) fn timeline(&self) -> &[TimelineGroup] {
        self.timeline.groups()
    }

    pub(super) fn series(&self) -> &Series {
        &self.series
    }

    pub(super) fn usages(&self) -> &[Usage] {
        &self.usages
    }
}

fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::ColdStart => 0,
        Phase::WarmUp => 1,
        Phase::Steady => 2,
        Phase::Mixed => 3,
    }
}

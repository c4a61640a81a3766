//! What has been gathered about one backend so far, and its entry in the record.

use std::collections::BTreeMap;
use std::time::Duration;

use tailmark_providers::provider::Loaded;
use tailmark_reports::record::{
    BackendOutcome, BackendRecord, ColdStart, Equivalence, Execution, Fallback, LittlesLaw, Load,
    ObjectiveVerdict, Phase, RepeatProbe, Requirement, WarmUp as WarmUpRecord,
};

use super::losses::Losses;
use super::resources::{resources, runs};
use super::session::Launch;
use crate::load::Rule;
use crate::monitor::Usage;
use crate::objective::Objective;
use crate::plan::BackendPlan;
use crate::sample::{Flow, Sample};
use crate::statistics::{Accumulator, Timeline};
use crate::verdict::{Bounds, Figures, Horizon, Judge};
use crate::workload::Batches;

/// One backend of a run under way.
pub(super) struct BackendRun {
    /// Index in the plan.
    pub(super) index: usize,
    /// What was planned.
    pub(super) plan: BackendPlan,
    /// Its requests.
    pub(super) batches: Batches,
    /// How to start it; `None` when it cannot be.
    pub(super) launch: Option<Launch>,
    /// How it went so far.
    pub(super) outcome: BackendOutcome,
    /// Set once another kind runs than the one asked for.
    pub(super) fallback: Option<Fallback>,
    /// Whether its variations are reported in its place.
    pub(super) is_stood_in_for: bool,
    /// Whether its vectors are right.
    pub(super) equivalence: Equivalence,
    /// What executed the model.
    pub(super) execution: Execution,
    /// Why this machine cannot have it, while its runtime is still to be asked.
    pub(super) refused: Option<String>,
    /// What ran instead of what was required, where the scenario has it timed all the same.
    pub(super) partial: Option<String>,
    /// What the scenario requires of that.
    pub(super) requirement: Option<Requirement>,
    /// Whether repeated texts are computed.
    pub(super) repeat_probe: Option<RepeatProbe>,
    /// Its workers that were lost.
    pub(super) losses: Losses,
    loaded: Option<Loaded>,
    cold_starts: Vec<ColdStart>,
    phases: BTreeMap<u8, Accumulator>,
    judges: Vec<Judge>,
    warm_ups: Vec<WarmUpRecord>,
    restarts: u32,
    timeline: Timeline,
    own_time: Duration,
    usages: Vec<Usage>,
    overloaded_during: Option<Phase>,
}

/// The share of the offered rate below which a backend has not kept up, though no queue was full yet.
const KEPT_UP: f64 = 0.95;

/// More requests came than the backend could take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Overload {
    /// Requests per second that were due.
    pub(super) offered: f64,
    /// Requests per second that were started.
    pub(super) achieved: f64,
}

impl BackendRun {
    pub(super) fn new(
        index: usize,
        plan: BackendPlan,
        seed: u64,
        objectives: &[Objective],
        losses: Losses,
    ) -> Self {
        let batches = match plan.load.texts() {
            Some(texts) => Batches::one_by_one(texts),
            None => Batches::new(&plan.corpus, plan.batch_size, seed),
        };
        let steady = plan.phases.steady;
        let horizon = if steady.quick {
            Horizon::Quick
        } else {
            Horizon::AtLeast { requests: steady.min_requests, restarts: plan.phases.restarts }
        };
        let bounds = Bounds { horizon, most_requests: steady.max_requests };
        let judges = objectives
            .iter()
            .enumerate()
            .filter(|(_, objective)| objective.applies_to(plan.base()))
            .map(|(index, objective)| Judge::new(index, objective, bounds))
            .collect();
        Self {
            index,
            plan,
            batches,
            launch: None,
            outcome: BackendOutcome::Pending,
            fallback: None,
            is_stood_in_for: false,
            equivalence: Equivalence::NotChecked { why: "the run did not get that far".to_owned() },
            execution: Execution::NotMeasured { why: "the run did not get that far".to_owned() },
            refused: None,
            partial: None,
            requirement: None,
            repeat_probe: None,
            losses,
            loaded: None,
            cold_starts: Vec::new(),
            phases: BTreeMap::new(),
            judges,
            warm_ups: Vec::new(),
            restarts: 0,
            timeline: Timeline::default(),
            own_time: Duration::ZERO,
            usages: Vec::new(),
            overloaded_during: None,
        }
    }

    /// Another measurement of the same backend, with nothing measured yet: what was found out about it before it was timed
    /// holds for both.
    pub(super) fn again(&self, index: usize, plan: BackendPlan, seed: u64, objectives: &[Objective]) -> Self {
        Self {
            launch: self.launch.clone(),
            fallback: self.fallback.clone(),
            equivalence: self.equivalence.clone(),
            execution: self.execution.clone(),
            partial: self.partial.clone(),
            requirement: self.requirement.clone(),
            repeat_probe: self.repeat_probe,
            loaded: self.loaded.clone(),
            ..Self::new(index, plan, seed, objectives, self.losses.again())
        }
    }

    /// Restarts that were begun.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Whether it is to be measured in another fresh process: the planned restarts, and more while an objective is open and
    /// the budget lasts.
    pub(super) fn wants_restart(&mut self) -> bool {
        if self.outcome != BackendOutcome::Pending
            || self.launch.is_none()
            || self.overloaded_during.is_some()
        {
            return false;
        }
        if self.restarts - self.losses.restarts() < self.plan.phases.restarts {
            return true;
        }
        let steady = self.plan.phases.steady;
        let (requests, elapsed) = {
            let done = self.phase(Phase::Steady);
            (done.requests(), done.elapsed())
        };
        // What is left of the budget must be worth a fresh process and its warm-up.
        let worth_it = steady.max_time.saturating_sub(elapsed) > steady.max_time / 20;
        !steady.quick && requests < steady.max_requests && worth_it && !self.is_decided()
    }

    /// Whether every objective that decides as it goes has decided; true without any.
    pub(super) fn is_decided(&mut self) -> bool {
        self.judges.iter_mut().all(Judge::is_decided)
    }

    /// Whether an objective asks for a fresh process before the next request; `None` when none decides as it goes.
    pub(super) fn wants_fresh_process(&self) -> Option<bool> {
        self.judges.iter().filter_map(Judge::wants_fresh_process).reduce(|a, b| a || b)
    }

    /// A fresh process begins.
    pub(super) fn begin_restart(&mut self) {
        self.restarts += 1;
        self.judges.iter_mut().for_each(Judge::begin_restart);
    }

    /// The present restart was lost.
    pub(super) fn lose_restart(&mut self) {
        self.judges.iter_mut().for_each(Judge::lose_restart);
    }

    /// Warm-up ended in the present restart.
    pub(super) fn end_warm_up(&mut self, requests: u64, steady: bool) {
        self.warm_ups.push(WarmUpRecord { restart: self.restarts, requests, steady });
        if !steady {
            self.judges.iter_mut().for_each(Judge::no_steady_state);
        }
    }

    /// Whether a request misses the limit of any objective.
    pub(super) fn is_missed_by(&self, sample: &Sample) -> bool {
        self.judges.iter().any(|judge| judge.is_missed_by(sample))
    }

    /// What the report calls it.
    pub(super) fn label(&self) -> String {
        match (&self.fallback, &self.partial) {
            (Some(Fallback { from, to, why }), _) => format!("{to} (fallback from {from}: {why})"),
            (None, Some(ran)) => format!("{} ({ran})", self.plan.name),
            (None, None) => self.plan.name.clone(),
        }
    }

    /// What the backend said of itself when it was loaded.
    pub(super) fn set_loaded(&mut self, loaded: &Loaded) {
        self.loaded = Some(loaded.clone());
    }

    pub(super) fn add_cold_start(&mut self, cold_start: ColdStart) {
        self.cold_starts.push(cold_start);
    }

    pub(super) fn add_usage(&mut self, usage: Usage) {
        self.usages.push(usage);
    }

    /// Adds a request; `restart_began_ns` is when this restart was spawned, in the samples' time.
    pub(super) fn record(&mut self, sample: &Sample, restart_began_ns: u64) {
        let own_ns = u64::try_from(self.own_time.as_nanos()).unwrap_or(u64::MAX);
        let at = own_ns + sample.scheduled_ns.saturating_sub(restart_began_ns);
        self.timeline.record(sample.phase, sample.restart, at, sample.response_ns());
        self.phase(sample.phase).record(sample);
        if sample.phase == Phase::Steady {
            self.judges.iter_mut().for_each(|judge| judge.observe(sample));
        }
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

    /// Adds what came and went in a phase of a restart.
    pub(super) fn add_flow(&mut self, phase: Phase, flow: &Flow) {
        let open = self.plan.load.limits().is_open();
        self.phase(phase).add_flow(flow, open);
    }

    /// The present restart was broken off in that phase because too many requests waited.
    pub(super) fn set_overloaded(&mut self, during: Phase) {
        self.overloaded_during = Some(during);
    }

    /// Set once more requests waited than may, or when clearly fewer were started than were due.
    pub(super) fn overload(&self) -> Option<Overload> {
        let arrivals = self.phases.get(&rank(self.overloaded_during.unwrap_or(Phase::Steady)))?.arrivals()?;
        let offered = arrivals.offered_per_second?;
        let achieved = arrivals.achieved_per_second.unwrap_or_default();
        let fell_behind = self.overloaded_during.is_some() || achieved < KEPT_UP * offered;
        fell_behind.then_some(Overload { offered, achieved })
    }

    /// Little's law on the steady state.
    pub(super) fn littles_law(&self) -> Option<LittlesLaw> {
        self.phases.get(&rank(Phase::Steady))?.littles_law()
    }

    /// A restart ended that took this long.
    pub(super) fn end_restart(&mut self, took: Duration) {
        self.own_time += took;
    }

    /// The 99th percentile of how late steady-state requests were started although a slot was free, in nanoseconds.
    pub(super) fn lateness_p99(&self) -> Option<f64> {
        let lateness = self.phases.get(&rank(Phase::Steady))?.lateness_quantile(0.99)?;
        Some(lateness.value)
    }

    /// How many requests the backend works on at once, by its own account.
    pub(super) fn at_once(&self) -> usize {
        self.loaded.as_ref().map_or(1, |loaded| loaded.concurrency as usize)
    }

    /// How many threads the backend computes with, where it says.
    pub(super) fn threads(&self) -> Option<usize> {
        Some(self.loaded.as_ref()?.runs.threads? as usize)
    }

    /// Whether even the fastest tenth of the steady-state requests is over a limit.
    pub(super) fn fastest_decile_is_over(&self, limit_ns: u64) -> bool {
        self.phases.get(&rank(Phase::Steady)).is_some_and(|steady| steady.fastest_decile_is_over(limit_ns))
    }

    /// Whether any request was made.
    pub(super) fn has_samples(&self) -> bool {
        self.phases.values().any(|phase| phase.requests() > 0)
    }

    /// The backend's entry in the record, judged by the objectives that apply to it.
    pub(super) fn to_record(&self) -> BackendRecord {
        let phases = [Phase::ColdStart, Phase::WarmUp, Phase::Steady];
        let mut mixed = Accumulator::new(None);
        let mut summaries = Vec::new();
        for phase in phases {
            if let Some(accumulator) = self.phases.get(&rank(phase)) {
                mixed.merge(accumulator);
                summaries.push(accumulator.summary(phase));
            }
        }
        if !summaries.is_empty() {
            summaries.push(mixed.summary(Phase::Mixed));
        }
        let steady = self.phases.get(&rank(Phase::Steady));
        BackendRecord {
            name: self.plan.name.clone(),
            kind: self.plan.kind.name.to_owned(),
            label: self.label(),
            placement: self.plan.placement.name().to_owned(),
            cell: self.plan.cell.clone(),
            replicas: self.plan.replicas,
            load: load(&*self.plan.load),
            corpus: self.plan.corpus.name.clone(),
            batch_size: u32::try_from(self.plan.batch_size).unwrap_or(u32::MAX),
            options: self.launch.as_ref().map_or(&self.plan.options, |launch| &launch.load.options).clone(),
            fallback: self.fallback.clone(),
            outcome: self.outcome.clone(),
            runs: self.loaded.as_ref().map(runs),
            execution: self.execution.clone(),
            requirement: self.requirement.clone(),
            repeat_probe: self.repeat_probe,
            equivalence: self.equivalence.clone(),
            losses: self.losses.all().to_vec(),
            max_restarts: self.losses.max_restarts(),
            cold_starts: self.cold_starts.clone(),
            phases: summaries,
            resources: resources(&self.usages),
            timeline: self.timeline.groups().to_vec(),
            curve: steady.map(Accumulator::curve).unwrap_or_default(),
            verdicts: self.verdicts(steady),
            warm_up: self.warm_ups.clone(),
            drift: self.judges.iter().find_map(Judge::drift),
        }
    }

    /// One verdict for each objective; none for a backend that was not timed.
    fn verdicts(&self, steady: Option<&Accumulator>) -> Vec<ObjectiveVerdict> {
        let mut cold_starts_ns: Vec<u64> = self.cold_starts.iter().map(|cold| cold.total_ns).collect();
        // Each fresh process that never had a vector was infinitely slow to its first one.
        let begun = self.seen(Phase::ColdStart).map_or(0, Accumulator::requests) + self.losses.never_asked();
        cold_starts_ns.resize(cold_starts_ns.len().max(begun as usize), u64::MAX);
        let min_cosine = match self.equivalence {
            Equivalence::Checked { min_cosine, .. } => Some(min_cosine),
            Equivalence::NotChecked { .. } => None,
        };
        // What was overloaded before it was steady was timed, and must not end without a verdict.
        let timed = (steady.is_some() || self.overloaded_during.is_some())
            && !matches!(self.outcome, BackendOutcome::Wrong { .. });
        let figures = Figures {
            steady,
            cold_starts_ns: &cold_starts_ns,
            peak_rss_bytes: self.usages.iter().filter_map(|usage| usage.peak_rss_bytes).max(),
            min_cosine,
        };
        let mut verdicts = Vec::new();
        for judge in self.judges.iter().filter(|_| timed) {
            verdicts.push(judge.opinion(figures));
        }
        verdicts
    }
}

/// A load model as the record has it.
pub(super) fn load(rule: &dyn Rule) -> Load {
    let limits = rule.limits();
    Load {
        kind: rule.kind().to_owned(),
        text: rule.text(),
        open: limits.is_open(),
        max_in_flight: limits.max_in_flight(),
        note: rule.note(),
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

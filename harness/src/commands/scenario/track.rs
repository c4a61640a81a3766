//! What has been gathered about one backend so far, and its entry in the record.

use std::collections::BTreeMap;
use std::time::Duration;

use tailmark_providers::provider::Loaded;
use tailmark_reports::record::{
    BackendOutcome, BackendRecord, ColdStart, Equivalence, Fallback, Phase, Resources, Runs,
};

use super::session::Launch;
use crate::monitor::Usage;
use crate::plan::{BackendPlan, ObjectivePlan};
use crate::sample::Sample;
use crate::statistics::{Accumulator, Timeline};
use crate::verdict;
use crate::workload::Batches;

/// One backend of a run under way.
pub(super) struct Track {
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
    /// Whether its vectors are right.
    pub(super) equivalence: Equivalence,
    loaded: Option<Loaded>,
    cold_starts: Vec<ColdStart>,
    phases: BTreeMap<u8, Accumulator>,
    limits: Vec<Duration>,
    timeline: Timeline,
    own_time: Duration,
    usages: Vec<Usage>,
}

impl Track {
    pub(super) fn new(
        index: usize,
        plan: BackendPlan,
        batches: Batches,
        objectives: &[ObjectivePlan],
    ) -> Self {
        Self {
            index,
            plan,
            batches,
            launch: None,
            outcome: BackendOutcome::Pending,
            fallback: None,
            equivalence: Equivalence::NotChecked { why: "the run did not get that far".to_owned() },
            loaded: None,
            cold_starts: Vec::new(),
            phases: BTreeMap::new(),
            limits: objectives.iter().map(|objective| objective.limit).collect(),
            timeline: Timeline::default(),
            own_time: Duration::ZERO,
            usages: Vec::new(),
        }
    }

    /// Whether it is still to be measured in that restart, counted from 1.
    pub(super) fn wants(&self, restart: u32) -> bool {
        self.outcome == BackendOutcome::Pending
            && self.launch.is_some()
            && restart <= self.plan.phases.restarts
    }

    /// What the report calls it.
    pub(super) fn label(&self) -> String {
        match &self.fallback {
            Some(Fallback { from, to, why }) => format!("{to} (fallback from {from}: {why})"),
            None => self.plan.name.clone(),
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

    /// Adds a request; `turn_began_ns` is when this restart was spawned, in the samples' time.
    pub(super) fn record(&mut self, sample: &Sample, turn_began_ns: u64) {
        let own_ns = u64::try_from(self.own_time.as_nanos()).unwrap_or(u64::MAX);
        let at = own_ns + sample.scheduled_ns.saturating_sub(turn_began_ns);
        self.timeline.record(sample.phase, sample.restart, at, sample.response_ns());
        self.phase(sample.phase).record(sample);
    }

    /// The accumulator of a phase.
    pub(super) fn phase(&mut self, phase: Phase) -> &mut Accumulator {
        let limits = &self.limits;
        self.phases.entry(rank(phase)).or_insert_with(|| Accumulator::new(limits))
    }

    /// A restart ended that took this long.
    pub(super) fn end_turn(&mut self, took: Duration) {
        self.own_time += took;
    }

    /// Whether any request was made.
    pub(super) fn has_samples(&self) -> bool {
        self.phases.values().any(|phase| phase.requests() > 0)
    }

    /// The backend's entry in the record, judged by the objectives that apply to it.
    pub(super) fn to_record(&self, objectives: &[ObjectivePlan]) -> BackendRecord {
        let phases = [Phase::ColdStart, Phase::WarmUp, Phase::Steady];
        let mut mixed = Accumulator::new(&self.limits);
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
        let judged = steady.filter(|_| !matches!(self.outcome, BackendOutcome::Wrong { .. }));
        BackendRecord {
            name: self.plan.name.clone(),
            kind: self.plan.kind.name.to_owned(),
            label: self.label(),
            placement: self.plan.placement.name().to_owned(),
            batch_size: u32::try_from(self.plan.batch_size).unwrap_or(u32::MAX),
            options: self.launch.as_ref().map_or(&self.plan.options, |launch| &launch.load.options).clone(),
            fallback: self.fallback.clone(),
            outcome: self.outcome.clone(),
            runs: self.loaded.as_ref().map(runs),
            equivalence: self.equivalence.clone(),
            cold_starts: self.cold_starts.clone(),
            phases: summaries,
            resources: resources(&self.usages),
            timeline: self.timeline.groups().to_vec(),
            curve: steady.map(Accumulator::curve).unwrap_or_default(),
            verdicts: judged
                .map(|steady| {
                    objectives
                        .iter()
                        .enumerate()
                        .filter(|(_, objective)| objective.applies_to(&self.plan.name))
                        .map(|(index, objective)| verdict::judge(index, &wanted(objective), steady))
                        .collect()
                })
                .unwrap_or_default(),
        }
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

fn runs(loaded: &Loaded) -> Runs {
    let runs = loaded.runs.clone();
    Runs {
        engine: runs.engine,
        engine_version: runs.engine_version,
        device: runs.device,
        execution_provider: runs.execution_provider,
        threads: runs.threads,
        dtype: runs.dtype,
        versions: runs.versions,
    }
}

fn resources(usages: &[Usage]) -> Option<Resources> {
    let peak_rss_bytes = usages.iter().filter_map(|usage| usage.peak_rss_bytes).max();
    let mut looks: Vec<u64> = usages.iter().flat_map(|usage| usage.rss_bytes.iter().copied()).collect();
    looks.sort_unstable();
    let cpu: Duration = usages.iter().map(|usage| usage.cpu).sum();
    let elapsed: Duration = usages.iter().map(|usage| usage.elapsed).sum();
    (!looks.is_empty()).then(|| Resources {
        peak_rss_bytes,
        steady_rss_bytes: looks.get(looks.len() / 2).copied(),
        // The kernel counts processor time in hundredths of a second; less than half a second says nothing.
        cpu_cores: (elapsed >= Duration::from_millis(500)).then(|| cpu.as_secs_f64() / elapsed.as_secs_f64()),
    })
}

/// The objective as the verdict takes it.
pub(super) fn wanted(objective: &ObjectivePlan) -> verdict::Wanted {
    verdict::Wanted {
        percentile: objective.percentile,
        limit: objective.limit,
        confidence: objective.confidence,
    }
}

//! One backend of a run under way: what was planned for it, what was found out about it, what was measured of it, and its
//! entry in the record.

use tailmark_providers::provider::ProviderError;
use tailmark_providers::start::Placement;
use tailmark_reports::record::{BackendOutcome, BackendRecord, Loss, ObjectiveVerdict, Phase};
use tailmark_reports::units;

use super::found::Found;
use super::losses::Losses;
use super::measured::{Mark, Measured, Steady};
use super::recorded::{load, resources, runs};
use super::time_left::Share;
use crate::objective::Objective;
use crate::plan::{BackendPlan, Phases};
use crate::statistics::Accumulator;
use crate::verdict::{Bounds, Figures, Horizon, Judge};
use crate::workload::Batches;

/// One backend of a run under way.
pub(super) struct BackendRun {
    /// Index in the run, and in its samples.
    pub(super) index: usize,
    /// What was planned.
    pub(super) plan: BackendPlan,
    /// Its requests.
    pub(super) batches: Batches,
    /// How it went so far.
    pub(super) outcome: BackendOutcome,
    /// Why this machine cannot have it, while its runtime is still to be asked.
    pub(super) refused: Option<String>,
    /// Whether its variations are reported in its place.
    pub(super) is_stood_in_for: bool,
    /// What it is known to be.
    pub(super) found: Found,
    /// What was seen of it while it was timed.
    pub(super) measured: Measured,
    /// Its workers that were lost.
    pub(super) losses: Losses,
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
        let measured = Measured::nothing(judges(plan.base(), plan.phases, objectives));
        Self {
            index,
            plan,
            batches,
            outcome: BackendOutcome::Pending,
            refused: None,
            is_stood_in_for: false,
            found: Found::nothing(),
            measured,
            losses,
        }
    }

    /// Another measurement of the same backend, with nothing measured yet: what was found out about it before it was timed
    /// holds for both.
    pub(super) fn again(&self, index: usize, plan: BackendPlan, seed: u64, objectives: &[Objective]) -> Self {
        Self { found: self.found.clone(), ..Self::new(index, plan, seed, objectives, self.losses.again()) }
    }

    /// Whether it is to be measured in another restart: the planned ones, and more while an objective is open and the
    /// budget lasts.
    pub(super) fn wants_restart(&mut self) -> bool {
        if self.outcome != BackendOutcome::Pending
            || self.found.launch.is_none()
            || self.measured.is_overloaded()
        {
            return false;
        }
        if self.measured.restarts() - self.losses.restarts() < self.plan.phases.restarts {
            return true;
        }
        let steady = self.plan.phases.steady;
        let (requests, elapsed) = {
            let done = self.measured.phase(Phase::Steady);
            (done.requests(), done.elapsed())
        };
        // What is left of the budget must be worth a fresh process and its warm-up.
        let worth_it = steady.max_time.saturating_sub(elapsed) > steady.max_time / 20;
        !steady.quick && requests < steady.max_requests && worth_it && !self.measured.is_decided()
    }

    /// Looks once more when the planned restarts are done, as is done where an objective may ask for more of them.
    pub(super) fn look_at_the_end(&mut self) {
        let Phases { restarts, steady, .. } = self.plan.phases;
        if !steady.quick && self.measured.restarts() >= restarts + self.losses.restarts() {
            self.measured.is_decided();
        }
    }

    /// How far it is, in restarts that were not lost.
    pub(super) fn share(&self) -> Share {
        Share {
            done: self.measured.restarts().saturating_sub(self.losses.restarts()),
            planned: self.plan.phases.restarts,
        }
    }

    /// Which restart this is: each lost one adds one to those that were planned.
    pub(super) fn which_restart(&self) -> String {
        let (restart, planned) =
            (self.measured.restarts(), self.plan.phases.restarts + self.losses.restarts());
        if restart <= planned {
            format!("restart {restart} of {planned}")
        } else {
            format!("restart {restart}")
        }
    }

    /// The worker of the present restart was lost. Another takes its place, unless too many were lost by now: then the
    /// backend is broken. Gives the line that says so.
    pub(super) fn lose(&mut self, error: &ProviderError, during: &str, began: Mark, of: &str) -> String {
        let now = self.measured.mark();
        let requests = now.requests - began.requests;
        let restarted = self.losses.allow_another();
        let replicas = match self.plan.replicas {
            0 | 1 => String::new(),
            several => format!("\n(one of {several} replicas; all of them are ended)"),
        };
        let why = format!("{error}{replicas}");
        let after = format!("after {}", units::counted(requests, "request"));
        let then = match (restarted, self.losses.max_replacements()) {
            (true, most) => format!("another one takes its place ({} of {most})", self.losses.count() + 1),
            (false, 0) => "it is not replaced ([workers] max_replacements = 0)".to_owned(),
            (false, most) => format!("{most} were replaced, and [workers] max_replacements allows no more"),
        };
        let what = if self.plan.placement == Placement::Client { "its server" } else { "a worker" };
        let said =
            format!("{}: {what} was lost during {during} ({of}, {after}); {then}: {why}", self.plan.name);
        let loss = Loss {
            restart: self.measured.restarts(),
            during: during.to_owned(),
            requests,
            why: why.clone(),
            restarted,
        };
        let done = Steady {
            requests: now.steady.requests - began.steady.requests,
            time: now.steady.time.saturating_sub(began.steady.time),
        };
        self.losses.add(loss, done);
        self.measured.lose_restart();
        if !restarted {
            let steady = units::counted(now.steady.requests, "steady request");
            self.outcome = BackendOutcome::Broken {
                why: format!("{why}\n({of}, during {during}, after {steady}; {then})"),
            };
        }
        said
    }

    /// Nothing is left to be measured of it.
    pub(super) fn finish(&mut self) {
        if self.outcome == BackendOutcome::Pending {
            self.outcome = BackendOutcome::Measured;
        }
    }

    /// The backend's entry in the record, judged by the objectives that apply to it.
    pub(super) fn to_record(&self) -> BackendRecord {
        let Self { plan, found, measured, losses, .. } = self;
        let steady = measured.seen(Phase::Steady);
        let asked = found.launch.as_ref().map_or(&plan.options, |launch| &launch.load.options);
        BackendRecord {
            name: plan.name.clone(),
            kind: plan.kind.name.to_owned(),
            label: found.label(&plan.name),
            placement: plan.placement.name().to_owned(),
            cell: plan.cell.clone(),
            replicas: plan.replicas,
            load: load(&*plan.load),
            corpus: plan.corpus.name.clone(),
            batch_size: u32::try_from(plan.batch_size).unwrap_or(u32::MAX),
            options: asked.clone(),
            fallback: found.fallback.clone(),
            outcome: self.outcome.clone(),
            runs: found.loaded.as_ref().map(runs),
            execution: found.execution.clone(),
            requirement: found.requirement.clone(),
            repeat_probe: found.repeat_probe,
            equivalence: found.equivalence.clone(),
            losses: losses.all().to_vec(),
            max_replacements: losses.max_replacements(),
            cold_starts: measured.cold_starts().to_vec(),
            phases: measured.summaries(),
            resources: resources(measured.usages()),
            timeline: measured.timeline().to_vec(),
            curve: steady.map(Accumulator::curve).unwrap_or_default(),
            verdicts: self.verdicts(steady),
            warm_up: measured.warm_ups().to_vec(),
            drift: measured.drift(),
        }
    }

    /// One verdict for each objective; none for a backend that was not timed.
    fn verdicts(&self, steady: Option<&Accumulator>) -> Vec<ObjectiveVerdict> {
        let Self { found, measured, losses, .. } = self;
        let mut cold_starts_ns: Vec<u64> = measured.cold_starts().iter().map(|cold| cold.total_ns).collect();
        // Each process that never had a vector was infinitely slow to its first one.
        let begun = measured.seen(Phase::ColdStart).map_or(0, Accumulator::requests) + losses.never_asked();
        cold_starts_ns.resize(cold_starts_ns.len().max(begun as usize), u64::MAX);
        // What was overloaded before it was steady was timed, and must not end without a verdict.
        let timed = (steady.is_some() || measured.is_overloaded())
            && !matches!(self.outcome, BackendOutcome::Wrong { .. });
        let figures = Figures {
            steady,
            cold_starts_ns: &cold_starts_ns,
            peak_rss_bytes: measured.usages().iter().filter_map(|usage| usage.peak_rss_bytes).max(),
            min_cosine: found.min_cosine(),
        };
        let judges = measured.judges().iter().filter(|_| timed);
        judges.map(|judge| judge.opinion(figures)).collect()
    }
}

/// A judge for each objective that applies to a backend of that name.
pub(super) fn judges(base: &str, phases: Phases, objectives: &[Objective]) -> Vec<Judge> {
    let steady = phases.steady;
    let horizon = if steady.quick {
        Horizon::Quick
    } else {
        Horizon::AtLeast { requests: steady.min_requests, restarts: phases.restarts }
    };
    let bounds = Bounds { horizon, most_requests: steady.max_requests };
    objectives
        .iter()
        .enumerate()
        .filter(|(_, objective)| objective.applies_to(base))
        .map(|(index, objective)| Judge::new(index, objective, bounds).in_blocks(steady.in_blocks))
        .collect()
}

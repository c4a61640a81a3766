//! Carries a plan out: provides what the backends need, checks their vectors, then measures them in rounds.
//!
//! A round is one restart of every backend, and every other round goes through them backwards: what changes on the
//! machine during a run then falls on all of them alike.

use std::path::Path;
use std::sync::Arc;

use tailmark_providers::provider::Provider;
use tailmark_reports::record::{BackendOutcome, RunRecord, RunStatus};
use tokio::sync::watch;
use tokio::time::Instant;

use super::backend_run::BackendRun;
use super::error::{RunError, cannot};
use super::folder::RunFolder;
use super::launch::Provision;
use super::losses::Losses;
use super::provide::provide;
use super::session::Session;
use super::{believe, cancel, capacity, samples, save};
use crate::driver::{self, Alarm, Block, Driven, SampleLog, Stage, Step};
use crate::environment::{Conditions, ConditionsWatch};
use crate::load::Rule;
use crate::plan::Plan;
use crate::sample::Sample;
use crate::screen::Screen;
use crate::verdict;

/// Runs the plan and gives the finished record. Ctrl-C and SIGTERM end it early with what there is.
pub(super) async fn run(
    plan: &Plan,
    folder: &RunFolder,
    screen: &Arc<Screen>,
    provision: &mut Provision<'_>,
    model_store: Option<&Path>,
) -> Result<RunRecord, RunError> {
    let began = Instant::now();
    let mut record = folder.record();
    save(folder, &record)?;
    let backends = plan.backends.iter().enumerate().map(|(index, backend)| {
        let losses = Losses::none(plan.workers.max_restarts);
        BackendRun::new(index, backend.clone(), plan.seed, &plan.objectives, losses)
    });
    let mut run = Run {
        plan,
        folder,
        screen,
        backends: backends.collect(),
        cancelled: cancel::on_signal()?,
        epoch: began,
        conditions: None,
        alarm: Alarm::start().map_err(cannot("start the thread of the schedule"))?,
        log: sample_log(plan, folder, screen)?,
    };
    provide(plan, &mut run.backends, provision, model_store, &mut record)?;
    run.keep(&mut record);
    let checked = run.check(provision).await;
    // A run that is killed from here on knows its backends.
    run.keep(&mut record);
    let interrupted = match checked {
        Ok(()) => {
            run.conditions = Some(ConditionsWatch::start());
            match &plan.capacity {
                Some(capacity) => run.capacities(capacity, &mut record).await.err(),
                None => run.rounds(&mut record).await.err(),
            }
        }
        Err(during) => Some(during),
    };
    let conditions = run.conditions.take().map(ConditionsWatch::finish);
    run.fill_in(&mut record, conditions.as_ref());
    record.warnings.extend(samples::waited(&run.log));
    record.elapsed_ns = Some(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    record.status = match interrupted {
        Some(Stopped { during }) => RunStatus::Interrupted {
            during,
            after_ns: record.elapsed_ns,
            by: "stopped by the user".to_owned(),
        },
        None => RunStatus::Complete,
    };
    let Run { log, .. } = run;
    log.close().map_err(cannot("write the samples"))?;
    save(folder, &record)?;
    Ok(record)
}

/// The user asked to stop while this was going on.
pub(super) struct Stopped {
    /// What was under way.
    pub(super) during: String,
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a RunFolder,
    pub(super) screen: &'a Arc<Screen>,
    pub(super) backends: Vec<BackendRun>,
    pub(super) cancelled: watch::Receiver<bool>,
    pub(super) epoch: Instant,
    pub(super) conditions: Option<ConditionsWatch>,
    pub(super) alarm: Alarm,
    pub(super) log: SampleLog,
}

fn sample_log(plan: &Plan, folder: &RunFolder, screen: &Arc<Screen>) -> Result<SampleLog, RunError> {
    let names = plan.backends.iter().map(|backend| backend.name.clone()).collect();
    let screen = Arc::clone(screen);
    SampleLog::create(folder.path(), names, Box::new(move |samples| screen.written(samples)))
        .map_err(cannot("write the samples"))
}

impl Run<'_> {
    /// Measures: one restart of every backend that wants one per round, until none does.
    async fn rounds(&mut self, record: &mut RunRecord) -> Result<(), Stopped> {
        for round in 1_u32.. {
            let mut order: Vec<usize> = (0..self.backends.len()).collect();
            if round % 2 == 0 {
                order.reverse();
            }
            order.retain(|index| self.backends[*index].wants_restart());
            if order.is_empty() {
                break;
            }
            for index in order {
                let ended = self.restart(index).await;
                self.keep(record);
                ended?;
            }
        }
        for backend in &mut self.backends {
            if backend.outcome == BackendOutcome::Pending && backend.has_samples() {
                backend.outcome = BackendOutcome::Measured;
            }
        }
        Ok(())
    }

    /// Brings the record up to date and writes it.
    pub(super) fn keep(&mut self, record: &mut RunRecord) {
        let so_far = self.conditions.as_ref().map(ConditionsWatch::so_far);
        self.fill_in(record, so_far.as_ref());
        if let Err(error) = save(self.folder, record) {
            self.screen.say(&format!("warning: {error}; going on"));
        }
    }

    /// Puts what is known of every backend into the record.
    pub(super) fn fill_in(&self, record: &mut RunRecord, conditions: Option<&Conditions>) {
        record.backends = self.backends.iter().map(BackendRun::to_record).collect();
        if let Some(conditions) = conditions {
            believe::apply(record, conditions, &self.backends, self.plan);
        }
        if self.plan.capacity.is_none() {
            let all = record.backends.iter().flat_map(|backend| &backend.verdicts);
            record.overall = verdict::worst(all.map(|judged| judged.verdict));
            return;
        }
        // What stands for others was filled in with them, in the order of the backends; only now can it go.
        let mut stood_in_for = self.backends.iter().map(|backend| backend.is_stood_in_for);
        record.backends.retain(|_| !stood_in_for.next().unwrap_or_default());
        let named = |name: &str| self.backends.iter().find(|backend| backend.plan.name == name);
        capacity::judge(record, |name| named(name)?.littles_law());
        record.overall = capacity::overall(&record.capacities);
    }

    /// Takes a backend into the samples file that the plan does not have.
    pub(super) fn add_to_log(&self, name: String) {
        self.log.add_backend(name);
    }

    /// Counts the workers' processor time as the run's own.
    pub(super) fn watch_processes(&mut self, session: &Session) {
        if let Some(conditions) = &mut self.conditions {
            session.processes().into_iter().for_each(|process| conditions.add_process(process));
        }
    }

    /// Drives requests that belong to no backend's figures; they are in the samples file all the same.
    pub(super) async fn drive_unrecorded(
        &self,
        provider: &dyn Provider,
        load: &dyn Rule,
        block: Block<'_>,
        stages: &[Stage],
        mut seen: impl FnMut(&Sample) -> Step,
    ) -> Driven {
        driver::drive(provider, load, &self.alarm, block, stages, self.cancelled.clone(), |sample| {
            self.log.push(sample);
            seen(sample)
        })
        .await
    }

    /// Does the work, unless the user asks to stop first.
    pub(super) async fn or_stopped<T>(
        &self,
        during: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Stopped> {
        let mut cancelled = self.cancelled.clone();
        tokio::select! {
            done = work => Ok(done),
            Ok(_) = cancelled.wait_for(|cancelled| *cancelled) => Err(Stopped { during: during.to_owned() }),
        }
    }
}

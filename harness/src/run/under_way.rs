//! A run under way: what every mode measures with. Backends, the log of their samples, the clock and the alarm of their
//! schedules, the conditions of the machine, and the record that is kept up to date with all of it.

use std::sync::Arc;

use tailmark_providers::provider::Provider;
use tailmark_reports::record::{BackendOutcome, RunRecord};
use tokio::sync::watch;
use tokio::time::Instant;

use super::backend_run::BackendRun;
use super::believe;
use super::error::{RunError, cannot};
use super::folder::RunFolder;
use super::losses::Losses;
use super::samples;
use super::session::Session;
use super::time_left::{Share, time_left};
use crate::decision;
use crate::driver::{self, Alarm, Block, Driven, SampleLog, Stage, Step};
use crate::environment::{Conditions, ConditionsWatch};
use crate::load::Rule;
use crate::plan::{BackendPlan, Plan};
use crate::sample::Sample;
use crate::screen::Screen;
use crate::statistics::bridges;
use crate::verdict;

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a RunFolder,
    pub(super) screen: &'a Arc<Screen>,
    pub(super) backends: Vec<BackendRun>,
    pub(super) cancelled: watch::Receiver<bool>,
    /// When it began; samples count from here.
    pub(super) epoch: Instant,
    /// Watched while something is timed.
    pub(super) conditions: Option<ConditionsWatch>,
    pub(super) alarm: Alarm,
    pub(super) log: SampleLog,
    /// When the first backend was started to be timed.
    measuring_since: Option<Instant>,
    /// Whether it was said that the folder cannot be written to.
    has_warned: bool,
}

/// The user asked to stop while this was going on.
#[derive(Debug)]
pub(super) struct Stopped {
    /// What was under way.
    pub(super) during: String,
}

impl<'a> Run<'a> {
    /// A run of the plan's backends, of which nothing is known yet.
    pub(super) fn begin(
        plan: &'a Plan,
        folder: &'a RunFolder,
        screen: &'a Arc<Screen>,
        epoch: Instant,
        cancelled: watch::Receiver<bool>,
    ) -> Result<Self, RunError> {
        let backends = plan.backends.iter().enumerate().map(|(index, backend)| {
            let losses = Losses::none(plan.workers.max_replacements);
            BackendRun::new(index, backend.clone(), plan.seed, &plan.objectives, losses)
        });
        Ok(Self {
            plan,
            folder,
            screen,
            backends: backends.collect(),
            cancelled,
            epoch,
            conditions: None,
            alarm: Alarm::start().map_err(cannot("start the thread of the schedule"))?,
            log: sample_log(plan, folder, screen)?,
            measuring_since: None,
            has_warned: false,
        })
    }
}

fn sample_log(plan: &Plan, folder: &RunFolder, screen: &Arc<Screen>) -> Result<SampleLog, RunError> {
    let names = plan.backends.iter().map(|backend| backend.name.clone()).collect();
    let screen = Arc::clone(screen);
    SampleLog::create(folder.path(), names, Box::new(move |samples| screen.written(samples)))
        .map_err(cannot("write the samples"))
}

impl Run<'_> {
    /// Takes in another measurement of one of its backends, under a plan of its own. Gives its index.
    pub(super) fn add_again(&mut self, base: usize, plan: BackendPlan) -> usize {
        let index = self.backends.len();
        self.log.add_backend(plan.name.clone());
        let again = self.backends[base].again(index, plan, self.plan.seed, &self.plan.objectives);
        self.backends.push(again);
        index
    }

    /// Says on the screen how long the run still takes. To be called while no backend is being measured.
    pub(super) fn show_time_left(&mut self) {
        let began = *self.measuring_since.get_or_insert_with(Instant::now);
        let goes_on = |backend: &&BackendRun| {
            backend.outcome == BackendOutcome::Pending && backend.found.launch.is_some()
        };
        let shares: Vec<Share> = self.backends.iter().filter(goes_on).map(BackendRun::share).collect();
        self.screen.run_left(time_left(began.elapsed(), &shares));
    }

    /// Brings the record up to date and writes it.
    pub(super) fn keep(&mut self, record: &mut RunRecord) {
        let so_far = self.conditions.as_ref().map(ConditionsWatch::so_far);
        self.fill_in(record, so_far.as_ref());
        let saved = self.folder.save(record).map_err(|error| error.to_string());
        let lacks_samples = || {
            let file = self.folder.path().join("samples.csv");
            format!("{} can no longer be written", file.display())
        };
        let trouble = saved.err().or_else(|| self.log.has_failed().then(lacks_samples));
        // Said once: a disk that is full stays so.
        if let Some(what) = trouble.filter(|_| !std::mem::replace(&mut self.has_warned, true)) {
            self.screen.say(&format!(
                "warning: {what}; the run goes on, and its figures cover all requests\n\nhint: {}",
                samples::MAKE_ROOM
            ));
        }
    }

    /// Puts what is known of every backend into the record.
    pub(super) fn fill_in(&self, record: &mut RunRecord, conditions: Option<&Conditions>) {
        record.backends = self.backends.iter().map(BackendRun::to_record).collect();
        if let Some(conditions) = conditions {
            believe::apply(record, conditions, &self.backends, self.plan);
        }
        // What stands for others was filled in with them, in the same order; only now can it go.
        let mut stood_in_for = self.backends.iter().map(|backend| backend.is_stood_in_for);
        record.backends.retain(|_| !stood_in_for.next().unwrap_or_default());
        let named = |name: &str| self.backends.iter().find(|backend| backend.plan.name == name);
        verdict::judge_levels(record, |name| named(name)?.measured.littles_law());
        record.overall = verdict::overall(&record.backends, &record.capacities);
        record.bridges = bridges(&record.backends);
        let decision = decision::decide(record, &self.plan.wish, |name| {
            let backend = named(name)?;
            let price_per_hour = backend.plan.price_per_hour;
            Some(decision::Known { series: backend.measured.series(), price_per_hour })
        });
        record.decision = decision;
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

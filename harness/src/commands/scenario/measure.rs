//! Carries a plan out: provides what the backends need, checks their vectors, then measures them in rounds.
//!
//! A round is one restart of every backend, and every other round goes through them backwards: what changes on the
//! machine during a run then falls on all of them alike.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailmark_providers::provider::Provider;
use tailmark_reports::record::{BackendOutcome, Phase, RunRecord, RunStatus};
use tokio::sync::watch;
use tokio::time::Instant;

use super::course::Course;
use super::folder::RunFolder;
use super::launch::Provision;
use super::provide::provide;
use super::session::Session;
use super::track::Track;
use super::{believe, cancel, capacity, save};
use crate::commands::CommandError;
use crate::commands::exit::broken;
use crate::commands::samples;
use crate::commands::screen::Screen;
use crate::driver::{self, Alarm, Driven, Ended, Leg, SampleLog, Stage, Step};
use crate::environment::{Conditions, ConditionsWatch};
use crate::load::{self, LoadModel, Rule};
use crate::monitor::Watch;
use crate::plan::Plan;
use crate::sample::{Outcome, Sample};
use crate::verdict;

/// Runs the plan and gives the finished record. Ctrl-C and SIGTERM end it early with what there is.
pub(super) async fn run(
    plan: &Plan,
    folder: &RunFolder,
    screen: &Arc<Screen>,
    provision: &mut Provision<'_>,
    model_store: Option<&Path>,
) -> Result<RunRecord, CommandError> {
    let began = Instant::now();
    let mut record = folder.record();
    save(folder, &record)?;
    let tracks = plan
        .backends
        .iter()
        .enumerate()
        .map(|(index, backend)| Track::new(index, backend.clone(), plan.seed, &plan.objectives));
    let mut run = Run {
        plan,
        folder,
        screen,
        tracks: tracks.collect(),
        cancelled: cancel::on_signal()?,
        epoch: began,
        conditions: None,
        alarm: Alarm::start().map_err(broken("start the thread of the schedule"))?,
        log: sample_log(plan, folder, screen)?,
    };
    provide(plan, &mut run.tracks, provision, model_store, &mut record)?;
    let interrupted = match run.check(provision).await {
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
    log.close().map_err(broken("write the samples"))?;
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
    pub(super) tracks: Vec<Track>,
    cancelled: watch::Receiver<bool>,
    pub(super) epoch: Instant,
    pub(super) conditions: Option<ConditionsWatch>,
    alarm: Alarm,
    log: SampleLog,
}

fn sample_log(plan: &Plan, folder: &RunFolder, screen: &Arc<Screen>) -> Result<SampleLog, CommandError> {
    let names = plan.backends.iter().map(|backend| backend.name.clone()).collect();
    let screen = Arc::clone(screen);
    SampleLog::create(folder.path(), names, Box::new(move |samples| screen.written(samples)))
        .map_err(broken("write the samples"))
}

impl Run<'_> {
    /// Measures: one restart of every backend that wants one per round, until none does.
    async fn rounds(&mut self, record: &mut RunRecord) -> Result<(), Stopped> {
        for round in 1_u32.. {
            let mut order: Vec<usize> = (0..self.tracks.len()).collect();
            if round % 2 == 0 {
                order.reverse();
            }
            order.retain(|index| self.tracks[*index].wants_turn());
            if order.is_empty() {
                break;
            }
            for index in order {
                let turn = self.turn(index).await;
                let so_far = self.conditions.as_ref().map(ConditionsWatch::so_far);
                self.fill_in(record, so_far.as_ref());
                if let Err(error) = save(self.folder, record) {
                    self.screen.say(&format!("warning: {error}; going on"));
                }
                turn?;
            }
        }
        for track in &mut self.tracks {
            if track.outcome == BackendOutcome::Pending && track.has_samples() {
                track.outcome = BackendOutcome::Measured;
            }
        }
        Ok(())
    }

    /// One restart of one backend: cold start, warm-up, its share of the steady state.
    pub(super) async fn turn(&mut self, index: usize) -> Result<(), Stopped> {
        let plan = self.tracks[index].plan.clone();
        let Some(launch) = self.tracks[index].launch.clone() else { return Ok(()) };
        self.tracks[index].begin_turn();
        let restart = self.tracks[index].turns();
        let planned = plan.phases.restarts;
        let of = if restart <= planned {
            format!("restart {restart} of {planned}")
        } else {
            format!("restart {restart}")
        };
        self.screen.phase(&format!("{}: cold start, {of}", plan.name), None);
        if let Some(conditions) = &mut self.conditions {
            conditions.probe_jitter();
        }
        let stderr = self.folder.stderr_of(&plan.name);
        let opening = Session::open(&launch, self.plan.deadlines, &stderr);
        let session = match self.or_stopped(&format!("cold start of {}, {of}", plan.name), opening).await? {
            Ok(session) => session,
            Err(error) => {
                self.tracks[index].outcome = BackendOutcome::Broken { why: error.to_string() };
                return Ok(());
            }
        };
        self.watch_processes(&session);
        let watch =
            Some(session.processes()).filter(|all| !all.is_empty()).and_then(|all| Watch::start(all).ok());
        let ended = self.phases(index, restart, &session, &of).await;
        if let Some(watch) = watch {
            self.tracks[index].add_usage(watch.finish());
        }
        self.tracks[index].end_turn(session.spawned.elapsed());
        if let Some(conditions) = &mut self.conditions {
            conditions.look();
        }
        session.close().await;
        match ended {
            Ok(Ended::Lost(error)) => {
                let made = self.tracks[index].phase(Phase::Steady).requests();
                let why = format!("{error}\n({of}, after {made} steady requests)");
                self.tracks[index].outcome = BackendOutcome::Broken { why };
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(stopped) => Err(stopped),
        }
    }

    async fn phases(
        &mut self,
        index: usize,
        restart: u32,
        session: &Session,
        of: &str,
    ) -> Result<Ended, Stopped> {
        let name = self.tracks[index].plan.name.clone();
        let cold = self.cold_start(index, restart, session).await;
        if cold != Ended::Done {
            return unless_stopped(cold, || format!("first embedding of {name}, {of}"));
        }
        let load = Arc::clone(&self.tracks[index].plan.load);
        let mut course = Course::of(&mut self.tracks[index], self.plan.deadlines.request);
        let first_warm_up = self.tracks[index].phase(Phase::WarmUp).requests();
        let stages = course.stages(first_warm_up);
        let mut during = Phase::WarmUp;
        let mut ended = Ended::Done;
        let legs: &[(&LoadModel, &[Stage])] = if load.warms_up_apart() {
            &[(&load::one_caller(), &stages[..1]), (&load, &stages[1..])]
        } else {
            &[(&load, &stages)]
        };
        for (load, stages) in legs {
            ended = self.drive(index, session, &***load, stages, &mut course, &mut during, of).await;
            if ended != Ended::Done {
                break;
            }
        }
        course.end(&mut self.tracks[index]);
        if ended == Ended::Overloaded {
            self.tracks[index].set_overloaded(during);
        }
        unless_stopped(ended, || format!("{} of {name}, {of}", phase_name(during)))
    }

    /// Drives one leg through its stages; `during` is the phase that it is in.
    #[expect(clippy::too_many_arguments, reason = "all of it is the state of one restart")]
    async fn drive(
        &mut self,
        index: usize,
        session: &Session,
        load: &dyn Rule,
        stages: &[Stage],
        course: &mut Course,
        during: &mut Phase,
        of: &str,
    ) -> Ended {
        let track = &mut self.tracks[index];
        let batches = track.batches.clone();
        let leg = Leg {
            backend: track.index,
            restart: track.turns(),
            batches: &batches,
            epoch: self.epoch,
            at_once: track.at_once(),
            stream: u64::from(track.turns()),
        };
        let turn_began_ns = nanoseconds(session.spawned - self.epoch);
        let (log, screen, name) = (&self.log, &self.screen, track.plan.name.clone());
        let planned = course.planned();
        let mut entered = None;
        let mut enter = |phase: Phase, requests: u64| {
            if entered != Some(phase) {
                entered = Some(phase);
                screen.phase(&format!("{} of {name}, {of}", phase_name(phase)), Some(requests));
            }
        };
        if let Some(first) = stages.iter().find(|stage| stage.max_requests > 0) {
            *during = first.phase;
            let most = if first.phase == Phase::Steady { planned } else { first.max_requests };
            enter(first.phase, most);
        }
        let cancelled = self.cancelled.clone();
        let driven = driver::drive(session.provider(), load, &self.alarm, leg, stages, cancelled, |sample| {
            if sample.phase == Phase::Steady {
                *during = Phase::Steady;
                enter(Phase::Steady, planned);
            }
            log.push(sample);
            track.record(sample, turn_began_ns);
            course.see(track, sample)
        })
        .await;
        for (stage, flow) in stages.iter().zip(&driven.stages) {
            track.add_flow(stage.phase, flow);
        }
        driven.ended
    }

    /// The first embedding, and with it the whole cold start as a request that was due when the process was spawned.
    async fn cold_start(&mut self, index: usize, restart: u32, session: &Session) -> Ended {
        let track = &mut self.tracks[index];
        let batches = track.batches.clone();
        let first_number = track.phase(Phase::ColdStart).requests();
        let leg = Leg {
            backend: track.index,
            restart,
            batches: &batches,
            epoch: self.epoch,
            at_once: 1,
            stream: 0,
        };
        let spawned_ns = nanoseconds(session.spawned - self.epoch);
        let mut first: Option<Sample> = None;
        let once =
            [Stage { phase: Phase::ColdStart, first_number: 0, max_requests: 1, max_time: Duration::MAX }];
        let (load, cancelled) = (load::one_caller(), self.cancelled.clone());
        let driven =
            driver::drive(session.provider(), &*load, &self.alarm, leg, &once, cancelled, |sample| {
                first = Some(sample.clone());
                Step::GoOn
            })
            .await;
        if let Some(mut sample) = first {
            let embedding = sample.finished_ns.saturating_sub(sample.scheduled_ns);
            sample.number = first_number;
            sample.scheduled_ns = spawned_ns;
            self.log.push(&sample);
            track.record(&sample, spawned_ns);
            let total = sample.finished_ns.saturating_sub(spawned_ns);
            track.phase(Phase::ColdStart).add_elapsed(Duration::from_nanos(total));
            if sample.outcome == Outcome::Answered {
                track.add_cold_start(session.cold_start(restart, embedding, total));
            }
        }
        driven.ended
    }

    /// Puts what is known of every backend into the record.
    pub(super) fn fill_in(&self, record: &mut RunRecord, conditions: Option<&Conditions>) {
        record.backends = self.tracks.iter().map(Track::to_record).collect();
        if let Some(conditions) = conditions {
            believe::apply(record, conditions, &self.tracks, self.plan);
        }
        if self.plan.capacity.is_none() {
            let all = record.backends.iter().flat_map(|backend| &backend.verdicts);
            record.overall = verdict::worst(all.map(|judged| judged.verdict));
            return;
        }
        // What stands for others was filled in with them, in the order of the tracks; only now can it go.
        let mut stood_in_for = self.tracks.iter().map(|track| track.is_stood_in_for);
        record.backends.retain(|_| !stood_in_for.next().unwrap_or_default());
        let track = |name: &str| self.tracks.iter().find(|track| track.plan.name == name);
        capacity::judge(record, |name| track(name)?.littles_law());
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
        leg: Leg<'_>,
        stages: &[Stage],
        mut seen: impl FnMut(&Sample) -> Step,
    ) -> Driven {
        driver::drive(provider, load, &self.alarm, leg, stages, self.cancelled.clone(), |sample| {
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

fn unless_stopped(ended: Ended, during: impl FnOnce() -> String) -> Result<Ended, Stopped> {
    if ended == Ended::Cancelled { Err(Stopped { during: during() }) } else { Ok(ended) }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::ColdStart => "cold start",
        Phase::WarmUp => "warm-up",
        Phase::Steady | Phase::Mixed => "steady state",
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

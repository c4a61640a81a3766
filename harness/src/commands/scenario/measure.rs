//! Carries a plan out: provides what the backends need, checks their vectors, then measures them in rounds.
//!
//! A round is one restart of every backend, and every other round goes through them backwards: what changes on the
//! machine during a run then falls on all of them alike.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailmark_reports::record::{BackendOutcome, ColdStart, Phase, RunRecord, RunStatus};
use tokio::sync::watch;
use tokio::time::Instant;

use super::folder::RunFolder;
use super::launch::Provision;
use super::provide::provide;
use super::save;
use super::session::Session;
use super::track::Track;
use crate::commands::CommandError;
use crate::commands::exit::broken;
use crate::commands::screen::Screen;
use crate::driver::{self, Ended, Leg, Quota, SampleLog};
use crate::monitor::Watch;
use crate::plan::Plan;
use crate::sample::{Outcome, Sample};
use crate::verdict;
use crate::workload::Batches;

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
    let tracks = plan.backends.iter().enumerate().map(|(index, backend)| {
        let batches = Batches::new(&plan.corpus, backend.batch_size, plan.seed);
        Track::new(index, backend.clone(), batches, &plan.objectives)
    });
    let mut run = Run {
        plan,
        folder,
        screen,
        tracks: tracks.collect(),
        cancelled: cancellation()?,
        epoch: began,
        log: sample_log(plan, folder, screen)?,
    };
    provide(plan, &mut run.tracks, provision, model_store, &mut record)?;
    let interrupted = match run.check(provision).await {
        Ok(()) => run.rounds(&mut record).await.err(),
        Err(during) => Some(during),
    };
    run.fill_in(&mut record);
    record.elapsed_ns = Some(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    record.status = match interrupted {
        Some(Stopped { during }) => RunStatus::Interrupted { during },
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
    epoch: Instant,
    log: SampleLog,
}

fn cancellation() -> Result<watch::Receiver<bool>, CommandError> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(broken("listen for Ctrl-C"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(broken("listen for SIGTERM"))?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Nobody listens any more when the run is over; then there is nothing to cancel.
        let _ = sender.send(true);
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}

fn sample_log(plan: &Plan, folder: &RunFolder, screen: &Arc<Screen>) -> Result<SampleLog, CommandError> {
    let names = plan.backends.iter().map(|backend| backend.name.clone()).collect();
    let screen = Arc::clone(screen);
    SampleLog::create(
        &folder.path().join("samples.csv"),
        names,
        Box::new(move |samples| screen.written(samples)),
    )
    .map_err(broken("write the samples"))
}

impl Run<'_> {
    /// Measures: one restart of every backend per round.
    async fn rounds(&mut self, record: &mut RunRecord) -> Result<(), Stopped> {
        let rounds = self.tracks.iter().map(|track| track.plan.phases.restarts).max().unwrap_or(0);
        for restart in 1..=rounds {
            let mut order: Vec<usize> = (0..self.tracks.len()).collect();
            if restart % 2 == 0 {
                order.reverse();
            }
            for index in order {
                if !self.tracks[index].wants(restart) {
                    continue;
                }
                let turn = self.turn(index, restart).await;
                self.fill_in(record);
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
    async fn turn(&mut self, index: usize, restart: u32) -> Result<(), Stopped> {
        let plan = self.tracks[index].plan.clone();
        let of = format!("restart {restart} of {}", plan.phases.restarts);
        let Some(launch) = self.tracks[index].launch.clone() else { return Ok(()) };
        self.screen.phase(&format!("{}: cold start, {of}", plan.name), None);
        let stderr = self.folder.stderr_of(&plan.name);
        let opening = Session::open(&launch, self.plan.deadlines, &stderr);
        let session = match self.or_stopped(&format!("cold start of {}, {of}", plan.name), opening).await? {
            Ok(session) => session,
            Err(error) => {
                self.tracks[index].outcome = BackendOutcome::Broken { why: error.to_string() };
                return Ok(());
            }
        };
        let watch = session.process().and_then(|process| Watch::start(process).ok());
        let ended = self.phases(index, restart, &session, &of).await;
        if let Some(watch) = watch {
            self.tracks[index].add_usage(watch.finish());
        }
        self.tracks[index].end_turn(session.spawned.elapsed());
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
        let plan = self.tracks[index].plan.clone();
        let cold = self.cold_start(index, restart, session).await;
        if cold != Ended::Done {
            return self.unless_stopped(cold, &format!("first embedding of {}, {of}", plan.name));
        }
        let steady = plan.phases.steady;
        let warm_up = Quota::requests(plan.phases.warm_up_requests, steady.max_time);
        let share = |count: u64| {
            // The first restarts take the remainder, so that the shares add up to the whole.
            let restarts = u64::from(plan.phases.restarts);
            count / restarts + u64::from(u64::from(restart) <= count % restarts)
        };
        let measured = Quota {
            min_requests: share(steady.min_requests),
            min_time: steady.min_time / plan.phases.restarts,
            max_requests: steady.max_requests.map_or(u64::MAX, share),
            max_time: steady.max_time / plan.phases.restarts,
        };
        for (phase, name, quota) in
            [(Phase::WarmUp, "warm-up", warm_up), (Phase::Steady, "steady state", measured)]
        {
            let what = format!("{}: {name}, {of}", plan.name);
            self.screen.phase(&what, Some(quota.min_requests));
            let ended = self.drive(index, restart, session, phase, quota).await;
            if ended != Ended::Done {
                return self.unless_stopped(ended, &format!("{name} of {}, {of}", plan.name));
            }
        }
        Ok(Ended::Done)
    }

    fn unless_stopped(&self, ended: Ended, during: &str) -> Result<Ended, Stopped> {
        if ended == Ended::Cancelled { Err(Stopped { during: during.to_owned() }) } else { Ok(ended) }
    }

    async fn drive(
        &mut self,
        index: usize,
        restart: u32,
        session: &Session,
        phase: Phase,
        quota: Quota,
    ) -> Ended {
        let track = &mut self.tracks[index];
        let batches = track.batches.clone();
        let leg = Leg {
            backend: track.index,
            restart,
            phase,
            first_number: track.phase(phase).requests(),
            batches: &batches,
            epoch: self.epoch,
        };
        let turn_began_ns = nanoseconds(session.spawned - self.epoch);
        let began = Instant::now();
        let (log, cancelled) = (&self.log, self.cancelled.clone());
        let ended = driver::drive(session.provider(), &*self.plan.load, leg, quota, cancelled, |sample| {
            log.push(sample);
            track.record(sample, turn_began_ns);
        })
        .await;
        track.phase(phase).add_elapsed(began.elapsed());
        ended
    }

    /// The first embedding, and with it the whole cold start as a request that was due when the process was spawned.
    async fn cold_start(&mut self, index: usize, restart: u32, session: &Session) -> Ended {
        let track = &mut self.tracks[index];
        let batches = track.batches.clone();
        let first_number = track.phase(Phase::ColdStart).requests();
        let leg = Leg {
            backend: track.index,
            restart,
            phase: Phase::ColdStart,
            first_number: 0,
            batches: &batches,
            epoch: self.epoch,
        };
        let spawned_ns = nanoseconds(session.spawned - self.epoch);
        let mut first: Option<Sample> = None;
        let quota = Quota::requests(1, Duration::MAX);
        let one_caller = crate::load::find("closed")
            .and_then(|kind| (kind.read)(&crate::scenario::LoadSection::default()).ok())
            .expect("the closed model and its defaults: this is a bug");
        let ended =
            driver::drive(session.provider(), &*one_caller, leg, quota, self.cancelled.clone(), |sample| {
                first = Some(sample.clone());
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
                track.add_cold_start(stages_of(session, restart, embedding, total));
            }
        }
        ended
    }

    /// Puts what is known of every backend into the record.
    fn fill_in(&self, record: &mut RunRecord) {
        record.backends = self.tracks.iter().map(|track| track.to_record(&self.plan.objectives)).collect();
        record.overall = verdict::worst(
            record.backends.iter().flat_map(|backend| &backend.verdicts).map(|judged| judged.verdict),
        );
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

/// The cold start by stage. Importing is what the worker says it was; the rest of `load` as seen from here is loading,
/// so that the stages add up to the total.
fn stages_of(session: &Session, restart: u32, embedding_ns: u64, total_ns: u64) -> ColdStart {
    let spawn_ns = nanoseconds(session.spawn);
    let load_ns = total_ns.saturating_sub(spawn_ns + embedding_ns);
    let import_ns = session.loaded.import_ns.min(load_ns);
    ColdStart {
        restart,
        spawn_ns,
        import_ns,
        load_ns: load_ns - import_ns,
        first_embedding_ns: embedding_ns,
        total_ns,
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

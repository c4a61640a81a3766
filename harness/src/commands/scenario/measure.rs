//! Carries a plan out: provides what the backends need, checks their vectors, then measures them in rounds.
//!
//! A round is one restart of every backend, and every other round goes through them backwards: what changes on the
//! machine during a run then falls on all of them alike.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailmark_reports::record::{BackendOutcome, ColdStart, Phase, RunRecord, RunStatus};
use tokio::sync::watch;
use tokio::time::Instant;

use super::folder::RunFolder;
use super::launch::Provision;
use super::provide::provide;
use super::session::Session;
use super::track::Track;
use super::{believe, cancel, save};
use crate::commands::CommandError;
use crate::commands::exit::broken;
use crate::commands::screen::Screen;
use crate::driver::{self, Ended, Leg, Quota, SampleLog};
use crate::environment::{Conditions, ConditionsWatch};
use crate::monitor::Watch;
use crate::plan::{Phases, Plan, WarmUp};
use crate::sample::{Outcome, Sample};
use crate::statistics::steady::{self, WarmUpState};
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
        cancelled: cancel::on_signal()?,
        epoch: began,
        conditions: None,
        log: sample_log(plan, folder, screen)?,
    };
    provide(plan, &mut run.tracks, provision, model_store, &mut record)?;
    let interrupted = match run.check(provision).await {
        Ok(()) => {
            run.conditions = Some(ConditionsWatch::start());
            run.rounds(&mut record).await.err()
        }
        Err(during) => Some(during),
    };
    let conditions = run.conditions.take().map(ConditionsWatch::finish);
    run.fill_in(&mut record, conditions.as_ref());
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
    conditions: Option<ConditionsWatch>,
    log: SampleLog,
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
    async fn turn(&mut self, index: usize) -> Result<(), Stopped> {
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
        if let (Some(conditions), Some(process)) = (&mut self.conditions, session.process()) {
            conditions.add_process(process);
        }
        let watch = session.process().and_then(|process| Watch::start(process).ok());
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
        let plan = self.tracks[index].plan.clone();
        let cold = self.cold_start(index, restart, session).await;
        if cold != Ended::Done {
            return self.unless_stopped(cold, &format!("first embedding of {}, {of}", plan.name));
        }
        let what = format!("warm-up of {}, {of}", plan.name);
        let ended = self.warm_up(index, session, &what).await;
        if ended != Ended::Done {
            return self.unless_stopped(ended, &what);
        }
        let what = format!("steady state of {}, {of}", plan.name);
        let ended = self.steady(index, session, &what).await;
        self.unless_stopped(ended, &what)
    }

    async fn warm_up(&mut self, index: usize, session: &Session, what: &str) -> Ended {
        let phases = self.tracks[index].plan.phases;
        let slowest_ns = nanoseconds(self.plan.deadlines.request);
        let most = match phases.warm_up {
            WarmUp::Fixed(count) => count,
            WarmUp::Found { most, .. } => most,
        };
        let mut watch = match phases.warm_up {
            WarmUp::Fixed(_) => None,
            WarmUp::Found { fewest, most } => Some(steady::WarmUp::new(fewest, most)),
        };
        self.screen.phase(what, Some(most));
        let quota = Quota { max_requests: most, max_time: phases.steady.max_time / phases.restarts };
        let mut requests = 0;
        let ended = self
            .drive(index, session, Phase::WarmUp, quota, |track, sample| {
                requests += 1;
                let Some(watch) = &mut watch else { return ControlFlow::Continue(()) };
                let latency_ns = sample.response_ns().unwrap_or(slowest_ns).max(1);
                watch.observe((latency_ns as f64).ln(), track.is_missed_by(sample));
                if watch.state() == WarmUpState::WarmingUp {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
            .await;
        if let (Ended::Done, Some(watch)) = (&ended, watch) {
            self.tracks[index].end_warm_up(requests, watch.state() == WarmUpState::Steady);
        }
        ended
    }

    async fn steady(&mut self, index: usize, session: &Session, what: &str) -> Ended {
        let track = &mut self.tracks[index];
        let Phases { restarts, steady, .. } = track.plan.phases;
        let restart = track.turns();
        let (done, elapsed) = {
            let so_far = track.phase(Phase::Steady);
            (so_far.requests(), so_far.elapsed())
        };
        // The first restarts take the remainder, so that the shares add up to the whole.
        let share = {
            let (count, restarts) = (steady.min_requests, u64::from(restarts));
            count / restarts + u64::from(u64::from(restart) <= count % restarts)
        };
        let time_share = steady.min_time / restarts;
        let left = steady.max_time.saturating_sub(elapsed);
        let quota = Quota {
            max_requests: steady.max_requests.saturating_sub(done),
            max_time: if restart <= restarts { left.min(steady.max_time / restarts) } else { left },
        };
        self.screen.phase(what, Some(share));
        let mut began_ns = None;
        let mut requests = 0;
        self.drive(index, session, Phase::Steady, quota, |track, sample| {
            requests += 1;
            let began_ns = *began_ns.get_or_insert(sample.scheduled_ns);
            let here = Duration::from_nanos(sample.finished_ns.saturating_sub(began_ns));
            let enough = match track.wants_fresh_process() {
                // Nothing decides as it goes: this restart's share of the planned count.
                None => requests >= share && here >= time_share,
                Some(fresh) => {
                    let decided = elapsed + here >= steady.min_time && track.is_decided();
                    decided || (fresh && here >= time_share)
                }
            };
            if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await
    }

    fn unless_stopped(&self, ended: Ended, during: &str) -> Result<Ended, Stopped> {
        if ended == Ended::Cancelled { Err(Stopped { during: during.to_owned() }) } else { Ok(ended) }
    }

    async fn drive(
        &mut self,
        index: usize,
        session: &Session,
        phase: Phase,
        quota: Quota,
        mut seen: impl FnMut(&mut Track, &Sample) -> ControlFlow<()>,
    ) -> Ended {
        let track = &mut self.tracks[index];
        let batches = track.batches.clone();
        let leg = Leg {
            backend: track.index,
            restart: track.turns(),
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
            seen(track, sample)
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
        let quota = Quota { max_requests: 1, max_time: Duration::MAX };
        let one_caller = crate::load::find("closed")
            .and_then(|kind| (kind.read)(&crate::scenario::LoadSection::default()).ok())
            .expect("the closed model and its defaults: this is a bug");
        let ended =
            driver::drive(session.provider(), &*one_caller, leg, quota, self.cancelled.clone(), |sample| {
                first = Some(sample.clone());
                ControlFlow::Break(())
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
    fn fill_in(&self, record: &mut RunRecord, conditions: Option<&Conditions>) {
        record.backends =
            self.tracks.iter().map(|track| track.to_record(&record.load, &record.workload.corpus)).collect();
        if let Some(conditions) = conditions {
            believe::apply(record, conditions, &self.tracks, self.plan);
        }
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

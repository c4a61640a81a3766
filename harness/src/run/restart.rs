//! One restart of one backend: a fresh process, its cold start, its warm-up and its share of the steady state. A worker that is
//! lost on the way is an outcome of the restart and not the end of the run.

use std::sync::Arc;
use std::time::Duration;

use tailmark_reports::record::Phase;

use super::losses::COLD_START;
use super::measure::{Run, Stopped};
use super::session::Session;
use super::stopping_rule::StoppingRule;
use crate::driver::{self, Block, Ended, Stage, Step};
use crate::load::{self, LoadModel, Rule};
use crate::monitor::Watch;
use crate::sample::{Outcome, Sample};

impl Run<'_> {
    /// One restart of one backend: cold start, warm-up, its share of the steady state.
    pub(super) async fn restart(&mut self, index: usize) -> Result<(), Stopped> {
        let plan = self.backends[index].plan.clone();
        let Some(launch) = self.backends[index].launch.clone() else { return Ok(()) };
        let began = self.backends[index].mark();
        self.backends[index].begin_restart();
        let restart = self.backends[index].restarts();
        let of = self.backends[index].which_restart();
        self.screen.phase(&format!("{}: cold start, {of}", plan.name), None);
        if let Some(conditions) = &mut self.conditions {
            conditions.probe_jitter();
        }
        let stderr = self.folder.stderr_of(&plan.name);
        let opening = Session::open(&launch, self.plan.deadlines, &stderr);
        let session = match self.or_stopped(&format!("cold start of {}, {of}", plan.name), opening).await? {
            Ok(session) => session,
            Err(error) => {
                let said = self.backends[index].lose(&error, COLD_START, began, &of);
                self.screen.say(&said);
                return Ok(());
            }
        };
        self.watch_processes(&session);
        let watch =
            Some(session.processes()).filter(|all| !all.is_empty()).and_then(|all| Watch::start(all).ok());
        let mut during = Phase::ColdStart;
        let ended = self.phases(index, restart, &session, &mut during, &of).await;
        if let Some(watch) = watch {
            self.backends[index].add_usage(watch.finish());
        }
        self.backends[index].end_restart(session.spawned.elapsed());
        if let Some(conditions) = &mut self.conditions {
            conditions.look();
        }
        match &ended {
            Ok(Ended::Lost(error)) => {
                let said = self.backends[index].lose(error, during.name(), began, &of);
                self.screen.say(&said);
            }
            _ => self.backends[index].losses.share_is_done(),
        }
        session.close().await;
        ended.map(|_| ())
    }

    async fn phases(
        &mut self,
        index: usize,
        restart: u32,
        session: &Session,
        during: &mut Phase,
        of: &str,
    ) -> Result<Ended, Stopped> {
        let name = self.backends[index].plan.name.clone();
        let cold = self.cold_start(index, restart, session).await;
        if cold != Ended::Done {
            return unless_stopped(cold, || format!("first embedding of {name}, {of}"));
        }
        let load = Arc::clone(&self.backends[index].plan.load);
        let mut rule = StoppingRule::of(&mut self.backends[index], self.plan.deadlines.request);
        let first_warm_up = self.backends[index].phase(Phase::WarmUp).requests();
        let stages = rule.stages(first_warm_up);
        *during = Phase::WarmUp;
        let mut ended = Ended::Done;
        let blocks: &[(&LoadModel, &[Stage])] = if load.warms_up_apart() {
            &[(&load::one_caller(), &stages[..1]), (&load, &stages[1..])]
        } else {
            &[(&load, &stages)]
        };
        for (load, stages) in blocks {
            ended = self.drive(index, session, &***load, stages, &mut rule, during, of).await;
            if ended != Ended::Done {
                break;
            }
        }
        rule.end(&mut self.backends[index]);
        if ended == Ended::Overloaded {
            self.backends[index].set_overloaded(*during);
        }
        unless_stopped(ended, || format!("{} of {name}, {of}", during.name()))
    }

    /// Drives one block through its stages; `during` is the phase that it is in.
    #[expect(clippy::too_many_arguments, reason = "all of it is the state of one restart")]
    async fn drive(
        &mut self,
        index: usize,
        session: &Session,
        load: &dyn Rule,
        stages: &[Stage],
        rule: &mut StoppingRule,
        during: &mut Phase,
        of: &str,
    ) -> Ended {
        let backend = &mut self.backends[index];
        let batches = backend.batches.clone();
        let block = Block {
            backend: backend.index,
            restart: backend.restarts(),
            batches: &batches,
            epoch: self.epoch,
            at_once: backend.at_once(),
            stream: u64::from(backend.restarts()),
        };
        let restart_began_ns = nanoseconds(session.spawned - self.epoch);
        let (log, screen, name) = (&self.log, &self.screen, backend.plan.name.clone());
        let planned = rule.planned();
        let mut entered = None;
        let mut enter = |phase: Phase, requests: u64| {
            if entered != Some(phase) {
                entered = Some(phase);
                screen.phase(&format!("{} of {name}, {of}", phase.name()), Some(requests));
            }
        };
        if let Some(first) = stages.iter().find(|stage| stage.max_requests > 0) {
            *during = first.phase;
            let most = if first.phase == Phase::Steady { planned } else { first.max_requests };
            enter(first.phase, most);
        }
        let cancelled = self.cancelled.clone();
        let driven =
            driver::drive(session.provider(), load, &self.alarm, block, stages, cancelled, |sample| {
                if sample.phase == Phase::Steady {
                    *during = Phase::Steady;
                    enter(Phase::Steady, planned);
                }
                log.push(sample);
                backend.record(sample, restart_began_ns);
                rule.see(backend, sample)
            })
            .await;
        for (stage, flow) in stages.iter().zip(&driven.stages) {
            backend.add_flow(stage.phase, flow);
        }
        driven.ended
    }

    /// The first embedding, and with it the whole cold start as a request that was due when the process was spawned.
    async fn cold_start(&mut self, index: usize, restart: u32, session: &Session) -> Ended {
        let backend = &mut self.backends[index];
        let batches = backend.batches.clone();
        let first_number = backend.phase(Phase::ColdStart).requests();
        let block = Block {
            backend: backend.index,
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
            driver::drive(session.provider(), &*load, &self.alarm, block, &once, cancelled, |sample| {
                first = Some(sample.clone());
                Step::GoOn
            })
            .await;
        if let Some(mut sample) = first {
            let embedding = sample.finished_ns.saturating_sub(sample.scheduled_ns);
            sample.number = first_number;
            sample.scheduled_ns = spawned_ns;
            self.log.push(&sample);
            backend.record(&sample, spawned_ns);
            let total = sample.finished_ns.saturating_sub(spawned_ns);
            backend.phase(Phase::ColdStart).add_elapsed(Duration::from_nanos(total));
            if sample.outcome == Outcome::Answered {
                backend.add_cold_start(session.cold_start(restart, embedding, total));
            }
        }
        driven.ended
    }
}

fn unless_stopped(ended: Ended, during: impl FnOnce() -> String) -> Result<Ended, Stopped> {
    if ended == Ended::Cancelled { Err(Stopped { during: during() }) } else { Ok(ended) }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

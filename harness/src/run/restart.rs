//! One restart of one backend, in the steps that every mode of measuring is made of: open it, which times its cold start; drive
//! blocks of requests through it; close it. Several can be open at once and be driven in turn.
//!
//! A worker that is lost on the way is an outcome of the restart and not the end of the run.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tailmark_reports::record::Phase;

use super::measured::{Mark, Measured};
use super::session::Session;
use super::stopping_rule::StoppingRule;
use super::under_way::{Run, Stopped};
use crate::driver::{self, Block, Ended, Stage, Step};
use crate::load::{self, LoadModel, Rule};
use crate::monitor::Watch;
use crate::sample::{Outcome, Sample};

/// A restart under way: a live provider that has answered its first request.
pub(super) struct Restart {
    /// Index of the backend in the run.
    backend: usize,
    /// Which one of that backend, from 1.
    number: u32,
    /// The same in words.
    of: String,
    session: Session,
    /// The phase that it is in.
    during: Phase,
    /// How far the backend was when it began.
    began: Mark,
    /// What its processes use.
    usage: Option<Watch>,
}

/// A block of requests to one restart.
#[derive(Clone, Copy)]
pub(super) struct Requests<'a> {
    /// When they are due.
    pub(super) load: &'a dyn Rule,
    /// Which draw of that, where anything is drawn.
    pub(super) stream: u64,
    /// The phases they belong to, and the most of each.
    pub(super) stages: &'a [Stage],
    /// How many steady-state requests are expected: what the screen counts up to.
    pub(super) expected: u64,
}

impl Restart {
    /// Which one of its backend it is, from 1.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Says which part of a measurement it is in.
    pub(super) fn is_in(&mut self, of: String) {
        self.of = of;
    }
}

impl Run<'_> {
    /// One whole restart: cold start, warm-up, its share of the steady state.
    pub(super) async fn restart(&mut self, index: usize) -> Result<(), Stopped> {
        let Some(mut restart) = self.open(index).await? else { return Ok(()) };
        let ended = self.warm_up_and_measure(&mut restart).await;
        self.close(restart, ended).await
    }

    /// Starts a fresh process and has it embed once. `None` when there is none to be started or it was lost on the way.
    pub(super) async fn open(&mut self, index: usize) -> Result<Option<Restart>, Stopped> {
        let backend = &mut self.backends[index];
        let Some(launch) = backend.found.launch.clone() else { return Ok(None) };
        let name = backend.plan.name.clone();
        let began = backend.measured.mark();
        let number = backend.measured.begin_restart();
        let of = backend.which_restart();
        let what = Phase::ColdStart.name();
        self.screen.phase(&format!("{name}: {what}, {of}"), None);
        if let Some(conditions) = &mut self.conditions {
            conditions.probe_jitter();
        }
        let stderr = self.folder.stderr_of(&name);
        let opening = Session::open(&launch, self.plan.deadlines, &stderr);
        let session = match self.or_stopped(&format!("{what} of {name}, {of}"), opening).await? {
            Ok(session) => session,
            Err(error) => {
                let said = self.backends[index].lose(&error, what, began, &of);
                self.screen.say(&said);
                return Ok(None);
            }
        };
        self.watch_processes(&session);
        let usage =
            Some(session.processes()).filter(|all| !all.is_empty()).and_then(|all| Watch::start(all).ok());
        let mut restart =
            Restart { backend: index, number, of, session, during: Phase::ColdStart, began, usage };
        match self.cold_start(&mut restart).await {
            Ended::Done => Ok(Some(restart)),
            ended => self.close(restart, ended).await.map(|()| None),
        }
    }

    /// Sends a block of requests. Each is recorded, then shown to `see`, which may end its stage.
    pub(super) async fn drive(
        &mut self,
        restart: &mut Restart,
        requests: Requests<'_>,
        mut see: impl FnMut(&mut Measured, &Sample) -> Step,
    ) -> Ended {
        let Requests { load, stream, stages, expected } = requests;
        let Restart { session, during, of, .. } = restart;
        let backend = &mut self.backends[restart.backend];
        let block = Block {
            backend: backend.index,
            restart: restart.number,
            batches: &backend.batches,
            epoch: self.epoch,
            at_once: backend.found.at_once(),
            stream,
        };
        let spawned_ns = nanoseconds(session.spawned - self.epoch);
        let (log, screen, name) = (&self.log, &self.screen, &backend.plan.name);
        let mut entered = None;
        let mut enter = |phase: Phase, requests: u64| {
            if entered != Some(phase) {
                entered = Some(phase);
                screen.phase(&format!("{} of {name}, {of}", phase.name()), Some(requests));
            }
        };
        if let Some(first) = stages.iter().find(|stage| stage.max_requests > 0) {
            *during = first.phase;
            enter(first.phase, if first.phase == Phase::Steady { expected } else { first.max_requests });
        }
        let measured = &mut backend.measured;
        let cancelled = self.cancelled.clone();
        let driven =
            driver::drive(session.provider(), load, &self.alarm, block, stages, cancelled, |sample| {
                if sample.phase == Phase::Steady {
                    *during = Phase::Steady;
                    enter(Phase::Steady, expected);
                }
                log.push(sample);
                measured.record(sample, spawned_ns);
                see(measured, sample)
            })
            .await;
        let open = backend.plan.load.limits().is_open();
        for (stage, flow) in stages.iter().zip(&driven.stages) {
            measured.add_flow(stage.phase, flow, open);
        }
        driven.ended
    }

    /// Ends a restart, whose last block ended so.
    pub(super) async fn close(&mut self, restart: Restart, ended: Ended) -> Result<(), Stopped> {
        let Restart { backend, of, session, during, began, usage, .. } = restart;
        let backend = &mut self.backends[backend];
        if let Some(usage) = usage {
            backend.measured.add_usage(usage.finish());
        }
        backend.measured.end_restart(session.spawned.elapsed());
        if let Some(conditions) = &mut self.conditions {
            conditions.look();
        }
        match &ended {
            Ended::Lost(error) => {
                let said = backend.lose(error, during.name(), began, &of);
                self.screen.say(&said);
            }
            Ended::Overloaded => {
                backend.measured.set_overloaded(during);
                backend.losses.share_is_done();
            }
            Ended::Done | Ended::Cancelled => backend.losses.share_is_done(),
        }
        session.close().await;
        if ended != Ended::Cancelled {
            return Ok(());
        }
        let what = if during == Phase::ColdStart { "first embedding" } else { during.name() };
        Err(Stopped { during: format!("{what} of {}, {of}", backend.plan.name) })
    }

    async fn warm_up_and_measure(&mut self, restart: &mut Restart) -> Ended {
        let request_deadline = self.plan.deadlines.request;
        let backend = &mut self.backends[restart.backend];
        let load = Arc::clone(&backend.plan.load);
        let mut rule = StoppingRule::of(backend, request_deadline);
        let stages = rule.stages(backend.measured.phase(Phase::WarmUp).requests());
        restart.during = Phase::WarmUp;
        let blocks: &[(&LoadModel, &[Stage])] = if load.warms_up_apart() {
            &[(&load::one_caller(), &stages[..1]), (&load, &stages[1..])]
        } else {
            &[(&load, &stages)]
        };
        self.drive_by_rule(restart, &mut rule, blocks).await
    }

    /// The warm-up alone, for whoever drives the steady state in blocks of their own.
    pub(super) async fn warm_up(&mut self, restart: &mut Restart) -> Ended {
        let request_deadline = self.plan.deadlines.request;
        let backend = &mut self.backends[restart.backend];
        let load = if backend.plan.load.warms_up_apart() {
            load::one_caller()
        } else {
            Arc::clone(&backend.plan.load)
        };
        let mut rule = StoppingRule::of(backend, request_deadline);
        let stages = rule.stages(backend.measured.phase(Phase::WarmUp).requests());
        restart.during = Phase::WarmUp;
        self.drive_by_rule(restart, &mut rule, &[(&load, &stages[..1])]).await
    }

    async fn drive_by_rule(
        &mut self,
        restart: &mut Restart,
        rule: &mut StoppingRule,
        blocks: &[(&LoadModel, &[Stage])],
    ) -> Ended {
        let mut ended = Ended::Done;
        for (load, stages) in blocks {
            let stream = u64::from(restart.number);
            let requests = Requests { load: &***load, stream, stages, expected: rule.planned() };
            ended = self.drive(restart, requests, |measured, sample| rule.see(measured, sample)).await;
            if ended != Ended::Done {
                break;
            }
        }
        rule.end(&mut self.backends[restart.backend].measured);
        ended
    }

    /// The first embedding, and with it the whole cold start as a request that was due when the process was spawned.
    async fn cold_start(&mut self, restart: &mut Restart) -> Ended {
        let Restart { session, number, .. } = restart;
        let backend = &mut self.backends[restart.backend];
        let measured = &mut backend.measured;
        let first_number = measured.phase(Phase::ColdStart).requests();
        let block = Block {
            backend: backend.index,
            restart: *number,
            batches: &backend.batches,
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
            measured.record(&sample, spawned_ns);
            let total = sample.finished_ns.saturating_sub(spawned_ns);
            measured.phase(Phase::ColdStart).add_elapsed(Duration::from_nanos(total));
            if sample.outcome == Outcome::Answered {
                measured.add_cold_start(session.cold_start(*number, embedding, total));
            }
        }
        driven.ended
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

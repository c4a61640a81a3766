//! Measures two backends in turn: a fresh process of each, warmed up, then block after block of the same requests, each order of the two
//! followed by its mirror image. What drifts on the machine falls on both alike; what a process brings with it is drawn anew with each
//! replicate.

use std::sync::Arc;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use tailmark_reports::record::{BackendOutcome, Claim, Pairing, Phase, RunRecord};

use crate::driver::{Ended, Stage, Step};
use crate::pairing::{self, Comparing, Question};
use crate::plan::PairingPlan;
use crate::run::restart::{Requests, Restart};
use crate::run::under_way::{Run, Stopped};
use crate::statistics::paired::Side;

/// Sets the order of blocks apart from every other draw with the scenario's seed.
const ORDER: u64 = 0x7061_6972;

/// The backends of a pairing by their index in the run, and what is known of them.
struct Measuring<'a> {
    plan: &'a PairingPlan,
    /// The first, the second and, if one was asked for, the first once more.
    members: Vec<usize>,
    order: ChaCha8Rng,
    /// In which order the members of the present replicate are started, or were in the one before it.
    opening: Vec<usize>,
    comparing: Comparing,
    control: Option<Comparing>,
    /// Which restart of each member it was, for each replicate that counts.
    replicates: Vec<Vec<u32>>,
    lost: u32,
    stopped_early: bool,
}

/// How a replicate ended.
enum Replicate {
    Done,
    /// A worker was lost on the way, or none could be started.
    Lost,
    /// Requests came faster than they were answered.
    Overloaded,
}

/// Replicates until there are as many as were asked for, or none can follow.
pub(super) async fn measure(
    run: &mut Run<'_>,
    plan: &PairingPlan,
    record: &mut RunRecord,
) -> Result<(), Stopped> {
    let Some(members) = members(run, plan) else { return Ok(()) };
    let question = Question { quantile: plan.quantile, within: plan.within, confidence: plan.confidence };
    let mut measuring = Measuring {
        plan,
        order: ChaCha8Rng::seed_from_u64(run.plan.seed ^ ORDER),
        opening: (0..members.len()).collect(),
        comparing: Comparing::new(question),
        control: plan.control.then(|| Comparing::new(question)),
        members,
        replicates: Vec::new(),
        lost: 0,
        stopped_early: false,
    };
    let planned = run.backends[measuring.members[0]].plan.phases.restarts as usize;
    let why_not_all = loop {
        if measuring.replicates.len() == planned || measuring.stopped_early {
            break None;
        }
        if let Some(why) = measuring.cannot_go_on(run) {
            break Some(why);
        }
        let ended = measuring.replicate(run).await;
        record.pairing = Some(measuring.so_far(None));
        run.keep(record);
        if matches!(ended?, Replicate::Overloaded) {
            break Some("requests came faster than one of the two answers them".to_owned());
        }
    };
    record.pairing = Some(measuring.so_far(why_not_all));
    for member in measuring.members {
        if run.backends[member].measured.has_samples() {
            run.backends[member].finish();
        }
    }
    Ok(())
}

/// The two, and the first once more where it is compared with itself; `None` if one of them cannot be started.
fn members(run: &mut Run<'_>, plan: &PairingPlan) -> Option<Vec<usize>> {
    let [first, second] = &plan.backends;
    let place = |name: &str| {
        run.backends.iter().position(|backend| {
            backend.plan.name == *name
                && backend.outcome == BackendOutcome::Pending
                && backend.found.launch.is_some()
        })
    };
    let (one, other) = (place(first)?, place(second)?);
    let again = |run: &mut Run<'_>, name: String| {
        let mut plan = run.backends[one].plan.clone();
        plan.name = name;
        let index = run.add_again(one, plan);
        // It is part of the comparison, and no backend of the scenario.
        run.backends[index].is_stood_in_for = true;
        index
    };
    let other = if one == other { again(run, pairing::again(first)) } else { other };
    let mut members = vec![one, other];
    if plan.control {
        members.push(again(run, pairing::control(first)));
    }
    Some(members)
}

impl Measuring<'_> {
    /// Why no other replicate can follow.
    fn cannot_go_on(&self, run: &Run<'_>) -> Option<String> {
        self.members.iter().find_map(|member| {
            let backend = &run.backends[*member];
            let name = &backend.plan.name;
            if let BackendOutcome::Broken { why } = &backend.outcome {
                return Some(format!("{name} broke: {why}"));
            }
            let steady = backend.plan.phases.steady;
            let spent = backend.measured.mark().steady.time;
            (spent >= steady.max_time).then(|| {
                format!(
                    "{name} has used up phases.steady.max_seconds ({} s); raise it, or ask for fewer blocks or requests",
                    steady.max_time.as_secs_f64()
                )
            })
        })
    }

    /// A fresh process of each, in turn until all blocks are done. What is lost on the way does not count.
    async fn replicate(&mut self, run: &mut Run<'_>) -> Result<Replicate, Stopped> {
        run.show_time_left();
        self.comparing.begin_replicate();
        self.control.iter_mut().for_each(Comparing::begin_replicate);
        let mut opened: Vec<(usize, Restart)> = Vec::new();
        let order = self.opening_order();
        let mut ended = Ended::Done;
        // Whose last block ended so.
        let mut last = None;
        for place in order {
            let Some(restart) = run.open(self.members[place]).await? else {
                self.drop_replicate();
                for (_, restart) in opened {
                    run.close(restart, Ended::Done).await?;
                }
                return Ok(Replicate::Lost);
            };
            opened.push((place, restart));
        }
        for (place, restart) in &mut opened {
            if ended == Ended::Done {
                ended = run.warm_up(restart).await;
                last = Some(*place);
            }
        }
        opened.sort_by_key(|(place, _)| *place);
        if ended == Ended::Done {
            (ended, last) = self.blocks(run, &mut opened).await;
        }
        let restarts: Vec<u32> = opened.iter().map(|(_, restart)| restart.number()).collect();
        let how = match &ended {
            Ended::Lost(_) => Replicate::Lost,
            Ended::Overloaded => Replicate::Overloaded,
            Ended::Done | Ended::Cancelled => Replicate::Done,
        };
        let is_whole = ended == Ended::Done;
        let mut stopped = Ok(());
        for (place, restart) in opened {
            // Each is closed, whatever became of the others.
            let own = if last == Some(place) { ended.clone() } else { Ended::Done };
            let closed = run.close(restart, own).await;
            stopped = stopped.and(closed);
        }
        for member in &self.members {
            run.backends[*member].look_at_the_end();
        }
        if is_whole {
            self.replicates.push(restarts);
        } else {
            self.drop_replicate();
        }
        stopped.map(|()| how)
    }

    /// A drawn order, then its mirror image: a process that is started later can be a few percent faster than its twin.
    fn opening_order(&mut self) -> Vec<usize> {
        if self.replicates.len() % 2 == 1 {
            return self.opening.iter().rev().copied().collect();
        }
        self.opening.shuffle(&mut self.order);
        self.opening.clone()
    }

    fn drop_replicate(&mut self) {
        self.lost += 1;
        self.comparing.drop_replicate();
        self.control.iter_mut().for_each(Comparing::drop_replicate);
    }

    /// All blocks of a replicate: a drawn order, then its mirror image.
    async fn blocks(&mut self, run: &mut Run<'_>, opened: &mut [(usize, Restart)]) -> (Ended, Option<usize>) {
        let mut order: Vec<usize> = (0..opened.len()).collect();
        for block in 0..self.plan.blocks {
            if block % 2 == 0 {
                order.shuffle(&mut self.order);
            } else {
                order.reverse();
            }
            self.comparing.begin_pair();
            self.control.iter_mut().for_each(Comparing::begin_pair);
            for place in order.iter().copied() {
                let ended = self.block(run, &mut opened[place].1, place, block).await;
                if ended != Ended::Done {
                    return (ended, Some(place));
                }
            }
            let claimed = block % 2 == 1 && self.comparing.look() != Claim::Open;
            if claimed && self.plan.stop_early {
                self.stopped_early = true;
                break;
            }
        }
        (Ended::Done, None)
    }

    /// One block of one backend: requests that let it take the machine over, then those that count.
    async fn block(&mut self, run: &mut Run<'_>, restart: &mut Restart, place: usize, block: u32) -> Ended {
        let PairingPlan { blocks, requests, settling, .. } = *self.plan;
        let backend = &mut run.backends[self.members[place]];
        let load = Arc::clone(&backend.plan.load);
        let max_time = backend.plan.phases.steady.max_time;
        let warm_ups = backend.measured.phase(Phase::WarmUp).requests();
        // The same numbers on both sides are the same texts and the same draw of the load.
        let number =
            u64::from(blocks) * (self.replicates.len() as u64 + u64::from(self.lost)) + u64::from(block);
        let stages = [
            Stage { phase: Phase::WarmUp, first_number: warm_ups, max_requests: settling, max_time },
            Stage { phase: Phase::Steady, first_number: number * requests, max_requests: requests, max_time },
        ];
        let of = format!("replicate {}, block {} of {blocks}", self.replicates.len() + 1, block + 1);
        restart.is_in(of);
        let asked = Requests { load: &*load, stream: number, stages: &stages, expected: requests };
        let (comparing, control) = (&mut self.comparing, &mut self.control);
        run.drive(restart, asked, |measured, sample| {
            if sample.phase == Phase::Steady {
                // The blocks say when it ends; what is decided on the way stands, and is in the pictures.
                if measured.wants_fresh_process().is_some() {
                    measured.is_decided();
                }
                match place {
                    0 => {
                        comparing.add(Side::First, sample);
                        control.iter_mut().for_each(|control| control.add(Side::First, sample));
                    }
                    1 => comparing.add(Side::Second, sample),
                    _ => control.iter_mut().for_each(|control| control.add(Side::Second, sample)),
                }
            }
            Step::GoOn
        })
        .await
    }

    fn so_far(&self, why_not_all: Option<String>) -> Pairing {
        let PairingPlan {
            backends: [first, second],
            blocks,
            requests,
            settling,
            quantile,
            within,
            confidence,
            ..
        } = self.plan;
        Pairing {
            first: first.clone(),
            second: second.clone(),
            blocks: *blocks,
            requests: *requests,
            settling: *settling,
            replicates: self.replicates.clone(),
            lost: self.lost,
            quantile: *quantile,
            within: *within,
            confidence: *confidence,
            figures: self.comparing.figures(),
            control: self.control.as_ref().map(Comparing::figures),
            sequential: self.comparing.sequential(),
            stopped_early: self.stopped_early,
            why_not_all,
        }
    }
}

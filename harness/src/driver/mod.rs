//! The one loop that drives load: starts requests when the load model says so, and turns each into a [`Sample`].
//!
//! Does not choose texts, does not know what is being judged, computes no statistic, and never leaves a request out: one
//! that is due and finds no free slot waits, with its time running.

mod alarm;
mod books;
mod sample_log;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub use alarm::Alarm;
use books::Books;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
pub use sample_log::{ColumnarError, OnWritten, SampleLog, replay, write_columnar};
pub use stage::{Driven, Ended, Stage, Step};
use tailmark_providers::provider::{EmbedRequest, Provider, ProviderError, StageTimes};
use tailmark_reports::record::Phase;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::load::{Rule, Schedule};
use crate::sample::{Outcome, Sample};
use crate::workload::Batches;

/// What every request of a [`drive`] has in common.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Index of the backend in the plan.
    pub backend: usize,
    /// Which fresh process, from 1.
    pub restart: u32,
    /// The requests, by number.
    pub batches: &'a Batches,
    /// When the run began; samples count from here.
    pub epoch: Instant,
    /// How many requests the backend works on at once.
    pub at_once: usize,
    /// Which draw of the schedule, where anything is drawn.
    pub stream: u64,
}

/// A backend that answers at once never lets the runtime look for signals and other tasks; so the driver does, each time
/// after so many rounds: about once a millisecond.
const ROUNDS_WITHOUT_A_BREAK: u32 = 1_024;

/// From this on a request that became due unseen says that the driver did not run. It is woken within milliseconds of when a
/// request is due, so this is no lateness but a process that was stopped or had no processor.
const STALL: Duration = Duration::from_millis(500);

/// A request that is due.
#[derive(Clone, Copy, Debug)]
struct Due {
    stage: usize,
    number: u64,
    scheduled: Instant,
    /// Whether a slot was free when it became due; else its wait is the backend's and not the generator's.
    finds_a_slot: bool,
}

/// Drives one block: makes requests due by the load model, starts each as soon as it is due and has a slot, hands each to
/// `observe` as it ends, and goes through the stages until the last is over. Requests due by then are finished; if the next one
/// is due later than that, the time until then is waited out and counted.
pub async fn drive(
    provider: &dyn Provider,
    rule: &dyn Rule,
    alarm: &Alarm,
    block: Block<'_>,
    stages: &[Stage],
    mut cancelled: watch::Receiver<bool>,
    mut observe: impl FnMut(&Sample) -> Step,
) -> Driven {
    let begun = Instant::now();
    let (max_in_flight, max_waiting) = rule.limits().for_backend(block.at_once);
    let mut arrivals = Arrivals { begun, schedule: rule.schedule(block.stream), upcoming: None };
    let mut books = Books::open(stages, begun);
    let mut waiting: VecDeque<Due> = VecDeque::new();
    let mut in_flight = FuturesUnordered::new();
    let mut slot_free_since = begun;
    let mut lost = None;
    let mut overloaded = false;
    let mut rounds = 0_u32;
    // Requests that became due while the driver did not run. Until they have been worked off, the queue is longer by them, and
    // it is not the backend that is overloaded.
    let mut missed = 0_usize;
    let cancellation = cancelled.wait_for(|cancelled| *cancelled);
    tokio::pin!(cancellation);
    loop {
        let now = Instant::now();
        // The alarm wakes the driver at the next arrival, and each answer wakes it too: what has been due for longer was due
        // while it did not run. What no stage admits is not started and so was not missed.
        let goes_on = lost.is_none() && !overloaded;
        let unseen = arrivals.due_by(now).filter(|due| goes_on && books.admits(*due)).map(|due| now - due);
        let stalled = unseen.filter(|unseen| *unseen >= STALL);
        if let Some(stalled) = stalled {
            books.stall(stalled);
        }
        while lost.is_none()
            && !overloaded
            && let Some(scheduled) = arrivals.due_by(now)
            && let Some((stage, number)) = books.arrive(scheduled)
        {
            arrivals.upcoming = None;
            let free = max_in_flight - in_flight.len();
            waiting.push_back(Due { stage, number, scheduled, finds_a_slot: waiting.len() < free });
            missed += usize::from(stalled.is_some());
            overloaded = waiting.len() > max_waiting.saturating_add(free).saturating_add(missed);
        }
        while lost.is_none()
            && in_flight.len() < max_in_flight
            && let Some(due) = waiting.pop_front()
        {
            let ready = if due.finds_a_slot { due.scheduled } else { due.scheduled.max(slot_free_since) };
            let phase = stages[due.stage].phase;
            in_flight.push(async move { (due.stage, request(provider, block, phase, due, ready).await) });
        }
        if waiting.is_empty() {
            missed = 0;
        }
        if overloaded || lost.is_some() {
            for due in waiting.drain(..) {
                books.give_up(due.stage, now);
                observe(&given_up(block, stages[due.stage].phase, due, now));
            }
        }
        books.count(in_flight.len(), waiting.len());
        let goes_on = lost.is_none() && !overloaded;
        let upcoming = arrivals.next().filter(|_| goes_on);
        let next = upcoming.filter(|at| books.admits(*at));
        // A gap that is longer than the time that is left uses it up: waiting is what the load does then.
        let rest = upcoming.filter(|_| next.is_none()).and_then(|_| books.over());
        let wake = next.or(rest.filter(|over| *over > now));
        if in_flight.is_empty() && wake.is_none() {
            if rest.is_some() {
                books.time_is_over();
            }
            let ended = match lost {
                Some(error) => Ended::Lost(error),
                None if overloaded => Ended::Overloaded,
                None => Ended::Done,
            };
            return books.close(ended);
        }
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(ROUNDS_WITHOUT_A_BREAK) {
            tokio::task::yield_now().await;
        }
        let (stage, (sample, error)) = tokio::select! {
            biased;
            Some(ended) = in_flight.next() => ended,
            () = alarm.until(wake.unwrap_or(now)), if wake.is_some() => continue,
            Ok(_) = &mut cancellation => return books.close(Ended::Cancelled),
        };
        let at = |nanoseconds| block.epoch + Duration::from_nanos(nanoseconds);
        slot_free_since = at(sample.finished_ns);
        arrivals.schedule.answered(slot_free_since.saturating_duration_since(begun));
        books.leave(at(sample.started_ns), slot_free_since);
        if observe(&sample) == Step::NextStage {
            books.seen_enough(stage);
        }
        lost = lost.or(error.filter(ends_the_provider));
    }
}

/// The schedule with the one arrival that was looked at and is not due yet.
struct Arrivals {
    begun: Instant,
    schedule: Box<dyn Schedule>,
    upcoming: Option<Instant>,
}

impl Arrivals {
    /// When the next request is due, where that is known.
    fn next(&mut self) -> Option<Instant> {
        if self.upcoming.is_none() {
            self.upcoming = self.schedule.next().map(|at| self.begun + at);
        }
        self.upcoming
    }

    /// When the next request was due, if it was by now.
    fn due_by(&mut self, now: Instant) -> Option<Instant> {
        self.next().filter(|at| *at <= now)
    }
}

fn sample_of(
    block: Block<'_>,
    phase: Phase,
    due: Due,
    texts: usize,
    [ready, started, finished]: [Instant; 3],
) -> Sample {
    let since = |from: Instant, to: Instant| {
        u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX)
    };
    Sample {
        backend: block.backend,
        restart: block.restart,
        phase,
        number: due.number,
        texts: u32::try_from(texts).unwrap_or(u32::MAX),
        tokens: None,
        scheduled_ns: since(block.epoch, due.scheduled),
        started_ns: since(block.epoch, started),
        queued_ns: since(due.scheduled, ready.min(started)),
        finished_ns: since(block.epoch, finished),
        outcome: Outcome::Answered,
        stages: StageTimes::default(),
    }
}

/// A request that waited until it was given up.
fn given_up(block: Block<'_>, phase: Phase, due: Due, now: Instant) -> Sample {
    let texts = block.batches.request(due.number).texts.len();
    let mut sample = sample_of(block, phase, due, texts, [now, now, now]);
    sample.outcome = Outcome::Abandoned("given up in the queue: it was never started".into());
    sample
}

async fn request(
    provider: &dyn Provider,
    block: Block<'_>,
    phase: Phase,
    due: Due,
    ready: Instant,
) -> (Sample, Option<ProviderError>) {
    let request: &EmbedRequest = block.batches.request(due.number);
    let started = Instant::now();
    let answer = provider.embed(request).await;
    let finished = Instant::now();
    let mut sample = sample_of(block, phase, due, request.texts.len(), [ready, started, finished]);
    match answer {
        Ok(embeddings) => {
            sample.tokens = embeddings.tokens();
            sample.stages = embeddings.stages;
            (sample, None)
        }
        Err(error) => {
            sample.outcome = match &error {
                ProviderError::Timeout { .. } | ProviderError::Hung { .. } => Outcome::TimedOut,
                lost if ends_the_provider(lost) => Outcome::Abandoned(first_line(lost).into()),
                other => Outcome::Failed(first_line(other).into()),
            };
            (sample, Some(error))
        }
    }
}

/// Whether the provider is gone for good, as against having failed one request.
#[must_use]
pub fn ends_the_provider(error: &ProviderError) -> bool {
    matches!(
        error,
        ProviderError::Exited { .. }
            | ProviderError::Hung { .. }
            | ProviderError::Killed { .. }
            | ProviderError::ServerGone { .. }
            | ProviderError::Protocol { .. }
            | ProviderError::Start { .. }
    )
}

fn first_line(error: &ProviderError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

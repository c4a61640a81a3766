//! The one loop that drives load: starts requests when the load model says so, and turns each into a [`Sample`].
//!
//! Does not choose texts, does not know what is being judged, computes no statistic, and never leaves a request out.

mod sample_log;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
pub use sample_log::{OnWritten, SampleLog};
use tailmark_providers::provider::{Provider, ProviderError};
use tailmark_reports::record::Phase;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::load::Rule;
use crate::sample::{Outcome, Sample};
use crate::workload::Batches;

/// Which requests a [`drive`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Leg<'a> {
    /// Index of the backend in the plan.
    pub backend: usize,
    /// Which fresh process, from 1.
    pub restart: u32,
    /// The phase the samples belong to.
    pub phase: Phase,
    /// Number of the first request.
    pub first_number: u64,
    /// The requests, by number.
    pub batches: &'a Batches,
    /// When the run began; samples count from here.
    pub epoch: Instant,
}

/// The most that a [`drive`] may do; `observe` may end it earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests at most.
    pub max_requests: u64,
    /// Time at most, in which requests are started.
    pub max_time: Duration,
}

/// Why a [`drive`] ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// The quota was used up, or `observe` had seen enough.
    Done,
    /// The user asked to stop; requests in flight were dropped.
    Cancelled,
    /// The provider can answer nothing any more.
    Lost(ProviderError),
}

/// Drives one leg: starts requests by the load model until the quota is used up or `observe` breaks, waits for those in
/// flight, and hands each request to `observe` as it ends.
pub async fn drive(
    provider: &dyn Provider,
    rule: &dyn Rule,
    leg: Leg<'_>,
    quota: Quota,
    mut cancelled: watch::Receiver<bool>,
    mut observe: impl FnMut(&Sample) -> ControlFlow<()>,
) -> Ended {
    let begun = Instant::now();
    let mut in_flight = FuturesUnordered::new();
    let mut slot_free_since = begun;
    let mut started = 0;
    let mut lost = None;
    let mut enough = false;
    let cancellation = cancelled.wait_for(|cancelled| *cancelled);
    tokio::pin!(cancellation);
    loop {
        while lost.is_none()
            && !enough
            && in_flight.len() < rule.concurrency()
            && started < quota.max_requests
            && slot_free_since - begun < quota.max_time
        {
            let scheduled = rule.next_start(slot_free_since);
            in_flight.push(request(provider, leg, leg.first_number + started, scheduled));
            started += 1;
        }
        let (sample, error) = tokio::select! {
            biased;
            ended = in_flight.next() => match ended {
                Some(ended) => ended,
                None => return lost.map_or(Ended::Done, Ended::Lost),
            },
            Ok(_) = &mut cancellation => return Ended::Cancelled,
        };
        slot_free_since = leg.epoch + Duration::from_nanos(sample.finished_ns);
        enough |= observe(&sample).is_break();
        lost = lost.or(error.filter(ends_the_provider));
    }
}

async fn request(
    provider: &dyn Provider,
    leg: Leg<'_>,
    number: u64,
    scheduled: Instant,
) -> (Sample, Option<ProviderError>) {
    let request = leg.batches.request(number);
    let mut started = Instant::now();
    if started < scheduled {
        tokio::time::sleep_until(scheduled).await;
        started = Instant::now();
    }
    let answer = provider.embed(request).await;
    let finished = Instant::now();
    let since_epoch =
        |at: Instant| u64::try_from(at.saturating_duration_since(leg.epoch).as_nanos()).unwrap_or(u64::MAX);
    let mut sample = Sample {
        backend: leg.backend,
        restart: leg.restart,
        phase: leg.phase,
        number,
        texts: u32::try_from(request.texts.len()).unwrap_or(u32::MAX),
        tokens: 0,
        scheduled_ns: since_epoch(scheduled),
        started_ns: since_epoch(started),
        finished_ns: since_epoch(finished),
        outcome: Outcome::Answered,
        stages: tailmark_providers::provider::StageTimes::default(),
    };
    match answer {
        Ok(embeddings) => {
            sample.tokens = embeddings.token_counts.iter().sum();
            sample.stages = embeddings.stages;
            (sample, None)
        }
        Err(error) => {
            sample.outcome = match &error {
                ProviderError::Timeout { .. } => Outcome::TimedOut,
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
        ProviderError::Exited { .. } | ProviderError::Protocol { .. } | ProviderError::Start { .. }
    )
}

fn first_line(error: &ProviderError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

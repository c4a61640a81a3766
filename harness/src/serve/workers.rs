//! The workers behind a service: each is opened, loaded and warmed up, takes what waits, and is replaced when it is lost. Knows
//! neither who asks nor how.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use tailmark_providers::provider::{Loaded, Provider, ProviderError};
use tailmark_providers::start::{Launch, Opened};
use tailmark_providers::worker::Deadlines;
use tokio::sync::{oneshot, watch};

use super::log::Log;
use super::service::{Refusal, Service, at_once};
use crate::driver::ends_the_provider;
use crate::workload::Batches;

/// How often it is looked whether an idle worker is still there.
const LOOKS: Duration = Duration::from_millis(100);
/// How long is waited before a worker that did not start is started again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How workers are started.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// One worker.
    pub(super) launch: Launch,
    pub(super) deadlines: Deadlines,
    /// Where their standard error goes; each error repeats its end.
    pub(super) stderr: PathBuf,
    /// What a worker embeds before a caller's texts.
    pub(super) texts: Batches,
    /// How many requests of it.
    pub(super) warm_up: u64,
}

/// Keeps one worker there until nothing more is asked. What became of the first is told once.
pub(super) async fn keep(
    start: Start,
    number: u32,
    service: Arc<Service>,
    log: Log,
    first: oneshot::Sender<Result<Loaded, ProviderError>>,
    mut ending: watch::Receiver<bool>,
) {
    let mut first = Some(first);
    let mut pause = FIRST_PAUSE;
    loop {
        let opened = tokio::select! {
            opened = open(&start) => opened,
            _ = ending.wait_for(|ending| *ending) => return,
        };
        match opened {
            Ok((opened, loaded)) => {
                pause = FIRST_PAUSE;
                let workers = opened.workers();
                let processes: Vec<u32> = workers.iter().map(|worker| worker.pid()).collect();
                log.event("worker_ready", json!({ "worker": number, "processes": processes }));
                service.worker_came(&loaded);
                if let Some(first) = first.take() {
                    let _ = first.send(Ok(loaded.clone()));
                }
                let lost = answer_all(&opened, &loaded, &service, &log).await;
                service.worker_went(&loaded, lost.is_some());
                let Some(error) = lost else {
                    opened.close().await;
                    return;
                };
                log.event("worker_lost", json!({ "worker": number, "why": error.to_string() }));
                drop(opened);
            }
            Err(error) => {
                if let Some(first) = first.take() {
                    let _ = first.send(Err(error));
                    return;
                }
                log.event("worker_not_started", json!({ "worker": number, "why": error.to_string() }));
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                    _ = ending.wait_for(|ending| *ending) => return,
                }
            }
        }
    }
}

/// Starts, loads and warms up.
async fn open(start: &Start) -> Result<(Opened, Loaded), ProviderError> {
    let opened = start.launch.open(start.deadlines, &start.stderr).await?;
    match warm(&opened, start).await {
        Ok(loaded) => Ok((opened, loaded)),
        Err(error) => {
            opened.close().await;
            Err(error)
        }
    }
}

async fn warm(opened: &Opened, start: &Start) -> Result<Loaded, ProviderError> {
    let loaded = opened.provider().load(&start.launch.load).await?;
    for number in 0..start.warm_up {
        match opened.provider().embed(start.texts.request(number)).await {
            Err(error) if ends_the_provider(&error) => return Err(error),
            // A request that fails is as much of a warm-up, and each caller is told of his own.
            _ => {}
        }
    }
    Ok(loaded)
}

/// How a part of a worker's work ended: nothing more is asked, or the worker was lost.
type Ended = Option<ProviderError>;

async fn answer_all(opened: &Opened, loaded: &Loaded, service: &Service, log: &Log) -> Ended {
    let provider = opened.provider();
    let mut work: FuturesUnordered<_> =
        (0..at_once(loaded)).map(|_| answer_in_turn(provider, service, log)).collect();
    let mut looks = tokio::time::interval(LOOKS);
    loop {
        tokio::select! {
            ended = work.next() => match ended {
                Some(None) => {}
                Some(lost) => return lost,
                None => return None,
            },
            _ = looks.tick() => {
                for worker in opened.workers().iter().filter(|worker| worker.has_ended()) {
                    // Its answer is why there is none.
                    if let Err(why) = worker.ping().await {
                        return Some(why);
                    }
                }
            }
        }
    }
}

async fn answer_in_turn(provider: &dyn Provider, service: &Service, log: &Log) -> Ended {
    while let Some(taken) = service.next().await {
        match provider.embed(taken.request()).await {
            Ok(embeddings) => taken.answer(Ok(embeddings)),
            Err(error) if ends_the_provider(&error) => {
                taken.answer(Err(Refusal::Lost));
                return Some(error);
            }
            Err(error) => {
                log.event("request_failed", json!({ "why": error.to_string() }));
                taken.answer(Err(match error {
                    ProviderError::Timeout { after, .. } => Refusal::TooLate(after),
                    other => Refusal::Failed(other.to_string().lines().next().unwrap_or_default().to_owned()),
                }));
            }
        }
    }
    None
}

//! The backend that has no model and takes as long as it is told: seeded service times, stalls, failures and hangs, on
//! which the statistics are proved. [`times`] draws the times and looks at no clock; the two front ends here spend them.

pub mod settings;
pub mod times;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use self::settings::SimulatedOptions;
use self::times::{Outcome, Service, ServiceTimes};
use crate::evidence::{Evidence, ProveRequest};
use crate::null::{WITHOUT_MODEL, loaded_without_model, not_loaded, unit_vectors};
use crate::options::{self, OptionFault};
use crate::provider::{
    Backend, BoxFuture, EmbedRequest, Embeddings, LoadRequest, Loaded, Options, Provider, ProviderError,
    StageTimes,
};

/// How long before its end a delay stops sleeping and starts to spin: operating systems wake sleepers up to a
/// millisecond late.
const SPIN: Duration = Duration::from_micros(1_500);

/// What is wrong with options, which are otherwise right, in a worker.
pub(crate) fn check_in_worker(options: &Options) -> Vec<OptionFault> {
    options::parse::<SimulatedOptions>(options)
        .ok()
        .as_ref()
        .and_then(too_many_for_a_worker)
        .into_iter()
        .collect()
}

fn too_many_for_a_worker(settings: &SimulatedOptions) -> Option<OptionFault> {
    let concurrency = settings.concurrency.get();
    (concurrency > 1).then(|| OptionFault {
        key: "concurrency".to_owned(),
        why: format!(
            "found {concurrency}: a worker works on one request at a time\n\nhint: set `replicas`, place the backend \
             in-process, or leave the option at 1"
        ),
    })
}

/// `simulated` behind a worker: it sleeps, then spins, on the caller's thread.
#[derive(Debug, Default)]
pub struct SimulatedBackend {
    running: Option<(Instant, ServiceTimes, u32)>,
}

impl Backend for SimulatedBackend {
    fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError> {
        let settings = options::parse::<SimulatedOptions>(&request.options)?;
        if let Some(fault) = too_many_for_a_worker(&settings) {
            return Err(ProviderError::Option { key: fault.key, why: fault.why });
        }
        let started = Instant::now();
        wait_until(started + settings.load.get());
        let dimensions = settings.dimensions.get();
        self.running = Some((Instant::now(), ServiceTimes::new(&settings), dimensions));
        Ok(loaded_without_model("simulated", dimensions, 1, nanoseconds(started.elapsed())))
    }

    fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let started = Instant::now();
        let (loaded_at, times, dimensions) = self.running.as_mut().ok_or_else(not_loaded)?;
        let service = times.next(started - *loaded_at);
        wait_until(started + service.time);
        answer(request.texts.len(), *dimensions, service, started.elapsed())
    }

    fn prove(&mut self, _: &ProveRequest) -> Result<Evidence, ProviderError> {
        Ok(Evidence::none(WITHOUT_MODEL))
    }
}

/// `simulated` in the caller's own process, on tokio's clock: under a paused clock its times are exact.
///
/// A request that is given up, by its deadline or by its caller, leaves its slot to the next.
#[derive(Debug)]
pub struct SimulatedProvider {
    running: Mutex<Option<Running>>,
    deadline: Duration,
}

#[derive(Debug)]
struct Running {
    loaded_at: tokio::time::Instant,
    times: ServiceTimes,
    dimensions: u32,
    /// One permit for each request that is worked on at once; waiting requests are served in the order they came.
    slots: Arc<Semaphore>,
}

impl SimulatedProvider {
    /// Nothing is loaded yet; each `embed` will have this long, waiting for a slot included.
    #[must_use]
    pub fn with_deadline(deadline: Duration) -> Self {
        Self { running: Mutex::default(), deadline }
    }

    async fn serve(&self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let asked = tokio::time::Instant::now();
        let slots = self.with_running(|running| Arc::clone(&running.slots))?;
        let slot = slots.acquire().await.expect("the slots are never closed: this is a bug");
        let started = tokio::time::Instant::now();
        let (service, dimensions) = self
            .with_running(|running| (running.times.next(started - running.loaded_at), running.dimensions))?;
        tokio::time::sleep_until(started + service.time).await;
        drop(slot);
        answer(request.texts.len(), dimensions, service, asked.elapsed())
    }

    fn with_running<T>(&self, use_it: impl FnOnce(&mut Running) -> T) -> Result<T, ProviderError> {
        // A panic while the lock was held can only have left the times as they were, or one further.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_mut().map(use_it).ok_or_else(not_loaded)
    }
}

impl Provider for SimulatedProvider {
    fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
        Box::pin(async move {
            let settings = options::parse::<SimulatedOptions>(&request.options)?;
            tokio::time::sleep(settings.load.get()).await;
            let (dimensions, concurrency) = (settings.dimensions.get(), settings.concurrency.get());
            let running = Running {
                loaded_at: tokio::time::Instant::now(),
                times: ServiceTimes::new(&settings),
                dimensions,
                slots: Arc::new(Semaphore::new(concurrency as usize)),
            };
            *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
            Ok(loaded_without_model("simulated", dimensions, concurrency, nanoseconds(settings.load.get())))
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
        Box::pin(async move {
            let served = tokio::time::timeout(self.deadline, self.serve(request)).await;
            served.unwrap_or_else(|_| {
                Err(ProviderError::Timeout { method: "embed".to_owned(), after: self.deadline })
            })
        })
    }

    fn prove<'a>(&'a self, _: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
        Box::pin(async { Ok(Evidence::none(WITHOUT_MODEL)) })
    }
}

fn wait_until(end: Instant) {
    let left = end.saturating_duration_since(Instant::now());
    if left > SPIN {
        std::thread::sleep(left - SPIN);
    }
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

fn answer(
    texts: usize,
    dimensions: u32,
    service: Service,
    elapsed: Duration,
) -> Result<Embeddings, ProviderError> {
    match service.outcome {
        Outcome::Answered | Outcome::Hung => {
            let infer_ns = nanoseconds(service.time);
            let worker_ns = nanoseconds(elapsed).max(infer_ns);
            let (infer_ns, worker_ns) = (Some(infer_ns), Some(worker_ns));
            let stages = StageTimes { infer_ns, worker_ns, ..StageTimes::ZERO };
            let vectors = unit_vectors(texts, dimensions);
            Ok(Embeddings {
                vectors,
                dimensions,
                token_counts: Some(vec![0; texts]),
                tokens_in_all: None,
                truncated: Some(0),
                stages,
            })
        }
        Outcome::Failed => Err(ProviderError::Embed("simulated failure".to_owned())),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

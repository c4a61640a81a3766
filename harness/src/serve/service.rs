//! The service behind every way to ask for vectors: takes texts, gives vectors or a typed refusal. Knows no HTTP, and not what its
//! workers are: they take what waits, and say when they are there.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tailmark_providers::provider::{EmbedRequest, Embeddings, Loaded};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How much is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that may wait for a worker.
    pub queue: usize,
    /// Texts in a request.
    pub max_texts: usize,
    /// How long a request may wait for a worker and be worked on.
    pub patience: Duration,
}

/// Takes texts and gives vectors.
#[derive(Debug)]
pub struct Service {
    limits: Limits,
    /// `None` once nothing more is taken.
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Job>>,
    admitted: Arc<AtomicUsize>,
    in_flight: AtomicUsize,
    /// How many requests the workers that are there work on at once.
    at_once: AtomicUsize,
    open: AtomicBool,
    loaded: OnceLock<Loaded>,
    replaced: AtomicU64,
    served: AtomicU64,
    served_ns: AtomicU64,
}

/// Texts that wait for a worker.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: EmbedRequest,
    pub(super) came: Instant,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
    _place: Place,
}

/// Counts a request for as long as it waits or is worked on.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Vectors, and where their time went.
#[derive(Clone, Debug)]
pub struct Answer {
    /// As the worker gave them.
    pub embeddings: Embeddings,
    /// From coming in to a worker's taking it.
    pub waited: Duration,
    /// From coming in to the vectors' being there.
    pub total: Duration,
}

/// Why there are no vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The model is being loaded or warmed up.
    #[error("the model is being loaded; /ready answers 200 once it is there")]
    NotReady,
    /// The server is being ended.
    #[error("the server is being ended and takes no more requests")]
    Ending,
    /// As many wait as may.
    #[error("{waiting} requests wait already, as many as may (--queue); try again in {retry_seconds} s")]
    QueueFull {
        /// How many.
        waiting: usize,
        /// When those that wait are likely to be done, in whole seconds, at least 1.
        retry_seconds: u64,
    },
    /// A request without a text.
    #[error("found no text; send at least one")]
    NoTexts,
    /// A request with more texts than may be.
    #[error("found {found} texts; at most {most} are taken in a request (--max-texts): send them in several")]
    TooManyTexts {
        /// Those of the request.
        found: usize,
        /// What is allowed.
        most: usize,
    },
    /// The worker was lost with the request.
    #[error("the worker that had this request was lost and is being replaced; send the request again")]
    Lost,
    /// Nothing came in time.
    #[error("no answer within {0:?}; send fewer texts in a request, or fewer requests at once")]
    TooLate(Duration),
    /// The backend could not embed these texts.
    #[error("{0}")]
    Failed(String),
}

impl Service {
    /// One without workers, which takes nothing before [`Self::open`].
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        Self {
            limits,
            jobs: Mutex::new(Some(jobs)),
            waiting: tokio::sync::Mutex::new(waiting),
            admitted: Arc::default(),
            in_flight: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            open: AtomicBool::new(false),
            loaded: OnceLock::new(),
            replaced: AtomicU64::new(0),
            served: AtomicU64::new(0),
            served_ns: AtomicU64::new(0),
        }
    }

    /// Has texts embedded, in their order. Dropping the future gives the request up, unless a worker has it already.
    ///
    /// # Errors
    /// Why there are no vectors.
    pub async fn embed(&self, texts: Vec<Arc<str>>, normalize: bool) -> Result<Answer, Refusal> {
        let came = Instant::now();
        if texts.is_empty() {
            return Err(Refusal::NoTexts);
        }
        if texts.len() > self.limits.max_texts {
            return Err(Refusal::TooManyTexts { found: texts.len(), most: self.limits.max_texts });
        }
        let (reply, answer) = oneshot::channel();
        self.send(EmbedRequest { texts, normalize }, came, reply)?;
        match tokio::time::timeout(self.limits.patience, answer).await {
            Ok(Ok(answer)) => answer,
            // Whoever had it is gone.
            Ok(Err(_)) => Err(Refusal::Lost),
            Err(_) => Err(Refusal::TooLate(self.limits.patience)),
        }
    }

    fn send(
        &self,
        request: EmbedRequest,
        came: Instant,
        reply: oneshot::Sender<Result<Answer, Refusal>>,
    ) -> Result<(), Refusal> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(jobs) = jobs.as_ref() else { return Err(Refusal::Ending) };
        if !self.open.load(Ordering::Relaxed) {
            return Err(Refusal::NotReady);
        }
        // Nobody else is let in meanwhile: the senders are locked.
        let admitted = self.admitted.load(Ordering::Relaxed);
        let room = self.at_once.load(Ordering::Relaxed) + self.limits.queue;
        if admitted >= room {
            return Err(Refusal::QueueFull {
                waiting: self.waiting(),
                retry_seconds: self.retry_seconds(admitted),
            });
        }
        self.admitted.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.admitted));
        jobs.send(Job { request, came, reply, _place: place }).map_err(|_| Refusal::Ending)
    }

    /// How long those that are here are likely to take, by what the others took.
    fn retry_seconds(&self, admitted: usize) -> u64 {
        let served = self.served.load(Ordering::Relaxed).max(1);
        let each_ns = self.served_ns.load(Ordering::Relaxed) / served;
        let rounds = admitted.div_ceil(self.at_once.load(Ordering::Relaxed).max(1)) as u64;
        Duration::from_nanos(each_ns.saturating_mul(rounds)).as_secs() + 1
    }

    /// Takes requests from now on.
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// Takes no more requests. Those that are here are answered.
    pub fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether a request that comes now would be worked on at once or wait for its turn: it is open, and a worker is there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.open.load(Ordering::Relaxed) && self.at_once.load(Ordering::Relaxed) > 0
    }

    /// What the backend said of itself, once it is loaded.
    #[must_use]
    pub fn loaded(&self) -> Option<&Loaded> {
        self.loaded.get()
    }

    /// What is taken.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Requests that wait for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.admitted.load(Ordering::Relaxed).saturating_sub(self.in_flight())
    }

    /// Requests that a worker has.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Workers that were lost and replaced.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }

    /// A worker is there that takes so many requests at once.
    pub(super) fn worker_came(&self, loaded: &Loaded) {
        // They are all started alike.
        let _ = self.loaded.set(loaded.clone());
        self.at_once.fetch_add(at_once(loaded), Ordering::Relaxed);
    }

    /// A worker that was there is gone.
    pub(super) fn worker_went(&self, loaded: &Loaded, lost: bool) {
        self.at_once.fetch_sub(at_once(loaded), Ordering::Relaxed);
        self.replaced.fetch_add(u64::from(lost), Ordering::Relaxed);
    }

    /// The next request that somebody still waits for; `None` once there will be none.
    pub(super) async fn next(&self) -> Option<Taken<'_>> {
        loop {
            let job = self.waiting.lock().await.recv().await?;
            if !job.reply.is_closed() {
                self.in_flight.fetch_add(1, Ordering::Relaxed);
                return Some(Taken { waited: job.came.elapsed(), job: Some(job), service: self });
            }
        }
    }
}

/// How many requests such a worker works on at once.
pub(super) fn at_once(loaded: &Loaded) -> usize {
    (loaded.concurrency as usize).max(1)
}

/// A request that a worker has taken.
pub(super) struct Taken<'a> {
    job: Option<Job>,
    waited: Duration,
    service: &'a Service,
}

impl Taken<'_> {
    pub(super) fn request(&self) -> &EmbedRequest {
        &self.job.as_ref().expect("it is answered once: this is a bug").request
    }

    /// Answers it. That nobody waits any more is nobody's fault.
    pub(super) fn answer(mut self, answer: Result<Embeddings, Refusal>) {
        let Some(job) = self.job.take() else { return };
        let total = job.came.elapsed();
        if answer.is_ok() {
            let worked = u64::try_from((total - self.waited).as_nanos()).unwrap_or(u64::MAX);
            self.service.served.fetch_add(1, Ordering::Relaxed);
            self.service.served_ns.fetch_add(worked, Ordering::Relaxed);
        }
        let _ = job.reply.send(answer.map(|embeddings| Answer { embeddings, waited: self.waited, total }));
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.service.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

//! A backend on a thread of its own, inside this process: what a [`Backend`] needs to be a [`Provider`]. Knows nothing
//! of models and nothing of the wire.
//!
//! A call that blocks cannot be broken off, so a deadline only ends the waiting: the backend finishes what it does, and
//! the requests behind it wait in turn. A worker process can be killed; this cannot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::evidence::{Evidence, ProveRequest};
use crate::provider::{
    Backend, BoxFuture, EmbedRequest, Embeddings, LoadRequest, Loaded, Provider, ProviderError,
};
use crate::wire::server::panic_message;

/// How long `load` may take unless it is said otherwise.
pub const LOAD_DEADLINE: Duration = Duration::from_secs(300);
/// How long `embed` may take unless it is said otherwise.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

type Reply<T> = oneshot::Sender<Result<T, ProviderError>>;

enum Job {
    Load(LoadRequest, Reply<Loaded>),
    Embed(EmbedRequest, Reply<Embeddings>),
    Prove(ProveRequest, Reply<Evidence>),
}

/// A backend that runs on its own thread. The thread ends once this is dropped and the call under way has returned.
pub struct Threaded {
    /// The thread's end of it, or why there is no thread.
    jobs: Result<mpsc::Sender<Job>, ProviderError>,
    load_deadline: Duration,
    request_deadline: Duration,
    /// What `load` said, 0 before.
    dimensions: AtomicU32,
}

impl Threaded {
    /// Puts the backend on a thread of its own, with [`LOAD_DEADLINE`] and [`REQUEST_DEADLINE`].
    #[must_use]
    pub fn new(backend: Box<dyn Backend>) -> Threaded {
        let (jobs, queue) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("backend".to_owned()).spawn(move || work(backend, &queue));
        Threaded {
            jobs: thread.map(|_| jobs).map_err(|fault| ProviderError::Start {
                program: "a thread for the backend".to_owned(),
                why: fault.to_string(),
            }),
            load_deadline: LOAD_DEADLINE,
            request_deadline: REQUEST_DEADLINE,
            dimensions: AtomicU32::new(0),
        }
    }

    /// The same with other deadlines for `load` and for each `embed`.
    #[must_use]
    pub fn with_deadlines(self, load: Duration, request: Duration) -> Threaded {
        Threaded { load_deadline: load, request_deadline: request, ..self }
    }

    async fn ask<T>(
        &self,
        method: &str,
        deadline: Duration,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, ProviderError> {
        let jobs = self.jobs.as_ref().map_err(Clone::clone)?;
        let (reply, answer) = oneshot::channel();
        jobs.send(job(reply)).expect("the thread runs for as long as it can be asked: this is a bug");
        match tokio::time::timeout(deadline, answer).await {
            Ok(answer) => answer.expect("the thread answers every request: this is a bug"),
            Err(_) => Err(ProviderError::Timeout { method: method.to_owned(), after: deadline }),
        }
    }
}

impl Provider for Threaded {
    fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
        Box::pin(async move {
            let loaded =
                self.ask("load", self.load_deadline, |reply| Job::Load(request.clone(), reply)).await?;
            self.dimensions.store(loaded.dimensions, Ordering::Relaxed);
            Ok(loaded)
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
        Box::pin(async move {
            let embeddings =
                self.ask("embed", self.request_deadline, |reply| Job::Embed(request.clone(), reply)).await?;
            embeddings.check(request.texts.len(), self.dimensions.load(Ordering::Relaxed))?;
            Ok(embeddings)
        })
    }

    fn prove<'a>(&'a self, request: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
        Box::pin(self.ask("prove", self.load_deadline, |reply| Job::Prove(request.clone(), reply)))
    }
}

/// What the thread does until nobody can ask it any more.
fn work(mut backend: Box<dyn Backend>, queue: &mpsc::Receiver<Job>) {
    // After a panic the backend's state is unknown, so it is not asked again.
    let mut panicked: Option<String> = None;
    for job in queue {
        match job {
            Job::Load(request, reply) => {
                answer(reply, &mut panicked, ProviderError::Load, || backend.load(&request))
            }
            Job::Prove(request, reply) => {
                answer(reply, &mut panicked, ProviderError::Embed, || backend.prove(&request))
            }
            Job::Embed(request, reply) => answer(reply, &mut panicked, ProviderError::Embed, || {
                let started = Instant::now();
                let mut embeddings = backend.embed(&request)?;
                embeddings.stages.worker_ns =
                    Some(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
                Ok(embeddings)
            }),
        }
    }
}

fn answer<T>(
    reply: Reply<T>,
    panicked: &mut Option<String>,
    failure: fn(String) -> ProviderError,
    run: impl FnOnce() -> Result<T, ProviderError>,
) {
    // Nobody waits for a request that timed out in the queue, so it is not computed either.
    if reply.is_closed() {
        return;
    }
    let outcome = match panicked {
        Some(message) => Err(failure(format!("the backend panicked on an earlier request: {message}"))),
        None => catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let message = panic_message(&*panic).to_owned();
            let error = failure(format!("the backend panicked: {message}"));
            *panicked = Some(message);
            Err(error)
        }),
    };
    let _ = reply.send(outcome);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::provider::{Runs, StageTimes};

    /// Embeds into one number, waits for a word if a text says so, and panics if one says so.
    struct Scripted {
        word: mpsc::Receiver<()>,
        dropped: Option<oneshot::Sender<()>>,
    }

    impl Backend for Scripted {
        fn load(&mut self, _: &LoadRequest) -> Result<Loaded, ProviderError> {
            let runs = Runs { engine: Some("scripted".to_owned()), ..Runs::default() };
            Ok(Loaded { dimensions: 1, concurrency: 1, runs, import_ns: None, load_ns: None })
        }

        fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
            match &*request.texts[0] {
                "wait" => self.word.recv().unwrap(),
                "panic" => panic!("text {} is too much", request.texts.len()),
                _ => {}
            }
            Ok(Embeddings {
                vectors: vec![if &*request.texts[0] == "nan" { f32::NAN } else { 1.0 }],
                dimensions: 1,
                token_counts: Some(vec![3]),
                tokens_in_all: None,
                truncated: Some(0),
                stages: StageTimes::default(),
            })
        }

        fn prove(&mut self, request: &ProveRequest) -> Result<Evidence, ProviderError> {
            assert_ne!(&*request.texts[0], "panic", "nothing to prove");
            Ok(Evidence::none("scripted"))
        }
    }

    impl Drop for Scripted {
        fn drop(&mut self) {
            let _ = self.dropped.take().map(|sender| sender.send(()));
        }
    }

    struct Stage {
        threaded: Threaded,
        word: mpsc::Sender<()>,
        dropped: oneshot::Receiver<()>,
    }

    async fn loaded() -> Stage {
        let (word, receiver) = mpsc::channel();
        let (dropped, gone) = oneshot::channel();
        let threaded = Threaded::new(Box::new(Scripted { word: receiver, dropped: Some(dropped) }));
        let nothing = LoadRequest { model: None, options: crate::provider::Options::new() };
        assert_eq!(threaded.load(&nothing).await.unwrap().dimensions, 1);
        Stage { threaded, word, dropped: gone }
    }

    fn text(text: &str) -> EmbedRequest {
        EmbedRequest { texts: vec![Arc::from(text)], normalize: true }
    }

    #[tokio::test]
    async fn a_backend_on_a_thread_answers() {
        let stage = loaded().await;
        let embeddings = stage.threaded.embed(&text("one")).await.unwrap();
        assert_eq!((embeddings.vectors, embeddings.token_counts), (vec![1.0], Some(vec![3])));
        assert!(embeddings.stages.worker_ns > Some(0));
    }

    #[tokio::test]
    async fn a_panic_fails_the_request_and_every_later_one() {
        let stage = loaded().await;
        let why = |error: ProviderError| error.to_string();
        assert_eq!(
            stage.threaded.embed(&text("panic")).await.map_err(why).unwrap_err(),
            "embedding failed: the backend panicked: text 1 is too much"
        );
        assert_eq!(
            stage.threaded.embed(&text("one")).await.map_err(why).unwrap_err(),
            "embedding failed: the backend panicked on an earlier request: text 1 is too much"
        );
    }

    #[tokio::test]
    async fn a_deadline_ends_the_waiting_and_a_request_behind_it_is_still_answered() {
        let Stage { threaded, word, .. } = loaded().await;
        let after = Duration::from_millis(1);
        let threaded = threaded.with_deadlines(LOAD_DEADLINE, after);
        assert_eq!(
            threaded.embed(&text("wait")).await.unwrap_err(),
            ProviderError::Timeout { method: "embed".to_owned(), after }
        );
        word.send(()).unwrap();
        let threaded = threaded.with_deadlines(LOAD_DEADLINE, REQUEST_DEADLINE);
        assert_eq!(threaded.embed(&text("one")).await.unwrap().vectors, [1.0]);
    }

    #[tokio::test]
    async fn wrong_vectors_are_refused_here_as_they_are_from_a_worker() {
        let stage = loaded().await;
        let error = stage.threaded.embed(&text("nan")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the backend answered NaN in the vector of text 0, expected finite numbers"
        );
    }

    #[tokio::test]
    async fn the_thread_ends_when_nobody_can_ask_it_any_more() {
        let Stage { threaded, dropped, .. } = loaded().await;
        drop(threaded);
        dropped.await.unwrap();
    }
}

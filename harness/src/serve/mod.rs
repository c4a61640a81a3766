//! A backend as a server: its workers kept, its texts taken over HTTP in several dialects, vectors given.
//!
//! Read in this order: [`Service`] takes texts and gives vectors or a [`Refusal`], whoever asks; `workers` keeps the workers behind it;
//! [`dialects`] is how requests are read and answers written; `routes` which path leads where; `connections` the sockets. Knows no
//! scenario and no run: what is started is a [`Launch`].

mod access;
mod connections;
pub mod dialects;
mod log;
mod metrics;
mod routes;
mod service;
mod workers;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use access::Key;
use connections::Rules;
use dialects::About;
use futures_util::future::{join_all, try_join_all};
pub use log::Log;
use metrics::Metrics;
use routes::{App, router};
use serde_json::json;
pub use service::{Answer, Limits, Refusal, Service};
use tailmark_providers::provider::{Loaded, ProviderError};
use tailmark_providers::start::Launch;
use tailmark_providers::worker::Deadlines;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use workers::{Start, keep};

use crate::workload::Batches;

/// What is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// How a worker of it is started.
    pub launch: Launch,
    /// Workers side by side, at least 1.
    pub replicas: u32,
    /// How long to wait for them.
    pub deadlines: Deadlines,
    /// The name that requests have for it.
    pub model: String,
    /// Texts are cut to so many tokens; `None` without a model.
    pub max_tokens: Option<u32>,
    /// How its tokens are pooled; `None` without a model.
    pub pooling: Option<String>,
    /// What a worker embeds before a caller's texts.
    pub texts: Batches,
    /// How many requests of it.
    pub warm_up: u64,
}

/// How it is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where; port 0 for any.
    pub address: SocketAddr,
    /// How much is taken.
    pub limits: Limits,
    /// Of a body, in bytes.
    pub max_body: usize,
    /// Connections at once.
    pub max_connections: usize,
    /// For a request's head and for its body to come.
    pub read_within: Duration,
    /// For what is under way at the end.
    pub drain_within: Duration,
    /// The key that requests must bring.
    pub key: Option<Key>,
    /// What is said.
    pub log: Log,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error(
        "cannot listen on {address}: {source}\n\nhint: --address has another one; port 0 takes any that is free"
    )]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something else.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The backend could not be started or loaded.
    #[error("{kind} cannot be served: {source}")]
    Backend {
        /// Its kind.
        kind: &'static str,
        /// Why.
        source: ProviderError,
    },
    /// What was loaded is not what was asked for.
    #[error("{0}")]
    NotTheSame(String),
}

/// Serves until `stop` becomes true: tells `bound` the address, loads and warms the workers, has `check` look at what was loaded, and
/// takes requests. In the end what is under way is finished and the workers are closed. Needs a tokio runtime.
///
/// # Errors
/// Why nothing was served.
pub async fn serve(
    served: Served,
    settings: Settings,
    bound: impl FnOnce(SocketAddr),
    check: impl FnOnce(&Loaded) -> Result<(), String>,
    stop: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let log = settings.log;
    let address = settings.address;
    let listener =
        TcpListener::bind(address).await.map_err(|source| ServeError::Address { address, source })?;
    let address = listener.local_addr().map_err(|source| ServeError::Address { address, source })?;
    let folder = tempfile::tempdir()
        .map_err(|source| ServeError::System { doing: "make a folder for the workers' stderr", source })?;
    bound(address);
    log.event("listening", json!({ "address": address.to_string() }));
    let service = Arc::new(Service::new(settings.limits));
    let app = Arc::new(App {
        service: Arc::clone(&service),
        about: OnceLock::new(),
        metrics: Metrics::default(),
        key: settings.key,
        max_body: settings.max_body,
        body_within: settings.read_within,
        log,
    });
    let rules = Rules {
        most: settings.max_connections,
        head_within: settings.read_within,
        drain_within: settings.drain_within,
    };
    // Becomes true for both: a backend that cannot be served ends the server, too.
    let (end, ending) = watch::channel(false);
    let connections =
        tokio::spawn(connections::serve(listener, router(Arc::clone(&app)), rules, log, ending.clone()));
    let (workers, first) = start_workers(&served, &service, folder.path(), log, &ending);
    let outcome = until_stopped(&served, &app, first, check, stop).await;
    log.event("draining", json!({ "in_flight": service.in_flight(), "waiting": service.waiting() }));
    let _ = end.send(true);
    let finished = connections.await.unwrap_or(false);
    service.close();
    let closed = tokio::time::timeout(settings.drain_within, join_all(workers)).await.is_ok();
    log.event("ended", json!({ "requests_finished": finished, "workers_closed": closed }));
    outcome
}

type Workers = Vec<tokio::task::JoinHandle<()>>;
type First = Vec<oneshot::Receiver<Result<Loaded, ProviderError>>>;

fn start_workers(
    served: &Served,
    service: &Arc<Service>,
    folder: &Path,
    log: Log,
    ending: &watch::Receiver<bool>,
) -> (Workers, First) {
    let each = (1..=served.replicas.max(1)).map(|number| {
        let start = Start {
            launch: Launch { replicas: 1, ..served.launch.clone() },
            deadlines: served.deadlines,
            stderr: folder.join(format!("worker-{number}.log")),
            texts: served.texts.clone(),
            warm_up: served.warm_up,
        };
        let (told, first) = oneshot::channel();
        let kept = keep(start, number, Arc::clone(service), log, told, ending.clone());
        (tokio::spawn(kept), first)
    });
    each.unzip()
}

/// From the first worker's start to the end that was asked for.
async fn until_stopped(
    served: &Served,
    app: &App,
    first: First,
    check: impl FnOnce(&Loaded) -> Result<(), String>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let kind = served.launch.kind;
    let all_loaded = try_join_all(first.into_iter().map(|one| async {
        let gone = || ProviderError::Load("its task ended: this is a bug".to_owned());
        one.await.unwrap_or_else(|_| Err(gone()))
    }));
    let loaded = tokio::select! {
        loaded = all_loaded => loaded.map_err(|source| ServeError::Backend { kind, source })?,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    };
    let Some(loaded) = loaded.into_iter().next() else { return Ok(()) };
    check(&loaded).map_err(ServeError::NotTheSame)?;
    let limits = app.service.limits();
    app.metrics.runs(kind, &served.model, &loaded.runs);
    let about = About {
        model: served.model.clone(),
        dimensions: loaded.dimensions,
        max_tokens: served.max_tokens,
        pooling: served.pooling.clone(),
        max_requests: limits.queue + served.replicas.max(1) as usize * service::at_once(&loaded),
        max_texts: limits.max_texts,
        since: jiff::Timestamp::now().as_second(),
        runs: loaded.runs,
    };
    let said = json!({ "kind": kind, "model": about.model, "dimensions": about.dimensions, "workers": served.replicas });
    // Set once, here.
    let _ = app.about.set(about);
    app.service.open();
    app.log.event("ready", said);
    let _ = stop.wait_for(|stop| *stop).await;
    Ok(())
}

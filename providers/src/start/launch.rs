//! Everything that it takes to open a backend, as often as wanted, and the backend once it is open. Does not know which kind it
//! is, nor where what it needs came from.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::http::hosted::{HostedServer, ServerProcess};
use crate::provider::{LoadRequest, Provider, ProviderError};
use crate::replicas::Replicas;
use crate::worker::{Deadlines, WorkerProcess};
use crate::worker_command::WorkerCommand;

/// Makes a provider in the caller's own process, which keeps these deadlines. Its options come with the load request.
pub type MakeProvider = fn(Deadlines) -> Box<dyn Provider>;

/// Makes a client of a server, which keeps these deadlines. It may hold what was found out for it.
#[derive(Clone)]
pub struct MakeClient(Arc<dyn Fn(Deadlines) -> Box<dyn Provider> + Send + Sync>);

impl MakeClient {
    /// Makes clients by this.
    #[must_use]
    pub fn new(make: impl Fn(Deadlines) -> Box<dyn Provider> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }
}

impl fmt::Debug for MakeClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MakeClient")
    }
}

/// What it takes to open a backend, as often as wanted.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The kind that runs.
    pub kind: &'static str,
    /// What is opened.
    pub opening: Opening,
    /// What it is to load.
    pub load: LoadRequest,
    /// How many workers of it run side by side.
    pub replicas: u32,
    /// The most resident memory that each of them may take, in bytes; `None` without a limit.
    pub max_memory: Option<u64>,
}

/// What opening a backend means.
#[derive(Clone, Debug)]
pub enum Opening {
    /// Starting worker processes.
    Worker(WorkerCommand),
    /// Making the backend in the caller's own process.
    InProcess(MakeProvider),
    /// Starting a server, and making a client of it.
    Server(Box<HostedServer>),
    /// Making a client of something that is running already.
    Client(MakeClient),
}

/// Kills a process from any thread, for this reason.
pub type Kill = Box<dyn Fn(&str) + Send>;

/// A process that was started for a backend.
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Whether what it uses is what its descendants use with it.
    pub with_descendants: bool,
    /// Kills it with its process group.
    pub kill: Kill,
}

/// A backend that is open and has not been told to load.
pub struct Opened {
    running: Running,
    spawn: Option<Duration>,
}

enum Running {
    Workers(Replicas<WorkerProcess>),
    Server(Box<ServerProcess>),
    WithoutProcess(Box<dyn Provider>),
}

impl Launch {
    /// Opens the backend. Standard error of its workers is appended to `stderr`. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When a worker does not start; the others are gone by then.
    pub async fn open(&self, deadlines: Deadlines, stderr: &Path) -> Result<Opened, ProviderError> {
        let began = Instant::now();
        let running = match &self.opening {
            Opening::Worker(command) => {
                let start = |_| WorkerProcess::start(command, self.kind, stderr, deadlines);
                let started = join_all((0..self.replicas.max(1)).map(start)).await;
                // One that failed takes the others with it: dropping them kills them.
                Running::Workers(Replicas::new(started.into_iter().collect::<Result<_, _>>()?))
            }
            Opening::Server(server) => {
                Running::Server(Box::new(ServerProcess::start(server, stderr, deadlines).await?))
            }
            Opening::InProcess(make) => Running::WithoutProcess(make(deadlines)),
            Opening::Client(MakeClient(make)) => Running::WithoutProcess(make(deadlines)),
        };
        // A client starts nothing: whatever it is a client of was there before.
        let spawn = (!matches!(self.opening, Opening::Client(_))).then(|| began.elapsed());
        Ok(Opened { running, spawn })
    }
}

impl Opened {
    /// The provider, to be told to load and to be driven.
    #[must_use]
    pub fn provider(&self) -> &dyn Provider {
        match &self.running {
            Running::Workers(workers) => workers,
            Running::Server(server) => &**server,
            Running::WithoutProcess(provider) => &**provider,
        }
    }

    /// Its worker processes; none when it has no process of its own.
    #[must_use]
    pub fn workers(&self) -> &[WorkerProcess] {
        match &self.running {
            Running::Workers(workers) => workers.members(),
            Running::Server(_) | Running::WithoutProcess(_) => &[],
        }
    }

    /// Every process that was started for it, to be watched and at need killed; none when it has no process of its own.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        match &self.running {
            Running::Workers(workers) => workers.members().iter().map(process_of).collect(),
            Running::Server(server) => {
                let killer = server.killer();
                let kill: Kill = Box::new(move |why| killer.kill(why));
                vec![Process { pid: server.pid(), with_descendants: true, kill }]
            }
            Running::WithoutProcess(_) => Vec::new(),
        }
    }

    /// How long starting it took, until it said who it is; `None` for a client, which starts nothing.
    #[must_use]
    pub fn spawn_time(&self) -> Option<Duration> {
        self.spawn
    }

    /// Shuts it down and waits until it is gone.
    pub async fn close(self) {
        match self.running {
            Running::Workers(workers) => {
                join_all(workers.into_members().into_iter().map(WorkerProcess::shutdown)).await;
            }
            Running::Server(server) => server.shutdown().await,
            Running::WithoutProcess(_) => {}
        }
    }
}

fn process_of(worker: &WorkerProcess) -> Process {
    let killer = worker.killer();
    let kill: Kill = Box::new(move |why| killer.kill(why));
    Process { pid: worker.pid(), with_descendants: false, kill }
}

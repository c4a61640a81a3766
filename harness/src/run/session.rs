//! One life of a provider: started, loaded, asked, shut down. Times its cold start.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tailmark_providers::kinds::{Kind, Runtime};
use tailmark_providers::provider::{LoadRequest, Loaded, Provider, ProviderError};
use tailmark_providers::replicas::Replicas;
use tailmark_providers::worker::{self, WorkerProcess};
use tailmark_providers::worker_command::WorkerCommand;
use tailmark_reports::record::ColdStart;
use tailmark_reports::units;
use tokio::time::Instant;

use crate::monitor::{Guard, OverLimit};
use crate::plan::Deadlines;

/// Everything that is needed to start a backend, as often as wanted.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// What runs: the kind asked for, or the one it fell back to.
    pub(super) kind: &'static Kind,
    /// How its process is started; `None` in the harness's own.
    pub(super) command: Option<WorkerCommand>,
    /// What it is to load.
    pub(super) load: LoadRequest,
    /// How many workers of it run side by side.
    pub(super) replicas: u32,
    /// The most resident memory that each of them may take, in bytes; `None` without a limit.
    pub(super) max_memory: Option<u64>,
}

/// A provider that is loaded.
pub(super) struct Session {
    provider: Running,
    /// What it said of itself.
    pub(super) loaded: Loaded,
    /// When it was spawned.
    pub(super) spawned: Instant,
    /// From spawning to the answer to `initialize`.
    spawn: Duration,
    /// Holds its workers to the limit of their memory.
    _guard: Option<Guard>,
}

enum Running {
    Workers(Replicas<WorkerProcess>),
    InProcess(Box<dyn Provider>),
}

impl Session {
    /// Starts and loads a backend.
    pub(super) async fn open(
        launch: &Launch,
        deadlines: Deadlines,
        stderr: &Path,
    ) -> Result<Self, ProviderError> {
        let spawned = Instant::now();
        let provider = match (&launch.command, launch.kind.runtime) {
            (None, Runtime::Rust { in_process, .. }) => Running::InProcess(in_process(deadlines.into())),
            (Some(command), _) => {
                let start = |_| WorkerProcess::start(command, launch.kind.name, stderr, deadlines.into());
                let started = join_all((0..launch.replicas.max(1)).map(start)).await;
                // One that failed takes the others with it: dropping them kills them.
                Running::Workers(Replicas::new(started.into_iter().collect::<Result<_, _>>()?))
            }
            (None, Runtime::Python) => {
                unreachable!("a plan places Python backends in workers: this is a bug")
            }
        };
        let spawn = spawned.elapsed();
        let guard = launch.max_memory.and_then(|limit| guard(&provider, limit));
        let loaded = match provider.as_provider().load(&launch.load).await {
            Ok(loaded) => loaded,
            Err(error) => {
                provider.close().await;
                return Err(error);
            }
        };
        Ok(Self { provider, loaded, spawned, spawn, _guard: guard })
    }

    /// The provider, to be driven.
    pub(super) fn provider(&self) -> &dyn Provider {
        self.provider.as_provider()
    }

    /// The workers' processes; none in the harness's own.
    pub(super) fn processes(&self) -> Vec<u32> {
        match &self.provider {
            Running::Workers(workers) => workers.members().iter().map(WorkerProcess::pid).collect(),
            Running::InProcess(_) => Vec::new(),
        }
    }

    /// The cold start by stage. Importing is what the worker says it was; the rest of `load` as seen from here is loading,
    /// so that the stages add up to the total.
    pub(super) fn cold_start(&self, restart: u32, embedding_ns: u64, total_ns: u64) -> ColdStart {
        let spawn_ns = u64::try_from(self.spawn.as_nanos()).unwrap_or(u64::MAX);
        let load_ns = total_ns.saturating_sub(spawn_ns + embedding_ns);
        let import_ns = self.loaded.import_ns.min(load_ns);
        ColdStart {
            restart,
            spawn_ns,
            import_ns,
            load_ns: load_ns - import_ns,
            first_embedding_ns: embedding_ns,
            total_ns,
        }
    }

    /// Shuts it down and waits until it is gone.
    pub(super) async fn close(self) {
        self.provider.close().await;
    }
}

/// Holds each worker to the limit, from before it loads. Without a thread for it there is no limit, as there is no figure of
/// its memory.
fn guard(provider: &Running, limit: u64) -> Option<Guard> {
    let Running::Workers(workers) = provider else { return None };
    let held = workers.members().iter().map(|worker| {
        let killer = worker.killer();
        let over: OverLimit = Box::new(move |bytes| {
            killer.kill(&format!(
                "its memory grew to {}, over the limit of {} that [workers] max_memory sets",
                units::bytes(bytes),
                units::bytes(limit)
            ));
        });
        (worker.pid(), over)
    });
    Guard::start(limit, held.collect()).ok()
}

impl Running {
    fn as_provider(&self) -> &dyn Provider {
        match self {
            Self::Workers(workers) => workers,
            Self::InProcess(provider) => &**provider,
        }
    }

    async fn close(self) {
        if let Self::Workers(workers) = self {
            join_all(workers.into_members().into_iter().map(WorkerProcess::shutdown)).await;
        }
    }
}

impl From<Deadlines> for worker::Deadlines {
    fn from(plan: Deadlines) -> Self {
        Self { start: plan.start, load: plan.load, request: plan.request, shutdown: plan.shutdown }
    }
}

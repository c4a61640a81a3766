//! One life of a provider: started, loaded, asked, shut down. Times its cold start.

use std::path::Path;
use std::time::Duration;

use tailmark_providers::kinds::{Kind, Runtime};
use tailmark_providers::provider::{LoadRequest, Loaded, Provider, ProviderError};
use tailmark_providers::worker::{self, WorkerProcess};
use tailmark_providers::worker_command::WorkerCommand;
use tokio::time::Instant;

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
}

/// A provider that is loaded.
pub(super) struct Session {
    provider: Running,
    /// What it said of itself.
    pub(super) loaded: Loaded,
    /// When it was spawned.
    pub(super) spawned: Instant,
    /// From spawning to the answer to `initialize`.
    pub(super) spawn: Duration,
}

enum Running {
    Worker(Box<WorkerProcess>),
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
                let deadlines = deadlines.into();
                let worker = WorkerProcess::start(command, launch.kind.name, stderr, deadlines).await?;
                Running::Worker(Box::new(worker))
            }
            (None, Runtime::Python) => {
                unreachable!("a plan places Python backends in workers: this is a bug")
            }
        };
        let spawn = spawned.elapsed();
        let loaded = match provider.as_provider().load(&launch.load).await {
            Ok(loaded) => loaded,
            Err(error) => {
                provider.close().await;
                return Err(error);
            }
        };
        Ok(Self { provider, loaded, spawned, spawn })
    }

    /// The provider, to be driven.
    pub(super) fn provider(&self) -> &dyn Provider {
        self.provider.as_provider()
    }

    /// The worker's process; `None` in the harness's own.
    pub(super) fn process(&self) -> Option<u32> {
        match &self.provider {
            Running::Worker(worker) => Some(worker.pid()),
            Running::InProcess(_) => None,
        }
    }

    /// Shuts it down and waits until it is gone.
    pub(super) async fn close(self) {
        self.provider.close().await;
    }
}

impl Running {
    fn as_provider(&self) -> &dyn Provider {
        match self {
            Self::Worker(worker) => &**worker,
            Self::InProcess(provider) => &**provider,
        }
    }

    async fn close(self) {
        if let Self::Worker(worker) = self {
            worker.shutdown().await;
        }
    }
}

impl From<Deadlines> for worker::Deadlines {
    fn from(plan: Deadlines) -> Self {
        Self { start: plan.start, load: plan.load, request: plan.request, shutdown: plan.shutdown }
    }
}

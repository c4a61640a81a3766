//! One life of a provider: started, loaded, asked, shut down. Times its cold start.

use std::path::Path;

use tailmark_providers::provider::{Loaded, Provider, ProviderError};
use tailmark_providers::start::{Launch, Opened, Process};
use tailmark_providers::worker::Deadlines;
use tailmark_reports::record::ColdStart;
use tailmark_reports::units;
use tokio::time::Instant;

use crate::environment::Watched;
use crate::monitor::{Guard, OverLimit};

/// A provider that is loaded.
pub(super) struct Session {
    opened: Opened,
    /// What it said of itself.
    pub(super) loaded: Loaded,
    /// When it was spawned.
    pub(super) spawned: Instant,
    /// Holds its processes to the limit of their memory.
    _guard: Option<Guard>,
}

impl Session {
    /// Starts and loads a backend.
    pub(super) async fn open(
        launch: &Launch,
        deadlines: Deadlines,
        stderr: &Path,
    ) -> Result<Self, ProviderError> {
        let spawned = Instant::now();
        let opened = launch.open(deadlines, stderr).await?;
        let guard = launch.max_memory.and_then(|limit| guard(opened.processes(), limit));
        let loaded = match opened.provider().load(&launch.load).await {
            Ok(loaded) => loaded,
            Err(error) => {
                opened.close().await;
                return Err(error);
            }
        };
        Ok(Self { opened, loaded, spawned, _guard: guard })
    }

    /// The provider, to be driven.
    pub(super) fn provider(&self) -> &dyn Provider {
        self.opened.provider()
    }

    /// The processes that were started for it; none when the backend has no process of its own.
    pub(super) fn processes(&self) -> Vec<Watched> {
        let all = self.opened.processes();
        all.iter().map(|one| Watched { pid: one.pid, with_descendants: one.with_descendants }).collect()
    }

    /// The cold start by stage. Importing is what the worker says it was; the rest of `load` as seen from here is loading,
    /// so that the stages add up to the total.
    pub(super) fn cold_start(&self, restart: u32, embedding_ns: u64, total_ns: u64) -> ColdStart {
        let spawn = self.opened.spawn_time();
        let spawn_ns = spawn.map(|spawn| u64::try_from(spawn.as_nanos()).unwrap_or(u64::MAX));
        let load_ns = total_ns.saturating_sub(spawn_ns.unwrap_or_default() + embedding_ns);
        let import_ns = self.loaded.import_ns.map(|import| import.min(load_ns));
        ColdStart {
            restart,
            spawn_ns,
            import_ns,
            load_ns: load_ns - import_ns.unwrap_or_default(),
            first_embedding_ns: embedding_ns,
            total_ns,
        }
    }

    /// Shuts it down and waits until it is gone.
    pub(super) async fn close(self) {
        self.opened.close().await;
    }
}

/// Holds each process to the limit, from before it loads. Without a thread for it there is no limit, as there is no figure of
/// its memory.
fn guard(processes: Vec<Process>, limit: u64) -> Option<Guard> {
    if processes.is_empty() {
        return None;
    }
    let held = processes.into_iter().map(|Process { pid, with_descendants, kill }| {
        let over: OverLimit = Box::new(move |bytes| {
            kill(&format!(
                "its memory grew to {}, over the limit of {} that [workers] max_memory sets",
                units::bytes(bytes),
                units::bytes(limit)
            ));
        });
        (Watched { pid, with_descendants }, over)
    });
    Guard::start(limit, held.collect()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tailmark_providers::kinds;
    use tailmark_providers::provider::{LoadRequest, Options};
    use tailmark_providers::start::{MakeClient, Opening};

    use super::*;

    #[tokio::test]
    async fn a_client_has_no_process_to_watch_or_to_hold_and_its_cold_start_no_spawn() {
        let null = kinds::find("null").and_then(|kind| kind.own).expect("null is written in Rust");
        let launch = Launch {
            kind: "client",
            opening: Opening::Client(MakeClient::new(null.in_process)),
            load: LoadRequest { model: None, options: Options::new() },
            replicas: 1,
            max_memory: Some(1),
        };
        let minute = Duration::from_secs(60);
        let deadlines = Deadlines { start: minute, load: minute, request: minute, shutdown: minute };
        let session =
            Session::open(&launch, deadlines, Path::new("/nowhere/no.log")).await.expect("it opens");
        assert_eq!(session.processes(), Vec::<Watched>::new());
        assert!(session._guard.is_none());
        let cold = session.cold_start(1, 10, 100);
        assert_eq!((cold.spawn_ns, cold.load_ns, cold.first_embedding_ns), (None, 90, 10));
        session.close().await;
    }
}

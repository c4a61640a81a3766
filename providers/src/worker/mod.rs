//! A backend in a separate process: starts it, asks it, ends it, and says how it ended. Knows neither which backend it is nor
//! what the answers are used for.
//!
//! Each worker leads a process group, so that Ctrl-C at the terminal reaches only the harness, and so that a worker
//! that has to be killed takes its own children with it.

pub(crate) mod group;
mod silence;
pub(crate) mod standard_error;
mod supervisor;

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use group::Group;
pub use silence::HUNG_AFTER;
use silence::Silence;
use standard_error::{StandardError, Tail};
use tokio::process::{ChildStdin, Command};
use tokio::task::JoinHandle;

use crate::evidence::{Evidence, ProveRequest};
use crate::provider::{BoxFuture, EmbedRequest, Embeddings, LoadRequest, Loaded, Provider, ProviderError};
use crate::wire::InFlight;
use crate::wire::client::{Client, connect};
use crate::wire::message::{Encoding, Greeting, Peer};
use crate::worker_command::WorkerCommand;

/// How long a worker may take for what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From spawning the process to its answer to `initialize`.
    pub start: Duration,
    /// For `load`, and for `prove`, which loads the model once more.
    pub load: Duration,
    /// For each `embed` and `ping`.
    pub request: Duration,
    /// From asking it to end to its end; then it is killed.
    pub shutdown: Duration,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its status; `None` when the system would not say.
    pub status: Option<ExitStatus>,
    /// Whether it did not end when it was asked to, and was killed.
    pub killed: bool,
}

/// A running worker that has said who it is. Dropping it kills the process and its children.
pub struct WorkerProcess {
    running: Running,
    greeting: Greeting,
    spawn_time: Duration,
    deadlines: Deadlines,
    silence: Silence,
}

/// A process and the connection to it, from the moment it was spawned.
struct Running {
    client: Client<ChildStdin>,
    group: Arc<Group>,
    tail: Arc<Tail>,
    supervisor: JoinHandle<Option<ExitStatus>>,
}

/// Kills a worker from another thread; it may have ended long before.
#[derive(Clone)]
pub struct Killer {
    group: Arc<Group>,
    in_flight: Arc<InFlight>,
    tail: Arc<Tail>,
}

impl Killer {
    /// Kills the worker with its children. Every request in flight and every later one fails with [`ProviderError::Killed`]
    /// and this reason, unless there was another before.
    pub fn kill(&self, why: &str) {
        self.in_flight.close(&ProviderError::Killed { why: why.to_owned(), stderr_tail: self.tail.text() });
        self.group.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.group.kill();
    }
}

impl Running {
    fn spawn(command: &WorkerCommand, stderr_log: &Path) -> Result<Running, ProviderError> {
        let start =
            |why: String| ProviderError::Start { program: command.program.display().to_string(), why };
        let log = StandardError::append_to(stderr_log)
            .map_err(|fault| start(format!("its log {} cannot be opened: {fault}", stderr_log.display())))?;
        let mut child = Command::from(command.to_command())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|fault| start(spawn_fault(&fault)))?;
        let group = Arc::new(Group::led_by(&child));
        let piped = "the stream was asked to be piped: this is a bug";
        let (client, listener) = connect(child.stdout.take().expect(piped), child.stdin.take().expect(piped));
        let tail = log.tail();
        let parts = supervisor::Parts {
            group: Arc::clone(&group),
            listener: tokio::spawn(listener.run()),
            tail: Arc::clone(&tail),
            drain: tokio::spawn(log.drain(child.stderr.take().expect(piped))),
            in_flight: client.in_flight(),
            child,
        };
        Ok(Running { client, group, tail, supervisor: tokio::spawn(parts.watch()) })
    }

    /// Waits until the process has ended and was reaped.
    async fn ended(&mut self) -> Option<ExitStatus> {
        // The task only fails to join when the runtime ends, and then there is nobody to tell.
        (&mut self.supervisor).await.unwrap_or(None)
    }
}

pub(crate) fn spawn_fault(fault: &std::io::Error) -> String {
    match fault.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no such program\n\nhint: check the path, or install it and make sure that it is on PATH"
                .to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            "permission denied\n\nhint: check that the file is a program and that you have permission to execute it"
                .to_owned()
        }
        _ => fault.to_string(),
    }
}

impl WorkerProcess {
    /// Spawns the command, has it introduce itself, and checks that it serves `kind`. Its standard error is appended
    /// to `stderr_log`. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// [`ProviderError::Start`] when it cannot be spawned, [`ProviderError::Exited`] when it ends first,
    /// [`ProviderError::Timeout`] when it does not answer, [`ProviderError::Protocol`] when it prints to its standard
    /// output, speaks another version or serves another kind. In each case the process is gone by then.
    pub async fn start(
        command: &WorkerCommand,
        kind: &str,
        stderr_log: &Path,
        deadlines: Deadlines,
    ) -> Result<WorkerProcess, ProviderError> {
        let spawned = Instant::now();
        let mut running = Running::spawn(command, stderr_log)?;
        let us = Peer { name: "tailmark".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let greeted = running.client.initialize(us, deadlines.start).await;
        let spawn_time = spawned.elapsed();
        let checked = greeted.and_then(|greeting| {
            if greeting.kind == kind {
                return Ok(greeting);
            }
            Err(ProviderError::Protocol {
                found: format!("a worker that serves the kind `{}`", greeting.kind),
                expected: format!("the kind `{kind}`"),
            })
        });
        match checked {
            Ok(greeting) => {
                Ok(WorkerProcess { running, greeting, spawn_time, deadlines, silence: Silence::default() })
            }
            Err(fault) => {
                running.group.kill();
                running.ended().await;
                Err(fault)
            }
        }
    }

    /// From the spawning of the process to its answer to `initialize`.
    #[must_use]
    pub fn spawn_time(&self) -> Duration {
        self.spawn_time
    }

    /// Who the worker says it is.
    #[must_use]
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// The process id, while the process is there.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.group.pid()
    }

    /// Whether the process is gone. Whatever is asked of it then fails with how it ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.running.supervisor.is_finished()
    }

    /// How many answers came after their deadline, and were dropped.
    #[must_use]
    pub fn late_answers(&self) -> u64 {
        self.running.client.late_answers()
    }

    /// A handle that kills it from another thread.
    #[must_use]
    pub fn killer(&self) -> Killer {
        let Running { client, group, tail, .. } = &self.running;
        Killer { group: Arc::clone(group), in_flight: client.in_flight(), tail: Arc::clone(tail) }
    }

    /// Kills the worker once too many requests in a row had no answer; the error of the request that this one was.
    fn after_a_timeout(&self, timeout: ProviderError) -> ProviderError {
        let after = self.deadlines.request;
        if !self.silence.given_up(self.running.client.in_flight().answers()) {
            return timeout;
        }
        self.killer().kill(&format!("no answer to {HUNG_AFTER} requests in a row within {after:?}"));
        ProviderError::Hung { requests: HUNG_AFTER, after, stderr_tail: self.running.tail.text() }
    }

    /// Makes a round trip that does nothing, within the deadline of a request.
    ///
    /// # Errors
    /// As [`embed`](Provider::embed), save for those that the vectors cause.
    pub async fn ping(&self) -> Result<(), ProviderError> {
        self.running.client.ping(self.deadlines.request).await
    }

    /// Asks the worker to end, closes its standard input, and waits; kills it and its children when the deadline has
    /// passed. The process is gone and reaped when this returns.
    pub async fn shutdown(mut self) -> Ended {
        self.running.group.expect_end();
        let Running { client, .. } = &self.running;
        let asked = async {
            // Whether it answers or not, closing its standard input is the second way to say it.
            let _ = client.shutdown(self.deadlines.shutdown).await;
            client.hang_up().await;
        };
        let deadline = tokio::time::Instant::now() + self.deadlines.shutdown;
        let _ = tokio::time::timeout_at(deadline, asked).await;
        if let Ok(joined) = tokio::time::timeout_at(deadline, &mut self.running.supervisor).await {
            return Ended { status: joined.unwrap_or(None), killed: false };
        }
        self.running.group.kill();
        Ended { status: self.running.ended().await, killed: true }
    }
}

impl Provider for WorkerProcess {
    fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
        Box::pin(self.running.client.load(request, self.deadlines.load))
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
        Box::pin(async move {
            match self.running.client.embed(request, Encoding::Base64, self.deadlines.request).await {
                Err(timeout @ ProviderError::Timeout { .. }) => Err(self.after_a_timeout(timeout)),
                answered => answered,
            }
        })
    }

    fn prove<'a>(&'a self, request: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
        // The runtime loads the model once more for it, so it may take as long as loading.
        Box::pin(self.running.client.prove(request, self.deadlines.load))
    }
}

//! A server that is started for a backend: spawned, awaited until it is ready, asked, and killed with its process group.
//! Knows nothing of what is asked; that is the client's.
//!
//! A server does not end when tailmark does, as a worker does at the end of its input. So a shell waits beside it for the end of
//! a pipe that tailmark alone holds, and kills the group.

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::HttpProvider;
use super::connection::encrypted;
use super::ready::{BETWEEN_LOOKS, look};
use super::settings::{HttpOptions, ServerOptions};
use crate::evidence::{Evidence, ProveRequest};
use crate::options;
use crate::provider::{
    BoxFuture, EmbedRequest, Embeddings, LoadRequest, Loaded, Options, Provider, ProviderError,
};
use crate::worker::group::Group;
use crate::worker::standard_error::{StandardError, Tail};
use crate::worker::{Deadlines, spawn_fault};

/// How long the end of a server may come after its last connection broke, and its last words after its end.
const SECOND_HALF: Duration = Duration::from_secs(1);

/// Kills the group of `$1` once its own standard input has ended.
const WATCH_OVER: &str = "read -r line; kill -s KILL -- \"-$1\"";

/// What it takes to start a server, as often as wanted.
#[derive(Clone, Debug)]
pub struct HostedServer {
    settings: HttpOptions,
    server: ServerOptions,
    dimensions: u32,
}

/// A running server and the client of it. Dropping it kills the server with its process group.
pub struct ServerProcess {
    client: HttpProvider,
    hosted: HostedServer,
    deadlines: Deadlines,
    killer: ServerKiller,
    gone: watch::Receiver<Option<ProviderError>>,
    supervisor: JoinHandle<()>,
}

/// Kills a server from another thread; it may have ended long before.
#[derive(Clone)]
pub struct ServerKiller {
    group: Arc<Group>,
    tail: Arc<Tail>,
    gone: Arc<watch::Sender<Option<ProviderError>>>,
}

impl HostedServer {
    /// How these options of `http` have the server started, whose vectors are so long; `None` when it runs already.
    ///
    /// # Errors
    /// [`ProviderError::Option`] for faulty options.
    pub fn of(options: &Options, dimensions: u32) -> Result<Option<Self>, ProviderError> {
        let settings: HttpOptions = options::parse(options)?;
        Ok(settings.server.clone().map(|server| Self { settings, server, dimensions }))
    }

    fn words(&self) -> String {
        self.server.command.join(" ")
    }

    fn start_fault(&self, why: String) -> ProviderError {
        ProviderError::Start { program: self.words(), why }
    }

    fn spawn(&self) -> Result<Child, ProviderError> {
        let ServerOptions { command, env, cwd, .. } = &self.server;
        let (program, arguments) = command.split_first().expect("options name a program: this is a bug");
        let mut command = Command::new(program);
        command.args(arguments);
        if let Some(path) = path_with_own_folder() {
            command.env("PATH", path);
        }
        command.envs(env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = cwd {
            if !folder.is_dir() {
                return Err(self.start_fault(format!("its `cwd` {} is no folder", folder.display())));
            }
            command.current_dir(folder);
        }
        let spawned = command.process_group(0).kill_on_drop(true).spawn();
        spawned.map_err(|fault| self.start_fault(spawn_fault(&fault)))
    }

    /// Nobody may answer at the address before the server is there: another server would be measured in its place.
    async fn address_is_free(&self) -> Result<(), ProviderError> {
        let url = &self.settings.url;
        let connecting = tokio::net::TcpStream::connect((url.host.as_str(), url.port));
        if !timeout(SECOND_HALF, connecting).await.is_ok_and(|found| found.is_ok()) {
            return Ok(());
        }
        Err(self.start_fault(format!(
            "something answers at {url} already, and would be measured in its place\n\nhint: stop it, or give the server \
             another port in `command` and `url`"
        )))
    }
}

/// The search path with the folder of this very program behind all others, so that `tailmark serve` is a command that a scenario can name
/// wherever tailmark was built or installed. `None` if it cannot be told.
fn path_with_own_folder() -> Option<OsString> {
    let own = std::env::current_exe().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(own.parent().map(Path::to_path_buf));
    std::env::join_paths(folders).ok()
}

impl ServerKiller {
    /// Kills the server with its process group. Requests in flight and later ones fail with this reason, unless there was
    /// another before.
    pub fn kill(&self, why: &str) {
        self.is_gone(format!("was killed: {why}"));
        self.group.kill();
    }

    fn is_gone(&self, how: String) {
        let stderr_tail = self.tail.text();
        self.gone.send_if_modified(|gone| {
            let is_first = gone.is_none();
            gone.get_or_insert(ProviderError::ServerGone { how, stderr_tail });
            is_first
        });
    }
}

impl ServerProcess {
    /// Spawns the server; its output is appended to `log`. That it is ready is waited for by `load`. Needs a tokio runtime with
    /// I/O and time.
    ///
    /// # Errors
    /// [`ProviderError::Start`] when something answers at its address already or it cannot be spawned.
    pub async fn start(
        hosted: &HostedServer,
        log: &Path,
        deadlines: Deadlines,
    ) -> Result<Self, ProviderError> {
        hosted.address_is_free().await?;
        let no_log =
            |fault| hosted.start_fault(format!("its log {} cannot be opened: {fault}", log.display()));
        let errors = StandardError::append_to(log).map_err(no_log)?;
        let output = errors.another().map_err(no_log)?;
        let tail = errors.tail();
        let mut child = hosted.spawn()?;
        let group = Arc::new(Group::led_by(&child));
        let guardian = watch_over(&group).map_err(|fault| {
            group.kill();
            hosted.start_fault(format!("no shell to watch over it: {fault}"))
        })?;
        let piped = "the stream was asked to be piped: this is a bug";
        let drains = [
            tokio::spawn(errors.drain(child.stderr.take().expect(piped))),
            tokio::spawn(output.drain(child.stdout.take().expect(piped))),
        ];
        let (sender, gone) = watch::channel(None);
        let killer = ServerKiller { group, tail, gone: Arc::new(sender) };
        let supervisor = tokio::spawn(supervise(child, guardian, killer.clone(), drains));
        let client = HttpProvider::new(hosted.dimensions, deadlines);
        Ok(Self { client, hosted: hosted.clone(), deadlines, killer, gone, supervisor })
    }

    /// The id of the process that was started.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.killer.group.pid()
    }

    /// A handle that kills it from another thread.
    #[must_use]
    pub fn killer(&self) -> ServerKiller {
        self.killer.clone()
    }

    /// Kills the server with its process group, and waits until it was reaped.
    pub async fn shutdown(mut self) {
        self.killer.group.kill();
        // The task only fails to join when the runtime ends, and then there is nobody to tell.
        let _ = (&mut self.supervisor).await;
    }

    /// Why it is gone, once it is.
    async fn ended(&self) -> ProviderError {
        let mut gone = self.gone.clone();
        let found = gone.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        found.unwrap_or_else(|| ProviderError::ServerGone {
            how: "is watched no longer".to_owned(),
            stderr_tail: self.killer.tail.text(),
        })
    }

    async fn ready(&self) -> Result<(), ProviderError> {
        let HostedServer { settings, server, .. } = &self.hosted;
        let tls = if settings.url.tls { Some(encrypted(settings.ca_file.as_deref())?) } else { None };
        let most = server.ready_timeout.map_or(self.deadlines.load, |delay| delay.get());
        let deadline = Instant::now() + most;
        loop {
            let found = match look(&settings.url, tls.as_ref(), server.ready.as_deref()).await {
                Ok(()) => return Ok(()),
                Err(found) => found,
            };
            if Instant::now() >= deadline {
                let asked = server.ready.as_deref().unwrap_or("(a connection)");
                return Err(ProviderError::ServerGone {
                    how: format!(
                        "`{}` was not ready at {} {asked} within {most:?}, and was killed: {found}",
                        self.hosted.words(),
                        settings.url
                    ),
                    stderr_tail: self.killer.tail.text(),
                });
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.killer.group.kill();
    }
}

impl Provider for ServerProcess {
    /// Waits until the server is ready.
    fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                gone = self.ended() => return Err(gone),
                ready = self.ready() => ready?,
            }
            self.client.load(request).await
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
        Box::pin(async move {
            let answered = tokio::select! {
                biased;
                gone = self.ended() => return Err(gone),
                answered = self.client.embed(request) => answered,
            };
            if !matches!(answered, Err(ProviderError::Server { disconnected: true, .. })) {
                return answered;
            }
            // Connections break a moment before the process is reaped.
            timeout(SECOND_HALF, self.ended()).await.map_or(answered, Err)
        })
    }

    fn prove<'a>(&'a self, request: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
        self.client.prove(request)
    }
}

/// A shell that kills the group when tailmark is gone.
fn watch_over(group: &Group) -> std::io::Result<Child> {
    Command::new("sh")
        .args(["-c", WATCH_OVER, "sh", &group.pid().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Kills the group when the runtime ends before the server does.
struct KillWhenDropped(Arc<Group>);

impl Drop for KillWhenDropped {
    fn drop(&mut self) {
        self.0.kill();
    }
}

async fn supervise(mut child: Child, mut guardian: Child, killer: ServerKiller, drains: [JoinHandle<()>; 2]) {
    let guard = KillWhenDropped(Arc::clone(&killer.group));
    let status = child.wait().await.ok();
    killer.group.leader_reaped();
    drop(guard);
    // It is killed before its input ends, so that it kills nobody who has the number of the group later.
    let _ = guardian.kill().await;
    for mut drain in drains {
        if timeout(SECOND_HALF, &mut drain).await.is_err() {
            drain.abort();
        }
    }
    let how = |status: ExitStatus| format!("ended ({status})");
    killer.is_gone(status.map_or_else(|| "ended (its status is not known)".to_owned(), how));
}

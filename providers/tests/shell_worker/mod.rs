//! A worker in a few lines of shell: greets, loads, and then does what its script says.

#![expect(clippy::unwrap_used, reason = "a test that panics has said what it found")]

use std::sync::Arc;
use std::time::Duration;

use tailmark_providers::provider::{EmbedRequest, LoadRequest, Options, Provider as _, ProviderError};
use tailmark_providers::worker::{Deadlines, WorkerProcess};
use tailmark_providers::worker_command::WorkerCommand;

/// So long that a test that waits for one has gone wrong.
pub(crate) const NEVER: Duration = Duration::from_secs(60);
/// So short that nobody minds waiting for it.
pub(crate) const SOON: Duration = Duration::from_millis(300);

/// Deadlines that do not pass.
pub(crate) const PATIENT: Deadlines =
    Deadlines { start: NEVER, load: NEVER, request: NEVER, shutdown: NEVER };

/// Reads a request and answers it, as a worker of two dimensions that keeps to the protocol.
pub(crate) const GREET: &str = r#"
answer() { read -r request; printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$1" "$2"; }
answer 1 '"result":{"protocol":2,"kind":"null","worker":{"name":"sh","version":"1"},"language":{"name":"sh","version":"1"}}'
"#;
/// Loads.
pub(crate) const LOAD: &str = r#"
answer 2 '"result":{"dimensions":2,"concurrency":1,"runs":{"engine":"sh","engine_version":"1","device":"cpu","dtype":"float32","versions":{}},"import_ns":0,"load_ns":0}'
stages='"token_counts":[0],"truncated":0,"stages":{"tokenize_ns":0,"infer_ns":0,"pool_ns":0,"worker_ns":0}'
"#;

/// The shell with that script.
pub(crate) fn shell(script: &str) -> WorkerCommand {
    WorkerCommand { program: "sh".into(), args: vec!["-c".into(), script.into()], ..WorkerCommand::default() }
}

/// Starts the script as a worker.
pub(crate) async fn start(script: &str, deadlines: Deadlines) -> Result<WorkerProcess, ProviderError> {
    let folder = tempfile::tempdir().unwrap();
    WorkerProcess::start(&shell(script), "null", &folder.path().join("stderr.log"), deadlines).await
}

/// A worker that has loaded, and then does what the script says.
pub(crate) async fn loaded(script: &str, deadlines: Deadlines) -> WorkerProcess {
    let worker = start(&format!("{GREET}{LOAD}{script}"), deadlines).await.unwrap();
    assert_eq!(worker.load(&nothing()).await.unwrap().dimensions, 2);
    worker
}

/// Loads no model.
pub(crate) fn nothing() -> LoadRequest {
    LoadRequest { model: None, options: Options::new() }
}

/// A request of one text.
pub(crate) fn one_text() -> EmbedRequest {
    EmbedRequest { texts: vec![Arc::from("one")], normalize: true }
}

/// Whether the system still knows the process.
pub(crate) fn is_there(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}

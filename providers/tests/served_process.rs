//! Both ends over a real process: this program is the test, and started again with `serve` it is the worker. It has no
//! test harness, because a worker's standard output is the wire and a harness prints to it.

use std::error::Error;
use std::io::{self, BufReader, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tailmark_providers::evidence::{Evidence, ProveRequest};
use tailmark_providers::null::NullBackend;
use tailmark_providers::provider::{
    Backend, EmbedRequest, Embeddings, LoadRequest, Loaded, Options, Provider as _, ProviderError,
};
use tailmark_providers::wire::server::{serve, take_wire};
use tailmark_providers::worker::{Deadlines, WorkerProcess};
use tailmark_providers::worker_command::WorkerCommand;

type Checked = Result<(), Box<dyn Error>>;

/// `null` with the manners of a careless library.
struct Careless(NullBackend);

impl Backend for Careless {
    fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError> {
        let printed = writeln!(io::stdout(), "printed by the library")
            .and_then(|()| io::stdout().flush())
            .and_then(|()| std::process::Command::new("echo").arg("printed by its child").status());
        printed.map_err(|fault| ProviderError::Load(fault.to_string()))?;
        self.0.load(request)
    }

    fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        assert_ne!(&*request.texts[0], "panic", "a text that cannot be borne");
        self.0.embed(request)
    }

    fn prove(&mut self, request: &ProveRequest) -> Result<Evidence, ProviderError> {
        self.0.prove(request)
    }
}

fn main() -> ExitCode {
    let outcome = if std::env::args().nth(1).as_deref() == Some("serve") { work() } else { test() };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let _ = writeln!(io::stderr(), "{fault}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Checked {
    let wire = take_wire()?;
    let input = BufReader::with_capacity(64 * 1024, io::stdin().lock());
    Ok(serve("null", Box::new(Careless(NullBackend::default())), input, wire)?)
}

fn test() -> Checked {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(a_worker_answers_and_ends_when_asked())?;
    runtime.block_on(a_panic_fails_its_request_and_ends_the_worker())
}

struct Started {
    worker: WorkerProcess,
    folder: tempfile::TempDir,
}

impl Started {
    fn log(&self) -> io::Result<String> {
        std::fs::read_to_string(self.folder.path().join("stderr.log"))
    }
}

async fn started() -> Result<Started, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let command = WorkerCommand { program, args: vec!["serve".into()], ..WorkerCommand::default() };
    let folder = tempfile::tempdir()?;
    let minute = Duration::from_secs(60);
    let deadlines = Deadlines { start: minute, load: minute, request: minute, shutdown: minute };
    let worker = WorkerProcess::start(&command, "null", &folder.path().join("stderr.log"), deadlines).await?;
    assert_eq!((&*worker.greeting().worker.name, &*worker.greeting().language.name), ("tailmark", "rust"));
    let loaded = worker.load(&LoadRequest { model: None, options: Options::new() }).await?;
    assert_eq!(loaded.dimensions, 384);
    Ok(Started { worker, folder })
}

fn text(text: &str) -> EmbedRequest {
    EmbedRequest { texts: vec![Arc::from(text); 3], normalize: true }
}

async fn a_worker_answers_and_ends_when_asked() -> Checked {
    let started = started().await?;
    let (one, two) = (text("one"), text("two"));
    let (first, second, ping) =
        tokio::join!(started.worker.embed(&one), started.worker.embed(&two), started.worker.ping());
    ping?;
    let first = first?;
    assert_eq!(first.vectors.len(), 3 * 384);
    assert_eq!(first.vectors, second?.vectors);
    let stages = first.stages;
    assert!(stages.serialize_ns > 0 && stages.worker_ns > Some(0) && stages.deserialize_ns > 0, "{stages:?}");
    // Whatever a library or its children print is in the log and was not on the wire.
    assert_eq!(started.log()?, "printed by the library\nprinted by its child\n");
    let ended = started.worker.shutdown().await;
    assert_eq!((ended.status.and_then(|status| status.code()), ended.killed), (Some(0), false));
    Ok(())
}

async fn a_panic_fails_its_request_and_ends_the_worker() -> Checked {
    let started = started().await?;
    match started.worker.embed(&text("panic")).await {
        Err(ProviderError::Embed(why)) => assert!(why.contains("a text that cannot be borne"), "{why}"),
        other => panic!("{other:?}"),
    }
    match started.worker.embed(&text("one")).await {
        Err(ProviderError::Exited { status, stderr_tail }) => {
            assert_eq!(status, "exit status: 1");
            assert!(stderr_tail.contains("a text that cannot be borne"), "{stderr_tail}");
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

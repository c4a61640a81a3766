//! Measures the wire: starts itself as a worker of kind `null` and prints the P50 of a ping and of embedding one short
//! text, five and thirty-two. With the argument `serve` it is that worker.

use std::error::Error;
use std::io::{self, BufReader, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tailmark_providers::null::NullBackend;
use tailmark_providers::provider::{EmbedRequest, LoadRequest, Options, Provider as _, StageTimes};
use tailmark_providers::wire::server::{serve, take_wire};
use tailmark_providers::worker::{Deadlines, WorkerProcess};
use tailmark_providers::worker_command::WorkerCommand;

const ROUNDS: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        let wire = take_wire()?;
        let input = BufReader::with_capacity(64 * 1024, io::stdin().lock());
        return Ok(serve("null", Box::<NullBackend>::default(), input, wire)?);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<(), Box<dyn Error>> {
    let command = WorkerCommand {
        program: std::env::current_exe()?,
        args: vec!["serve".into()],
        ..WorkerCommand::default()
    };
    let minute = Duration::from_secs(60);
    let deadlines = Deadlines { start: minute, load: minute, request: minute, shutdown: minute };
    let log = std::env::temp_dir().join("null_worker.stderr.log");
    let worker = WorkerProcess::start(&command, "null", &log, deadlines).await?;
    worker.load(&LoadRequest { model: None, options: Options::new() }).await?;
    let mut out = io::stdout().lock();
    writeln!(out, "spawn to handshake {:>9.1?}", worker.spawn_time())?;

    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        worker.ping().await?;
        times.push(started.elapsed());
    }
    writeln!(out, "ping               {:>9.1?}", median(&mut times))?;

    for texts in [1, 5, 32] {
        let request =
            EmbedRequest { texts: vec![Arc::from("how do I reset my password"); texts], normalize: true };
        let mut stages = StageTimes::default();
        times.clear();
        for _ in 0..ROUNDS / texts {
            let started = Instant::now();
            stages = worker.embed(&request).await?.stages;
            times.push(started.elapsed());
        }
        let StageTimes { serialize_ns, worker_ns, deserialize_ns, .. } = stages;
        writeln!(
            out,
            "embed {texts:>2}           {:>9.1?}   (last: serialize {serialize_ns} ns, worker {worker_ns:?} ns, \
             deserialize {deserialize_ns} ns)",
            median(&mut times)
        )?;
    }
    worker.shutdown().await;
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

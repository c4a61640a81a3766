//! What tailmark itself costs per request: driver, statistics and samples file, with a backend that does nothing.
//!
//! `null, in-process` is the harness alone; `null, in a worker` adds the wire at both ends and the pipe between them.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tailmark::driver::{self, Alarm, Block, Ended, SampleLog, Stage, Step};
use tailmark::load::{self, LoadModel};
use tailmark::statistics::{Accumulator, Timeline};
use tailmark::workload::{Batches, Corpus};
use tailmark_providers::kinds::{self, OwnBackend};
use tailmark_providers::provider::{LoadRequest, Options, Provider};
use tailmark_providers::worker::{Deadlines, WorkerProcess};
use tailmark_providers::worker_command::WorkerCommand;
use tailmark_reports::record::Phase;
use tokio::sync::watch;
use tokio::time::Instant;

const REQUESTS: u64 = 2_000;

async fn drive(provider: &dyn Provider, batches: &Batches, log: &SampleLog, rule: &LoadModel) {
    let (_sender, cancelled) = watch::channel(false);
    let epoch = Instant::now();
    let block = Block { backend: 0, restart: 1, batches, epoch, at_once: 1, stream: 0 };
    let mut steady = Accumulator::new(Some(Duration::from_millis(20)));
    let mut timeline = Timeline::default();
    let stages = [Stage {
        phase: Phase::Steady,
        first_number: 0,
        max_requests: REQUESTS,
        max_time: Duration::from_secs(60),
    }];
    let alarm = Alarm::of_the_runtime();
    let driven = driver::drive(provider, &**rule, &alarm, block, &stages, cancelled, |sample| {
        log.push(sample);
        timeline.record(sample.phase, sample.restart, sample.scheduled_ns, sample.response_ns());
        steady.record(sample);
        Step::GoOn
    })
    .await;
    assert_eq!(driven.ended, Ended::Done);
    black_box(steady.requests());
}

fn overhead(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let names = vec!["null".to_owned()];
    let log = SampleLog::create(folder.path(), names, Box::new(|_| {})).expect("the files");
    let batches = Batches::new(&Corpus::open("short_queries", None).expect("the corpus"), 1, 1);
    let rule = load::one_caller();
    let deadlines = Deadlines {
        start: Duration::from_secs(10),
        load: Duration::from_secs(10),
        request: Duration::from_secs(10),
        shutdown: Duration::from_secs(5),
    };
    let request = LoadRequest { model: None, options: Options::new() };

    let mut group = criterion.benchmark_group("overhead per request");
    group.throughput(Throughput::Elements(REQUESTS)).sample_size(20);

    let null = kinds::find("null").expect("the kind");
    let Some(OwnBackend { in_process, .. }) = null.own else { panic!("null is written in Rust") };
    let provider = in_process(deadlines);
    runtime.block_on(provider.load(&request)).expect("null loads");
    group.bench_function("null, in-process", |bencher| {
        bencher.iter(|| runtime.block_on(drive(&*provider, &batches, &log, &rule)));
    });

    let command = WorkerCommand {
        program: env!("CARGO_BIN_EXE_tailmark").into(),
        args: vec!["worker".into(), "null".into()],
        ..WorkerCommand::default()
    };
    let stderr = folder.path().join("null.log");
    let worker =
        runtime.block_on(WorkerProcess::start(&command, "null", &stderr, deadlines)).expect("a worker");
    runtime.block_on(worker.load(&request)).expect("null loads");
    group.bench_function("null, in a worker", |bencher| {
        bencher.iter(|| runtime.block_on(drive(&worker, &batches, &log, &rule)));
    });
    group.finish();
    runtime.block_on(worker.shutdown());
    log.close().expect("samples written");
}

criterion_group!(benches, overhead);
criterion_main!(benches);

//! What deciding costs: one request through the stopping procedure, looks included. It must stay far below a microsecond.

#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tailmark::verdict::simulation::{Backend, Process, default_rules};
use tailmark::verdict::{Decision, Horizon, Procedure, Rules};

fn deciding(criterion: &mut Criterion) {
    const REQUESTS: usize = 20_000;
    let mut backend = Backend::new(Process::AutoRegressive { rho: 0.5 }, 0.05, 1);
    let responses: Vec<Option<u64>> = (0..REQUESTS).map(|_| backend.respond()).collect();
    let mut group = criterion.benchmark_group("deciding");
    group.throughput(Throughput::Elements(REQUESTS as u64)).sample_size(20);
    for (name, horizon) in
        [("default", Horizon::AtLeast { requests: 2_000, restarts: 3 }), ("quick", Horizon::Quick)]
    {
        let rules = Rules { horizon, most_requests: u64::MAX, ..default_rules() };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut procedure = Procedure::new(rules);
                for response in &responses {
                    procedure.observe(*response);
                    if let Decision::Continue { fresh_process: true } = procedure.decide() {
                        procedure.begin_restart();
                    }
                }
                procedure.conclude()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, deciding);
criterion_main!(benches);

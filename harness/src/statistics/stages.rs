//! Where the time of requests went: the sums of their stages, closed by a residual so that they add up.

use tailmark_reports::record::{NetworkStages, Stages};

use crate::sample::Sample;

/// Nanoseconds per stage, summed over requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StageSums {
    queue: u128,
    serialize: u128,
    tokenize: Sum,
    infer: Sum,
    pool: Sum,
    worker_other: Sum,
    deserialize: u128,
    pipe: u128,
    network: NetworkSums,
}

/// The same for the way to a server and back.
#[derive(Clone, Copy, Debug, Default)]
struct NetworkSums {
    /// Requests that went that way.
    requests: u64,
    connect: u128,
    send: u128,
    wait: u128,
    receive: u128,
}

/// The sum of a stage that a backend may not tell.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    nanoseconds: u128,
    /// Whether a request did not tell it: then the sum is not that of all, and says nothing.
    incomplete: bool,
}

impl Sum {
    fn add(&mut self, stage: Option<u64>) {
        self.nanoseconds += u128::from(stage.unwrap_or_default());
        self.incomplete |= stage.is_none();
    }

    fn merge(&mut self, from: Self) {
        self.nanoseconds += from.nanoseconds;
        self.incomplete |= from.incomplete;
    }
}

impl StageSums {
    /// Adds an answered request.
    pub(super) fn add(&mut self, sample: &Sample) {
        let stages = &sample.stages;
        let sums = self;
        let queue = sample.started_ns.saturating_sub(sample.scheduled_ns);
        let service = sample.finished_ns.saturating_sub(sample.started_ns);
        let told = [stages.tokenize_ns, stages.infer_ns, stages.pool_ns].into_iter().flatten();
        let within_worker: u64 = told.sum();
        sums.queue += u128::from(queue);
        sums.serialize += u128::from(stages.serialize_ns);
        sums.tokenize.add(stages.tokenize_ns);
        sums.infer.add(stages.infer_ns);
        sums.pool.add(stages.pool_ns);
        sums.worker_other.add(stages.worker_ns.map(|worker| worker.saturating_sub(within_worker)));
        sums.deserialize += u128::from(stages.deserialize_ns);
        let worker = stages.worker_ns.unwrap_or_default().max(within_worker);
        let network = stages.network.unwrap_or_default();
        // What the server says of itself lies within the wait for it, and is counted once.
        let wait = network.wait_ns.saturating_sub(worker);
        let way = network.connect_ns + network.send_ns + wait + network.receive_ns;
        sums.network.requests += u64::from(stages.network.is_some());
        sums.network.connect += u128::from(network.connect_ns);
        sums.network.send += u128::from(network.send_ns);
        sums.network.wait += u128::from(wait);
        sums.network.receive += u128::from(network.receive_ns);
        let known = stages.serialize_ns + worker + stages.deserialize_ns + way;
        sums.pipe += u128::from(service.saturating_sub(known));
    }

    /// Adds everything another sum has.
    pub(super) fn merge(&mut self, from: &Self) {
        self.queue += from.queue;
        self.serialize += from.serialize;
        self.tokenize.merge(from.tokenize);
        self.infer.merge(from.infer);
        self.pool.merge(from.pool);
        self.worker_other.merge(from.worker_other);
        self.deserialize += from.deserialize;
        self.pipe += from.pipe;
        self.network.requests += from.network.requests;
        self.network.connect += from.network.connect;
        self.network.send += from.network.send;
        self.network.wait += from.network.wait;
        self.network.receive += from.network.receive;
    }

    /// Means over so many requests, at least one.
    pub(super) fn means(&self, answered: u64) -> Stages {
        let mean = |sum: u128| sum as f64 / answered as f64;
        let told = |sum: Sum| (!sum.incomplete).then(|| mean(sum.nanoseconds));
        Stages {
            queue_ns: mean(self.queue),
            serialize_ns: mean(self.serialize),
            tokenize_ns: told(self.tokenize),
            infer_ns: told(self.infer),
            pool_ns: told(self.pool),
            worker_other_ns: told(self.worker_other),
            deserialize_ns: mean(self.deserialize),
            pipe_ns: mean(self.pipe),
            network: (self.network.requests == answered).then(|| NetworkStages {
                connect_ns: mean(self.network.connect),
                send_ns: mean(self.network.send),
                wait_ns: mean(self.network.wait),
                receive_ns: mean(self.network.receive),
            }),
        }
    }
}

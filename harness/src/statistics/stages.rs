//! Where the time of requests went: the sums of their stages, closed by a residual so that they add up.

use tailmark_reports::record::Stages;

use crate::sample::Sample;

/// Nanoseconds per stage, summed over requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StageSums {
    queue: u128,
    serialise: u128,
    tokenize: u128,
    infer: u128,
    pool: u128,
    worker_other: u128,
    deserialise: u128,
    pipe: u128,
}

impl StageSums {
    /// Adds an answered request.
    pub(super) fn add(&mut self, sample: &Sample) {
        let stages = &sample.stages;
        let sums = self;
        let queue = sample.started_ns.saturating_sub(sample.scheduled_ns);
        let service = sample.finished_ns.saturating_sub(sample.started_ns);
        let within_worker = stages.tokenize_ns + stages.infer_ns + stages.pool_ns;
        sums.queue += u128::from(queue);
        sums.serialise += u128::from(stages.serialize_ns);
        sums.tokenize += u128::from(stages.tokenize_ns);
        sums.infer += u128::from(stages.infer_ns);
        sums.pool += u128::from(stages.pool_ns);
        sums.worker_other += u128::from(stages.worker_ns.saturating_sub(within_worker));
        sums.deserialise += u128::from(stages.deserialize_ns);
        let known = stages.serialize_ns + stages.worker_ns.max(within_worker) + stages.deserialize_ns;
        sums.pipe += u128::from(service.saturating_sub(known));
    }

    /// Adds everything another sum has.
    pub(super) fn merge(&mut self, from: &Self) {
        self.queue += from.queue;
        self.serialise += from.serialise;
        self.tokenize += from.tokenize;
        self.infer += from.infer;
        self.pool += from.pool;
        self.worker_other += from.worker_other;
        self.deserialise += from.deserialise;
        self.pipe += from.pipe;
    }

    /// Means over so many requests, at least one.
    pub(super) fn means(&self, answered: u64) -> Stages {
        let mean = |sum: u128| sum as f64 / answered as f64;
        Stages {
            queue_ns: mean(self.queue),
            serialize_ns: mean(self.serialise),
            tokenize_ns: mean(self.tokenize),
            infer_ns: mean(self.infer),
            pool_ns: mean(self.pool),
            worker_other_ns: mean(self.worker_other),
            deserialize_ns: mean(self.deserialise),
            pipe_ns: mean(self.pipe),
        }
    }
}

//! What a server counts, in the text format of OpenMetrics.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tailmark_providers::provider::Runs;

use super::service::Service;

/// Upper ends of the histogram's buckets, in seconds: two or three to a factor of ten, from half a millisecond to a minute.
const BUCKETS: [f64; 16] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0];

type Labels = Vec<(&'static str, String)>;

/// What is counted of requests.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    requests: Counted,
    truncated: Counter,
    /// What runs, as labels; once it is known.
    runs: Mutex<Labels>,
}

#[derive(Debug)]
struct Counted {
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    failures: Family<Labels, Counter>,
}

impl Default for Counted {
    fn default() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self { seconds: Family::new_with_constructor(seconds), failures: Family::default() }
    }
}

impl Metrics {
    /// A request was answered so, this long after its head was read.
    pub(super) fn answered(&self, dialect: &'static str, status: u16, after: Duration) {
        let labels = vec![("dialect", dialect.to_owned()), ("status", status.to_string())];
        self.requests.seconds.get_or_create(&labels).observe(after.as_secs_f64());
    }

    /// A request of this dialect had no vectors for this reason.
    pub(super) fn refused(&self, dialect: &'static str, code: &'static str) {
        let labels = vec![("dialect", dialect.to_owned()), ("reason", code.to_owned())];
        self.requests.failures.get_or_create(&labels).inc();
    }

    /// Texts were cut.
    pub(super) fn truncated(&self, texts: u32) {
        self.truncated.inc_by(u64::from(texts));
    }

    /// What is served.
    pub(super) fn runs(&self, kind: &str, model: &str, runs: &Runs) {
        let told = [
            ("engine", &runs.engine),
            ("engine_version", &runs.engine_version),
            ("device", &runs.device),
            ("execution_provider", &runs.execution_provider),
            ("dtype", &runs.dtype),
        ];
        let mut labels = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("kind", kind.to_owned()),
            ("model", model.to_owned()),
        ];
        labels.extend(told.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        *self.runs.lock().unwrap_or_else(PoisonError::into_inner) = labels;
    }

    /// All of it as text.
    pub(super) fn text(&self, service: &Service) -> String {
        let mut registry = Registry::with_prefix("tailmark_serve");
        let Counted { seconds, failures } = &self.requests;
        registry.register(
            "request_seconds",
            "From a request's head to its answer, by dialect and status",
            seconds.clone(),
        );
        registry.register("failures", "Requests without vectors, by dialect and reason", failures.clone());
        registry.register("truncated_texts", "Texts that were cut", self.truncated.clone());
        let gauge = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        registry.register("queue_length", "Requests that wait for a worker", gauge(service.waiting()));
        registry.register("in_flight", "Requests that a worker has", gauge(service.in_flight()));
        registry.register(
            "ready",
            "1 once the model is loaded and warm",
            gauge(usize::from(service.is_ready())),
        );
        let replaced = ConstCounter::new(service.replaced());
        registry.register("worker_restarts", "Workers that were lost and replaced", replaced);
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !runs.is_empty() {
            registry.register("build", "What is served", Info::new(runs));
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

//! The sections of a scenario that say how load is offered: `[load]`, `[[matrix]]` and `[capacity]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TimeSpan, units};

/// When requests are due. Each kind reads its own keys and rejects the keys of other kinds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSection {
    /// `closed`: the next request starts when a slot is free. `constant` and `poisson`: requests arrive at a rate,
    /// evenly spaced or at random. `ramp`: the rate changes. `trace`: requests arrive as recorded. Default: `closed`.
    pub kind: Option<String>,
    /// Slots of the closed model, 1 to 1000. Default: 1.
    pub concurrency: Option<u32>,
    /// How long a caller of the closed model waits between an answer and its next request, "100ms" or "0ms". With a list, each
    /// backend is measured once with each value. Default: "0ms".
    #[serde(deserialize_with = "units::one_or_several")]
    #[schemars(schema_with = "units::one_or_several_schema")]
    pub think_time: Option<Vec<String>>,
    /// Requests per second of `constant` and `poisson`: "30/s".
    pub rate: Option<String>,
    /// Seed for the arrivals of `poisson`. Default: 1.
    pub seed: Option<u64>,
    /// The rate at which a `ramp` begins: "10/s".
    pub from: Option<String>,
    /// The rate at which a `ramp` ends: "100/s".
    pub to: Option<String>,
    /// How long it takes the rate of a `ramp` to change: "60s".
    pub over: Option<TimeSpan>,
    /// The file of a `trace`: CSV with a column `at` (seconds, or RFC 3339) and optionally `text`.
    pub file: Option<PathBuf>,
    /// How many times faster than recorded a `trace` is replayed, 0.001 to 1000. Default: 1.
    pub speed: Option<f64>,
    /// Most requests of an open model in flight, 1 to 1000. Default: as many as the backend says it works on at once, over all
    /// replicas.
    pub max_in_flight: Option<u32>,
    /// Most requests of an open model that wait for a slot. One more, and the backend is overloaded and gets no further
    /// requests. Default: 1000, or the requests of one second if that is more.
    pub max_queue: Option<u32>,
}

impl LoadSection {
    /// The keys that are written, beside `kind`.
    #[must_use]
    pub fn written(&self) -> Vec<&'static str> {
        let Self {
            kind: _,
            concurrency,
            think_time,
            rate,
            seed,
            from,
            to,
            over,
            file,
            speed,
            max_in_flight,
            max_queue,
        } = self;
        [
            ("concurrency", concurrency.is_some()),
            ("think_time", think_time.is_some()),
            ("rate", rate.is_some()),
            ("seed", seed.is_some()),
            ("from", from.is_some()),
            ("to", to.is_some()),
            ("over", over.is_some()),
            ("file", file.is_some()),
            ("speed", speed.is_some()),
            ("max_in_flight", max_in_flight.is_some()),
            ("max_queue", max_queue.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, written)| written.then_some(key))
        .collect()
    }
}

/// What to vary. Every combination of values is measured as a separate backend, in place of the backend that it varies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MatrixSection {
    /// Names of the backends to vary. Default: all.
    pub backends: Option<Vec<String>>,
    /// Texts: shipped corpora by name, or paths.
    pub corpus: Option<Vec<String>>,
    /// Texts per request.
    pub batch_size: Option<Vec<u32>>,
    /// The backend's option `threads`.
    pub threads: Option<Vec<u32>>,
    /// Number of workers side by side.
    pub replicas: Option<Vec<u32>>,
    /// Slots of the closed model.
    pub concurrency: Option<Vec<u32>>,
}

/// Searches for the highest rate at which every objective is met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CapacitySection {
    /// `poisson` or `constant` arrivals. Default: `poisson`.
    pub load: Option<String>,
    /// The rates to certify, in rising order, as in "40/s". If they are given, there is no search.
    pub rates: Option<Vec<String>>,
    /// How many rates to certify after the search, 1 to 5. Default: 3.
    pub levels: Option<u32>,
    /// The longest that each trial of the search may take. Default: "5s".
    pub probe: Option<TimeSpan>,
}

//! How load was offered, what became of it, and how much of it a backend takes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::latency::Latency;
use super::verdict::Verdict;

/// When requests were started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// The load model: `closed`, `constant`, `poisson`, `ramp` or `trace`.
    pub kind: String,
    /// The load model in a few words, for example `closed, concurrency 1` or `poisson, 30.0/s`.
    pub text: String,
    /// Whether the next request waits for an answer (closed model) or for its time (open model).
    pub open: bool,
    /// Requests in flight at most; absent where it is as many as the backend says it works on at once.
    pub max_in_flight: Option<u32>,
    /// One sentence that says what kind of caller this is, and what it leaves out.
    pub note: String,
}

/// What became of the load that was offered in a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arrivals {
    /// Requests per second that were due; absent in a closed model, which promises no rate.
    pub offered_per_second: Option<f64>,
    /// Requests per second that were started.
    pub achieved_per_second: Option<f64>,
    /// Lag (started - scheduled) of every started request, waiting for a slot included.
    pub lag: Option<Latency>,
    /// The generator's own lateness: lag without the time waited for a slot.
    pub lateness: Option<Latency>,
    /// Requests in flight at most.
    pub most_in_flight: u64,
    /// Requests that waited for a slot at most.
    pub most_waiting: u64,
    /// Requests that were due and given up when the queue was full; they count as failed.
    pub given_up: u64,
    /// Requests in the system (waiting or in flight), as a mean over time.
    pub mean_in_system: Option<f64>,
}

/// Which variation of a backend this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// Name of the scenario's backend that was varied.
    pub of: String,
    /// What was varied and to what, in the scenario's order.
    pub axes: Vec<Axis>,
}

/// One thing that was varied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Axis {
    /// For example `threads`, `replicas`, `batch_size`, `corpus`, `think_time` or `rate`.
    pub name: String,
    /// As the scenario writes it, for example `2` or `100ms`.
    pub value: String,
}

/// How much load a backend takes: the highest rate at which every objective holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capacity {
    /// Name of the scenario's backend.
    pub backend: String,
    /// The load model of every rate, `constant` or `poisson`.
    pub load: String,
    /// The search on throw-away data, in the order of the tries. It decides nothing but which rates are certified.
    pub search: Vec<Probe>,
    /// The rates that were declared before any of their data was taken, rising.
    pub levels: Vec<Level>,
    /// The highest rate that passed, requests per second.
    pub highest_pass: Option<f64>,
    /// The lowest rate that failed, requests per second.
    pub lowest_fail: Option<f64>,
    /// Why there is no answer, where there is none.
    pub why_not: Option<String>,
}

/// A rate that was tried while searching.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// Requests per second that were due.
    pub offered_per_second: f64,
    /// Requests per second that were started.
    pub achieved_per_second: f64,
    /// Requests.
    pub requests: u64,
    /// Response times; absent when nothing was answered.
    pub response_time: Option<Latency>,
    /// Whether every objective's estimate was within its limit.
    pub met: bool,
    /// Whether the queue outgrew its bound.
    pub overloaded: bool,
}

/// A rate that was declared for certification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    /// Requests per second.
    pub offered_per_second: f64,
    /// Name of the entry in the record's `backends` with its figures and verdicts.
    pub backend: String,
    /// The worst verdict over the objectives; absent when it was not tested, because a lower rate did not pass or the run
    /// ended before.
    pub verdict: Option<Verdict>,
    /// Little's law, checked on the steady state; absent when it was not tested.
    pub littles_law: Option<LittlesLaw>,
}

/// Little's law, L = lambda * W, with the three taken from separate counts. They part when requests are lost from the
/// books, or when the system did not settle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LittlesLaw {
    /// L: requests in the system, a mean over time.
    pub in_system: f64,
    /// lambda: requests that arrived per second.
    pub arrivals_per_second: f64,
    /// W: mean response time of the answered requests, in seconds.
    pub response_seconds: f64,
    /// (L - lambda W) / L.
    pub difference: f64,
}

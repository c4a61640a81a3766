//! What is asked of a backend, as data.

/// What is promised about the patterns that a run could have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// Nothing: the verdict holds if requests are independent, and visible correlation is all that is allowed for.
    Quick,
    /// No decision before this many requests over this many fresh processes.
    AtLeast {
        /// Steady-state requests, over all restarts.
        requests: u64,
        /// Fresh processes, at least 1.
        restarts: u32,
    },
}

/// What is asked of a backend, and how sure the answer must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// The share of requests that may exceed the limit: 0.05 for a P95. Strictly between 0 and 1.
    pub allowed: f64,
    /// Largest chance of a PASS for a backend that misses the objective; strictly between 0 and 1.
    pub alpha: f64,
    /// Largest chance of a FAIL for a backend that meets it; strictly between 0 and 1.
    pub beta: f64,
    /// The limit. A response time above it exceeds; without one only failures do.
    pub limit_ns: Option<u64>,
    /// What must be seen before any decision.
    pub horizon: Horizon,
    /// Steady-state requests after which an open verdict is INCONCLUSIVE.
    pub most_requests: u64,
}

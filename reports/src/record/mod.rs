//! What a run is on disk (`run.json`): plain data with a version, written by the harness and read by every renderer.
//!
//! Times are nanoseconds in integers, sizes are bytes, shares are between 0 and 1. A value that was not measured is
//! absent (`None`), never zero or NaN. Nothing here computes a statistic or takes a decision.

mod backend;
mod comparison;
mod decision;
mod equivalence;
mod execution;
mod file;
mod latency;
mod load;
mod pairing;
mod run;
mod verdict;

pub use backend::*;
pub use comparison::*;
pub use decision::*;
pub use equivalence::*;
pub use execution::*;
pub use file::{ReadError, read, write};
pub use latency::*;
pub use load::*;
pub use pairing::*;
pub use run::*;
pub use verdict::*;

/// The JSON Schema of `run.json`.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(RunRecord)
}

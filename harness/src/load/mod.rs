//! Load models: when requests are due. A load model is data and a schedule made from it; the driver has the one loop that
//! follows it.
//!
//! Adding one is a file here and a line in [`KINDS`].

mod closed;
mod constant;
mod open;
mod poisson;
mod ramp;
mod rule;
#[cfg(test)]
mod tests;
mod trace;

use std::time::Duration;

pub use open::FASTEST;
pub use rule::{Limits, LoadKind, LoadModel, ReadFault, Rule, Schedule};

/// Every load model.
pub const KINDS: &[LoadKind] = &[closed::KIND, constant::KIND, poisson::KIND, ramp::KIND, trace::KIND];

/// The load model of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static LoadKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The closed model with one caller that asks again at once: what cold starts and warm-ups of their own are driven by.
#[must_use]
pub fn one_caller() -> LoadModel {
    closed::of(1, Duration::ZERO)
}

/// The closed model with so many callers that ask again after so long.
#[must_use]
pub fn callers(callers: u32, think_time: Duration) -> LoadModel {
    closed::of(callers, think_time)
}

//! Pure functions of numbers: percentiles with their intervals, exact binomial tests, summaries of phases.
//!
//! Nothing here looks at a clock, a file or a process.

mod accumulator;
mod binomial;
mod bridge;
mod order_statistics;
mod stages;
mod timeline;
mod unit;

pub mod batch_means;
pub mod buckets;
pub mod correlation;
pub mod heterogeneity;
pub mod incomplete_beta;
pub mod paired;
pub mod ratio;
pub mod sequential;
pub mod series;
pub mod steady;
pub mod trend;
pub mod two_quantiles;

pub use accumulator::Accumulator;
pub use binomial::{exceedance_at_least, exceedance_at_most, exceedance_interval};
pub use bridge::bridges;
pub use order_statistics::{Ranks, carries, quantile_ranks};
pub use timeline::Timeline;

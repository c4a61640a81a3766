//! The texts of a workload, and the requests that are made of them.

mod batches;
mod corpus;

pub use batches::Batches;
pub use corpus::Corpus;

//! The dialects in which vectors are given: how a request is read, its answer written, and a refusal said. Adding one is a file here
//! and a line in [`DIALECTS`]. Knows no connection and no worker.

mod akidb;
mod ollama;
mod openai;
mod tei;
mod terms;
#[cfg(test)]
mod tests;

pub use terms::{About, Asked, Dialect, Fault, Info, Said, Written};

/// Every dialect there is. A path that none has is refused in the form of the first.
pub const DIALECTS: &[Dialect] = &[openai::DIALECT, ollama::DIALECT, tei::DIALECT, akidb::DIALECT];

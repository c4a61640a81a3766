//! Property-based fuzzing of everything that a user or a worker hands to tailmark as text or bytes.
//!
//! Each module below is a target: where its valid examples come from, and what must hold for every input. All inputs are
//! made the same way, by `mutate` from the examples and by `from_schema` from nothing but a JSON Schema, and all targets
//! are run by `target`: every example as it stands, then a fixed number of cases from a fixed seed, so that the tests give
//! the same result each time. `ci/fuzz.sh SECONDS` goes on with other seeds.
//!
//! An input that once did harm is a file in `corpus/TARGET/`, and so an example from then on.

#![expect(clippy::unwrap_used, reason = "a test that panics has said what it found")]

mod corpora;
mod examples;
mod from_schema;
mod lists_of_models;
mod manifest;
mod model_folder;
mod mutate;
mod options;
mod overrides;
mod quantities;
mod record;
mod record_formats;
mod reference;
mod samples;
mod scenario;
mod scratch;
mod serve_requests;
mod target;
mod trace;
mod wire_answers;
mod wire_requests;

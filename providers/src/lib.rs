//! Embedding backends for tailmark.
//!
//! Read in this order: [`provider`] says what a backend is, and [`kinds`] lists the kinds of them and how each is started.
//! [`start`] gets what they need and opens them; [`model`] and [`python_environment`] are where that comes from. [`onnx`],
//! [`rten`], [`mod@null`] and [`simulated`] are the backends of this crate, and [`http`] the client of those that are servers. [`wire`] is the worker protocol at both ends,
//! [`worker`] the child process that speaks it, [`threaded`] a backend on a thread of this process instead, [`replicas`]
//! several side by side. [`evidence`] is what a runtime records of itself and [`execution`] what that comes to. Nothing here
//! knows of scenarios, phases or objectives.

pub mod cache;
pub mod evidence;
pub mod execution;
mod external_data;
pub mod format_words;
mod graph;
pub mod graph_options;
pub mod http;
pub mod kinds;
#[cfg(test)]
mod lock_file;
pub mod model;
pub mod nearest;
pub mod null;
pub mod onnx;
pub mod option_values;
pub mod options;
pub mod platform;
pub mod progress;
mod protobuf;
pub mod provider;
pub mod python_environment;
#[cfg(test)]
mod reference_check;
pub mod replicas;
pub mod rten;
pub mod simulated;
mod stage_times;
pub mod start;
mod static_table;
pub mod text_file;
pub mod threaded;
pub mod tokenize;
pub mod wire;
pub mod worker;
pub mod worker_command;

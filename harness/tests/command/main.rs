//! Black-box tests of the built `tailmark`: what is typed, what is printed, the exit code, and what lies on disk after.
//!
//! Nothing here looks inside the program. No test needs a network; those that need the real model say so and end when
//! TAILMARK_TEST_MODEL does not name a folder that holds it.

mod bad_workers;
mod bundle;
mod compare;
mod decision;
mod full_disk;
mod help;
mod hosted;
mod http;
mod hub;
mod interruption;
mod loads;
mod lost_workers;
mod model_store;
mod models;
mod overrides;
mod own_model;
mod paired;
mod partial_provider;
mod python;
mod recovery;
mod report;
mod runs;
mod samples;
mod scenario_faults;
mod serve;
mod serve_clients;
mod serve_judged;
mod server;
mod verdicts;
mod workbench;

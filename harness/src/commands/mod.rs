//! Carries commands out. Prints data to stdout and talk to stderr; decides exit codes.

mod arguments;
mod bundle;
mod compare;
mod error;
mod exit;
mod list;
mod model;
mod output;
mod report;
mod scenario;
mod serve;
mod verify;
mod worker;

pub use arguments::{
    BundleArguments, CompareArguments, Described, ReportArguments, ScenarioArguments, SchemaArguments,
    ServeArguments, WorkerArguments,
};
pub use bundle::run as bundle;
pub use compare::run as compare;
pub use error::CommandError;
pub use exit::Exit;
pub use list::{backends as list_backends, scenarios as list_scenarios, schema};
pub use model::run as model;
pub use model::{
    ExportArguments, FetchArguments, Form, ModelArguments, ModelCommand, OptimizeArguments,
    QuantizeArguments, RemoveArguments, StoreOption, ToolOptions, VerifyArguments,
};
pub use report::run as report;
pub use scenario::run as scenario;
pub use serve::run as serve;
pub use worker::run as worker;

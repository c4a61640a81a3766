//! A run from its plan to its record: gets what the backends need, checks their vectors, measures and judges them, and keeps
//! what was seen in the run's folder as it goes.
//!
//! Knows no command line, prints no table and decides no exit code.

mod alone;
mod backend_run;
mod believe;
mod cancel;
mod check;
mod error;
mod folder;
mod found;
mod gate;
mod graphs;
mod hub_model;
mod int8;
mod losses;
mod measure;
mod measured;
mod modes;
mod places;
mod provide;
mod recomputed;
mod recorded;
mod recovery;
mod reserve;
mod restart;
mod samples;
mod session;
mod stopping_rule;
mod time_left;
mod under_way;

use std::sync::Arc;

pub use alone::{Alone, AloneError, prepare};
pub use cancel::on_signal;
pub use error::RunError;
use error::cannot;
pub use folder::{RunFolder, Source};
pub use places::Places;
pub use recomputed::{Difference, Recomputed, VerifyError, recompute};
pub use recovery::{is_going_on, recover};
pub use samples::{complete as complete_samples, series_of};
use tailmark_providers::cache;
use tailmark_providers::start::Provision;
use tailmark_providers::worker_command::WorkerCommand;
use tailmark_reports::record::RunRecord;

use crate::plan::Plan;
use crate::screen::{Screen, shown};

/// A run that is over. Its folder is locked until this is dropped.
#[derive(Debug)]
pub struct Finished {
    /// Where it left what it saw.
    pub folder: RunFolder,
    /// What it saw.
    pub record: RunRecord,
}

/// Carries a plan out. Ctrl-C and SIGTERM end it early with what there is.
///
/// # Errors
/// What kept it from measuring. A backend that fails is no error but its outcome.
pub fn carry_out(
    plan: &Plan,
    source: Source<'_>,
    places: Places<'_>,
    screen: &Arc<Screen>,
) -> Result<Finished, RunError> {
    let mut folder = RunFolder::create(places.runs, plan, source)?;
    screen.say(&format!("{}: {}\nrun folder {}", plan.name, plan.title, shown(folder.path()).display()));
    let cache = cache::default_folder().ok_or(RunError::NoCache)?;
    let plan = &*hub_model::with_folder(plan, &places, &cache, screen)?;
    let mut provision = Provision::new(cache, own_server()?, places.python, screen.as_ref())
        .with_max_memory(plan.workers.max_memory);
    let plan = &*graphs::in_rows(plan, &mut provision, places.model_store)?;
    let record = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot("start the runtime"))?
        .block_on(measure::run(plan, &mut folder, screen, &mut provision, places.model_store))?;
    samples::complete(folder.path(), screen);
    Ok(Finished { folder, record })
}

/// What serves tailmark's own backends in workers: tailmark itself.
fn own_server() -> Result<WorkerCommand, RunError> {
    let program = std::env::current_exe().map_err(cannot("find the program of tailmark itself"))?;
    Ok(WorkerCommand { program, args: vec!["worker".into()], ..WorkerCommand::default() })
}

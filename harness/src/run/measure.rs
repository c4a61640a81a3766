//! Carries a plan out: provides what the backends need, checks their vectors, then measures them as the plan's mode does.

use std::path::Path;
use std::sync::Arc;

use tailmark_providers::start::Provision;
use tailmark_reports::record::{RunRecord, RunStatus};
use tokio::time::Instant;

use super::error::RunError;
use super::folder::RunFolder;
use super::provide::provide;
use super::under_way::{Run, Stopped};
use super::{cancel, modes, samples};
use crate::environment::ConditionsWatch;
use crate::plan::Plan;
use crate::screen::Screen;

/// Runs the plan and gives the finished record. Ctrl-C and SIGTERM end it early with what there is.
pub(super) async fn run(
    plan: &Plan,
    folder: &mut RunFolder,
    screen: &Arc<Screen>,
    provision: &mut Provision<'_>,
    model_store: Option<&Path>,
) -> Result<RunRecord, RunError> {
    let began = Instant::now();
    let mut record = folder.record();
    folder.save(&record)?;
    let mut run = Run::begin(plan, folder, screen, began, cancel::on_signal()?)?;
    provide(plan, &mut run.backends, provision, model_store, &mut record)?;
    run.keep(&mut record);
    let checked = run.check(provision).await;
    // The reference vectors are those of the model's own prompt, so only what is timed has another one.
    if let Some(recipe) = provision.recipe() {
        run.put_recipe(recipe);
    }
    // A run that is killed from here on knows its backends.
    run.keep(&mut record);
    let interrupted = match checked {
        Ok(()) => {
            run.conditions = Some(ConditionsWatch::start());
            modes::measure(&mut run, &mut record).await.err()
        }
        Err(during) => Some(during),
    };
    let conditions = run.conditions.take().map(ConditionsWatch::finish);
    run.fill_in(&mut record, conditions.as_ref());
    record.warnings.extend(samples::waited(&run.log));
    record.elapsed_ns = Some(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    record.status = match interrupted {
        Some(Stopped { during }) => RunStatus::Interrupted {
            during,
            after_ns: record.elapsed_ns,
            by: "stopped by the user".to_owned(),
        },
        None => RunStatus::Complete,
    };
    let Run { log, .. } = run;
    if let Err(error) = log.close() {
        record.warnings.push(samples::not_all_written(folder.path(), &error));
    }
    // What was measured can be shown all the same.
    if let Err(error) = folder.finish(&record) {
        screen.say(&format!(
            "warning: {error}; what the screen shows is not saved in full\n\nhint: {}",
            samples::MAKE_ROOM
        ));
    }
    Ok(record)
}

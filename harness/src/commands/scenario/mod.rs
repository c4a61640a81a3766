//! `tailmark scenario`: reads, plans, measures, judges, records, shows.

mod believe;
mod cancel;
mod capacity;
mod check;
mod course;
mod folder;
mod gate;
mod launch;
mod losses;
mod measure;
mod provide;
mod resources;
mod session;
mod track;
mod turn;

use std::path::Path;

use tailmark_providers::cache;
use tailmark_reports::format::write_all;
use tailmark_reports::record::{self, BackendOutcome, RunRecord, RunStatus};

use self::folder::{RunFolder, Source};
use self::launch::Provision;
use super::exit::broken;
use super::screen::Screen;
use super::{CommandError, Exit, report, samples};
use crate::commands::ScenarioArguments;
use crate::plan::{self, Plan, Selection};
use crate::scenario;

/// Runs a scenario and leaves a report.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &ScenarioArguments) -> Result<Exit, CommandError> {
    let (text, path) = scenario::open(&arguments.file).map_err(CommandError::Usage)?;
    let plan = read_plan(arguments, &text, path.as_deref())?;
    if arguments.plan {
        use std::io::Write as _;
        std::io::stdout().lock().write_all(plan.resolved.as_bytes()).map_err(broken("print the plan"))?;
        return Ok(Exit::Pass);
    }
    let source = path.map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
    let folder = RunFolder::create(
        &arguments.runs,
        &plan,
        Source { file: &source, text: &text, overrides: &arguments.set },
    )?;
    let screen = std::sync::Arc::new(Screen::new());
    screen.say(&format!("{}: {}\nrun folder {}", plan.name, plan.title, folder.path().display()));

    let cache = cache::default_folder().ok_or_else(|| {
        CommandError::Broken(
            "no cache folder: the user has no home folder\n\nhint: set HOME or XDG_CACHE_HOME".to_owned(),
        )
    })?;
    let mut provision = Provision::new(cache, arguments.python.as_deref(), screen.as_ref())
        .with_max_memory(plan.workers.max_memory);
    let record = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(broken("start the runtime"))?
        .block_on(measure::run(&plan, &folder, &screen, &mut provision, arguments.model_store.as_deref()))?;
    samples::complete(folder.path(), &screen);
    screen.clear();
    write_all(folder.path(), &record).map_err(broken("write the report"))?;
    report::show(&record)?;
    screen.say(&format!("report: {}", folder.path().join("report.md").display()));
    Ok(exit_of(&record))
}

fn read_plan(arguments: &ScenarioArguments, text: &str, path: Option<&Path>) -> Result<Plan, CommandError> {
    let parsed = scenario::parse_with(text, &arguments.set);
    let stem = arguments.file.file_stem().map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy());
    let selection =
        Selection { also: arguments.backend.clone(), only: arguments.only.clone(), quick: arguments.quick };
    plan::resolve(&parsed, &stem, path.and_then(Path::parent), &selection).map_err(|faults| {
        use std::fmt::Write as _;
        let name = path.unwrap_or(&arguments.file).display();
        let changed = if arguments.set.is_empty() { "" } else { ", as changed by --set," };
        let mut message =
            format!("{name}{changed} has {}", tailmark_reports::units::counted(faults.len() as u64, "fault"));
        for fault in faults {
            let _ = write!(message, "\n  {}", parsed.describe(&fault));
        }
        message.push_str(
            "\n\nhint: scenarios/README.md has the format, `tailmark schema` prints it for editors",
        );
        CommandError::Usage(message)
    })
}

/// The exit code: a broken backend first, then the worst verdict; nothing measured is inconclusive.
fn exit_of(record: &RunRecord) -> Exit {
    let went =
        |wanted: fn(&BackendOutcome) -> bool| record.backends.iter().any(|backend| wanted(&backend.outcome));
    if went(|outcome| matches!(outcome, BackendOutcome::Broken { .. } | BackendOutcome::Wrong { .. })) {
        Exit::Broken
    } else if matches!(record.status, RunStatus::Interrupted { .. })
        || !went(|outcome| matches!(outcome, BackendOutcome::Measured))
    {
        Exit::Inconclusive
    } else {
        let judged = record.overall.map_or(Exit::Pass, Exit::from);
        // A FAIL of what was timed says more than that something else was not.
        let short = went(|outcome| matches!(outcome, BackendOutcome::NotAsRequired { .. }));
        if short && judged == Exit::Pass { Exit::Inconclusive } else { judged }
    }
}

/// Writes the record as it stands.
fn save(folder: &RunFolder, record: &RunRecord) -> Result<(), CommandError> {
    record::write(folder.path(), record).map_err(broken("write run.json"))
}

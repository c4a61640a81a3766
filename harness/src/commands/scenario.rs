//! `tailmark scenario`: reads and plans, has the run carried out, shows what came of it.

use std::path::Path;
use std::sync::Arc;

use tailmark_reports::record::Warning;

use super::output::print;
use super::{CommandError, Exit, ScenarioArguments, report};
use crate::plan::{self, Plan, Selection};
use crate::run;
use crate::scenario;
use crate::screen::{Screen, shown};

/// Runs a scenario and leaves a report.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &ScenarioArguments) -> Result<Exit, CommandError> {
    let (text, path) = scenario::open(&arguments.file)?;
    let plan = read_plan(arguments, &text, path.as_deref())?;
    let screen = Arc::new(Screen::new());
    for Warning { backend, what, remedy } in &plan.warnings {
        let of = backend.as_ref().map_or_else(String::new, |backend| format!("{backend}: "));
        screen.say(&format!("warning: {of}{what}; {remedy}"));
    }
    if arguments.plan {
        print(plan.resolved.as_bytes())?;
        return Ok(Exit::Pass);
    }
    let source = path.as_ref().map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
    let places = run::Places {
        runs: &arguments.runs,
        python: arguments.python.as_deref(),
        model_store: arguments.model_store.as_deref(),
        scenario: path.as_deref(),
    };
    let source = run::Source { file: &source, text: &text, overrides: &arguments.set };
    let run::Finished { folder, record } = run::carry_out(&plan, source, places, &screen)?;
    screen.clear();
    let unwritten = report::write_files(folder.path(), &record);
    report::show(&record, arguments.verbose)?;
    let written = || format!("report: {}", shown(folder.path()).join("report.md").display());
    screen.say(&unwritten.unwrap_or_else(written));
    Ok(Exit::of(&record))
}

fn read_plan(arguments: &ScenarioArguments, text: &str, path: Option<&Path>) -> Result<Plan, CommandError> {
    let parsed = scenario::parse_with(text, &arguments.set);
    let stem = arguments.file.file_stem().map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy());
    let selection =
        Selection { also: arguments.backend.clone(), only: arguments.only.clone(), quick: arguments.quick };
    plan::resolve(&parsed, &stem, path.and_then(Path::parent), &selection).map_err(|faults| {
        CommandError::Scenario {
            file: path.unwrap_or(&arguments.file).to_path_buf(),
            changed: !arguments.set.is_empty(),
            faults: faults.iter().map(|fault| parsed.describe(fault)).collect(),
        }
    })
}

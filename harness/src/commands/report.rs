//! `tailmark report <folder>`: renders a run again from its record alone, and completes the files of its samples. The record
//! of a run that was killed is completed first.

use std::io::{IsTerminal as _, Write as _};

use tailmark_reports::format::{self, Sheet, write_all};
use tailmark_reports::record::{self, RunRecord, RunStatus};
use tailmark_reports::units;

use super::ReportArguments;
use super::error::cannot;
use super::{CommandError, Exit};
use crate::run;
use crate::screen::Screen;

/// Renders a run again.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &ReportArguments) -> Result<Exit, CommandError> {
    let mut record = record::read(&arguments.folder)?;
    let screen = Screen::new();
    let (mut goes_on, mut was_killed) = (false, false);
    if record.status == RunStatus::Running {
        goes_on = run::is_going_on(&arguments.folder);
        if goes_on {
            screen
                .say("this run is still going on: what is shown is what it last wrote, and no file was made");
        } else {
            run::recover(&arguments.folder, &mut record)?;
            was_killed = true;
            screen.say(&interrupted(&record));
        }
    }
    if arguments.markdown {
        print(&record, "markdown", Sheet::default())?;
    } else {
        if !goes_on {
            if was_killed {
                record::write(&arguments.folder, &record).map_err(cannot("write run.json"))?;
            }
            write_all(&arguments.folder, &record).map_err(cannot("write the report"))?;
            run::complete_samples(&arguments.folder, &screen);
        }
        show(&record)?;
    }
    Ok(Exit::Pass)
}

/// The line that says how far a run came that did not end.
fn interrupted(record: &RunRecord) -> String {
    match &record.status {
        RunStatus::Interrupted { during, after_ns: Some(after), by } => {
            format!("{by}: the run was interrupted after {}, during {during}", units::duration(*after as f64))
        }
        RunStatus::Interrupted { during, after_ns: None, by } => {
            format!("{by}: the run was interrupted during {during}")
        }
        RunStatus::Running | RunStatus::Complete => String::new(),
    }
}

/// Prints the summary table to stdout, as wide as the terminal and in colour only where that is wanted.
pub(super) fn show(record: &RunRecord) -> Result<(), CommandError> {
    let is_terminal = std::io::stdout().is_terminal();
    let color = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let columns = console::Term::stdout().size_checked().filter(|_| is_terminal);
    let columns = columns.map_or(Sheet::default().columns, |(_, columns)| usize::from(columns));
    print(record, "terminal", Sheet { columns, color })
}

fn print(record: &RunRecord, name: &str, sheet: Sheet) -> Result<(), CommandError> {
    let format = format::find(name).ok_or_else(|| CommandError::Usage(format!("no format `{name}`")))?;
    let mut text = Vec::new();
    format.write(record, sheet, &mut text).map_err(cannot("render the report"))?;
    std::io::stdout().lock().write_all(&text).map_err(cannot("print the report"))
}

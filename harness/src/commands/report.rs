//! `tailmark report <folder>`: renders a run again from its record alone, and completes the files of its samples. The record
//! of a run that was killed is completed first.
//!
//! Whatever became of the files, what was measured is shown, and the exit code is that of the run's verdict.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use tailmark_reports::folder::{self, Fault};
use tailmark_reports::format::{self, Format, Sheet};
use tailmark_reports::record::{self, RunRecord, RunStatus};
use tailmark_reports::units;

use super::ReportArguments;
use super::error::cannot;
use super::output::print;
use super::{CommandError, Exit, verify};
use crate::run;
use crate::screen::{Screen, shown};

/// The format of the screen, unless another is asked for.
const TABLE: &str = "terminal";

/// Renders a run again.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &ReportArguments) -> Result<Exit, CommandError> {
    if arguments.verify {
        return verify::run(&arguments.folder);
    }
    let mut record = record::read(&arguments.folder)?;
    let screen = Screen::new();
    if arguments.markdown {
        screen.say("note: --markdown is now --format markdown; the next version will not know the old name");
    }
    let only = arguments.format.as_deref().or(arguments.markdown.then_some("markdown"));
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
    if only.is_none() && !goes_on {
        if was_killed && let Err(error) = record::write(&arguments.folder, &record) {
            let path = arguments.folder.join("run.json");
            screen.say(&format!(
                "warning: cannot write {}: {error}; it stays as the killed run left it",
                path.display()
            ));
        }
        if let Some(warning) = write_files(&arguments.folder, &record) {
            screen.say(&warning);
        }
        run::complete_samples(&arguments.folder, &screen);
    }
    show_as(only.unwrap_or(TABLE), &record, arguments.verbose)?;
    Ok(Exit::of(&record))
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

/// Writes the files of the report, and gives the warning if some cannot be written: no failure, because what was measured is on
/// the screen and in the record.
pub(super) fn write_files(folder: &Path, record: &RunRecord) -> Option<String> {
    unwritten(folder, &folder::write_all(folder, record).faults)
}

/// The warning that files could not be written; `None` when all were. One cause, such as a full disk, stops many files and is
/// told once.
fn unwritten(folder: &Path, faults: &[Fault]) -> Option<String> {
    let (first, others) = faults.split_first()?;
    let more = match others.len() {
        0 => String::new(),
        more => format!(" (and {})", units::counted(more as u64, "more file")),
    };
    let folder = shown(folder);
    let folder = folder.display();
    let remedy = match first.source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            format!("make room on that disk, then run `tailmark report {folder}`")
        }
        _ => format!(
            "print the report with `tailmark report --format markdown {folder}`, or copy the folder to where you can \
             write and run `tailmark report` on the copy"
        ),
    };
    Some(format!("warning: {first}{more}\n\nhint: {remedy}"))
}

/// Prints the summary table to stdout, as wide as the terminal and in color only where that is wanted.
pub(super) fn show(record: &RunRecord, verbose: bool) -> Result<(), CommandError> {
    show_as(TABLE, record, verbose)
}

fn show_as(name: &str, record: &RunRecord, verbose: bool) -> Result<(), CommandError> {
    let format: &Format = format::find(name)
        .ok_or_else(|| CommandError::Usage(format!("there is no report format `{name}`")))?;
    let is_terminal = io::stdout().is_terminal();
    let color = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let columns = console::Term::stdout().size_checked().filter(|_| is_terminal);
    let columns = columns.map_or(Sheet::default().columns, |(_, columns)| usize::from(columns));
    let mut text = Vec::new();
    format
        .write(record, Sheet { columns, color, verbose }, &mut text)
        .map_err(cannot("render the report"))?;
    print(&text)
}

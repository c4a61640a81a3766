//! `tailmark report <folder>`: renders a run again from its record alone, and completes the files of its samples.

use std::io::{IsTerminal as _, Write as _};

use tailmark_reports::format::write_all;
use tailmark_reports::record::{self, RunRecord};
use tailmark_reports::{markdown, terminal};

use super::ReportArguments;
use super::exit::broken;
use super::samples;
use super::screen::Screen;
use super::{CommandError, Exit};

/// Renders a run again.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &ReportArguments) -> Result<Exit, CommandError> {
    let record = record::read(&arguments.folder).map_err(|error| CommandError::Usage(error.to_string()))?;
    if arguments.markdown {
        let mut text = Vec::new();
        markdown::render(&record, &mut text).map_err(broken("render the report"))?;
        std::io::stdout().lock().write_all(&text).map_err(broken("print the report"))?;
    } else {
        write_all(&arguments.folder, &record).map_err(broken("write the report"))?;
        samples::complete(&arguments.folder, &Screen::new());
        show(&record)?;
    }
    Ok(Exit::Pass)
}

/// Prints the summary table to stdout, as wide as the terminal and in colour only where that is wanted.
pub(super) fn show(record: &RunRecord) -> Result<(), CommandError> {
    let is_terminal = std::io::stdout().is_terminal();
    let colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let columns = console::Term::stdout()
        .size_checked()
        .filter(|_| is_terminal)
        .map_or(80, |(_, columns)| usize::from(columns));
    let mut text = Vec::new();
    terminal::render(record, columns, colour, &mut text).map_err(broken("render the table"))?;
    std::io::stdout().lock().write_all(&text).map_err(broken("print the table"))
}

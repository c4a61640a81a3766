//! `tailmark compare A B [C ...]`: what became of each backend from one run to another.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use tailmark_providers::progress::Progress as _;
use tailmark_reports::format::{self, Sheet};
use tailmark_reports::record::{self, Comparison, RunRecord, RunStatus};

use super::CompareArguments;
use super::error::cannot;
use super::output::print;
use super::{CommandError, Exit};
use crate::comparison::{ASPECTS, Side, Unlike, compare, unlike};
use crate::run;
use crate::screen::Screen;
use crate::statistics::series::Series;

/// The format that is not one of reports: the comparison as data.
const JSON: &str = "json";

/// Compares each later run with the first.
///
/// # Errors
/// What stopped it, with its exit code: runs that are unlike, and records or samples that cannot be read.
pub fn run(arguments: &CompareArguments) -> Result<Exit, CommandError> {
    let screen = Screen::new();
    let within = within(&arguments.within)?;
    let (before, others) = arguments.runs.split_first().ok_or(CommandError::Usage(String::new()))?;
    let before = Seen::read(before, &screen)?;
    let mut comparisons = Vec::new();
    for path in others {
        let after = Seen::read(path, &screen)?;
        let found = unlike(&before.record, &after.record);
        refuse_unlike(&found, &arguments.ignore, [&before.path, &after.path])?;
        comparisons.push(compare(before.side(), after.side(), within, &found));
    }
    screen.clear();
    for comparison in &comparisons {
        show(comparison, arguments.format.as_deref().unwrap_or("terminal"))?;
    }
    let regression = comparisons.iter().any(Comparison::has_regression);
    Ok(if regression && arguments.fail_on_regression { Exit::Fail } else { Exit::Pass })
}

/// A run and its samples.
struct Seen {
    path: PathBuf,
    record: RunRecord,
    series: BTreeMap<String, Series>,
}

impl Seen {
    /// Reads a run folder, or a record with the samples beside it.
    fn read(path: &Path, screen: &Screen) -> Result<Self, CommandError> {
        let folder = match path.file_name() {
            Some(name) if name == "run.json" && path.is_file() => path.parent().unwrap_or(path),
            _ => path,
        };
        let mut record = record::read(folder)?;
        if record.status == RunStatus::Running && !run::is_going_on(folder) {
            run::recover(folder, &mut record)?;
        }
        screen.step(&format!("reading the samples of {}", record.id));
        let mut series = run::series_of(folder)?;
        for backend in &record.backends {
            let peaks = backend.resources.as_ref().map_or(&[][..], |used| &used.peaks_rss_bytes);
            if let Some(series) = series.get_mut(&backend.name) {
                series.add_peaks(peaks);
            }
        }
        Ok(Self { path: path.to_owned(), record, series })
    }

    fn side(&self) -> Side<'_> {
        Side { record: &self.record, series: &self.series }
    }
}

/// The share within which a figure is equivalent.
fn within(text: &str) -> Result<f64, CommandError> {
    let share =
        crate::scenario::share(text).map_err(|why| CommandError::Usage(format!("--within: {why}")))?;
    if share > 0.5 {
        return Err(CommandError::Usage(format!(
            "--within: {} %; must be at most 50 %, beyond which nothing would be a regression",
            100.0 * share
        )));
    }
    Ok(share)
}

/// A ratio of different work says nothing.
fn refuse_unlike(found: &[Unlike], ignored: &[String], paths: [&Path; 2]) -> Result<(), CommandError> {
    let refused: Vec<&Unlike> =
        found.iter().filter(|unlike| !ignored.iter().any(|aspect| aspect == unlike.aspect)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let lines: String =
        refused.iter().map(|unlike| format!("\n  {}: {}", unlike.aspect, unlike.what)).collect();
    let mut aspects: Vec<&str> = ASPECTS.into_iter().collect();
    aspects.retain(|aspect| refused.iter().any(|unlike| unlike.aspect == *aspect));
    let options = aspects.iter().map(|aspect| format!("--ignore {aspect}")).collect::<Vec<_>>().join(" ");
    Err(CommandError::Usage(format!(
        "{} and {} are unlike, and a ratio of their figures would say nothing:{lines}\n\nhint: {options} compares them all the same",
        paths[0].display(),
        paths[1].display()
    )))
}

fn show(comparison: &Comparison, name: &str) -> Result<(), CommandError> {
    let mut text = Vec::new();
    if name == JSON {
        serde_json::to_writer_pretty(&mut text, comparison)
            .map_err(io::Error::from)
            .map_err(cannot("write the comparison"))?;
        text.push(b'\n');
        return print(&text);
    }
    let format = format::find(name)
        .ok_or_else(|| CommandError::Usage(format!("there is no report format `{name}`")))?;
    let is_terminal = io::stdout().is_terminal();
    let columns = console::Term::stdout().size_checked().filter(|_| is_terminal);
    let columns = columns.map_or(Sheet::default().columns, |(_, columns)| usize::from(columns));
    let sheet = Sheet { columns, ..Sheet::default() };
    format.write_comparison(comparison, sheet, &mut text).map_err(cannot("render the comparison"))?;
    print(&text)
}

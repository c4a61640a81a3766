//! The table of backends, in the widest of three layouts that fits.
//!
//! The interval beside P95; the interval under it; or, where a backend's name finds no room beside the figures, the
//! name and the verdict on a line of their own above them.

use tabled::Table;
use tabled::builder::Builder;
use tabled::settings::formatting::AlignmentStrategy;
use tabled::settings::object::{Columns, Object as _, Rows};
use tabled::settings::span::ColumnSpan;
use tabled::settings::style::{HorizontalLine, Style};
use tabled::settings::{Alignment, Modify, Padding};
use textwrap::core::display_width;

use super::{marked, unbroken};
use crate::record::{BackendRecord, Phase};
use crate::units;
use crate::view::{
    AMONG_FAILURES, interval_text, latency, median_restart, nanoseconds_or, one_line, percentile_text, phase,
    verdict_or_state, was_timed, worst_verdict,
};

const GAP: usize = 2;
const HEAD: [&str; 6] = ["P50", "P95", "P99", "texts/s", "cold\nstart", "RSS"];
/// A column of names is not made wider than this: longer ones are wrapped.
const WIDEST_NAME: usize = 44;

const ABSENT_FOOTNOTE: &str = "- : the count cannot carry it, or it was not measured";
const FAILED_FOOTNOTE: &str = "failed : falls among the failed requests, which count as infinitely slow";

/// A table and what its signs mean.
pub(super) struct Lines {
    pub lines: String,
    pub footnotes: Vec<&'static str>,
}

/// A backend as texts, the figures in the order of [`HEAD`].
struct Row {
    label: String,
    verdict: String,
    figures: [String; 6],
    interval: Option<String>,
}

/// The table of all backends of which anything was timed; `None` when there is none.
pub(super) fn of(backends: &[BackendRecord], columns: usize) -> Option<Lines> {
    let rows: Vec<Row> = backends.iter().filter(|backend| was_timed(backend)).map(row).collect();
    if rows.is_empty() {
        return None;
    }
    let lines = side_by_side(&rows, columns, Interval::Beside)
        .or_else(|| side_by_side(&rows, columns, Interval::Under))
        .unwrap_or_else(|| name_above(&rows));
    let mut footnotes = Vec::new();
    if rows.iter().flat_map(|row| &row.figures).any(|figure| figure == units::ABSENT) {
        footnotes.push(ABSENT_FOOTNOTE);
    }
    if lines.contains(AMONG_FAILURES) {
        footnotes.push(FAILED_FOOTNOTE);
    }
    Some(Lines { lines, footnotes })
}

fn row(backend: &BackendRecord) -> Row {
    let steady = latency(backend, Phase::Steady);
    let rate = phase(backend, Phase::Steady).and_then(|steady| steady.texts_per_second);
    let cold = median_restart(&backend.cold_starts).map(|start| start.total_ns);
    let resident = backend.resources.as_ref().and_then(|used| used.steady_rss_bytes.or(used.peak_rss_bytes));
    let absent = || units::ABSENT.to_owned();
    Row {
        label: one_line(&backend.label),
        verdict: worst_verdict(backend)
            .filter(|_| backend.outcome == crate::record::BackendOutcome::Measured)
            .map_or_else(|| verdict_or_state(backend).to_owned(), marked),
        figures: [
            percentile_text(steady, 0.5),
            percentile_text(steady, 0.95),
            percentile_text(steady, 0.99),
            rate.map_or_else(absent, units::figure),
            nanoseconds_or(cold, units::ABSENT),
            resident.map_or_else(absent, units::bytes),
        ],
        interval: interval_text(steady, 0.95),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Interval {
    Beside,
    Under,
}

impl Row {
    fn cells(&self, interval: Interval) -> [String; 6] {
        let mut cells = self.figures.clone();
        if let Some(range) = &self.interval {
            let between = if interval == Interval::Beside { " " } else { "\n" };
            cells[1] = format!("{}{between}({range})", self.figures[1]);
        }
        cells
    }
}

fn width_of(cell: &str) -> usize {
    cell.lines().map(display_width).max().unwrap_or(0)
}

/// The columns' widths without names: the verdict and the figures.
fn figures_width(rows: &[Row], interval: Interval) -> usize {
    (0..HEAD.len())
        .map(|column| {
            let cells = rows.iter().map(|row| width_of(&row.cells(interval)[column]));
            GAP + cells.max().unwrap_or(0).max(width_of(HEAD[column]))
        })
        .sum()
}

/// One line, or two, for each backend; `None` when a name would have to be wrapped more than once.
fn side_by_side(rows: &[Row], columns: usize, interval: Interval) -> Option<String> {
    let verdict = rows.iter().map(|row| display_width(&row.verdict)).max()?.max("verdict".len());
    let room = columns.checked_sub(figures_width(rows, interval) + verdict + GAP)?.min(WIDEST_NAME);
    let fits = |row: &Row| {
        room > 0
            && row.label.split(' ').all(|word| display_width(word) <= room)
            && textwrap::wrap(&row.label, unbroken(room)).len() <= 2
    };
    if !rows.iter().all(fits) {
        return None;
    }
    let mut builder = Builder::new();
    builder.push_record(["backend", "verdict"].into_iter().chain(HEAD));
    for row in rows {
        let names = [textwrap::fill(&row.label, unbroken(room)), row.verdict.clone()];
        builder.push_record(names.into_iter().chain(row.cells(interval)));
    }
    let mut table = builder.build();
    set(&mut table);
    table.with(Modify::new(Columns::first().and(Columns::one(1))).with(Alignment::left()));
    Some(table.to_string())
}

/// The name and the verdict on a line of their own, the figures under it.
fn name_above(rows: &[Row]) -> String {
    let room = figures_width(rows, Interval::Under);
    let mut builder = Builder::new();
    builder.push_record(HEAD);
    for row in rows {
        let name = textwrap::fill(&format!("{}: {}", row.label, row.verdict), unbroken(room));
        builder.push_record(std::iter::once(name));
        builder.push_record(row.cells(Interval::Under));
    }
    let mut table = builder.build();
    set(&mut table);
    table.with(Modify::new(Columns::first()).with(Padding::new(GAP, GAP, 0, 0)));
    for index in 0..rows.len() {
        let name = Rows::one(1 + 2 * index).intersect(Columns::first());
        table.with(Modify::new(name).with(ColumnSpan::max()).with(Alignment::left()).with(Padding::zero()));
    }
    table.to_string()
}

fn set(table: &mut Table) {
    table.with(Style::empty().horizontals([(1, HorizontalLine::new('-'))]));
    table.with(Padding::new(0, GAP, 0, 0));
    table.with(Modify::new(Columns::last()).with(Padding::zero()));
    table.with(Alignment::right());
    table.with(AlignmentStrategy::PerLine);
}

//! The table of the backends as they stand. The interval of P95 stands beside it or, where there is no room, under it.

use super::grid::{Grid, Row};
use super::words::{marked, unbroken, wrapped};
use crate::record::{BackendOutcome, BackendRecord, Phase, Verdict};
use crate::sentences::ran::{self, Among};
use crate::units;
use crate::view::{
    AMONG_FAILURES, interval_text, latency, median_restart, nanoseconds_or, one_line, percentile_text, phase,
    verdict_or_state, was_timed, worst_verdict,
};

/// What ran is wrapped to this width, which keeps a share of the time on two lines.
const RAN_ON_WIDTH: usize = 12;
const HEAD: [&str; 6] = ["P50", "P95", "P99", "texts/s", "median\ncold\nstart", "RSS"];

const INTERVAL_FOOTNOTE: &str = "( ) : 95 % interval of P95";
const ABSENT_FOOTNOTE: &str = "- : not measured, or too few requests for it";
const FAILED_FOOTNOTE: &str =
    "failed : this percentile falls among the failed requests, which count as infinitely slow";

/// A table and what its signs mean.
pub(super) struct Lines {
    pub lines: String,
    pub footnotes: Vec<&'static str>,
}

impl Lines {
    /// A table laid out, with the notes that its figures need.
    pub(super) fn of(grid: &Grid, lines: String) -> Self {
        let mut footnotes = Vec::new();
        let said = |what: &str| {
            let mut figures = grid.rows.iter().flat_map(|row| &row.figures);
            figures.any(|figure| figure.lines().next() == Some(what))
        };
        if grid.rows.iter().flat_map(|row| &row.figures).any(|figure| figure.contains('(')) {
            footnotes.push(INTERVAL_FOOTNOTE);
        }
        if said(units::ABSENT) {
            footnotes.push(ABSENT_FOOTNOTE);
        }
        if said(AMONG_FAILURES) {
            footnotes.push(FAILED_FOOTNOTE);
        }
        Self { lines, footnotes }
    }
}

/// The table of those backends of which anything was timed; `None` when there is none.
pub(super) fn of<'a>(backends: impl Iterator<Item = &'a BackendRecord>, columns: usize) -> Option<Lines> {
    let timed: Vec<&BackendRecord> = backends.filter(|backend| was_timed(backend)).collect();
    if timed.is_empty() {
        return None;
    }
    // An interval beside its estimate is read at a glance; under it, it is still better than a table that falls apart.
    let [beside, under] = [" ", "\n"].map(|between| grid(&timed, between));
    let lines = beside.beside(columns).unwrap_or_else(|| under.laid_out(columns));
    Some(Lines::of(&under, lines))
}

/// The table with the interval of P95 after it, and `between` the two.
fn grid(backends: &[&BackendRecord], between: &str) -> Grid {
    Grid {
        about: ["backend", "verdict"].into_iter().chain(ran::HEADS).map(Into::into).collect(),
        head: HEAD.map(Into::into).into(),
        rows: backends.iter().map(|backend| row(backend, between)).collect(),
    }
}

fn row(backend: &BackendRecord, between: &str) -> Row {
    let steady = latency(backend, Phase::Steady);
    let rate = phase(backend, Phase::Steady).and_then(|steady| steady.texts_per_second);
    let cold = median_restart(&backend.cold_starts).map(|start| start.total_ns);
    let resident = backend.resources.as_ref().and_then(|used| used.steady_rss_bytes.or(used.peak_rss_bytes));
    let absent = || units::ABSENT.to_owned();
    let mut p95 = percentile_text(steady, 0.95);
    if let Some(range) = interval_text(steady, 0.95) {
        p95.push_str(&format!("{between}({range})"));
    }
    let (label, verdict) = (one_line(&backend.label), verdict_or_state_marked(backend));
    let ran = ran::in_columns(backend).map(|cell| wrapped(&cell, unbroken(RAN_ON_WIDTH)));
    Row {
        above: format!("{label}: {verdict}, {}", ran::in_short(backend)),
        about: [label, verdict].into_iter().chain(ran).collect(),
        figures: vec![
            percentile_text(steady, 0.5),
            p95,
            percentile_text(steady, 0.99),
            rate.map_or_else(absent, units::figure),
            nanoseconds_or(cold, units::ABSENT),
            resident.map_or_else(absent, units::bytes),
        ],
    }
}

/// What ran and how close its vectors are, in the columns of a table that has them where they differ.
pub(super) fn ran_cells(among: &Among<'_>, backend: &BackendRecord) -> Vec<String> {
    among.cells(backend).iter().map(|cell| wrapped(cell, unbroken(RAN_ON_WIDTH))).collect()
}

/// The verdict, to be colored, or what stands in its place.
pub(super) fn verdict_or_state_marked(backend: &BackendRecord) -> String {
    let verdict: Option<Verdict> =
        worst_verdict(backend).filter(|_| backend.outcome == BackendOutcome::Measured);
    verdict.map_or_else(|| verdict_or_state(backend).to_owned(), marked)
}

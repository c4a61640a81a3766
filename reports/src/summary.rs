//! A run as CSV: a row for each backend with the figures that people put into spreadsheets. Times are in nanoseconds; what was not
//! measured is empty.

use std::io::{self, Write};

use crate::record::{BackendRecord, Comparison, Phase, RunRecord};
use crate::sentences::comparison::name;
use crate::sentences::equivalence;
use crate::sentences::model::model;
use crate::view;
use crate::view::{latency, median_restart, one_line, percentile, phase, verdict_or_state, worst_verdict};

const HEAD: [&str; 20] = [
    "run",
    "scenario",
    "model",
    "backend",
    "kind",
    "verdict",
    "standing",
    "vectors",
    "batch_size",
    "load",
    "requests",
    "failures",
    "p50_ns",
    "p95_ns",
    "p99_ns",
    "texts_per_second",
    "cold_start_ns",
    "peak_rss_bytes",
    "ratio_to_first",
    "engine",
];

/// Writes a run.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write(record: &RunRecord, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(HEAD)?;
    for backend in &record.backends {
        rows.write_record(row(record, backend).map(|cell| safe(&cell)))?;
    }
    rows.flush()
}

/// Writes a comparison: a row for each figure of each backend.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write_comparison(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    let head = [
        "before_run",
        "after_run",
        "backend",
        "figure",
        "before",
        "after",
        "ratio",
        "low",
        "high",
        "outcome",
        "confirmed",
    ];
    rows.write_record(head)?;
    for backend in &comparison.backends {
        for figure in &backend.figures {
            let outcome = serde_json::to_value(figure.outcome)?;
            let cells = [
                comparison.before.id.clone(),
                comparison.after.id.clone(),
                backend.name.clone(),
                name(figure),
                figure.before.to_string(),
                figure.after.to_string(),
                figure.ratio.value.to_string(),
                optional(figure.ratio.low),
                optional(figure.ratio.high),
                outcome.as_str().unwrap_or_default().to_owned(),
                figure.confirmed.to_string(),
            ];
            rows.write_record(cells.map(|cell| safe(&cell)))?;
        }
    }
    rows.flush()
}

fn row(record: &RunRecord, backend: &BackendRecord) -> [String; HEAD.len()] {
    let steady = phase(backend, Phase::Steady);
    let times = latency(backend, Phase::Steady);
    let at = |quantile: f64| {
        optional(times.and_then(|times| percentile(times, quantile)).and_then(|found| found.value_ns))
    };
    let decided = record.decision.as_ref();
    let decided = decided.and_then(|made| made.rows.iter().find(|row| row.backend == backend.name));
    let standing = decided.and_then(|row| serde_json::to_value(row.standing).ok());
    let verdict = match worst_verdict(backend) {
        Some(verdict) => view::verdict_name(verdict).to_owned(),
        None => verdict_or_state(backend).to_owned(),
    };
    [
        record.id.clone(),
        record.scenario.name.clone(),
        model(record).map_or_else(String::new, |model| model.trim_start_matches("model: ").to_owned()),
        backend.name.clone(),
        backend.kind.clone(),
        verdict,
        standing.as_ref().and_then(|standing| standing.as_str()).unwrap_or_default().to_owned(),
        equivalence::in_short(&backend.equivalence).to_owned(),
        backend.batch_size.to_string(),
        backend.load.text.clone(),
        optional(steady.map(|steady| steady.requests)),
        optional(steady.map(|steady| steady.failures)),
        at(0.5),
        at(0.95),
        at(0.99),
        optional(steady.and_then(|steady| steady.texts_per_second)),
        optional(median_restart(&backend.cold_starts).map(|start| start.total_ns)),
        optional(backend.resources.as_ref().and_then(|used| used.peak_rss_bytes)),
        optional(decided.and_then(|row| row.ratio.as_ref()).map(|ratio| ratio.value)),
        backend.runs.as_ref().and_then(|runs| runs.engine.clone()).unwrap_or_default(),
    ]
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text on one line that no spreadsheet takes for a formula.
fn safe(text: &str) -> String {
    let line = one_line(text);
    let formula = line.starts_with(['=', '+', '-', '@']) && line.parse::<f64>().is_err();
    if formula { format!("'{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn each_backend_has_a_row_of_the_same_cells_whatever_its_name_is() {
        let mut record = fixture::decided();
        record.backends[0].name = "=cmd|\u{202e}'a','b'\n\"x\"".to_owned();
        let mut out = Vec::new();
        write(&record, &mut out).unwrap();
        let mut rows = csv::Reader::from_reader(out.as_slice());
        assert_eq!(rows.headers().unwrap().len(), HEAD.len());
        let rows: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(&rows[0][3], "'=cmd|'a','b' \"x\"");
        assert_eq!((&rows[1][6], &rows[1][18]), ("behind", "1.38"));
        assert_eq!((&rows[2][5], &rows[2][12]), ("not available", ""));
    }
}

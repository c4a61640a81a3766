//! The variations of each backend: one table for each backend and set of axes.

use super::text::{Column, inline, table};
use crate::record::{BackendOutcome, BackendRecord, Phase, RunRecord};
use crate::units::{self, ABSENT};
use crate::variations::{Varied, varied};
use crate::view::{interval_text, latency, percentile_text, phase, verdict_and_objectives, worst_verdict};

pub(super) fn write(page: &mut String, record: &RunRecord) {
    let all = varied(record);
    if all.is_empty() {
        return;
    }
    page.push_str(
        "## Variations\n\nThe same backend with one thing or another changed: response times and rates in steady \
         state.\n\n",
    );
    for varied in &all {
        page.push_str(&format!("### {}\n\n", inline(&varied.title())));
        let axes: Vec<String> = varied.axes.iter().map(|axis| inline(axis)).collect();
        let rate = varied.rate();
        let columns: Vec<Column<'_>> = axes
            .iter()
            .map(|axis| Column::Right(axis))
            .chain(["P50", "P95", "P95 interval", "P99", rate.0, "failed", "peak RSS"].map(Column::Right))
            .chain([Column::Left("verdict")])
            .collect();
        let rows: Vec<Vec<String>> = varied.cells.iter().map(|backend| row(varied, backend)).collect();
        table(page, &columns, &rows);
    }
}

fn row(varied: &Varied<'_>, backend: &BackendRecord) -> Vec<String> {
    let summary = phase(backend, Phase::Steady);
    let steady = latency(backend, Phase::Steady);
    let peak = backend.resources.as_ref().and_then(|used| used.peak_rss_bytes);
    let or_absent = |text: Option<String>| text.unwrap_or_else(|| ABSENT.to_owned());
    let verdict = verdict_and_objectives(backend);
    let judged = worst_verdict(backend).is_some() && backend.outcome == BackendOutcome::Measured;
    let values = Varied::values(backend).map(inline);
    let figures = [
        percentile_text(steady, 0.5),
        percentile_text(steady, 0.95),
        or_absent(interval_text(steady, 0.95)),
        percentile_text(steady, 0.99),
        or_absent(summary.and_then(varied.rate().1).map(units::figure)),
        or_absent(summary.map(|summary| units::count(summary.failures))),
        or_absent(peak.map(units::bytes)),
    ];
    values.chain(figures).chain([if judged { format!("**{verdict}**") } else { verdict }]).collect()
}

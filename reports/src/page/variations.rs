//! The variations of each backend: one table for each backend and set of axes.

use super::text::{Column, capitalised, inline, sentence, table};
use crate::record::{BackendOutcome, BackendRecord, Phase, RunRecord};
use crate::sentences::ran::Among;
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
        let ran = Among::of(varied.cells.iter().copied());
        if let Some(common) = ran.common() {
            page.push_str(&format!("{}\n\n", sentence(&capitalised(&common))));
        }
        let columns: Vec<Column<'_>> = axes
            .iter()
            .map(|axis| Column::Right(axis))
            .chain(["P50", "P95", "P95 interval", "P99", rate.0, "failed", "peak RSS"].map(Column::Right))
            .chain(["verdict"].into_iter().chain(ran.heads()).map(Column::Left))
            .collect();
        let rows: Vec<Vec<String>> = varied.cells.iter().map(|backend| row(varied, backend, &ran)).collect();
        table(page, &columns, &rows);
    }
}

fn row(varied: &Varied<'_>, backend: &BackendRecord, ran: &Among<'_>) -> Vec<String> {
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
    let verdict = if judged { format!("**{verdict}**") } else { verdict };
    let ran = ran.cells(backend);
    values.chain(figures).chain([verdict]).chain(ran.iter().map(|cell| inline(cell))).collect()
}

//! The variations of each backend: one table for each backend and set of axes.

use super::block::{Page, left, right};
use super::text::{Text, capitalized, sentence, strong};
use crate::record::{BackendOutcome, BackendRecord, Phase, RunRecord};
use crate::sentences::ran::Among;
use crate::units::{self, ABSENT};
use crate::variations::{Varied, varied};
use crate::view::{interval_text, latency, percentile_text, phase, verdict_and_objectives, worst_verdict};

pub(super) fn write(page: &mut Page, record: &RunRecord) {
    let all = varied(record);
    if all.is_empty() {
        return;
    }
    page.heading(2, "Variations");
    page.paragraph(
        "The same backend with one or more settings changed: response times and rates in steady state.",
    );
    for varied in &all {
        page.heading(3, varied.title());
        let rate = varied.rate();
        let ran = Among::of(varied.cells.iter().copied());
        if let Some(common) = ran.common() {
            page.paragraph(sentence(&capitalized(&common)));
        }
        let figures = ["P50", "P95", "P95 interval", "P99", rate.0, "failed", "peak RSS"];
        let columns = varied.axes.iter().copied().chain(figures).map(right);
        let columns = columns.chain(["verdict"].into_iter().chain(ran.heads()).map(left));
        page.table(columns, varied.cells.iter().map(|backend| row(varied, backend, &ran)));
    }
}

fn row(varied: &Varied<'_>, backend: &BackendRecord, ran: &Among<'_>) -> Vec<Text> {
    let summary = phase(backend, Phase::Steady);
    let steady = latency(backend, Phase::Steady);
    let peak = backend.resources.as_ref().and_then(|used| used.peak_rss_bytes);
    let or_absent = |text: Option<String>| text.unwrap_or_else(|| ABSENT.to_owned());
    let verdict = verdict_and_objectives(backend);
    let judged = worst_verdict(backend).is_some() && backend.outcome == BackendOutcome::Measured;
    let values = Varied::values(backend).map(|value| Text::from(value.into_owned()));
    let figures = [
        percentile_text(steady, 0.5),
        percentile_text(steady, 0.95),
        or_absent(interval_text(steady, 0.95)),
        percentile_text(steady, 0.99),
        or_absent(summary.and_then(varied.rate().1).map(units::figure)),
        or_absent(summary.map(|summary| units::count(summary.failures))),
        or_absent(peak.map(units::bytes)),
    ];
    let verdict = if judged { strong(verdict) } else { verdict.into() };
    let ran = ran.cells(backend).into_iter().map(Text::from);
    values.chain(figures.map(Text::from)).chain([verdict]).chain(ran).collect()
}

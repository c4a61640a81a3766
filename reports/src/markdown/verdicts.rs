//! The head of the report: how the run ended, the verdict, and each objective with every backend.

use super::text::{Column, block, inline, table};
use crate::record::{BackendRecord, Interval, ObjectiveVerdict, RunRecord};
use crate::units;
use crate::view::{no_verdict, status_sentence, trouble, verdict_name, verdict_or_state};

pub(super) fn write(page: &mut String, record: &RunRecord) {
    let scenario = &record.scenario;
    page.push_str(&format!("# {}: {}\n\n", inline(&scenario.name), inline(&scenario.title)));
    match record.overall {
        Some(verdict) => page.push_str(&format!("**Verdict: {}**\n\n", verdict_name(verdict))),
        None => page.push_str(&format!("**Verdict: {}**\n\n", no_verdict(record))),
    }
    if let Some(sentence) = status_sentence(&record.status) {
        page.push_str(&format!("**{}**\n\n", inline(&sentence)));
    }
    let took = record.elapsed_ns.map(|elapsed| format!(", took {}", units::duration(elapsed as f64)));
    page.push_str(&format!(
        "Run {} of {}{}.\n\n",
        inline(&record.id),
        record.started_at,
        took.unwrap_or_default()
    ));
    if !record.load.note.is_empty() {
        page.push_str(&format!("{}\n\n", inline(&record.load.note)));
    }
    for index in 0..record.objectives.len() {
        objective(page, record, index);
    }
    if record.backends.iter().any(|backend| trouble(backend).is_some()) {
        page.push_str("## Not measured, or not to the end\n\n");
    }
    for backend in &record.backends {
        without_measurement(page, backend);
    }
    warnings(page, record);
}

fn objective(page: &mut String, record: &RunRecord, index: usize) {
    let objective = &record.objectives[index];
    let text = inline(&objective.text);
    page.push_str(&format!(
        "## Objective: {text}\n\nConfidence {}.\n\n",
        units::percent(objective.confidence)
    ));
    let rows: Vec<Vec<String>> = record.backends.iter().map(|backend| row(backend, index)).collect();
    let columns = [
        Column::Left("backend"),
        Column::Left("verdict"),
        Column::Right("estimate"),
        Column::Right("interval"),
        Column::Right("requests"),
        Column::Right("over the limit"),
        Column::Right("exceedance"),
        Column::Left("error bound"),
    ];
    table(page, &columns, &rows);
    let mut judged_any = false;
    for backend in &record.backends {
        for judged in judged_on(backend, index) {
            judged_any = true;
            let (label, verdict) = (inline(&backend.label), verdict_name(judged.verdict));
            page.push_str(&format!("- **{label}: {verdict}**: {}", sentence(&judged.why)));
            if let Some(next) = &judged.next {
                page.push_str(&format!(" *Next:* {}", sentence(next)));
            }
            page.push_str(&format!(" *Judged by:* {}.\n", inline(&judged.method)));
        }
    }
    if judged_any {
        page.push('\n');
    }
}

/// A text that ends in a full stop.
fn sentence(text: &str) -> String {
    let text = inline(text);
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

fn judged_on(backend: &BackendRecord, index: usize) -> impl Iterator<Item = &ObjectiveVerdict> {
    backend.verdicts.iter().filter(move |judged| judged.objective == index)
}

fn row(backend: &BackendRecord, index: usize) -> Vec<String> {
    let label = inline(&backend.label);
    let Some(judged) = judged_on(backend, index).next() else {
        let state = if backend.verdicts.is_empty() { verdict_or_state(backend) } else { "not judged" };
        let absent = || units::ABSENT.to_owned();
        return vec![label, state.to_owned(), absent(), absent(), absent(), absent(), absent(), absent()];
    };
    let estimate = judged.estimate.as_ref();
    vec![
        label,
        format!("**{}**", verdict_name(judged.verdict)),
        estimate.map_or_else(|| units::ABSENT.to_owned(), |estimate| units::duration(estimate.value)),
        estimate.map_or_else(|| units::ABSENT.to_owned(), duration_interval),
        units::count(judged.requests),
        units::count(judged.exceeded),
        judged.exceedance.as_ref().map_or_else(|| units::ABSENT.to_owned(), share_interval),
        inline(&judged.error_bound),
    ]
}

fn duration_interval(estimate: &Interval) -> String {
    let low = units::duration(estimate.low);
    estimate
        .high
        .map_or_else(|| format!("{low} or more"), |high| format!("{low} to {}", units::duration(high)))
}

fn share_interval(share: &Interval) -> String {
    let [value, low] = [share.value, share.low].map(units::percent);
    match share.high {
        Some(high) => format!("{value} ({low} to {})", units::percent(high)),
        None => format!("{value} ({low} or more)"),
    }
}

fn without_measurement(page: &mut String, backend: &BackendRecord) {
    let Some((what, why)) = trouble(backend) else { return };
    let (first, rest) = why.trim().split_once('\n').unwrap_or((why.trim(), ""));
    page.push_str(&format!("**{}: {what}**: {}\n\n", inline(&backend.label), inline(first)));
    if !rest.trim().is_empty() {
        block(page, "text", rest);
    }
}

fn warnings(page: &mut String, record: &RunRecord) {
    if record.warnings.is_empty() {
        return;
    }
    page.push_str("## Warnings\n\n");
    for warning in &record.warnings {
        let of = warning.backend.as_ref().map(|backend| format!("{}: ", inline(backend))).unwrap_or_default();
        page.push_str(&format!(
            "- {of}{} *What to do:* {}\n",
            sentence(&warning.what),
            sentence(&warning.remedy)
        ));
    }
    page.push('\n');
}

//! The head of the report: how the run ended, the verdict, the doubts, and each objective with every backend it is asked of.

use super::text::{Column, block, capitalised, inline, sentence, table};
use super::{capacity, doubts, execution, load, variations};
use crate::record::{BackendRecord, Indicator, Interval, Objective, ObjectiveVerdict, RunRecord};
use crate::variations::reached;
use crate::view::{no_verdict, status_sentence, trouble, verdict_name, verdict_or_state, was_timed};
use crate::{indicator, sentences, units};

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
    load::write(page, record);
    if let Some(mode) = sentences::mode(record) {
        page.push_str(&format!("{}\n\n", inline(&mode)));
    }
    execution::headline(page, record);
    doubts::write(page, record);
    capacity::write(page, record);
    variations::write(page, record);
    summary(page, record);
    for index in 0..record.objectives.len() {
        objective(page, record, index);
    }
    if reached(record).any(|backend| trouble(backend).is_some()) {
        page.push_str("## Not measured, or not to the end\n\n");
    }
    for backend in reached(record) {
        without_measurement(page, backend);
    }
    doubts::warnings(page, record);
}

/// Each backend's verdict on each objective and, as the worst of them, on all; one objective needs no summary.
fn summary(page: &mut String, record: &RunRecord) {
    if record.objectives.len() < 2 {
        return;
    }
    page.push_str("## All objectives\n\nA backend's verdict is the worst of its objectives.\n\n");
    let names = record.objectives.iter().map(|objective| inline(&objective.text)).collect::<Vec<_>>();
    let columns: Vec<Column<'_>> = ["backend", "verdict", "ran on", "vectors"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .map(Column::Left)
        .collect();
    let row = |backend: &BackendRecord| {
        let objectives = record.objectives.iter().enumerate();
        let verdicts = objectives.map(|(index, objective)| verdict_cell(backend, objective, index));
        let overall = match backend.verdicts.is_empty() {
            true => verdict_or_state(backend).to_owned(),
            false => format!("**{}**", verdict_or_state(backend)),
        };
        [inline(&backend.label), overall].into_iter().chain(ran(backend)).chain(verdicts).collect()
    };
    table(page, &columns, &reached(record).map(row).collect::<Vec<_>>());
}

/// What ran and how close its vectors are.
fn ran(backend: &BackendRecord) -> [String; 2] {
    sentences::ran::in_columns(backend).map(|cell| inline(&cell))
}

fn verdict_cell(backend: &BackendRecord, objective: &Objective, index: usize) -> String {
    match judged_on(backend, index).next() {
        Some(judged) => verdict_name(judged.verdict).to_owned(),
        None if objective.applies_to(backend) => units::ABSENT.to_owned(),
        None => "not asked".to_owned(),
    }
}

fn objective(page: &mut String, record: &RunRecord, index: usize) {
    let objective = &record.objectives[index];
    page.push_str(&format!("## Objective: {}\n\n", inline(&objective.text)));
    page.push_str(&format!("Confidence {}.", units::percent(objective.confidence)));
    if let Some(names) = &objective.backends {
        page.push_str(&format!(" Asked of {} only.", inline(&names.join(", "))));
    }
    page.push_str("\n\n");
    let asked: Vec<&BackendRecord> =
        reached(record).filter(|backend| objective.applies_to(backend)).collect();
    let judged: Vec<&ObjectiveVerdict> = asked.iter().flat_map(|backend| judged_on(backend, index)).collect();
    let figures = figures(&objective.indicator, &judged);
    let columns: Vec<Column<'_>> = ["backend", "verdict", "ran on", "vectors"]
        .into_iter()
        .map(Column::Left)
        .chain(figures.iter().map(|(column, _)| *column))
        .chain([Column::Left("error bound")])
        .collect();
    let row = |backend: &&BackendRecord| row(backend, objective, index, &figures);
    table(page, &columns, &asked.iter().map(row).collect::<Vec<_>>());
    for backend in &asked {
        for judged in judged_on(backend, index) {
            reasons(page, backend, objective, judged);
        }
    }
    if !judged.is_empty() {
        page.push('\n');
    }
}

/// Why, what next, and what it rests on.
fn reasons(page: &mut String, backend: &BackendRecord, objective: &Objective, judged: &ObjectiveVerdict) {
    let (label, verdict) = (inline(&backend.label), verdict_name(judged.verdict));
    page.push_str(&format!("- **{label}: {verdict}**: {}", sentence(&judged.why)));
    if let Some(doubted) = &judged.doubted {
        page.push_str(&format!(" *Without the doubts:* {}", sentence(doubted)));
    }
    if let Some(evidence) = sentences::evidence(Some(&objective.indicator), judged) {
        page.push_str(&format!(" *Rests on:* {}", sentence(&evidence)));
    }
    if let Some(next) = &judged.next {
        page.push_str(&format!(" *Next:* {}", sentence(next)));
    }
    page.push_str(&format!(" *Judged by:* {}.\n", inline(&judged.method)));
}

fn judged_on(backend: &BackendRecord, index: usize) -> impl Iterator<Item = &ObjectiveVerdict> {
    backend.verdicts.iter().filter(move |judged| judged.objective == index)
}

/// A column of figures and what stands in it.
type Figure = (Column<'static>, fn(&Indicator, &ObjectiveVerdict) -> String);

/// The columns that say something about this indicator.
fn figures(indicator: &Indicator, judged: &[&ObjectiveVerdict]) -> Vec<Figure> {
    let mut figures: Vec<Figure> = vec![
        (Column::Right("estimate"), |indicator, judged| {
            or_absent(judged.estimate.map(|estimate| indicator::value(indicator, estimate.value)))
        }),
        (Column::Right("interval"), |indicator, judged| {
            or_absent(judged.estimate.map(|estimate| indicator::interval(indicator, &estimate)))
        }),
    ];
    let requests = |_: &Indicator, judged: &ObjectiveVerdict| units::count(judged.requests);
    let exceeded = |_: &Indicator, judged: &ObjectiveVerdict| units::count(judged.exceeded);
    match indicator {
        Indicator::PeakRss | Indicator::Cosine => {}
        Indicator::Throughput => figures.push((Column::Right("requests"), requests)),
        Indicator::FailureShare => {
            figures.push((Column::Right("requests"), requests));
            figures.push((Column::Right("failed"), exceeded));
        }
        Indicator::ResponseTime { .. } | Indicator::ServiceTime { .. } | Indicator::ColdStart { .. } => {
            let cold = matches!(indicator, Indicator::ColdStart { .. });
            figures.push((Column::Right(if cold { "cold starts" } else { "requests" }), requests));
            figures.push((Column::Right("over the limit"), exceeded));
            figures.push((Column::Right("exceedance"), |_, judged| {
                or_absent(judged.exceedance.as_ref().map(share_interval))
            }));
        }
    }
    if judged.iter().any(|judged| judged.correlation_time.is_some()) {
        figures.push((Column::Right("correlation time"), |_, judged| {
            or_absent(judged.correlation_time.map(|time| format!("{} requests", units::figure(time))))
        }));
    }
    if judged.iter().any(|judged| judged.effective_requests.is_some()) {
        figures.push((Column::Right("worth independent"), |_, judged| {
            or_absent(judged.effective_requests.map(|effective| units::count(effective.round() as u64)))
        }));
    }
    if judged.iter().any(|judged| judged.requests_to_settle.is_some_and(|requests| requests > 0)) {
        figures.push((Column::Right("requests to settle"), |_, judged| {
            or_absent(judged.requests_to_settle.map(units::count))
        }));
    }
    figures
}

fn or_absent(text: Option<String>) -> String {
    text.unwrap_or_else(|| units::ABSENT.to_owned())
}

fn row(backend: &BackendRecord, objective: &Objective, index: usize, figures: &[Figure]) -> Vec<String> {
    let label = inline(&backend.label);
    let Some(judged) = judged_on(backend, index).next() else {
        let state = if backend.verdicts.is_empty() { verdict_or_state(backend) } else { "not judged" };
        let absent = std::iter::repeat_n(units::ABSENT.to_owned(), figures.len() + 1);
        return [label, state.to_owned()].into_iter().chain(ran(backend)).chain(absent).collect();
    };
    let cells = figures.iter().map(|(_, write)| write(&objective.indicator, judged));
    [label, format!("**{}**", verdict_name(judged.verdict))]
        .into_iter()
        .chain(ran(backend))
        .chain(cells)
        .chain([inline(&judged.error_bound)])
        .collect()
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
    // Of what was timed it stands above the figures.
    let known = if was_timed(backend) { Vec::new() } else { sentences::ran::in_full(backend) };
    for said in &known {
        page.push_str(&format!("- {}\n", sentence(&capitalised(said))));
    }
    if !known.is_empty() {
        page.push('\n');
    }
}

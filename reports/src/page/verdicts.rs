//! The head of the report: how the run ended, the verdict, the doubts, and each objective with every backend it is asked of.

use super::block::{OBJECTIVE, Page, left, right};
use super::text::{Text, capitalized, sentence, strong};
use super::{capacity, decision, doubts, execution, load, pairing, variations};
use crate::record::{BackendRecord, Indicator, Interval, Objective, ObjectiveVerdict, RunRecord};
use crate::sentences::ran::in_columns;
use crate::variations::reached;
use crate::view::{
    is_asked_of, no_verdict, status_sentence, trouble, verdict_name, verdict_or_state, was_timed,
};
use crate::{indicator, sentences, units};

pub(super) fn write(page: &mut Page, record: &RunRecord) {
    let scenario = &record.scenario;
    page.heading(1, format!("{}: {}", scenario.name, scenario.title));
    decision::answer(page, record);
    if let Some(model) = sentences::model::model(record) {
        page.paragraph(sentence(&capitalized(&model)));
    }
    decision::others(page, record);
    let verdict = record.overall.map_or_else(|| no_verdict(record), verdict_name);
    page.paragraph(strong(format!("Verdict: {verdict}")));
    if let Some(scope) = sentences::scope(record) {
        page.paragraph(scope);
    }
    if let Some(sentence) = status_sentence(&record.status) {
        page.paragraph(strong(sentence));
    }
    let took = record.elapsed_ns.map(|elapsed| format!(", took {}", units::duration(elapsed as f64)));
    page.paragraph(format!("Run {} of {}{}.", record.id, record.started_at, took.unwrap_or_default()));
    for about in sentences::model::about(record) {
        page.paragraph(sentence(&capitalized(&about)));
    }
    load::write(page, record);
    if let Some(mode) = sentences::mode(record) {
        page.paragraph(mode);
    }
    execution::headline(page, record);
    doubts::write(page, record);
    pairing::write(page, record);
    capacity::write(page, record);
    variations::write(page, record);
    summary(page, record);
    for index in 0..record.objectives.len() {
        objective(page, record, index);
    }
    if reached(record).any(|backend| trouble(backend).is_some()) {
        page.heading(2, "Not measured, or only in part");
    }
    for backend in reached(record) {
        without_measurement(page, backend);
    }
    doubts::warnings(page, record);
}

/// Each backend's verdict on each objective and, as the worst of them, on all; one objective needs no summary.
fn summary(page: &mut Page, record: &RunRecord) {
    if record.objectives.len() < 2 {
        return;
    }
    page.heading(2, "All objectives");
    page.paragraph("A backend's verdict is the worst of its objectives.");
    let names = record.objectives.iter().map(|objective| objective.text.as_str());
    let columns = ["backend", "verdict", "ran on", "vectors"].into_iter().chain(names).map(left);
    let row = |backend: &BackendRecord| -> Vec<Text> {
        let objectives = record.objectives.iter().enumerate();
        let verdicts = objectives.map(|(index, objective)| verdict_cell(backend, objective, index));
        let overall = match backend.verdicts.is_empty() {
            true => verdict_or_state(backend).into(),
            false => strong(verdict_or_state(backend)),
        };
        let cells = in_columns(backend).into_iter().chain(verdicts).map(Text::from);
        [backend.label.as_str().into(), overall].into_iter().chain(cells).collect()
    };
    page.table(columns, reached(record).map(row));
}

fn verdict_cell(backend: &BackendRecord, objective: &Objective, index: usize) -> String {
    match judged_on(backend, index).next() {
        Some(judged) => verdict_name(judged.verdict).to_owned(),
        None if is_asked_of(objective, backend) => units::ABSENT.to_owned(),
        None => "does not apply".to_owned(),
    }
}

fn objective(page: &mut Page, record: &RunRecord, index: usize) {
    let objective = &record.objectives[index];
    page.heading(2, format!("{OBJECTIVE}{}", objective.text));
    let asked = objective.backends.as_ref().map(|names| format!(" Applies to {} only.", names.join(", ")));
    let confidence = units::percent(objective.confidence);
    page.paragraph(format!("Confidence {confidence}.{}", asked.unwrap_or_default()));
    let asked: Vec<&BackendRecord> =
        reached(record).filter(|backend| is_asked_of(objective, backend)).collect();
    let judged: Vec<&ObjectiveVerdict> = asked.iter().flat_map(|backend| judged_on(backend, index)).collect();
    let figures = figures(objective, &judged);
    let columns = ["backend", "verdict", "ran on", "vectors"].map(left).into_iter();
    let columns =
        columns.chain(figures.iter().map(|(head, _)| right(head.as_str()))).chain([left("chance of error")]);
    page.table(columns, asked.iter().map(|backend| row(backend, objective, index, &figures)));
    page.list(
        asked
            .iter()
            .flat_map(|backend| judged_on(backend, index).map(|judged| reasons(backend, objective, judged))),
    );
}

/// Why, what next, and what it rests on.
fn reasons(backend: &BackendRecord, objective: &Objective, judged: &ObjectiveVerdict) -> Text {
    let verdict = strong(format!("{}: {}", backend.label, verdict_name(judged.verdict)));
    let said = verdict.then(format!(": {}", sentence(&judged.why)));
    let parts = [
        ("Without the doubts:", judged.doubted.clone()),
        ("Based on:", sentences::evidence(Some(&objective.indicator), judged)),
        ("Next:", judged.next.clone()),
        ("Judged by:", Some(judged.method.clone())),
    ];
    let given = parts.into_iter().filter_map(|(name, part)| Some((name, part?)));
    given.fold(said, |said, (name, part)| said.then(" ").emphasis(name).then(format!(" {}", sentence(&part))))
}

fn judged_on(backend: &BackendRecord, index: usize) -> impl Iterator<Item = &ObjectiveVerdict> {
    backend.verdicts.iter().filter(move |judged| judged.objective == index)
}

/// The head of a column of figures and what stands in it.
type Figure = (String, fn(&Indicator, &ObjectiveVerdict) -> String);

/// The columns that say something about this indicator.
fn figures(objective: &Objective, judged: &[&ObjectiveVerdict]) -> Vec<Figure> {
    let asked = &objective.indicator;
    let two_sided = units::percent(indicator::two_sided(objective.confidence));
    let interval = match asked {
        Indicator::Throughput | Indicator::FailureShare => format!("{two_sided} interval"),
        Indicator::PeakRss | Indicator::Cosine => "interval".to_owned(),
        _ => "95 % interval".to_owned(),
    };
    let mut figures: Vec<Figure> = vec![
        ("estimate".into(), |indicator, judged| {
            or_absent(judged.estimate.map(|estimate| indicator::value(indicator, estimate.value)))
        }),
        (interval, |indicator, judged| {
            or_absent(judged.estimate.map(|estimate| indicator::interval(indicator, &estimate)))
        }),
    ];
    let requests = |_: &Indicator, judged: &ObjectiveVerdict| units::count(judged.requests);
    let exceeded = |_: &Indicator, judged: &ObjectiveVerdict| units::count(judged.exceeded);
    match asked {
        Indicator::PeakRss | Indicator::Cosine => {}
        Indicator::Throughput => figures.push(("requests".into(), requests)),
        Indicator::FailureShare => {
            figures.push(("requests".into(), requests));
            figures.push(("failed".into(), exceeded));
        }
        Indicator::ResponseTime { .. } | Indicator::ServiceTime { .. } | Indicator::ColdStart { .. } => {
            let cold = matches!(asked, Indicator::ColdStart { .. });
            figures.push((if cold { "cold starts" } else { "requests" }.into(), requests));
            figures.push(("over the limit".into(), exceeded));
            figures.push((format!("exceedance ({two_sided} interval)"), |_, judged| {
                or_absent(judged.exceedance.as_ref().map(share_interval))
            }));
        }
    }
    if judged.iter().any(|judged| judged.correlation_time.is_some()) {
        figures.push(("correlation time".into(), |_, judged| {
            or_absent(judged.correlation_time.map(|time| format!("{} requests", units::figure(time))))
        }));
    }
    if judged.iter().any(|judged| judged.effective_requests.is_some()) {
        figures.push(("effective requests".into(), |_, judged| {
            or_absent(judged.effective_requests.map(|effective| units::count(effective.round() as u64)))
        }));
    }
    if judged.iter().any(|judged| judged.requests_to_settle.is_some_and(|requests| requests > 0)) {
        figures.push(("requests still needed".into(), |_, judged| {
            or_absent(judged.requests_to_settle.map(units::count))
        }));
    }
    figures
}

fn or_absent(text: Option<String>) -> String {
    text.unwrap_or_else(|| units::ABSENT.to_owned())
}

fn row(backend: &BackendRecord, objective: &Objective, index: usize, figures: &[Figure]) -> Vec<Text> {
    let label = Text::from(backend.label.as_str());
    let ran = in_columns(backend).map(Text::from);
    let Some(judged) = judged_on(backend, index).next() else {
        let state = if backend.verdicts.is_empty() { verdict_or_state(backend) } else { "not judged" };
        let absent = std::iter::repeat_n(units::ABSENT.into(), figures.len() + 1);
        return [label, state.into()].into_iter().chain(ran).chain(absent).collect();
    };
    let cells = figures.iter().map(|(_, write)| write(&objective.indicator, judged).into());
    [label, strong(verdict_name(judged.verdict))]
        .into_iter()
        .chain(ran)
        .chain(cells)
        .chain([judged.error_bound.as_str().into()])
        .collect()
}

fn share_interval(share: &Interval) -> String {
    let [value, low] = [share.value, share.low].map(units::percent);
    match share.high {
        Some(high) => format!("{value} ({low} to {})", units::percent(high)),
        None => format!("{value} ({low} or more)"),
    }
}

fn without_measurement(page: &mut Page, backend: &BackendRecord) {
    let Some((what, why)) = trouble(backend) else { return };
    let (first, rest) = why.trim().split_once('\n').unwrap_or((why.trim(), ""));
    page.paragraph(strong(format!("{}: {what}", backend.label)).then(format!(": {first}")));
    if !rest.trim().is_empty() {
        page.code("text", rest);
    }
    // Of what was timed it stands above the figures.
    let known = if was_timed(backend) { Vec::new() } else { sentences::ran::in_full(backend) };
    page.list(known.iter().map(|said| sentence(&capitalized(said))));
}

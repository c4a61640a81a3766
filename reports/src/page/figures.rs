//! The figures: phases, cold starts by stage, where the time goes.

use super::text::{Column, capitalised, inline, sentence, table};
use super::{load, mixture, resources};
use crate::record::{BackendRecord, ColdStart, Latency, Phase, PhaseSummary, RunRecord, Stages};
use crate::sentences;
use crate::units::{self, ABSENT, NOT_KNOWN};
use crate::view::{
    AMONG_FAILURES, cold_start_stages, interval_text, median_restart, nanoseconds_or, percentile_text, phase,
    was_timed,
};

pub(super) fn write(page: &mut String, record: &RunRecord) {
    let timed: Vec<&BackendRecord> = record.backends.iter().filter(|backend| was_timed(backend)).collect();
    if timed.is_empty() {
        return;
    }
    page.push_str("## Phases\n\n");
    page.push_str(
        "Response times, if nothing else is said. Failed requests count as infinitely slow: they push percentiles up, and are in none of min, \
         mean and max.\n\n",
    );
    for backend in &timed {
        phases(page, backend);
    }
    page.push_str(&footnotes(&timed));
    cold_starts(page, &timed);
    load::arrivals(page, &timed);
    service_time(page, &timed);
    resources::write(page, &timed);
}

fn phases(page: &mut String, backend: &BackendRecord) {
    let batch = match backend.batch_size {
        0 | 1 => String::new(),
        texts => format!(", {texts} texts per request"),
    };
    let replicas = match backend.replicas {
        0 | 1 => String::new(),
        replicas => format!(", {replicas} replicas"),
    };
    page.push_str(&format!("### {}{batch}{replicas}\n\n", inline(&backend.label)));
    for said in sentences::ran::in_full(backend) {
        page.push_str(&format!("- {}\n", sentence(&capitalised(&said))));
    }
    page.push('\n');
    let columns = [
        Column::Left("phase"),
        Column::Right("requests"),
        Column::Right("failed"),
        Column::Right("timed out"),
        Column::Right("min"),
        Column::Right("mean"),
        Column::Right("P50"),
        Column::Right("P90"),
        Column::Right("P95"),
        Column::Right("P95 interval"),
        Column::Right("P99"),
        Column::Right("max"),
        Column::Right("texts/s"),
        Column::Right("requests/s"),
    ];
    let order = [Phase::ColdStart, Phase::WarmUp, Phase::Steady, Phase::Mixed];
    let summaries = order.into_iter().filter_map(|of| phase(backend, of));
    table(page, &columns, &summaries.flat_map(phase_rows).collect::<Vec<_>>());
    if let Some(sentence) = sentences::warm_up(backend) {
        page.push_str(&format!("- {sentence}\n"));
    }
    if let Some(drift) = &backend.drift {
        page.push_str(&format!("- {}\n", sentences::drift(drift)));
    }
    if !backend.warm_up.is_empty() || backend.drift.is_some() {
        page.push('\n');
    }
    if let Some(sentence) = mixture::sentence(backend) {
        page.push_str(&format!("{sentence}\n\n"));
    }
    for summary in &backend.phases {
        if summary.phase == Phase::Mixed {
            continue;
        }
        for reason in &summary.failure_reasons {
            let requests = units::counted(reason.requests, "request");
            page.push_str(&format!(
                "- {requests} failed in {}: {}\n",
                summary.phase.name(),
                inline(&reason.why)
            ));
        }
    }
    if backend
        .phases
        .iter()
        .any(|summary| summary.phase != Phase::Mixed && !summary.failure_reasons.is_empty())
    {
        page.push('\n');
    }
}

/// The phase by its response times and, where they are told apart, by its service times.
fn phase_rows(summary: &PhaseSummary) -> Vec<Vec<String>> {
    let name = summary.phase.name();
    let mut rows = vec![phase_row(name, summary, summary.response_time.as_ref())];
    if let Some(service) = &summary.service_time {
        rows.push(phase_row(&format!("{name}, service time"), summary, Some(service)));
    }
    rows
}

fn phase_row(name: &str, summary: &PhaseSummary, latency: Option<&Latency>) -> Vec<String> {
    let or_absent = |value: Option<f64>| value.map_or_else(|| ABSENT.to_owned(), units::duration);
    let rate = |value: Option<f64>| value.map_or_else(|| ABSENT.to_owned(), units::figure);
    let at = |quantile| percentile_text(latency, quantile);
    vec![
        name.to_owned(),
        units::count(summary.requests),
        units::count(summary.failures),
        units::count(summary.timeouts),
        or_absent(latency.map(|latency| latency.min_ns as f64)),
        or_absent(latency.map(|latency| latency.mean_ns)),
        at(0.5),
        at(0.9),
        at(0.95),
        interval_text(latency, 0.95).unwrap_or_else(|| ABSENT.to_owned()),
        at(0.99),
        or_absent(latency.map(|latency| latency.max_ns as f64)),
        rate(summary.texts_per_second),
        rate(summary.requests_per_second),
    ]
}

fn footnotes(timed: &[&BackendRecord]) -> String {
    let mut notes =
        "`-`: the count cannot carry it, or it was not measured. The interval is at 95 %.".to_owned();
    let summaries = || timed.iter().flat_map(|backend| &backend.phases);
    let among = |summary: &PhaseSummary| {
        let latencies = summary.response_time.iter().chain(&summary.service_time);
        let mut percentiles = latencies.flat_map(|latency| &latency.percentiles);
        percentiles.any(|percentile| percentile.value_ns.is_none())
    };
    if summaries().any(among) {
        notes.push_str(&format!(" `{AMONG_FAILURES}`: falls among the failed requests."));
    }
    format!("{notes}\n\n")
}

fn cold_starts(page: &mut String, timed: &[&BackendRecord]) {
    let rows: Vec<Vec<String>> = timed
        .iter()
        .flat_map(|backend| {
            let median = median_restart(&backend.cold_starts);
            let each = backend.cold_starts.iter().map(|start| (start.restart.to_string(), start));
            let all = median.map(|start| ("**median**".to_owned(), start)).into_iter().chain(each);
            all.map(|(restart, start)| cold_start_row(backend, restart, start)).collect::<Vec<_>>()
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str(
        "## Cold starts\n\nA fresh process up to its first vector. The median is the restart whose total is in the \
         middle.\n\n",
    );
    let columns = [
        Column::Left("backend"),
        Column::Right("restart"),
        Column::Right("spawn"),
        Column::Right("import"),
        Column::Right("load"),
        Column::Right("first embedding"),
        Column::Right("total"),
    ];
    table(page, &columns, &rows);
}

fn cold_start_row(backend: &BackendRecord, restart: String, start: &ColdStart) -> Vec<String> {
    let mut row = vec![inline(&backend.label), restart];
    row.extend(cold_start_stages(start).map(|(_, nanoseconds)| nanoseconds_or(nanoseconds, NOT_KNOWN)));
    if start.spawn_ns.is_none() {
        row[2] = "no process".to_owned();
    }
    row.push(units::duration(start.total_ns as f64));
    row
}

/// The stages in the order in which a request goes through them; the pipe is there both ways.
fn stages_of(stages: &Stages) -> [Option<f64>; 8] {
    [
        Some(stages.queue_ns),
        Some(stages.serialize_ns),
        Some(stages.pipe_ns),
        stages.tokenize_ns,
        stages.infer_ns,
        stages.pool_ns,
        stages.worker_other_ns,
        Some(stages.deserialize_ns),
    ]
}

fn service_time(page: &mut String, timed: &[&BackendRecord]) {
    let rows: Vec<Vec<String>> = timed
        .iter()
        .filter_map(|backend| {
            let stages = stages_of(phase(backend, Phase::Steady)?.stages.as_ref()?);
            let sum: f64 = stages.iter().flatten().sum();
            let share = |part: f64| {
                if sum > 0.0 { format!(" ({})", units::percent(part / sum)) } else { String::new() }
            };
            let cells = stages.iter().map(|part| match part {
                Some(part) => format!("{}{}", units::duration(*part), share(*part)),
                None => NOT_KNOWN.to_owned(),
            });
            Some(std::iter::once(inline(&backend.label)).chain(cells).collect())
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str(
        "## Where the time goes\n\nMean per request in steady state, and its share. Queue is waiting for a slot; pipe is \
         the residual: what no stage accounts for, which is the way there and back, wake-ups, and the worker's encoding \
         of the answer.\n\n",
    );
    let columns = [
        Column::Left("backend"),
        Column::Right("queue"),
        Column::Right("serialise"),
        Column::Right("pipe"),
        Column::Right("tokenize"),
        Column::Right("infer"),
        Column::Right("pool"),
        Column::Right("worker, other"),
        Column::Right("deserialise"),
    ];
    table(page, &columns, &rows);
}

//! The figures: phases, cold starts by stage, where the time goes.

use super::block::{Page, left, right};
use super::text::{Text, capitalized, code, sentence, strong};
use super::{load, mixture, resources};
use crate::record::{BackendRecord, ColdStart, Latency, Phase, PhaseSummary, RunRecord, Stages};
use crate::sentences;
use crate::units::{self, ABSENT, NOT_KNOWN};
use crate::view::{
    AMONG_FAILURES, cold_start_stages, interval_text, median_restart, nanoseconds_or, percentile_text, phase,
    was_timed,
};

pub(super) fn write(page: &mut Page, record: &RunRecord) {
    let timed: Vec<&BackendRecord> = record.backends.iter().filter(|backend| was_timed(backend)).collect();
    if timed.is_empty() {
        return;
    }
    page.heading(2, "Phases");
    page.paragraph(
        "Response times, unless stated otherwise. Failed requests count as infinitely slow: they raise the percentiles, and \
         are left out of min, mean and max.",
    );
    for backend in &timed {
        phases(page, backend);
    }
    page.paragraph(footnotes(&timed));
    cold_starts(page, &timed);
    load::arrivals(page, &timed);
    service_time(page, &timed);
    resources::write(page, record, &timed);
}

fn phases(page: &mut Page, backend: &BackendRecord) {
    let batch = match backend.batch_size {
        0 | 1 => String::new(),
        texts => format!(", {texts} texts per request"),
    };
    let replicas = match backend.replicas {
        0 | 1 => String::new(),
        replicas => format!(", {replicas} replicas"),
    };
    page.heading(3, format!("{}{batch}{replicas}", backend.label));
    page.list(sentences::ran::in_full(backend).iter().map(|said| sentence(&capitalized(said))));
    let median = median_restart(&backend.cold_starts).map(|start| start.total_ns);
    let columns = [
        left("phase"),
        right("requests"),
        right("failed"),
        right("timed out"),
        right("min"),
        right("mean"),
        right("P50"),
        right("P90"),
        right("P95"),
        right("P95 interval"),
        right("P99"),
        right("max"),
        right("texts/s"),
        right("requests/s"),
    ];
    let order = [Phase::ColdStart, Phase::WarmUp, Phase::Steady, Phase::Mixed];
    let summaries = order.into_iter().filter_map(|of| phase(backend, of));
    page.table(columns, summaries.flat_map(|summary| phase_rows(summary, median)));
    let drift = backend.drift.as_ref().map(sentences::drift);
    page.list(sentences::warm_up(backend).into_iter().chain(drift));
    if let Some(sentence) = mixture::sentence(backend) {
        page.paragraph(sentence);
    }
    let told = backend.phases.iter().filter(|summary| summary.phase != Phase::Mixed);
    page.list(told.flat_map(|summary| {
        summary.failure_reasons.iter().map(|reason| {
            let requests = units::counted(reason.requests, "request");
            format!("{requests} failed in {}: {}", summary.phase.name(), reason.why)
        })
    }));
}

/// The phase by its response times and, where they are told apart, by its service times. A cold start has its median restart
/// and no mean, as everywhere else: of two or three, a mean is another figure for the same thing.
fn phase_rows(summary: &PhaseSummary, median_restart: Option<u64>) -> Vec<Vec<String>> {
    let name = summary.phase.name();
    let mut rows = vec![phase_row(name, summary, summary.response_time.as_ref())];
    if let (Phase::ColdStart, Some(median)) = (summary.phase, median_restart) {
        rows[0][MEAN] = ABSENT.to_owned();
        rows[0][P50] = units::duration(median as f64);
    }
    if let Some(service) = &summary.service_time {
        rows.push(phase_row(&format!("{name}, service time"), summary, Some(service)));
    }
    rows
}

/// Where these two stand in a row.
const MEAN: usize = 5;
const P50: usize = 6;

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

fn footnotes(timed: &[&BackendRecord]) -> Text {
    let notes = code(ABSENT)
        .then(": not measured, or too few requests for this figure. The interval is a 95 % interval.");
    let summaries = || timed.iter().flat_map(|backend| &backend.phases);
    let among = |summary: &PhaseSummary| {
        let latencies = summary.response_time.iter().chain(&summary.service_time);
        let mut percentiles = latencies.flat_map(|latency| &latency.percentiles);
        percentiles.any(|percentile| percentile.value_ns.is_none())
    };
    match summaries().any(among) {
        true => {
            notes.then(" ").code(AMONG_FAILURES).then(": this percentile falls among the failed requests.")
        }
        false => notes,
    }
}

fn cold_starts(page: &mut Page, timed: &[&BackendRecord]) {
    let rows: Vec<Vec<Text>> = timed
        .iter()
        .flat_map(|backend| {
            let median = median_restart(&backend.cold_starts);
            let each = backend.cold_starts.iter().map(|start| (start.restart.to_string().into(), start));
            let all = median.map(|start| (strong("median"), start)).into_iter().chain(each);
            all.map(|(restart, start)| cold_start_row(backend, restart, start)).collect::<Vec<_>>()
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.heading(2, "Cold starts");
    page.paragraph(
        Text::from("From spawning a process to its first vector. The median is the restart whose total is in the middle. ")
            .code(NO_STAGE)
            .then(": the backend has no such stage, for example nothing to import."),
    );
    let columns = [
        left("backend"),
        right("restart"),
        right("spawn"),
        right("import"),
        right("load"),
        right("first embedding"),
        right("total"),
    ];
    page.table(columns, rows);
}

/// Written for a stage that took no time, because there is no such stage.
const NO_STAGE: &str = "none";

fn cold_start_row(backend: &BackendRecord, restart: Text, start: &ColdStart) -> Vec<Text> {
    let stage = |(_, nanoseconds): (&str, Option<u64>)| match nanoseconds {
        Some(0) => NO_STAGE.to_owned(),
        other => nanoseconds_or(other, NOT_KNOWN),
    };
    let mut stages = cold_start_stages(start).map(stage);
    if start.spawn_ns.is_none() {
        stages[0] = "no process".to_owned();
    }
    let total = units::duration(start.total_ns as f64);
    let times = stages.into_iter().chain([total]).map(Text::from);
    [backend.label.as_str().into(), restart].into_iter().chain(times).collect()
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

fn service_time(page: &mut Page, timed: &[&BackendRecord]) {
    let rows: Vec<Vec<String>> = timed
        .iter()
        .filter_map(|backend| {
            let stages = phase(backend, Phase::Steady)?.stages.as_ref()?;
            let sum = sum_of(stages);
            let cells = stages_of(stages).map(|part| match part {
                Some(part) => with_share(part, sum),
                None => NOT_KNOWN.to_owned(),
            });
            Some(std::iter::once(backend.label.clone()).chain(cells).collect())
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.heading(2, "Where the time goes");
    page.paragraph(
        "Mean time per request in steady state, and its share. Queue is the wait for a slot. Pipe is whatever no stage \
         accounts for: the way to the worker and back, wake-ups, and the worker's encoding of the answer.",
    );
    let columns = [
        left("backend"),
        right("queue"),
        right("serialize"),
        right("pipe"),
        right("tokenize"),
        right("infer"),
        right("pool"),
        right("worker, other"),
        right("deserialize"),
    ];
    page.table(columns, rows);
    on_the_way(page, timed);
}

/// The way to servers and back, if there are any.
fn on_the_way(page: &mut Page, timed: &[&BackendRecord]) {
    let rows: Vec<Vec<String>> = timed
        .iter()
        .filter_map(|backend| {
            let stages = phase(backend, Phase::Steady)?.stages.as_ref()?;
            let sum = sum_of(stages);
            let cells = network_of(stages)?.map(|part| with_share(part, sum));
            Some(std::iter::once(backend.label.clone()).chain(cells).collect())
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.paragraph(
        "The way to a server and back, by tailmark's clock, beside the stages above. Connect is the opening of connections, \
         spread over all requests. Wait is from the last byte sent to the first byte of the answer, without the stages that the \
         server reports; those (tokenize, infer, worker) are the server's word, and some servers round them down to whole \
         milliseconds. Pipe is what remains.",
    );
    page.table([left("backend"), right("connect"), right("send"), right("wait"), right("receive")], rows);
}

fn network_of(stages: &Stages) -> Option<[f64; 4]> {
    let way = stages.network?;
    Some([way.connect_ns, way.send_ns, way.wait_ns, way.receive_ns])
}

fn sum_of(stages: &Stages) -> f64 {
    let way: f64 = network_of(stages).into_iter().flatten().sum();
    stages_of(stages).into_iter().flatten().sum::<f64>() + way
}

fn with_share(part: f64, sum: f64) -> String {
    let share = if sum > 0.0 { format!(" ({})", units::percent(part / sum)) } else { String::new() };
    format!("{}{share}", units::duration(part))
}

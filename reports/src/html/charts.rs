//! The data of the charts that the page's script draws: the numbers of the record as they are, as JSON.

use serde_json::{Value, json};

use crate::pictures::series_color;
use crate::record::{BackendRecord, Phase, RunRecord};
use crate::variations::{Place, placed};
use crate::view::{limits, one_line};

/// More series than these cannot be told apart: their pictures have panels, and stay.
const MOST_SERIES: usize = 8;

/// The id of the figure of a picture.
pub(super) fn figure(file: &str) -> String {
    format!("figure-{}", file.trim_end_matches(".svg"))
}

/// The charts, safe to stand in a script element.
pub(super) fn data(record: &RunRecord) -> String {
    let backends: Vec<&BackendRecord> = placed(record, Place::Plain).collect();
    let specs = if backends.len() > MOST_SERIES || backends.len() < record.backends.len() {
        Vec::new()
    } else {
        vec![curves(record, &backends), times(record, &backends)]
    };
    // Nothing in a name can end the element.
    Value::Array(specs).to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn curves(record: &RunRecord, backends: &[&BackendRecord]) -> Value {
    let points = |backend: &BackendRecord| -> Vec<Value> {
        let finite = backend.curve.iter().filter(|point| point.quantile < 1.0);
        finite.map(|point| json!([point.quantile, point.value_ns, point.value_ns])).collect()
    };
    chart("percentiles.svg", "curve", "percentile of the response time", record, backends, points)
}

fn times(record: &RunRecord, backends: &[&BackendRecord]) -> Value {
    let points = |backend: &BackendRecord| -> Vec<Value> {
        let groups = backend.timeline.iter().filter_map(|group| Some((group, group.min_ns?, group.max_ns?)));
        groups
            .map(|(group, min, max)| json!([group.at_ns, min, max, group.requests, words(group.phase)]))
            .collect()
    };
    chart("latency_over_time.svg", "time", "time of the backend's own", record, backends, points)
}

fn chart(
    file: &str,
    kind: &str,
    across: &str,
    record: &RunRecord,
    backends: &[&BackendRecord],
    points: impl Fn(&BackendRecord) -> Vec<Value>,
) -> Value {
    // In the order and the colors of the picture that it stands for, which leaves out what has nothing to show.
    let with_points = backends.iter().map(|backend| (backend, points(backend)));
    let series: Vec<Value> = with_points
        .filter(|(_, points)| points.len() > 1)
        .enumerate()
        .map(|(index, (backend, points))| {
            json!({ "name": one_line(&backend.label), "color": series_color(index), "points": points })
        })
        .collect();
    let limits: Vec<Value> =
        limits(record).iter().map(|limit| json!({ "value": limit.value, "text": limit.label })).collect();
    let title = crate::pictures::PICTURES.iter().find(|picture| picture.file == file);
    json!({
        "figure": figure(file), "kind": kind, "title": title.map_or("", |picture| picture.title), "across": across,
        "series": series, "limits": limits,
    })
}

fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::ColdStart => "cold start",
        Phase::WarmUp => "warm-up",
        Phase::Steady | Phase::Mixed => "steady state",
    }
}

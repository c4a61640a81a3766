//! Who is the answer, told from made-up verdicts and restarts.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tailmark_reports::record::RECORD_VERSION;

use super::*;
use crate::sample::Sample;

const WISH: Wish = Wish { prefer: Preference::Latency, same_within: 0.1 };

/// A measured backend with this verdict on the one objective, and vectors of this class.
fn backend(name: &str, verdict: Verdict, class: Option<&str>) -> Value {
    let equivalence = match class {
        Some(class) => json!({
            "state": "checked", "class": class, "accepts": "int8", "accepted": true, "texts": 64, "min_cosine": 1.0,
            "mean_cosine": 1.0, "lowest": "", "max_abs_difference": 0.0, "max_length_error": 0.0,
            "repeat_difference": 0.0, "batch_difference": 0.0, "findings": [],
        }),
        None => json!({ "state": "not_checked", "why": "answers without a model" }),
    };
    json!({
        "name": name, "kind": "onnx", "label": name, "placement": "worker", "replicas": 1,
        "load": {
            "kind": "closed", "text": "closed, concurrency 1", "open": false, "max_in_flight": 1, "note": "",
        },
        "corpus": "queries", "batch_size": 1, "options": {}, "outcome": { "state": "measured" },
        "execution": { "state": "not_measured", "why": "" }, "equivalence": equivalence,
        "losses": [], "max_replacements": 2, "cold_starts": [], "warm_up": [], "phases": [], "timeline": [],
        "curve": [],
        "verdicts": [{
            "objective": 0, "verdict": verdict, "error_bound": "", "method": "", "requests": 9, "exceeded": 0,
            "restarts": 3, "why": "", "band": [],
        }],
    })
}

fn record(backends: &[Value]) -> RunRecord {
    serde_json::from_value(json!({
        "record_version": RECORD_VERSION, "id": "run", "started_at": "2026-01-01T00:00:00Z",
        "status": { "state": "complete" }, "tool": { "version": "0", "profile": "dev" }, "command_line": [],
        "scenario": {
            "name": "s", "title": "t", "source": "f", "sha256": "", "overrides": [], "resolved": "",
        },
        "machine": { "os": "linux", "arch": "x86_64", "logical_cores": 2, "memory_bytes": 1 },
        "workload": {
            "corpus": "queries", "texts": 9, "batch_size": 1, "seed": 1, "truncated": 0,
        },
        "load": {
            "kind": "closed", "text": "closed, concurrency 1", "open": false, "max_in_flight": 1, "note": "",
        },
        "mode": "default", "conditions": [], "doubts": [], "capacities": [], "warnings": [],
        "objectives": [{
            "text": "P95 response time < 20 ms", "indicator": { "kind": "response_time", "quantile": 0.95 },
            "bound": "below", "limit": 2e7, "confidence": 0.99,
        }],
        "backends": backends,
    }))
    .expect("a record")
}

/// Restarts of a hundred requests, each with all of its times near one.
fn series(restarts: &[u64]) -> Series {
    let mut series = Series::default();
    for (restart, time) in (1..).zip(restarts) {
        for number in 0..100 {
            series.add(&Sample::steady(restart, number, 0, Some(time + 1_000 * number)));
        }
    }
    series
}

fn standings(record: &RunRecord, all: &BTreeMap<&str, Series>) -> (Option<String>, Vec<(String, Standing)>) {
    let known = |name: &str| all.get(name).map(|series| Known { series, price_per_hour: None });
    let made = decide(record, &WISH, known).expect("a decision");
    (made.answer, made.rows.into_iter().map(|row| (row.backend, row.standing)).collect())
}

fn at(standings: &[(String, Standing)], name: &str) -> Standing {
    standings.iter().find(|(of, _)| of == name).expect("a row").1
}

#[test]
fn a_difference_is_one_only_if_restarts_leave_no_doubt_of_it() {
    let record =
        record(&["a", "same", "tied", "behind"].map(|name| backend(name, Verdict::Pass, Some("exact"))));
    let all = BTreeMap::from([
        ("a", series(&[7_000_000, 7_010_000, 6_990_000])),
        ("same", series(&[7_100_000, 7_110_000, 7_090_000])),
        // A ratio of 1.3 of which one restart in three is the whole reason.
        ("tied", series(&[7_000_000, 7_000_000, 9_500_000])),
        ("behind", series(&[9_000_000, 9_010_000, 8_990_000])),
    ]);
    let (answer, rows) = standings(&record, &all);
    assert_eq!(answer.as_deref(), Some("a"));
    assert_eq!(at(&rows, "same"), Standing::Same);
    assert_eq!(at(&rows, "tied"), Standing::Tied);
    assert_eq!(at(&rows, "behind"), Standing::Behind);
}

#[test]
fn faster_vectors_of_another_class_are_not_ranked_with_exact_ones() {
    let record = record(&[
        backend("int8", Verdict::Pass, Some("int8")),
        backend("exact", Verdict::Pass, Some("exact")),
        backend("nothing", Verdict::Pass, None),
    ]);
    let all = BTreeMap::from([
        ("int8", series(&[3_000_000, 3_010_000, 2_990_000])),
        ("exact", series(&[7_000_000, 7_010_000, 6_990_000])),
        ("nothing", series(&[1_000_000, 1_010_000, 990_000])),
    ]);
    let (answer, rows) = standings(&record, &all);
    assert_eq!(answer.as_deref(), Some("exact"));
    assert_eq!(at(&rows, "int8"), Standing::OtherVectors);
    assert_eq!(at(&rows, "nothing"), Standing::OtherVectors);
}

#[test]
fn where_none_passes_none_is_the_answer_and_an_open_one_is_closer_than_one_that_misses() {
    let record = record(&[
        backend("misses", Verdict::Fail, Some("exact")),
        backend("open", Verdict::Inconclusive, Some("exact")),
    ]);
    let all = BTreeMap::from([
        ("misses", series(&[1_000_000, 1_010_000, 990_000])),
        ("open", series(&[7_000_000, 7_010_000, 6_990_000])),
    ]);
    let (answer, rows) = standings(&record, &all);
    assert_eq!(answer, None);
    assert_eq!(rows, [("open".to_owned(), Standing::Undecided), ("misses".to_owned(), Standing::Misses)]);
}

#[test]
fn one_restart_is_too_little_to_call_anything_behind() {
    let record = record(&["a", "b"].map(|name| backend(name, Verdict::Pass, Some("exact"))));
    let few = |time: u64| {
        let mut series = Series::default();
        series.add(&Sample::steady(1, 0, 0, Some(time)));
        series
    };
    let all = BTreeMap::from([("a", few(1_000_000)), ("b", few(9_000_000))]);
    let (_, rows) = standings(&record, &all);
    assert_eq!(at(&rows, "b"), Standing::Tied);
}

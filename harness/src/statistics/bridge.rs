//! What a worker process costs: the same backend in one and inside tailmark, told from the records of a run.

use tailmark_reports::record::{BackendRecord, Bridge, Phase};

const WORKER: &str = "worker";
const IN_PROCESS: &str = "in-process";

/// Each backend that ran in a worker, with each that is the same but for running inside tailmark. What has no median of its
/// steady state has no price.
#[must_use]
pub fn bridges(backends: &[BackendRecord]) -> Vec<Bridge> {
    let placed = |placement: &'static str| backends.iter().filter(move |one| one.placement == placement);
    let pairs = placed(WORKER).flat_map(|worker| {
        let twins = placed(IN_PROCESS).filter(|other| are_asked_the_same(worker, other));
        twins.map(move |in_process| (worker, in_process))
    });
    pairs.filter_map(|(worker, in_process)| bridge(worker, in_process)).collect()
}

fn bridge(worker: &BackendRecord, in_process: &BackendRecord) -> Option<Bridge> {
    let (over, within) = (median_ns(worker)?, median_ns(in_process)?);
    Some(Bridge {
        worker: worker.name.clone(),
        in_process: in_process.name.clone(),
        worker_p50_ns: over,
        in_process_p50_ns: within,
        difference_ns: i64::try_from(i128::from(over) - i128::from(within)).ok()?,
    })
}

/// Whether two backends differ in nothing that the price is not about. A fallback is what it fell back to, not its twin.
fn are_asked_the_same(one: &BackendRecord, other: &BackendRecord) -> bool {
    let load = |backend: &BackendRecord| {
        (backend.batch_size, backend.replicas, backend.load.text.clone(), backend.corpus.clone())
    };
    one.kind == other.kind
        && one.options == other.options
        && one.fallback == other.fallback
        && load(one) == load(other)
}

fn median_ns(backend: &BackendRecord) -> Option<u64> {
    let steady = backend.phases.iter().find(|summary| summary.phase == Phase::Steady)?;
    let percentiles = &steady.response_time.as_ref()?.percentiles;
    percentiles.iter().find(|percentile| (percentile.quantile - 0.5).abs() < 1e-9)?.value_ns
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A backend of which nothing is known but what a price asks for.
    fn backend(name: &str, placement: &str, p50_ns: Option<u64>) -> Value {
        let percentile = json!({ "quantile": 0.5, "value_ns": p50_ns, "low_ns": null, "high_ns": null });
        let times = json!({ "min_ns": 1, "mean_ns": 1.0, "max_ns": 1, "percentiles": [percentile] });
        json!({
            "name": name, "kind": "onnx", "label": name, "placement": placement, "replicas": 1,
            "load": {
                "kind": "closed", "text": "closed, concurrency 1", "open": false, "max_in_flight": 1, "note": "",
            },
            "corpus": "queries", "batch_size": 1, "options": { "threads": 1 },
            "outcome": { "state": "measured" },
            "execution": { "state": "not_measured", "why": "" },
            "equivalence": { "state": "not_checked", "why": "" },
            "losses": [], "max_replacements": 2, "cold_starts": [], "warm_up": [],
            "phases": [{
                "phase": "steady", "requests": 9, "failures": 0, "timeouts": 0, "texts": 9, "elapsed_ns": 9,
                "response_time": times, "failure_reasons": [],
            }],
            "timeline": [], "curve": [], "verdicts": [],
        })
    }

    fn of(backends: impl IntoIterator<Item = Value>) -> Vec<(String, String, i64)> {
        let read = |backend| serde_json::from_value(backend).expect("a backend of a record");
        let backends: Vec<BackendRecord> = backends.into_iter().map(read).collect();
        bridges(&backends).into_iter().map(|one| (one.worker, one.in_process, one.difference_ns)).collect()
    }

    #[test]
    fn the_price_is_what_a_worker_takes_longer_than_its_twin_inside_tailmark() {
        let (slow, fast) = (backend("a", WORKER, Some(700)), backend("b", IN_PROCESS, Some(650)));
        let expected = ("a".to_owned(), "b".to_owned());
        assert_eq!(of([slow, fast]), [(expected.0.clone(), expected.1.clone(), 50)]);
        let (fast, slow) = (backend("a", WORKER, Some(650)), backend("b", IN_PROCESS, Some(700)));
        assert_eq!(of([slow, fast]), [(expected.0, expected.1, -50)], "a worker may be faster");
    }

    #[test]
    fn backends_that_differ_in_more_than_their_placement_have_no_price() {
        let worker = backend("a", WORKER, Some(700));
        for (key, value) in [
            ("kind", json!("rten")),
            ("options", json!({ "threads": 2 })),
            ("fallback", json!({ "from": "onnx", "to": "rten", "why": "" })),
            ("batch_size", json!(8)),
            ("corpus", json!("passages")),
            ("replicas", json!(2)),
        ] {
            let mut other = backend("b", IN_PROCESS, Some(650));
            other[key] = value;
            assert_eq!(of([worker.clone(), other]), [], "{key}");
        }
        assert_eq!(of([worker.clone(), backend("b", WORKER, Some(650))]), []);
        assert_eq!(of([worker, backend("b", IN_PROCESS, None)]), [], "its median is among the failures");
    }
}

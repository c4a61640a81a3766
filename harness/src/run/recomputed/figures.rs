//! Which parts of two records are compared, and what is left out of them because samples do not show it.

use serde::Serialize;
use serde_json::Value;
use tailmark_reports::record::{BackendRecord, RunRecord};

use super::difference::Differences;

/// What is in no sample, and what says a figure again in words.
const NOT_IN_SAMPLES: [&str; 19] = [
    "achieved_per_second",
    "at_ns",
    "band",
    "elapsed_ns",
    "failure_reasons",
    "first_embedding_ns",
    "given_up",
    "import_ns",
    "littles_law",
    "load_ns",
    "mean_in_system",
    "most_in_flight",
    "most_waiting",
    "next",
    "offered_per_second",
    "search",
    "spawn_ns",
    "why",
    "why_not",
];

/// Compares what the record says with what the samples give.
pub(super) fn compare(recorded: &RunRecord, again: &RunRecord, found: &mut Differences) {
    found.trees("objective", &tree(&recorded.objectives), &tree(&again.objectives));
    for (recorded, again) in recorded.backends.iter().zip(&again.backends) {
        backend(recorded, again, found);
    }
    found.trees("overall", &overall(recorded), &overall(again));
    found.trees("decision", &tree(&recorded.decision), &tree(&again.decision));
    found.trees("capacity", &tree(&recorded.capacities), &tree(&again.capacities));
    found.trees("pairing", &tree(&recorded.pairing), &tree(&again.pairing));
    found.trees("bridge", &tree(&recorded.bridges), &tree(&again.bridges));
}

fn backend(recorded: &BackendRecord, again: &BackendRecord, found: &mut Differences) {
    let name = &recorded.name;
    found.trees(name, &tree(&recorded.phases), &tree(&again.phases));
    let place = |what: &str| format!("{name} {what}");
    found.trees(&place("cold start"), &tree(&recorded.cold_starts), &tree(&again.cold_starts));
    found.trees(&place("warm-up"), &tree(&recorded.warm_up), &tree(&again.warm_up));
    found.trees(&place("drift"), &tree(&recorded.drift), &tree(&again.drift));
    found.trees(&place("objective"), &tree(&recorded.verdicts), &tree(&again.verdicts));
    for (recorded, again) in recorded.verdicts.iter().zip(&again.verdicts) {
        let place = place(&format!("objective {} band", recorded.objective + 1));
        found.series(&place, &tree(&recorded.band), &tree(&again.band));
    }
    found.series(&place("curve"), &tree(&recorded.curve), &tree(&again.curve));
    found.series(&place("timeline"), &tree(&recorded.timeline), &tree(&again.timeline));
}

fn overall(record: &RunRecord) -> Value {
    serde_json::json!({ "overall": record.overall })
}

/// The figures as a tree, without those that are in no sample.
fn tree(figures: &impl Serialize) -> Value {
    let mut tree = serde_json::to_value(figures).unwrap_or_default();
    prune(&mut tree);
    tree
}

fn prune(tree: &mut Value) {
    match tree {
        Value::Array(entries) => entries.iter_mut().for_each(prune),
        Value::Object(members) => {
            members.retain(|key, _| !NOT_IN_SAMPLES.contains(&key.as_str()));
            members.values_mut().for_each(prune);
        }
        _ => {}
    }
}

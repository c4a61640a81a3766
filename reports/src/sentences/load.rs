//! The load in words: what was offered to whom, and what became of it.

use crate::record::{Arrivals, BackendRecord, Latency, Load, RunRecord};
use crate::units::{count, duration, percentile as name_of, rate};
use crate::variations::{Place, listed, place};
use crate::view::percentile;

/// More names than these are counted instead of listed.
const LISTED: usize = 4;
const QUANTILE: f64 = 0.99;

/// A load in a line, for example `load: poisson, 30.0/s`, and what it means where that has not been said before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub line: String,
    pub note: Option<String>,
}

/// Each load of the run once, with the backends it was offered to if there are several.
pub(crate) fn loads(record: &RunRecord) -> Vec<Said> {
    let mut each: Vec<(&Load, Vec<&BackendRecord>)> = Vec::new();
    for backend in record.backends.iter().filter(|backend| place(record, backend) != Place::Level) {
        match each.iter_mut().find(|(load, _)| load.text == backend.load.text) {
            Some((_, backends)) => backends.push(backend),
            None => each.push((&backend.load, vec![backend])),
        }
    }
    if each.is_empty() && record.capacities.is_empty() {
        each.push((&record.load, Vec::new()));
    }
    // Even one load is named beside a capacity, whose rates are a load of their own.
    let alone = each.len() == 1 && record.capacities.is_empty();
    let mut said: Vec<Said> = each
        .iter()
        .map(|(load, backends)| {
            let of = if alone { String::new() } else { format!(" of {}", names(backends)) };
            Said { line: format!("load{of}: {}", load.text), note: Some(load.note.clone()) }
        })
        .collect();
    said.extend(levels(record));
    let mut before = Vec::new();
    for one in &mut said {
        one.note = one.note.take().filter(|note| !note.is_empty() && !before.contains(note));
        before.extend(one.note.clone());
    }
    said
}

/// The load models of the capacities, whose rates stand beside their figures.
fn levels(record: &RunRecord) -> Vec<Said> {
    let mut kinds: Vec<&str> = Vec::new();
    for capacity in &record.capacities {
        if !kinds.contains(&capacity.load.as_str()) {
            kinds.push(&capacity.load);
        }
    }
    let line = |kind: &str| format!("load: {kind}, at the rates under \"capacity\"");
    let note = |kind: &str| {
        let mut levels = record.backends.iter().filter(|backend| place(record, backend) == Place::Level);
        levels.find(|backend| backend.load.kind == kind).map(|backend| backend.load.note.clone())
    };
    kinds.into_iter().map(|kind| Said { line: line(kind), note: note(kind) }).collect()
}

fn names(backends: &[&BackendRecord]) -> String {
    let labels: Vec<&str> = backends.iter().map(|backend| backend.label.as_str()).collect();
    if labels.len() > LISTED { format!("{} backends", labels.len()) } else { listed(&labels) }
}

/// What `--set` changed; `None` where it changed nothing.
pub(crate) fn overrides(record: &RunRecord) -> Option<String> {
    let overrides = &record.scenario.overrides;
    (!overrides.is_empty()).then(|| format!("changed on the command line: {}", overrides.join(", ")))
}

/// What became of an open load; `None` of a closed one, which promises no rate.
pub(crate) fn arrivals(arrivals: &Arrivals) -> Option<String> {
    let mut said = vec![format!("offered {}", rate(arrivals.offered_per_second?))];
    if let Some(achieved) = arrivals.achieved_per_second {
        said.push(format!("achieved {}", rate(achieved)));
    }
    if let Some(lag) = arrivals.lag.as_ref() {
        let own = arrivals.lateness.as_ref().and_then(late);
        let own =
            own.map(|(_, own)| format!(" (of which the load generator caused {own})")).unwrap_or_default();
        said.extend(late(lag).map(|(name, lag)| format!("lag {name} {lag}{own}")));
    }
    said.push(format!("at most {} waiting", count(arrivals.most_waiting)));
    if arrivals.given_up > 0 {
        said.push(format!("{} given up", count(arrivals.given_up)));
    }
    Some(said.join(", "))
}

/// How late requests were started: the P99 where the count carries it, and the latest otherwise.
fn late(latency: &Latency) -> Option<(String, String)> {
    match percentile(latency, QUANTILE) {
        Some(percentile) => Some((name_of(QUANTILE), duration(percentile.value_ns? as f64))),
        None => Some(("at most".into(), duration(latency.max_ns as f64))),
    }
}

/// How many workers there are, where there is more than one.
pub(crate) fn replicas(backend: &BackendRecord) -> Option<String> {
    (backend.replicas > 1).then(|| format!("{} replicas (workers side by side)", backend.replicas))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::record::Phase;
    use crate::view::phase;

    fn lines(record: &RunRecord) -> Vec<String> {
        loads(record).into_iter().map(|said| said.line).collect()
    }

    #[test]
    fn one_load_is_the_runs_and_several_name_their_backends() {
        assert_eq!(lines(&fixture::one()), ["load: closed, concurrency 1"]);
        assert_eq!(
            lines(&fixture::overloaded()),
            ["load of onnx-cpu: poisson, 30.0/s", "load of rten-cpu: poisson, 400.0/s"]
        );
        assert_eq!(lines(&fixture::capacity()), ["load: poisson, at the rates under \"capacity\""]);
    }

    #[test]
    fn what_loads_have_in_common_is_said_once() {
        let said = loads(&fixture::think_times());
        assert_eq!(said.len(), 4);
        let noted: Vec<bool> = said.iter().map(|said| said.note.is_some()).collect();
        assert_eq!(noted, [true, false, false, false]);
    }

    #[test]
    fn an_open_load_says_how_late_requests_were_started_and_a_closed_one_promised_nothing() {
        let said = |record: &RunRecord, index: usize| {
            let steady = phase(&record.backends[index], Phase::Steady);
            arrivals(steady.unwrap().arrivals.as_ref().unwrap())
        };
        assert_eq!(said(&fixture::one(), 0), None);
        let open = said(&fixture::open(), 0).unwrap();
        assert!(open.starts_with("offered 30.0/s, achieved 29.9/s, lag P99 "), "{open}");
        assert!(open.ends_with("µs), at most 3 waiting"), "{open}");
        let given_up = said(&fixture::overloaded(), 1).unwrap();
        assert!(given_up.ends_with("at most 64 waiting, 1,204 given up"), "{given_up}");
    }
}

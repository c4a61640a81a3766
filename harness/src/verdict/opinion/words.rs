//! Sentences of a verdict that are made of figures: what is ruled out, what was not seen, what would settle it, where the
//! time went. They decide nothing.

use std::time::Duration;

use tailmark_reports::record::Stages;
use tailmark_reports::units;

use crate::objective::{Indicator, Objective};
use crate::statistics::Accumulator;
use crate::verdict::decision::Findings;

/// The shares that the confidence sequence excludes; an end within a thousandth of a percent of 0 % or 100 % excludes nothing
/// worth naming.
pub(super) fn ruled_out(findings: &Findings, confidence: f64) -> String {
    let confidence = units::percent(confidence);
    let [low, high] = [findings.interval.low, findings.interval.high].map(units::percent);
    match (findings.interval.low >= 1e-5, findings.interval.high <= 1.0 - 1e-5) {
        (true, true) => format!("less than {low} and more than {high}, each with {confidence} confidence"),
        (true, false) => format!("less than {low} with {confidence} confidence"),
        (false, true) => format!("more than {high} with {confidence} confidence"),
        (false, false) => "nothing yet".to_owned(),
    }
}

/// What is known of the correlation when no request came near the limit: nothing of that of slow requests, but the latencies
/// have one of their own, and a picture of them shows it.
pub(super) fn unseen_correlation(findings: &Findings, steady: Option<&Accumulator>) -> String {
    let mut said =
        "no request came near the limit, so the run does not show whether slow ones come together".to_owned();
    if let Some(time) = findings.latency_correlation.map(|found| found.time).filter(|time| *time > 1.05) {
        let each = steady
            .filter(|steady| steady.requests() > 0)
            .map_or(0.0, |steady| steady.elapsed().as_nanos() as f64 / steady.requests() as f64);
        said.push_str(&format!(
            " (the latencies themselves are correlated over about {} requests, {})",
            units::figure(time),
            units::duration(time * each)
        ));
    }
    said
}

pub(super) fn read_off_remedy(objective: &Objective) -> String {
    match objective.indicator {
        Indicator::PeakRss => "send fewer texts per request, or use a leaner runtime".to_owned(),
        _ => "check what really ran: weights, element type and pooling determine the vectors".to_owned(),
    }
}

pub(super) fn more_requests(findings: &Findings, steady: Option<&Accumulator>, in_blocks: bool) -> String {
    match findings.requests_to_settle.filter(|more| *more > 0) {
        Some(more) => {
            let each = steady
                .filter(|steady| steady.requests() > 0)
                .map_or(0.0, |steady| steady.elapsed().as_secs_f64() / steady.requests() as f64);
            let time = Duration::try_from_secs_f64(each * more as f64).unwrap_or(Duration::MAX);
            let how = match in_blocks {
                true => "raise phases.restarts, or `blocks` or `requests` of [pairing]".to_owned(),
                false => format!("set phases.steady.max_requests = {}", findings.requests + more),
            };
            format!(
                "if this share holds, about {} more requests ({}) would settle it: {how} and raise max_seconds to match",
                units::count(more),
                units::duration(time.as_nanos() as f64),
            )
        }
        None => {
            "the measured share is too close to the allowed one for more requests to settle it".to_owned()
        }
    }
}

pub(super) fn largest(stages: &Stages) -> (&'static str, f64, &'static str) {
    let shorter = "send shorter or fewer texts per request";
    // A backend that does not report its stages is somebody else's server, and all of its time is in the rest.
    let rest = if stages.network.is_some() {
        ("outside every stage", stages.pipe_ns, "allow as many connections as requests in flight")
    } else if stages.infer_ns.is_some() {
        ("the pipe", stages.pipe_ns, "run the backend in-process, or leave a processor free for the worker")
    } else {
        ("the server and the connection to it", stages.pipe_ns, "look at the server's own metrics")
    };
    let network =
        stages.network.map_or([0.0; 4], |way| [way.connect_ns, way.send_ns, way.wait_ns, way.receive_ns]);
    let all = [
        (
            "connecting",
            network[0],
            "look at why the server closes connections, or leave them open for longer",
        ),
        ("sending", network[1], shorter),
        ("waiting for the server", network[2], "look at the server's own metrics"),
        ("receiving", network[3], "send fewer texts per request"),
        ("waiting for a slot", stages.queue_ns, "allow more requests in flight, or offer fewer"),
        ("serializing", stages.serialize_ns, shorter),
        ("tokenizing", stages.tokenize_ns.unwrap_or_default(), shorter),
        (
            "inference",
            stages.infer_ns.unwrap_or_default(),
            "send shorter or fewer texts per request, give it more threads, or choose a faster backend",
        ),
        ("pooling", stages.pool_ns.unwrap_or_default(), shorter),
        (
            "the worker outside the model",
            stages.worker_other_ns.unwrap_or_default(),
            "look at the worker's stderr",
        ),
        ("deserializing", stages.deserialize_ns, "send fewer texts per request"),
        rest,
    ];
    let total: f64 = all.iter().map(|(_, nanoseconds, _)| nanoseconds).sum();
    let (name, nanoseconds, remedy) =
        all.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("a list that is not empty: this is a bug");
    (name, if total > 0.0 { nanoseconds / total } else { 0.0 }, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Horizon, Procedure, Rules};

    fn findings(exceed: impl Fn(u64) -> bool, latency_ms: u64) -> Findings {
        let rules = Rules {
            allowed: 0.05,
            alpha: 0.01,
            beta: 0.01,
            limit_ns: Some(20_000_000),
            horizon: Horizon::AtLeast { requests: 2_000, restarts: 1 },
            most_requests: 2_000,
        };
        let mut procedure = Procedure::new(rules);
        procedure.begin_restart();
        for request in 0..2_000 {
            // Waves of a hundred requests.
            let wave = (request % 100) * latency_ms * 10_000;
            let over = if exceed(request) { 30_000_000 } else { 0 };
            procedure.observe(Some(latency_ms * 1_000_000 + wave + over));
        }
        procedure.findings()
    }

    #[test]
    fn each_bound_names_its_confidence() {
        let none_over = ruled_out(&findings(|_| false, 1), 0.99);
        assert_eq!(none_over, "more than 0.29 % with 99 % confidence");
        let some_over = ruled_out(&findings(|request| request % 7 == 0, 1), 0.99);
        assert!(some_over.starts_with("less than ") && some_over.ends_with(" %, each with 99 % confidence"));
        let all_over = ruled_out(&findings(|_| true, 1), 0.99);
        assert!(all_over.starts_with("less than 99.") && all_over.ends_with(" % with 99 % confidence"));
        assert!(!all_over.contains("more than"), "nothing is more than all: {all_over}");
    }

    #[test]
    fn latencies_that_never_come_near_the_limit_are_said_to_be_correlated_by_themselves() {
        let said = unseen_correlation(&findings(|_| false, 1), None);
        let start = "no request came near the limit, so the run does not show whether slow ones come together (the latencies \
                     themselves are correlated over about ";
        assert!(said.starts_with(start), "{said}");
    }
}

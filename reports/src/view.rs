//! Look-ups and wordings that several renderers share: which phase, which percentile, which restart, what to call it.
//!
//! Everything is picked from the record as it stands; nothing is estimated or decided here.

use crate::record::{
    BackendOutcome, BackendRecord, ColdStart, Indicator, Latency, Objective, Percentile, Phase, PhaseSummary,
    RunRecord, RunStatus, Verdict,
};
use crate::units;

/// Written for a percentile that falls among the failed requests.
pub(crate) const AMONG_FAILURES: &str = "failed";

/// The summary of one phase, if the backend has it.
pub(crate) fn phase(backend: &BackendRecord, phase: Phase) -> Option<&PhaseSummary> {
    backend.phases.iter().find(|summary| summary.phase == phase)
}

/// The response times of one phase, if any request of it was answered.
pub(crate) fn latency(backend: &BackendRecord, of: Phase) -> Option<&Latency> {
    phase(backend, of)?.response_time.as_ref()
}

/// A percentile, if the count carried it.
pub(crate) fn percentile(latency: &Latency, quantile: f64) -> Option<&Percentile> {
    latency.percentiles.iter().find(|percentile| (percentile.quantile - quantile).abs() < 1e-9)
}

/// A percentile as text: `-` where the count cannot carry it, `failed` where it falls among the failures.
pub(crate) fn percentile_text(latency: Option<&Latency>, quantile: f64) -> String {
    match latency.and_then(|latency| percentile(latency, quantile)) {
        None => units::ABSENT.to_owned(),
        Some(percentile) => nanoseconds_or(percentile.value_ns, AMONG_FAILURES),
    }
}

/// A percentile's interval as text in the unit of its estimate: `7.02-7.31`, or `>= 7.02` without an upper bound.
pub(crate) fn interval_text(latency: Option<&Latency>, quantile: f64) -> Option<String> {
    let percentile = percentile(latency?, quantile)?;
    let low = percentile.low_ns? as f64;
    let around = percentile.value_ns.map_or(low, |value| value as f64);
    Some(units::duration_range(around, low, percentile.high_ns.map(|high| high as f64)))
}

/// A duration, or `otherwise` where there is none.
pub(crate) fn nanoseconds_or(nanoseconds: Option<u64>, otherwise: &str) -> String {
    nanoseconds.map_or_else(|| otherwise.to_owned(), |value| units::duration(value as f64))
}

/// The restart whose total is in the middle; of two middle ones the faster, so that it is one that happened.
pub(crate) fn median_restart(cold_starts: &[ColdStart]) -> Option<&ColdStart> {
    let mut ordered: Vec<_> = cold_starts.iter().collect();
    ordered.sort_by_key(|start| start.total_ns);
    // The mean of two middle ones would be a restart that never was, with stages that add up to nothing measured.
    ordered.get(ordered.len().checked_sub(1)? / 2).copied()
}

/// The stages of a cold start in the order in which they happen; `None` for one that did not happen or is not known.
pub(crate) fn cold_start_stages(start: &ColdStart) -> [(&'static str, Option<u64>); 4] {
    [
        ("spawn", start.spawn_ns),
        ("import", start.import_ns),
        ("load", Some(start.load_ns)),
        ("first embedding", Some(start.first_embedding_ns)),
    ]
}

/// A labeled line across a picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    /// In the unit of the axis it crosses.
    pub value: f64,
    /// For example `P95 limit 20 ms`.
    pub label: String,
    /// Names of the backends that it is set for; `None` for all.
    pub backends: Option<Vec<String>>,
}

impl Limit {
    /// Whether it is set for this backend, by its own name or by that of the one it is a variation of.
    pub(crate) fn applies_to(&self, backend: &BackendRecord) -> bool {
        is_among(self.backends.as_deref(), backend)
    }
}

/// Whether the objective is asked of that backend, by its own name or by that of the one it is a variation of.
pub(crate) fn is_asked_of(objective: &Objective, backend: &BackendRecord) -> bool {
    is_among(objective.backends.as_deref(), backend)
}

/// Whether one of the names is meant to be this backend's; without names all are.
fn is_among(names: Option<&[String]>, backend: &BackendRecord) -> bool {
    let own =
        |name: &String| *name == backend.name || backend.cell.as_ref().is_some_and(|cell| cell.of == *name);
    names.is_none_or(|names| names.iter().any(own))
}

/// The limits on the response time that objectives set, in nanoseconds, lowest first, each once.
pub(crate) fn limits(record: &RunRecord) -> Vec<Limit> {
    let mut limits: Vec<Limit> = record
        .objectives
        .iter()
        .filter(|objective| objective.limit.is_finite() && objective.limit > 0.0)
        .filter_map(|objective| {
            let Indicator::ResponseTime { quantile } = objective.indicator else { return None };
            let (name, limit) = (units::percentile(quantile), units::tick(objective.limit));
            let some = if objective.backends.is_some() { " (some)" } else { "" };
            let label = format!("{name} limit {limit}{some}");
            Some(Limit { value: objective.limit, label, backends: objective.backends.clone() })
        })
        .collect();
    limits.sort_by(|a, b| a.value.total_cmp(&b.value).then_with(|| a.label.cmp(&b.label)));
    limits.dedup();
    limits
}

/// The worst of a backend's verdicts, in the order that the record's overall verdict is the worst of all.
pub(crate) fn worst_verdict(backend: &BackendRecord) -> Option<Verdict> {
    backend.verdicts.iter().map(|judged| judged.verdict).max()
}

/// A verdict in capitals.
pub(crate) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Fail => "FAIL",
    }
}

/// What stands where a verdict would: the verdict, or why there is none, in a word or two.
pub(crate) fn verdict_or_state(backend: &BackendRecord) -> &'static str {
    match (&backend.outcome, worst_verdict(backend)) {
        (BackendOutcome::Broken { .. }, _) => "broken",
        (BackendOutcome::Wrong { .. }, _) => "wrong",
        (BackendOutcome::NotAvailable { .. }, _) => "not available",
        (BackendOutcome::NotAsRequired { .. }, _) => "not as required",
        (_, Some(verdict)) => verdict_name(verdict),
        (BackendOutcome::Pending, None) => "unfinished",
        (BackendOutcome::Measured, None) => "not judged",
    }
}

/// The same, and of several objectives how many ended so: a backend may be fast and still miss another objective.
pub(crate) fn verdict_and_objectives(backend: &BackendRecord) -> String {
    let state = verdict_or_state(backend);
    let so = backend.verdicts.iter().filter(|judged| verdict_name(judged.verdict) == state).count();
    match backend.verdicts.len() {
        0 | 1 => state.to_owned(),
        _ if so == 0 => state.to_owned(),
        all => format!("{state} ({so} of {all})"),
    }
}

/// Why a backend has no complete measurement, for example `("not available here", "no MPS device")`.
pub(crate) fn trouble(backend: &BackendRecord) -> Option<(&'static str, &str)> {
    match &backend.outcome {
        BackendOutcome::Measured => None,
        BackendOutcome::Pending => Some(("unfinished", "the run ended before this backend was done")),
        BackendOutcome::NotAvailable { why } => Some(("not available here", why)),
        BackendOutcome::NotAsRequired { why } => Some(("not what was asked for", why)),
        BackendOutcome::Wrong { why } => Some(("wrong", why)),
        BackendOutcome::Broken { why } => Some(("broken", why)),
    }
}

/// Whether anything of the backend was timed.
pub(crate) fn was_timed(backend: &BackendRecord) -> bool {
    !backend.cold_starts.is_empty() || backend.phases.iter().any(|phase| phase.requests > 0)
}

/// What to say of a run that did not end as planned; `None` when it did.
pub(crate) fn status_sentence(status: &RunStatus) -> Option<String> {
    match status {
        RunStatus::Complete => None,
        RunStatus::Running => Some(
            "The run was still going on when this was written; the figures cover what was measured by then."
                .to_owned(),
        ),
        RunStatus::Interrupted { during, after_ns, by } => {
            let after = after_ns.map(|after| format!(" after {}", units::duration(after as f64)));
            let after = after.unwrap_or_default();
            Some(format!(
                "Interrupted{after} during {during} ({by}); the figures cover what was measured until then."
            ))
        }
    }
}

/// Why a run has no overall verdict.
pub(crate) fn no_verdict(record: &RunRecord) -> &'static str {
    if record.backends.iter().any(|backend| !backend.verdicts.is_empty()) {
        "none, because not everything was judged"
    } else {
        "none, because nothing was judged"
    }
}

/// A text on one line: line breaks and other control characters become single spaces, and what would turn the direction in which the
/// rest of a line is read is left out.
pub(crate) fn one_line(text: &str) -> String {
    let spaced = text.replace(char::is_control, " ").replace(turns_direction, "");
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a character changes the direction of those after it (Unicode's bidirectional formatting characters).
pub(crate) fn turns_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restart(restart: u32, total_ns: u64) -> ColdStart {
        ColdStart {
            restart,
            spawn_ns: None,
            import_ns: None,
            load_ns: 0,
            first_embedding_ns: total_ns,
            total_ns,
        }
    }

    #[test]
    fn the_median_restart_is_one_that_happened() {
        assert_eq!(median_restart(&[]), None);
        let starts = [restart(1, 900), restart(2, 300), restart(3, 500), restart(4, 400)];
        assert_eq!(median_restart(&starts).map(|start| start.restart), Some(4));
        assert_eq!(median_restart(&starts[..3]).map(|start| start.restart), Some(3));
    }

    #[test]
    fn an_interrupted_run_says_when_where_and_by_whom() {
        let interrupted = |after_ns, by: &str| {
            let during = "steady state of onnx-cpu".to_owned();
            status_sentence(&RunStatus::Interrupted { during, after_ns, by: by.to_owned() })
        };
        assert_eq!(
            interrupted(Some(41_300_000_000), "stopped by the user").as_deref(),
            Some(
                "Interrupted after 41.3 s during steady state of onnx-cpu (stopped by the user); the figures cover what \
                 was measured until then."
            )
        );
        assert_eq!(
            interrupted(None, "tailmark was killed").as_deref(),
            Some(
                "Interrupted during steady state of onnx-cpu (tailmark was killed); the figures cover what was \
                 measured until then."
            )
        );
        assert_eq!(status_sentence(&RunStatus::Complete), None);
        let unended = status_sentence(&RunStatus::Running).unwrap_or_default();
        assert!(unended.starts_with("The run was still going on when this was written"), "{unended}");
    }

    #[test]
    fn a_text_of_many_lines_becomes_one() {
        assert_eq!(one_line("a\n\tb\u{1b}[31m  c\r\n"), "a b [31m c");
    }
}

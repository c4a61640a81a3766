//! What a run comes to for somebody who has to choose, in sentences that are the same everywhere: which backend to deploy, how sure
//! that is, how far the others are from it, and what was not measured.

use super::equivalence::in_short as class;
use crate::indicator;
use crate::record::{
    BackendRecord, Decision, DecisionRow, Equivalence, Indicator, Objective, Preference, RatioInterval,
    RunRecord, Standing, Verdict,
};
use crate::units;

/// Longer reasons are for the parts of a report that have room.
const LONGEST_WHY: usize = 90;

/// The answer first, then a sentence for each other backend.
pub(crate) fn decision(record: &RunRecord) -> Vec<String> {
    let Some(decision) = &record.decision else { return Vec::new() };
    let mut said = vec![answer(record, decision)];
    said.extend(decision.rows.iter().skip(1).filter_map(|row| other(record, decision, row)));
    let first = decision.rows.first().filter(|row| row.standing == Standing::NotMeasured);
    said.extend(first.and_then(|row| other(record, decision, row)));
    said
}

/// What they are ranked by, for example `P95 response time`.
pub(crate) fn figure(decision: &Decision) -> String {
    match (decision.prefer, decision.quantile) {
        (Preference::Latency, Some(quantile)) if decision.service_time => {
            indicator::name(&Indicator::ServiceTime { quantile })
        }
        (Preference::Latency, quantile) => {
            indicator::name(&Indicator::ResponseTime { quantile: quantile.unwrap_or(0.95) })
        }
        (Preference::Throughput, _) => "throughput".to_owned(),
        (Preference::Memory, _) => "peak RSS".to_owned(),
        (Preference::Cost, _) => "price of a million texts".to_owned(),
        (Preference::ColdStart, _) => "cold start (geometric mean)".to_owned(),
    }
}

/// A value of the figure, with its unit.
pub(crate) fn value(decision: &Decision, value: f64) -> String {
    match decision.prefer {
        Preference::Latency | Preference::ColdStart => units::duration(value),
        Preference::Throughput => indicator::value(&Indicator::Throughput, value),
        Preference::Memory => units::bytes(value.max(0.0).round() as u64),
        Preference::Cost => units::figure(value),
    }
}

/// A ratio with its interval, for example `1.35 (1.22 to 1.50)`.
pub(crate) fn ratio(ratio: &RatioInterval) -> String {
    match (ratio.low, ratio.high) {
        (Some(low), Some(high)) => format!("{} ({} to {})", two(ratio.value), two(low), two(high)),
        _ => format!("{} (too few restarts for an interval)", two(ratio.value)),
    }
}

fn two(ratio: f64) -> String {
    if ratio >= 100.0 { units::figure(ratio) } else { format!("{ratio:.2}") }
}

fn answer(record: &RunRecord, decision: &Decision) -> String {
    if let Some(why) = &decision.unranked_because {
        return format!("No backend is recommended: {why}, so they are not ranked.");
    }
    let first = decision.rows.first();
    match (first, &decision.answer) {
        (Some(row), Some(_)) => recommended(record, decision, row),
        (Some(row), None) if row.standing == Standing::Best => {
            let best = if decision.prefer.more_is_better() { "Highest" } else { "Lowest" };
            let shown = row.value.map_or_else(String::new, |found| format!(", {}", value(decision, found)));
            format!(
                "No objective is set, so nothing passes. {best} {}: {}{shown}.",
                figure(decision),
                label(record, row)
            )
        }
        (Some(row), None) if row.standing != Standing::NotMeasured => closest(record, row),
        _ => "No backend was measured, so none is recommended.".to_owned(),
    }
}

/// `Deploy onnx-cpu: P95 response time 7.20 ms of 20 ms, at most a 1 % chance of error.`
fn recommended(record: &RunRecord, decision: &Decision, row: &DecisionRow) -> String {
    let shown = row.value.map_or_else(String::new, |found| value(decision, found));
    let judged: Vec<&Objective> = of(record, row)
        .into_iter()
        .flat_map(|backend| &backend.verdicts)
        .filter_map(|judged| record.objectives.get(judged.objective))
        .collect();
    let preferred = judged.iter().find(|objective| is_preferred(decision, objective));
    let of_limit = preferred.map_or_else(String::new, |objective| {
        format!(" of {}", indicator::limit(&objective.indicator, objective.limit))
    });
    // Each verdict is wrong as rarely as it says; together they are wrong at most as often as all of them.
    let error: f64 = judged.iter().map(|objective| 1.0 - objective.confidence).sum();
    let others = match (judged.len(), preferred) {
        (0 | 1, Some(_)) => String::new(),
        (1, None) => format!("; it meets {}", judged[0].text),
        (count, _) => format!("; it meets all {count} objectives"),
    };
    let vectors = match of(record, row).map(|backend| &backend.equivalence) {
        Some(Equivalence::NotChecked { .. }) => "; its vectors were not compared".to_owned(),
        Some(equivalence) if class(equivalence) != "exact" => {
            format!("; its vectors are {}, not exact", class(equivalence))
        }
        _ => String::new(),
    };
    format!(
        "Deploy {}: {} {shown}{of_limit}, at most a {} chance of error{others}{vectors}.",
        label(record, row),
        figure(decision),
        units::percent(error.min(1.0))
    )
}

/// Whether an objective judges the figure that backends are ranked by.
fn is_preferred(decision: &Decision, objective: &Objective) -> bool {
    match (decision.prefer, objective.indicator) {
        (Preference::Latency, Indicator::ResponseTime { quantile }) => {
            !decision.service_time && decision.quantile == Some(quantile)
        }
        (Preference::Latency, Indicator::ServiceTime { quantile }) => {
            decision.service_time && decision.quantile == Some(quantile)
        }
        (Preference::Throughput, Indicator::Throughput) | (Preference::Memory, Indicator::PeakRss) => true,
        _ => false,
    }
}

/// Nothing meets every objective: what comes closest, and what would settle it.
fn closest(record: &RunRecord, row: &DecisionRow) -> String {
    let backend = of(record, row);
    let worst = backend.and_then(|backend| backend.verdicts.iter().max_by_key(|judged| judged.verdict));
    let mut said = format!("No backend meets every objective. {} comes closest", label(record, row));
    if let Some(judged) = worst
        && let Some(objective) = record.objectives.get(judged.objective)
    {
        let found = judged.estimate.as_ref().map_or_else(String::new, |estimate| {
            format!("{}, ", indicator::value(&objective.indicator, estimate.value))
        });
        let word = match judged.verdict {
            Verdict::Fail => "missed",
            _ => "undecided",
        };
        said.push_str(&format!(": {}: {found}{word}", objective.text));
        if let Some(next) = judged.next.as_ref().filter(|_| judged.verdict == Verdict::Inconclusive) {
            said.push_str(&format!("; to settle it: {next}"));
        }
    }
    said.push('.');
    said
}

/// A sentence about a backend that is not the answer.
fn other(record: &RunRecord, decision: &Decision, row: &DecisionRow) -> Option<String> {
    let name = label(record, row);
    let ratio = row.ratio.as_ref();
    let why = || shortened(row.why.as_deref().unwrap_or_default());
    Some(match row.standing {
        Standing::Best => return None,
        Standing::Same => format!("{name} is as good (ratio {}).", self::ratio(ratio?)),
        Standing::Tied => format!("{name} cannot be told from it (ratio {}).", self::ratio(ratio?)),
        Standing::Behind => format!("{name} {}.", behind(decision, ratio?)),
        Standing::OtherVectors => {
            let vectors = match of(record, row).map(|backend| &backend.equivalence) {
                Some(Equivalence::Checked { .. }) => {
                    let class = of(record, row).map_or("", |backend| class(&backend.equivalence));
                    format!("its vectors are {class}")
                }
                _ => "its vectors were not compared".to_owned(),
            };
            let ratio =
                ratio.map_or_else(String::new, |found| format!(", {} {}", figure(decision), ratio_to(found)));
            format!("{name} meets the objectives too, but {vectors}: it is not ranked{ratio}.")
        }
        Standing::Undecided | Standing::Misses if decision.unranked_because.is_some() => {
            format!("{name}: {}.", why())
        }
        Standing::Undecided => format!("{name} is not ranked: {}.", why()),
        Standing::Misses => format!("{name} {}.", why()),
        Standing::NotMeasured => format!("{name} was not measured: {}.", why()),
    })
    // A reason that was cut has its dots already.
    .map(|said| if said.ends_with("....") { said.trim_end_matches('.').to_owned() + "..." } else { said })
}

fn ratio_to(found: &RatioInterval) -> String {
    format!("{} of the answer's", ratio(found))
}

fn behind(decision: &Decision, found: &RatioInterval) -> String {
    let ratio = ratio(found);
    match decision.prefer {
        Preference::Latency => format!("takes {ratio} times as long"),
        Preference::ColdStart => format!("takes {ratio} times as long to start"),
        Preference::Throughput => format!("does {ratio} of its throughput"),
        Preference::Memory => format!("needs {ratio} times the memory"),
        Preference::Cost => format!("costs {ratio} times as much"),
    }
}

fn of<'a>(record: &'a RunRecord, row: &DecisionRow) -> Option<&'a BackendRecord> {
    record.backends.iter().find(|backend| backend.name == row.backend)
}

fn label(record: &RunRecord, row: &DecisionRow) -> String {
    of(record, row).map_or_else(|| row.backend.clone(), |backend| backend.label.clone())
}

/// The first line of a reason, no longer than fits a sentence, without its full stop.
fn shortened(why: &str) -> String {
    let line = why.lines().next().unwrap_or_default().trim_end_matches('.');
    if line.chars().count() <= LONGEST_WHY {
        return line.to_owned();
    }
    let cut: String = line.chars().take(LONGEST_WHY).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole);
    format!("{}...", whole.trim_end_matches([',', ';', ':', '.']))
}

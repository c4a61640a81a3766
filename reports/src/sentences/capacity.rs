//! A capacity in words: the highest rate that passed, the lowest that failed, and what is not known.

use super::deciding_bound;
use crate::record::{Capacity, LittlesLaw, RunRecord, Verdict};
use crate::units::{percent, rate};
use crate::variations::{is_untested, levels, listed};
use crate::view::verdict_name;

/// What the backend sustains, in one sentence that begins with its name.
pub(crate) fn headline(record: &RunRecord, capacity: &Capacity) -> String {
    format!("{}: {}", capacity.backend, answer(record, capacity))
}

/// The same without the name.
pub(crate) fn answer(record: &RunRecord, capacity: &Capacity) -> String {
    if let Some(why) = &capacity.why_not {
        return format!("no answer: {why}");
    }
    let mut said = Vec::new();
    said.push(match capacity.highest_pass {
        Some(pass) => format!("sustains {}", certified(record, capacity, pass, Verdict::Pass)),
        None => "no rate passed".to_owned(),
    });
    if let Some(fail) = capacity.lowest_fail {
        said.push(format!("fails at {}", certified(record, capacity, fail, Verdict::Fail)));
    }
    let undecided: Vec<String> = capacity
        .levels
        .iter()
        .filter(|level| level.verdict == Some(Verdict::Inconclusive))
        .map(|level| rate(level.offered_per_second))
        .collect();
    if !undecided.is_empty() {
        let name = verdict_name(Verdict::Inconclusive);
        said.push(format!("{} {} undecided ({name})", listed(&undecided), are(undecided.len())));
    }
    match (capacity.highest_pass, capacity.lowest_fail) {
        (Some(pass), Some(fail)) if pass < fail && undecided.is_empty() => {
            said.push("the rates between them are undecided".to_owned());
        }
        (Some(_), None) if undecided.is_empty() => {
            said.push("no higher rate failed".to_owned());
        }
        _ => {}
    }
    said.join("; ")
}

/// A rate with its verdict and how often that is wrong.
fn certified(record: &RunRecord, capacity: &Capacity, at: f64, verdict: Verdict) -> String {
    let (name, rate) = (verdict_name(verdict), rate(at));
    let backend = levels(record, capacity)
        .find(|(level, _)| level.offered_per_second == at)
        .and_then(|(_, backend)| backend);
    match backend.and_then(deciding_bound) {
        Some(bound) => format!("{rate} ({name}, {bound})"),
        None => format!("{rate} ({name})"),
    }
}

/// The declared rates that were not tested; `None` when all were.
pub(crate) fn untested(record: &RunRecord, capacity: &Capacity) -> Option<String> {
    let rates: Vec<String> = levels(record, capacity)
        .filter(|(level, backend)| is_untested(level, *backend))
        .map(|(level, _)| rate(level.offered_per_second))
        .collect();
    let were = if rates.len() == 1 { "was" } else { "were" };
    (!rates.is_empty()).then(|| {
        format!(
            "{} {were} not tested, because a lower rate did not pass or the run ended first",
            listed(&rates)
        )
    })
}

fn are(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// lambda * W: the requests that Little's law expects in the system.
pub(crate) fn expected_in_system(law: &LittlesLaw) -> f64 {
    law.arrivals_per_second * law.response_seconds
}

/// A relative difference with its sign, for example `-0.25 %`.
pub(crate) fn difference(share: f64) -> String {
    let sign = match share {
        share if share < 0.0 => "-",
        share if share > 0.0 => "+",
        _ => "",
    };
    format!("{sign}{}", percent(share.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::record::BackendOutcome;

    fn said(change: impl FnOnce(&mut Capacity)) -> String {
        let mut record = fixture::capacity();
        let mut capacity = record.capacities.remove(0);
        change(&mut capacity);
        headline(&record, &capacity)
    }

    #[test]
    fn the_headline_says_what_is_known_on_both_sides_and_what_is_not() {
        assert_eq!(
            said(|_| ()),
            "onnx-cpu: sustains 96.0/s (PASS, wrong at most 1 % of the time); fails at 132/s (FAIL, wrong at most 1 % \
             of the time); the rates between them are undecided"
        );
        let inconclusive = said(|capacity| {
            capacity.lowest_fail = None;
            capacity.levels[2].verdict = Some(Verdict::Inconclusive);
        });
        assert_eq!(
            inconclusive,
            "onnx-cpu: sustains 96.0/s (PASS, wrong at most 1 % of the time); 132/s is undecided (INCONCLUSIVE)"
        );
        let all_passed = said(|capacity| {
            capacity.lowest_fail = None;
            capacity.levels.truncate(2);
        });
        assert!(all_passed.ends_with("; no higher rate failed"), "{all_passed}");
        let none = said(|capacity| (capacity.highest_pass, capacity.lowest_fail) = (None, Some(80.0)));
        assert!(none.starts_with("onnx-cpu: no rate passed; fails at 80.0/s (FAIL"), "{none}");
        let no_answer = said(|capacity| capacity.why_not = Some("it broke".into()));
        assert_eq!(no_answer, "onnx-cpu: no answer: it broke");
    }

    #[test]
    fn rates_that_were_not_tested_are_named() {
        let mut record = fixture::capacity();
        let said = |record: &RunRecord, index: usize| untested(record, &record.capacities[index]);
        assert!(said(&record, 0).is_some_and(|said| said.starts_with("160/s was not tested")));
        assert!(said(&record, 1).is_some_and(|said| said.starts_with("80.0/s and 90.0/s were not")));
        assert_eq!(said(&record, 2), None);
        record.backends[3].outcome = BackendOutcome::Broken { why: "the worker ended".into() };
        assert_eq!(said(&record, 0), None, "it was tested, and broke");
    }

    #[test]
    fn a_difference_has_its_sign() {
        assert_eq!([difference(-0.002_5), difference(0.0), difference(0.123)], ["-0.25 %", "0 %", "+12.3 %"]);
    }
}

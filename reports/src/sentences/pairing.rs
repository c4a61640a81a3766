//! What measuring two backends in turn comes to, in sentences that are the same everywhere.

use super::decision::ratio;
use crate::record::{Claim, Indicator, PairedFigure, PairedOutcome, Pairing, RunRecord};
use crate::{indicator, units};

/// The finding first, then what the sequential test and the control say, and what is missing.
pub(crate) fn pairing(record: &RunRecord) -> Vec<String> {
    let Some(pairing) = &record.pairing else { return Vec::new() };
    let mut said = vec![finding(pairing)];
    said.extend(claim(pairing));
    said.extend(control(pairing));
    said.extend(pairing.why_not_all.as_ref().map(|why| {
        let why = why.lines().next().unwrap_or_default().trim_end_matches('.');
        format!("{} done, and no more: {why}.", units::counted(pairing.replicates.len() as u64, "replicate"))
    }));
    if pairing.lost > 0 {
        let lost = units::counted(u64::from(pairing.lost), "replicate");
        said.push(format!("{lost} more did not come to the end and is in no ratio."));
    }
    said
}

/// What was done, in a sentence.
pub(crate) fn method(pairing: &Pairing) -> String {
    let Pairing { blocks, requests, settling, .. } = pairing;
    let draws = match pairing.replicates.len() {
        0 | 1 => {
            "The interval is that of the pairs of blocks, and tells of these two processes alone".to_owned()
        }
        several => format!(
            "Each interval is that of {several} replicates, each with a fresh process of both, and holds by itself with {} confidence",
            units::percent(pairing.confidence)
        ),
    };
    let early = match pairing.stopped_early {
        true => {
            " The measuring ended when the sequential test had decided, so the claim holds as it stands, and the intervals are those of \
              a chosen moment."
        }
        false => "",
    };
    format!(
        "Both were alive at once and took turns on the same texts: {blocks} blocks of {requests} requests each in a replicate, in an order \
         that is drawn and then mirrored, after {settling} requests in each block that do not count. {draws}. Figures are equivalent if the \
         interval is within {} of 1 (docs/METHODOLOGY.md).{early}",
        units::percent(pairing.within)
    )
}

/// The outcome of a figure in a word or two.
pub(crate) fn word(figure: &PairedFigure) -> &'static str {
    let rate = figure.indicator == Indicator::Throughput;
    match figure.outcome {
        PairedOutcome::Equivalent => "equivalent",
        PairedOutcome::NoDifference => "no difference found",
        PairedOutcome::Better if rate => "higher",
        PairedOutcome::Worse if rate => "lower",
        PairedOutcome::Better => "faster",
        PairedOutcome::Worse => "slower",
    }
}

/// `rten-cpu is slower than onnx-cpu: its P95 response time is 1.08 (1.05 to 1.11) times as long.`
fn finding(pairing: &Pairing) -> String {
    let (first, second) = names(pairing);
    let Some(asked) = pairing.figures.first().filter(|figure| is_asked(pairing, figure)) else {
        return format!(
            "{second} was to be compared with {first} in turn, and too few requests were made to tell."
        );
    };
    let name = indicator::name(&asked.indicator);
    let found = ratio(&asked.ratio);
    match asked.outcome {
        PairedOutcome::Worse | PairedOutcome::Better => {
            format!("{second} is {} than {first}: its {name} is {found} times as long.", word(asked))
        }
        PairedOutcome::Equivalent => {
            let within = units::percent(pairing.within);
            format!("{second} is as fast as {first}, within {within}: the ratio of their {name} is {found}.")
        }
        PairedOutcome::NoDifference => {
            let smallest = asked.smallest.map_or_else(String::new, |smallest| {
                format!(" A difference of {} would be found four times out of five.", percent(smallest))
            });
            let value = asked.ratio.value;
            let is_near = (1.0 / (1.0 + pairing.within)..=1.0 + pairing.within).contains(&value);
            let found_none = match is_near {
                true => format!("No difference found between {second} and {first}"),
                false => {
                    format!(
                        "Whether {second} differs from {first} is open, for the replicates disagree too much"
                    )
                }
            };
            format!("{found_none}: the ratio of their {name} is {found}.{smallest}")
        }
    }
}

/// A share as few digits as tell it: `4.2 %`.
fn percent(share: f64) -> String {
    format!("{} %", units::figure(100.0 * share))
}

fn is_asked(pairing: &Pairing, figure: &PairedFigure) -> bool {
    figure.indicator == Indicator::ResponseTime { quantile: pairing.quantile }
}

fn claim(pairing: &Pairing) -> Option<String> {
    let found = pairing.sequential.as_ref()?;
    let (first, second) = names(pairing);
    let at = indicator::name(&Indicator::ResponseTime { quantile: pairing.quantile });
    let within = units::percent(pairing.within);
    let error = units::percent(1.0 - pairing.confidence);
    let after = format!("after {} of each", units::counted(found.after, "request"));
    Some(match found.claim {
        Claim::NoSlower => format!(
            "By the test that may be looked at any time, the {at} of {second} is at most {within} above that of {first}, with at most a \
             {error} chance of error, {after}."
        ),
        Claim::Slower => format!(
            "By the test that may be looked at any time, the {at} of {second} is above that of {first}, with at most a {error} chance of \
             error, {after}."
        ),
        Claim::SlowerWithin => format!(
            "By the test that may be looked at any time, the {at} of {second} is above that of {first}, and by at most {within}, each with at \
             most a {error} chance of error, {after}."
        ),
        Claim::Open => format!(
            "The test that may be looked at any time cannot tell yet, {after}, whether the {at} of {second} is above that of {first} or at \
             most {within} above it."
        ),
    })
}

fn control(pairing: &Pairing) -> Option<String> {
    let figures = pairing.control.as_ref()?;
    let first = &pairing.first;
    let Some(asked) = figures.first().filter(|figure| is_asked(pairing, figure)) else {
        return Some(format!(
            "{first} was to be compared with itself, and too few requests were made to tell."
        ));
    };
    let found = ratio(&asked.ratio);
    Some(match asked.outcome {
        PairedOutcome::Equivalent | PairedOutcome::NoDifference => {
            format!(
                "Control: {first} against itself, in the same turns: {found}, {}, as it should be.",
                word(asked)
            )
        }
        PairedOutcome::Better | PairedOutcome::Worse => format!(
            "Control: {first} against itself, in the same turns, is {found}: a difference where there is none, so do not trust a difference \
             of that size between the two."
        ),
    })
}

/// The two, told apart where they are one backend.
fn names(pairing: &Pairing) -> (String, String) {
    let Pairing { first, second, .. } = pairing;
    match first == second {
        true => (first.clone(), format!("a second process of {second}")),
        false => (first.clone(), second.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::paired;
    use crate::record::Sequential;

    #[test]
    fn the_finding_says_which_one_and_by_how_much() {
        let mut record = paired();
        let said = pairing(&record);
        assert_eq!(
            said[0],
            "rten-cpu is slower than onnx-cpu: its P95 response time is 1.38 (1.36 to 1.40) times as long."
        );
        let found = record.pairing.as_mut().expect("a pairing");
        found.figures[0].outcome = PairedOutcome::NoDifference;
        found.second = "onnx-cpu".into();
        assert_eq!(
            pairing(&record)[0],
            "Whether a second process of onnx-cpu differs from onnx-cpu is open, for the replicates disagree too much: the ratio of \
             their P95 response time is 1.38 (1.36 to 1.40). A difference of 2.10 % would be found four times out of five."
        );
    }

    #[test]
    fn what_is_open_or_lost_is_said() {
        let mut record = paired();
        let found = record.pairing.as_mut().expect("a pairing");
        let sequential = found.sequential.clone().expect("a test");
        found.sequential = Some(Sequential { claim: Claim::Open, ..sequential });
        found.lost = 1;
        found.why_not_all = Some("rten-cpu broke: it exited\nwith more".into());
        found.figures.clear();
        let said = pairing(&record).join(" ");
        for part in ["too few requests", "cannot tell yet", "rten-cpu broke: it exited.", "1 replicate more"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

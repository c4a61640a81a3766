use super::*;
use crate::verdict::simulation::{Backend, Process};

const QUESTION: Question = Question { quantile: 0.95, within: 0.05, confidence: 0.95 };

/// Two backends of which the second takes so much longer, in five replicates of eight pairs of blocks.
fn comparing(slower: f64, seed: u64) -> Comparing {
    let process = Process::AutoRegressive { rho: 0.0 };
    let mut backends = [Backend::new(process, 0.05, 2 * seed), Backend::new(process, 0.05, 2 * seed + 1)];
    let mut comparing = Comparing::new(QUESTION);
    let mut now = 0;
    for _ in 0..5 {
        comparing.begin_replicate();
        for _ in 0..8 {
            comparing.begin_pair();
            for (side, backend, factor) in [(Side::First, 0, 1.0), (Side::Second, 1, slower)] {
                for number in 0..125 {
                    let time = (backends[backend].respond().expect("none fails") as f64 * factor) as u64;
                    comparing.add(side, &Sample::steady(1, number, now, Some(time)));
                    now += time;
                }
            }
            comparing.look();
        }
    }
    comparing
}

fn asked(comparing: &Comparing) -> PairedOutcome {
    comparing.figures()[0].outcome
}

#[test]
fn a_backend_against_itself_is_no_different() {
    let outcomes: Vec<PairedOutcome> = (0..20).map(|seed| asked(&comparing(1.0, seed))).collect();
    let alike = [PairedOutcome::Equivalent, PairedOutcome::NoDifference];
    let right = outcomes.iter().filter(|outcome| alike.contains(outcome)).count();
    assert!(right >= 19, "{outcomes:?}");
}

#[test]
fn eight_blocks_find_a_difference_of_five_percent() {
    let outcomes: Vec<PairedOutcome> = (0..20).map(|seed| asked(&comparing(1.05, seed))).collect();
    let found = outcomes.iter().filter(|outcome| **outcome == PairedOutcome::Worse).count();
    assert!(found >= 16, "{outcomes:?}");
}

#[test]
fn what_is_claimed_at_any_look_is_true_and_stands() {
    for seed in 0..10 {
        let claim = |slower: f64| comparing(slower, seed).sequential().expect("enough to tell").claim;
        assert!(matches!(claim(1.0), Claim::NoSlower | Claim::Open), "seed {seed}");
        assert_eq!(claim(1.25), Claim::Slower, "seed {seed}");
        assert_eq!(claim(0.85), Claim::NoSlower, "seed {seed}");
    }
    let mut early = comparing(1.25, 1);
    let after = early.sequential().expect("a claim").after;
    assert!(after < 5_000, "{after}");
    assert_eq!(early.look(), Claim::Slower);
}

#[test]
fn an_interval_says_one_thing() {
    let at = |low: f64, high: f64| Ratio { value: (low * high).sqrt(), interval: Some((low, high)) };
    for (ratio, time, rate) in [
        (at(0.98, 1.03), PairedOutcome::Equivalent, PairedOutcome::Equivalent),
        // Different for certain, and by less than anybody asked about.
        (at(1.01, 1.03), PairedOutcome::Equivalent, PairedOutcome::Equivalent),
        (at(1.01, 1.08), PairedOutcome::Worse, PairedOutcome::Better),
        (at(0.90, 0.99), PairedOutcome::Better, PairedOutcome::Worse),
        (at(0.90, 1.02), PairedOutcome::NoDifference, PairedOutcome::NoDifference),
        (Ratio { value: 2.0, interval: None }, PairedOutcome::NoDifference, PairedOutcome::NoDifference),
    ] {
        assert_eq!(outcome(&ratio, 0.05, false), time, "{ratio:?}");
        assert_eq!(outcome(&ratio, 0.05, true), rate, "{ratio:?}");
    }
}

#[test]
fn the_ratio_is_turned_around_for_whoever_asks_the_other_way() {
    let found = comparing(1.25, 2);
    let pairing = Pairing {
        first: "a".to_owned(),
        second: "b".to_owned(),
        blocks: 8,
        requests: 125,
        settling: 12,
        replicates: Vec::new(),
        lost: 0,
        quantile: 0.95,
        within: 0.05,
        confidence: 0.95,
        figures: found.figures(),
        control: None,
        sequential: None,
        stopped_early: false,
        why_not_all: None,
    };
    let figure = Figure::ResponseTime(0.95);
    let ratio = ratio_of(&pairing, "b", "a", figure).expect("they were paired");
    let turned = ratio_of(&pairing, "a", "b", figure).expect("they were paired");
    assert!(ratio.value > 1.0 && (ratio.value * turned.value - 1.0).abs() < 1e-12);
    assert!(turned.low < Some(turned.value) && turned.high > Some(turned.value), "{turned:?}");
    assert_eq!(ratio_of(&pairing, "a", "c", figure), None);
}

#[test]
fn what_was_claimed_in_a_replicate_goes_with_it() {
    let mut found = Comparing::new(QUESTION);
    found.begin_replicate();
    found.begin_pair();
    for number in 0..2_000 {
        let noise = number * 7_919 % 1_009;
        found.add(Side::First, &Sample::steady(1, number, 0, Some(10_000 + noise)));
        found.add(Side::Second, &Sample::steady(1, number, 0, Some(20_000 + noise)));
    }
    assert_eq!(found.look(), Claim::Slower);
    found.drop_replicate();
    assert_eq!((found.look(), found.sequential()), (Claim::Open, None));
}

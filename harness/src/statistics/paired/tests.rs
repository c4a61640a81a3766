use super::*;
use crate::verdict::simulation::{Backend, Process};

fn sample(number: u64, time: Option<u64>) -> Sample {
    Sample::steady(1, number, 0, time)
}

/// Two backends of which the second takes so much longer, in a fixed number of replicates of eight pairs.
fn paired(slower: f64, replicates: u32, seed: u64) -> Paired {
    let process = Process::AutoRegressive { rho: 0.0 };
    let mut backends = [Backend::new(process, 0.05, 2 * seed), Backend::new(process, 0.05, 2 * seed + 1)];
    let mut paired = Paired::default();
    for _ in 0..replicates {
        paired.begin_replicate();
        for _ in 0..8 {
            paired.begin_pair();
            for (side, factor) in [(Side::First, 1.0), (Side::Second, slower)] {
                for number in 0..125 {
                    let time = backends[side.index()].respond().expect("none fails") as f64 * factor;
                    paired.add(side, &sample(number, Some(time as u64)));
                }
            }
        }
    }
    paired
}

#[test]
fn what_drifts_falls_on_both_alike() {
    let mut paired = Paired::default();
    for replicate in 0..4_u64 {
        paired.begin_replicate();
        for pair in 0..8_u64 {
            paired.begin_pair();
            // The machine gets slower all the time; the second takes a tenth longer.
            for number in 0..50 {
                let time = 1_000_000 + 100_000 * (8 * replicate + pair) + 1_000 * number;
                paired.add(Side::First, &sample(number, Some(time)));
                paired.add(Side::Second, &sample(number, Some(time * 11 / 10)));
            }
        }
    }
    let ratio = paired.estimate(Figure::ResponseTime(0.5)).unwrap().as_ratio(0.95);
    let (low, high) = ratio.interval.unwrap();
    assert!((ratio.value - 1.1).abs() < 0.001 && low > 1.09 && high < 1.11, "{ratio:?}");
    assert_eq!((paired.replicates(), paired.requests()), (4, [1_600, 1_600]));
}

#[test]
fn a_lost_replicate_leaves_nothing_and_failures_leave_no_figure() {
    let mut paired = paired(1.0, 2, 1);
    let before = paired.requests();
    paired.begin_replicate();
    paired.begin_pair();
    paired.add(Side::First, &sample(0, Some(7)));
    paired.drop_replicate();
    assert_eq!(paired.requests(), before);
    (0..200).for_each(|number| paired.add(Side::Second, &sample(number, None)));
    assert_eq!(paired.estimate(Figure::ResponseTime(0.95)), None);
    assert!(paired.estimate(Figure::ResponseTime(0.5)).is_some());
}

#[test]
fn of_one_replicate_the_pairs_of_blocks_are_the_draws() {
    assert_eq!(paired(1.0, 1, 3).estimate(Figure::ResponseTime(0.95)).unwrap().units, 8);
    assert_eq!(paired(1.0, 5, 3).estimate(Figure::ResponseTime(0.95)).unwrap().units, 5);
}

use super::*;
use crate::verdict::simulation::{Backend, Process};

fn times(slower: f64, requests: u64, seed: u64) -> TwoQuantiles {
    let process = Process::AutoRegressive { rho: 0.0 };
    let mut backends = [Backend::new(process, 0.05, 2 * seed), Backend::new(process, 0.05, 2 * seed + 1)];
    let mut both = TwoQuantiles::new(0.95);
    both.begin_replicate();
    for _ in 0..requests {
        for (side, factor) in [(Side::First, 1.0), (Side::Second, slower)] {
            let time = backends[side.index()].respond().expect("none fails") as f64 * factor;
            both.add(side, Some(time as u64));
        }
    }
    both
}

/// The least sum over every place where it can change, one by one.
fn least_of_all(both: &TwoQuantiles, side: Side, margin: f64) -> f64 {
    let of = |side: Side| both.sides[side.index()].sorted(both.quantile).unwrap();
    let (small, large) = (of(side), of(side.other()));
    let all = small.times.iter().map(|time| time / (1.0 + margin)).chain(large.times.iter().copied());
    let around = all.flat_map(|x| [x * (1.0 - 1e-12), x, x * (1.0 + 1e-12)]);
    let allowed = 1.0 - both.quantile;
    around
        .map(|x| {
            ln_evidence_below(allowed, small.counts_over((1.0 + margin) * x))
                + ln_evidence_above(allowed, large.counts_over(x))
        })
        .fold(f64::INFINITY, f64::min)
}

#[test]
fn the_bound_is_never_above_the_least_evidence_and_close_to_it() {
    for (slower, margin) in [(1.0, 0.05), (1.0, 0.2), (0.9, 0.0), (1.2, 0.05)] {
        let both = times(slower, 1_500, 7);
        let (bound, exact) =
            (both.ln_evidence_no_larger(Side::Second, margin), least_of_all(&both, Side::Second, margin));
        assert!(bound <= exact + 1e-9, "{slower}, {margin}: {bound} above {exact}");
        assert!(bound > exact - 1.0, "{slower}, {margin}: {bound} far below {exact}");
    }
}

#[test]
fn evidence_grows_for_what_is_true_and_not_for_what_is_false() {
    let strong = 0.01_f64.recip().ln();
    let both = times(1.2, 4_000, 3);
    assert!(both.ln_evidence_no_larger(Side::First, 0.0) > strong);
    assert!(both.ln_evidence_no_larger(Side::Second, 0.05) < 0.0);
    let alike = times(1.0, 4_000, 4);
    assert!(alike.ln_evidence_no_larger(Side::Second, 0.1) > strong);
    assert!(alike.ln_evidence_no_larger(Side::First, 0.0) < strong);
}

#[test]
fn requests_that_fail_are_the_slowest_and_too_few_tell_nothing() {
    let mut both = TwoQuantiles::new(0.95);
    both.begin_replicate();
    for number in 0..2_000_u64 {
        // Not in step with anything.
        let place = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        both.add(Side::First, Some(1_000 + place % 1_000));
        both.add(Side::Second, (place % 7 > 0).then_some(1_000 + place % 1_000));
    }
    assert!(both.ln_evidence_no_larger(Side::First, 0.0) > 10.0);
    assert!(both.ln_evidence_no_larger(Side::Second, 0.5) < 0.0);
    assert_eq!(times(1.0, 99, 1).ln_evidence_no_larger(Side::First, 0.5), f64::NEG_INFINITY);
}

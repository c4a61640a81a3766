//! The regularised incomplete beta function in log space, far into both tails. It knows nothing of tests or verdicts.
//!
//! The library's own version stops after 140 terms of the continued fraction and underflows below e^-745; with 100,000
//! requests both happen. Here the same fraction runs until it has converged, and the prefactor never leaves log space.

use statrs::function::beta::ln_beta;

/// ln I_x(a, b) and ln (1 - I_x(a, b)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogTails {
    /// ln of the mass of Beta(a, b) below x.
    pub below: f64,
    /// ln of the mass of Beta(a, b) above x.
    pub above: f64,
}

/// The two tails of Beta(a, b), cut at `x`, as logarithms.
///
/// `x` lies strictly between 0 and 1; `a` and `b` are positive and need not be whole. The smaller tail is computed
/// directly and keeps its relative accuracy (about 1e-10 at a + b = 100,000), however small it is.
pub fn log_tails(x: f64, a: f64, b: f64) -> LogTails {
    debug_assert!(x > 0.0 && x < 1.0 && a > 0.0 && b > 0.0);
    let prefactor = a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b);
    // The fraction converges fast on the near side of the mean, so that is the side it is asked about.
    if x < (a + 1.0) / (a + b + 2.0) {
        let below = (prefactor - a.ln() + continued_fraction(x, a, b).ln()).min(0.0);
        LogTails { below, above: ln_one_minus_exp(below) }
    } else {
        let above = (prefactor - b.ln() + continued_fraction(1.0 - x, b, a).ln()).min(0.0);
        LogTails { below: ln_one_minus_exp(above), above }
    }
}

/// ln (1 - e^v) for v <= 0, without losing the digits that cancel.
fn ln_one_minus_exp(v: f64) -> f64 {
    if v > -std::f64::consts::LN_2 { (-v.exp_m1()).ln() } else { (-v.exp()).ln_1p() }
}

/// The continued fraction 26.5.8 of Abramowitz & Stegun, by the modified Lentz algorithm.
///
/// Near the mean it needs about sqrt(max(a, b)) terms; the bound only guards against a caller's NaN.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const SMALLEST: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < SMALLEST { SMALLEST } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..100_000 {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 4.0 * f64::EPSILON {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the power series of the function, summed with 80 decimal digits.
    const REFERENCE: [(f64, f64, f64, f64, f64); 10] = [
        (0.05, 1.0, 1.0, -2.995_732_273_553_991, -0.051_293_294_387_550_53),
        (0.05, 1.0, 19.0, -0.473_776_501_642_859_5, -0.974_572_593_363_460_1),
        (0.05, 3.5, 97.25, -0.201_835_076_699_045_01, -1.699_525_089_658_063_2),
        (0.05, 2_001.0, 18_001.0, -417.804_218_084_660_93, 0.0),
        (0.05, 1_001.0, 99_001.0, 0.0, -2_477.811_068_362_12),
        (0.05, 3_001.0, 17_001.0, -1_410.587_037_933_870_3, 0.0),
        (0.05, 1.0, 20_001.0, 0.0, -1_025.917_181_045_398_2),
        (0.05, 5_001.0, 95_001.0, -0.700_117_389_104_740_1, -0.686_225_219_720_731_2),
        (0.05, 200.4, 20_000.6, 0.0, -507.331_300_245_961_4),
        (0.01, 12.3, 4_000.7, -7.335_260_389_163_959e-8, -16.427_987_870_118_63),
    ];

    #[test]
    fn both_tails_agree_with_the_power_series_far_beyond_the_reach_of_ordinary_numbers() {
        for (x, a, b, below, above) in REFERENCE {
            let found = log_tails(x, a, b);
            for (found, expected) in [(found.below, below), (found.above, above)] {
                assert!(
                    (found - expected).abs() <= 1e-9 * expected.abs() + 1e-60,
                    "{x} {a} {b}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn whole_parameters_give_binomial_tails() {
        // The mass of Beta(k, n - k + 1) below x is the chance of at least k successes in n trials.
        for (k, n, x) in [(1, 10, 0.3), (7, 30, 0.05), (50, 400, 0.2), (3, 1_000, 0.05), (400, 1_000, 0.05)] {
            let ln_terms = (k..=n).scan(ln_choose(n, k), |ln_choose, successes| {
                let term = *ln_choose
                    + f64::from(successes) * f64::ln(x)
                    + f64::from(n - successes) * f64::ln(1.0 - x);
                *ln_choose += (f64::from(n - successes) / f64::from(successes + 1)).ln();
                Some(term)
            });
            let terms: Vec<f64> = ln_terms.collect();
            let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let expected = largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln();
            let found = log_tails(x, f64::from(k), f64::from(n - k + 1)).below;
            assert!(
                (found - expected).abs() < 1e-9 * (1.0 + expected.abs()),
                "{k} of {n} at {x}: {found} {expected}"
            );
        }
    }

    fn ln_choose(n: i32, k: i32) -> f64 {
        (1..=k).map(|step| (f64::from(n - k + step) / f64::from(step)).ln()).sum()
    }

    #[test]
    fn the_library_agrees_where_it_can_be_used() {
        for (x, a, b) in [(0.05, 3.0, 90.0), (0.2, 0.7, 4.5), (0.9, 12.0, 2.0), (0.05, 60.5, 900.0)] {
            let library = statrs::function::beta::beta_reg(a, b, x);
            assert!((log_tails(x, a, b).below.exp() / library - 1.0).abs() < 1e-9, "{x} {a} {b}");
        }
    }

    #[test]
    fn the_tails_add_up_to_one() {
        for (x, a, b) in [(0.05, 3.0, 90.0), (0.05, 50.0, 950.0), (0.5, 1e4, 1e4), (0.001, 100.0, 1e5)] {
            let tails = log_tails(x, a, b);
            assert!((tails.below.exp() + tails.above.exp() - 1.0).abs() < 1e-12, "{x} {a} {b}: {tails:?}");
        }
    }
}

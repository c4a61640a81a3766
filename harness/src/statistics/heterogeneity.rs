//! Do the restarts of one backend agree on the share of requests over the limit? A test on counts that are already
//! deflated for correlation within each restart. It does not know what follows when they do not.

use statrs::function::gamma::gamma_ur;

use super::sequential::Counts;

/// Fewest (deflated) exceedances expected in a restart for it to be tested on its own; restarts with fewer are tested as
/// one. Below about one, the chi-square distribution promises fewer extremes than there are.
const FEWEST_EXPECTED: f64 = 1.0;

/// The probability of counts at least this unequal if all restarts share one exceedance. 1 where there is nothing to
/// compare: fewer than two restarts, no exceedance, nothing but exceedances, or too few to be unequal.
///
/// The larger of the p-values of Pearson's chi-square and the likelihood ratio: the first is too eager when a small restart
/// has the exceedances, the second when it has none, and neither does harm where both are right.
pub fn restarts_agree(restarts: &[Counts]) -> f64 {
    let total = sum(restarts.iter().copied());
    let share = total.exceedances / total.requests;
    if !(share > 0.0 && share < 1.0) {
        return 1.0;
    }
    let rarer = share.min(1.0 - share);
    let (large, small): (Vec<Counts>, Vec<Counts>) =
        restarts.iter().partition(|restart| restart.requests * rarer >= FEWEST_EXPECTED);
    let mut groups = large;
    let rest = sum(small.iter().copied());
    if rest.requests * rarer >= FEWEST_EXPECTED {
        groups.push(rest);
    } else if let Some(last) = groups.last_mut() {
        *last = sum([*last, rest].into_iter());
    }
    if groups.len() < 2 {
        return 1.0;
    }
    let (mut pearson, mut likelihood) = (0.0, 0.0);
    for group in &groups {
        let sides = [(group.exceedances, share), (group.requests - group.exceedances, 1.0 - share)];
        for (found, share) in sides {
            let expected = group.requests * share;
            pearson += (found - expected).powi(2) / expected;
            if found > 0.0 {
                likelihood += 2.0 * found * (found / expected).ln();
            }
        }
    }
    let freedom = (groups.len() - 1) as f64;
    let statistic = f64::min(pearson, likelihood);
    // The library refuses zero, and rounding can leave a little less than it.
    if statistic > 0.0 { gamma_ur(0.5 * freedom, 0.5 * statistic) } else { 1.0 }
}

fn sum(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold(Counts::NONE, Counts::plus)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn restarts(counts: &[(f64, f64)]) -> Vec<Counts> {
        counts.iter().map(|&(exceedances, requests)| Counts { exceedances, requests }).collect()
    }

    #[test]
    fn agreeing_restarts_are_seldom_said_to_disagree_even_with_few_exceedances() {
        let mut generator = ChaCha8Rng::seed_from_u64(3);
        let sizes: [&[f64]; 3] =
            [&[667.0; 3], &[667.0, 667.0, 667.0, 500.0, 900.0, 1_200.0, 1_600.0, 30.0], &[100.0; 10]];
        for sizes in sizes {
            for share in [0.0005, 0.002, 0.01, 0.05, 0.3, 0.99] {
                let (mut at_thousandth, mut at_twentieth) = (0, 0);
                for _ in 0..4_000 {
                    let sample: Vec<Counts> = sizes
                        .iter()
                        .map(|&requests| Counts {
                            exceedances: binomial(&mut generator, requests, share),
                            requests,
                        })
                        .collect();
                    let chance = restarts_agree(&sample);
                    at_thousandth += u32::from(chance < 0.001);
                    at_twentieth += u32::from(chance < 0.05);
                }
                assert!(at_thousandth <= 12, "{sizes:?}, share {share}: {at_thousandth} of 4,000 at 0.1 %");
                assert!(at_twentieth <= 240, "{sizes:?}, share {share}: {at_twentieth} of 4,000 at 5 %");
            }
        }
    }

    fn binomial(generator: &mut ChaCha8Rng, requests: f64, share: f64) -> f64 {
        // By the gaps between exceedances: fast for small shares, exact for all.
        let mut exceedances = 0.0;
        let mut at = 0.0;
        loop {
            at += ((1.0 - generator.random::<f64>()).ln() / f64::ln_1p(-share)).floor() + 1.0;
            if at > requests {
                return exceedances;
            }
            exceedances += 1.0;
        }
    }

    #[test]
    fn a_restart_that_is_three_times_as_slow_is_found() {
        assert!(restarts_agree(&restarts(&[(10.0, 667.0), (12.0, 667.0), (40.0, 667.0)])) < 0.001);
        assert!(restarts_agree(&restarts(&[(10.0, 667.0), (12.0, 667.0), (14.0, 667.0)])) > 0.5);
    }

    #[test]
    fn deflated_counts_weigh_less() {
        let raw = restarts(&[(10.0, 667.0), (12.0, 667.0), (40.0, 667.0)]);
        let deflated: Vec<Counts> = raw.iter().map(|restart| restart.deflated(10.0)).collect();
        assert!(restarts_agree(&deflated) > 0.05);
    }

    #[test]
    fn where_there_is_nothing_to_compare_restarts_agree() {
        assert_eq!(restarts_agree(&[]), 1.0);
        assert_eq!(restarts_agree(&restarts(&[(3.0, 100.0)])), 1.0);
        assert_eq!(restarts_agree(&restarts(&[(0.0, 100.0), (0.0, 100.0)])), 1.0);
        assert_eq!(restarts_agree(&restarts(&[(100.0, 100.0), (100.0, 100.0)])), 1.0);
        assert_eq!(restarts_agree(&restarts(&[(1.0, 100.0), (0.0, 100.0)])), 1.0);
    }
}

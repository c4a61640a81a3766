//! Which ranks of a sorted sample bound a quantile, whatever the distribution.
//!
//! For n independent values the number below the p-quantile is binomial, so `[x_(l), x_(u)]` with
//! `P(Bin(n, p) <= l - 1) <= a/2` and `P(Bin(n, p) <= u - 1) >= 1 - a/2` covers it with probability at least 1 - a
//! (David & Nagaraja, Order Statistics, 3rd ed., section 7.1).

use statrs::distribution::{Binomial, DiscreteCDF as _};

/// Ranks, from 1, of an estimate and of the ends of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Nearest rank: the smallest with at least the quantile's share of values at or below it.
    pub estimate: u64,
    /// Lower end; `None` when the count puts no lower bound on the quantile.
    pub low: Option<u64>,
    /// Upper end; `None` when the count puts no upper bound on it.
    pub high: Option<u64>,
}

/// The ranks for a quantile in (0, 1) of `count` values, at least one, with an interval of that confidence.
#[must_use]
pub fn quantile_ranks(quantile: f64, count: u64, confidence: f64) -> Ranks {
    let tail = (1.0 - confidence) / 2.0;
    let binomial = Binomial::new(quantile, count).expect("a quantile between 0 and 1: this is a bug");
    // The smallest k in 0..=count whose cumulative probability reaches the bound.
    let first_reaching = |bound: f64| {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if binomial.cdf(middle) >= bound { high = middle } else { low = middle + 1 }
        }
        low
    };
    // cdf(l - 1) <= tail, and l as large as possible: one below the first k whose cdf exceeds the tail.
    let low = first_reaching(tail * (1.0 + 1e-12));
    let high = first_reaching(1.0 - tail) + 1;
    // Rounding in quantile * count must not push 0.95 * 100 to rank 96.
    let estimate = ((quantile * count as f64 - 1e-9).ceil() as u64).clamp(1, count.max(1));
    Ranks { estimate, low: (low >= 1).then_some(low), high: (high <= count).then_some(high) }
}

/// Whether `count` values carry the quantile: whether its 95 % interval has both ends. 72 values carry P95, 368 P99.
#[must_use]
pub fn carries(quantile: f64, count: u64) -> bool {
    let ranks = quantile_ranks(quantile, count, 0.95);
    count > 0 && ranks.low.is_some() && ranks.high.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_values_bound_p95_by_the_published_ranks() {
        assert_eq!(
            quantile_ranks(0.95, 1000, 0.95),
            Ranks { estimate: 950, low: Some(936), high: Some(964) }
        );
    }

    #[test]
    fn a_percentile_is_carried_from_the_count_that_bounds_it_on() {
        for (quantile, least) in [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)] {
            assert!(carries(quantile, least), "{quantile} at {least}");
            assert!(!carries(quantile, least - 1), "{quantile} at {}", least - 1);
        }
        assert!(!carries(0.5, 0));
    }

    #[test]
    fn the_estimate_is_the_nearest_rank() {
        assert_eq!(quantile_ranks(0.95, 100, 0.95).estimate, 95);
        assert_eq!(quantile_ranks(0.95, 101, 0.95).estimate, 96);
        assert_eq!(quantile_ranks(0.5, 1, 0.95).estimate, 1);
    }
}

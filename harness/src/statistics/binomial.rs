//! Exact binomial probabilities and the Clopper-Pearson interval (Clopper & Pearson, Biometrika 26, 1934).

use statrs::distribution::{Binomial, DiscreteCDF as _};

/// P(X <= `exceeded`) for `requests` independent requests of which each exceeds with probability `share`: how likely so
/// few are, if the true exceedance were `share`.
#[must_use]
pub fn exceedance_at_most(exceeded: u64, requests: u64, share: f64) -> f64 {
    if exceeded >= requests { 1.0 } else { distribution(requests, share).cdf(exceeded) }
}

/// P(X >= `exceeded`): how likely so many are, if the true exceedance were `share`.
#[must_use]
pub fn exceedance_at_least(exceeded: u64, requests: u64, share: f64) -> f64 {
    match exceeded.checked_sub(1) {
        None => 1.0,
        Some(_) if exceeded > requests => 0.0,
        Some(below) => distribution(requests, share).sf(below),
    }
}

/// The two-sided Clopper-Pearson interval for the share of requests that exceed, `None` without requests.
#[must_use]
pub fn exceedance_interval(exceeded: u64, requests: u64, confidence: f64) -> Option<(f64, f64)> {
    if requests == 0 {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    let low = if exceeded == 0 {
        0.0
    } else {
        bisect(|share| exceedance_at_least(exceeded, requests, share) < tail)
    };
    let high = if exceeded == requests {
        1.0
    } else {
        bisect(|share| exceedance_at_most(exceeded, requests, share) > tail)
    };
    Some((low, high))
}

/// The point in (0, 1) where `holds` turns from true to false, to the last bits of a double.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

fn distribution(requests: u64, share: f64) -> Binomial {
    Binomial::new(share, requests).expect("a share between 0 and 1: this is a bug")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn tails_agree_with_sums_done_by_hand() {
        // 10 requests at 5 %: P(0) = 0.95^10, P(<= 1) = 0.95^10 + 10 * 0.05 * 0.95^9.
        assert!(close(exceedance_at_most(0, 10, 0.05), 0.95_f64.powi(10)));
        assert!(close(exceedance_at_most(1, 10, 0.05), 0.95_f64.powi(10) + 0.5 * 0.95_f64.powi(9)));
        assert!(close(exceedance_at_least(1, 10, 0.05), 1.0 - 0.95_f64.powi(10)));
        assert!(close(exceedance_at_least(0, 10, 0.05), 1.0));
        assert!(close(exceedance_at_most(10, 10, 0.05), 1.0));
    }

    #[test]
    fn the_interval_is_the_published_one() {
        // Clopper & Pearson for 4 of 20 at 95 %: 0.0573 to 0.4366.
        let (low, high) = exceedance_interval(4, 20, 0.95).expect("requests");
        assert!((low - 0.057_334).abs() < 1e-5 && (high - 0.436_614).abs() < 1e-5, "{low} {high}");
    }

    #[test]
    fn none_and_all_have_intervals_that_end_at_nought_and_one() {
        let (low, high) = exceedance_interval(0, 59, 0.9).expect("requests");
        assert!(low == 0.0 && close(high, 1.0 - 0.05_f64.powf(1.0 / 59.0)), "{low} {high}");
        assert_eq!(exceedance_interval(59, 59, 0.9).map(|(_, high)| high), Some(1.0));
        assert_eq!(exceedance_interval(0, 0, 0.9), None);
    }
}

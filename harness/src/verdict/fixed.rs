//! The exact binomial test at a fixed count, for the few things that are counted once: cold starts.

use tailmark_reports::record::Verdict;

use crate::statistics::{exceedance_at_least, exceedance_at_most};

/// PASS when so few would be over the limit with probability at most `error` if the share were `allowed`, FAIL when so many
/// would. One-sided exact binomial tests (Clopper & Pearson, Biometrika 26, 1934).
pub(super) fn decide(exceeded: u64, count: u64, allowed: f64, error: f64) -> Verdict {
    if count == 0 {
        Verdict::Inconclusive
    } else if exceedance_at_most(exceeded, count, allowed) <= error {
        Verdict::Pass
    } else if exceedance_at_least(exceeded, count, allowed) <= error {
        Verdict::Fail
    } else {
        Verdict::Inconclusive
    }
}

/// The least count, if any up to a hundred million, at which the present share would be decided.
pub(super) fn count_to_decide(exceeded: u64, count: u64, allowed: f64, error: f64) -> Option<u64> {
    let share = exceeded as f64 / count as f64;
    let decided = |count: u64| {
        decide((share * count as f64).round() as u64, count, allowed, error) != Verdict::Inconclusive
    };
    let mut high = count.max(1);
    while !decided(high) {
        high = high.checked_mul(2).filter(|high| *high <= 100_000_000)?;
    }
    let mut low = count;
    while low < high {
        let middle = low + (high - low) / 2;
        if decided(middle) { high = middle } else { low = middle + 1 }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_counts_that_decide_are_the_published_ones() {
        // 59 answers in time and none late pass P95 at 95 %, 93 with one late (MLPerf's early-stopping table).
        for (exceeded, least) in [(0, 59), (1, 93), (2, 124), (10, 336)] {
            assert_eq!(decide(exceeded, least, 0.05, 0.05), Verdict::Pass);
            assert_eq!(decide(exceeded, least - 1, 0.05, 0.05), Verdict::Inconclusive);
        }
    }

    #[test]
    fn far_too_many_late_answers_fail_and_a_share_at_the_limit_is_undecided() {
        assert_eq!(decide(200, 1000, 0.05, 0.05), Verdict::Fail);
        assert_eq!(decide(50, 1000, 0.05, 0.05), Verdict::Inconclusive);
        assert_eq!(decide(0, 0, 0.05, 0.05), Verdict::Inconclusive);
    }

    #[test]
    fn what_would_settle_it_does_settle_it() {
        let needed = count_to_decide(40, 1000, 0.05, 0.05).expect("4 % can be told from 5 %");
        assert_ne!(decide((0.04 * needed as f64).round() as u64, needed, 0.05, 0.05), Verdict::Inconclusive);
        assert_eq!(count_to_decide(50, 1000, 0.05, 0.05), None, "exactly at the limit nothing settles it");
    }
}

//! Evidence that may be looked at after every request: is the share of requests over the limit below the allowed share,
//! or above it? Pure functions of counts; where the counts come from, and how far they may be believed, is not known here.
//!
//! Two Beta-mixture e-processes, one per side, and the confidence sequence they invert to. Under the hypothesis it is
//! measured against, an e-process reaches 1/alpha with probability at most alpha, however often it is looked at (Ville).
//! Howard & Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification",
//! Bernoulli 28(3), 2022; Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B, 2023.

use statrs::function::beta::ln_beta;

use super::incomplete_beta::log_tails;

/// Requests and how many of them were over the limit. Both may be fractions: after deflation they are the counts that
/// independent requests would need to carry the same information.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Requests over the limit, failures included; at least 0.
    pub exceedances: f64,
    /// Requests; at least `exceedances`.
    pub requests: f64,
}

impl Counts {
    /// Nothing seen.
    pub const NONE: Self = Self { exceedances: 0.0, requests: 0.0 };

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { exceedances: self.exceedances + other.exceedances, requests: self.requests + other.requests }
    }

    /// The same share seen in fewer requests.
    #[must_use]
    pub fn deflated(self, correlation_time: f64) -> Self {
        Self { exceedances: self.exceedances / correlation_time, requests: self.requests / correlation_time }
    }
}

/// ln of the evidence that the exceedance is below `allowed` (strictly between 0 and 1).
///
/// Mixture over the shares in (0, `allowed`), denser towards 0; an e-process for every true exceedance of `allowed` or
/// more. A uniform mixture needs 218 requests (median) at a true exceedance of 1 % of 5 % allowed, this one 168.
pub fn ln_evidence_below(allowed: f64, counts: Counts) -> f64 {
    ln_evidence(allowed, counts, 2.0 / allowed - 1.0, true)
}

/// ln of the evidence that the exceedance is above `allowed` (strictly between 0 and 1).
///
/// Mixture over the shares in (`allowed`, 1), with the untruncated mean at `allowed`: most backends that miss a limit
/// miss it by little. An e-process for every true exceedance of `allowed` or less.
pub fn ln_evidence_above(allowed: f64, counts: Counts) -> f64 {
    ln_evidence(allowed, counts, 1.0 / allowed - 1.0, false)
}

/// The shares that neither e-process has ruled out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Every smaller share is ruled out; 0 when none is.
    pub low: f64,
    /// Every larger share is ruled out; 1 when none is.
    pub high: f64,
}

/// The confidence sequence that matches the tests: with probability 1 - `alpha` no upper end is ever below the true
/// exceedance, with probability 1 - `beta` no lower end is ever above it, however often they are drawn.
///
/// An end crosses the allowed share exactly when the evidence of that side reaches 1/`alpha` or 1/`beta`.
pub fn confidence_sequence(counts: Counts, alpha: f64, beta: f64) -> Interval {
    if counts.requests <= 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let share = counts.exceedances / counts.requests;
    let below = |allowed: f64| ln_evidence_below(allowed, counts) >= -alpha.ln();
    let above = |allowed: f64| ln_evidence_above(allowed, counts) >= -beta.ln();
    Interval { low: boundary(share, 0.0, above), high: boundary(share, 1.0, below) }
}

/// Where `ruled_out` changes between `inside`, which it never rules out, and `outside`, to 1e-9 of the distance.
fn boundary(inside: f64, outside: f64, ruled_out: impl Fn(f64) -> bool) -> f64 {
    let (mut inside, mut beyond) = (inside, outside);
    let mut any = false;
    for _ in 0..40 {
        let middle = 0.5 * (inside + beyond);
        if middle <= 0.0 || middle >= 1.0 || middle == inside || middle == beyond {
            break;
        }
        if ruled_out(middle) {
            any = true;
            beyond = middle;
        } else {
            inside = middle;
        }
    }
    // Ends that are drawn must hold, so the side that is not ruled out is left in.
    if any { beyond } else { outside }
}

/// How many requests in all would decide at this `share` and `correlation_time`, on the side that the share is on; `None`
/// when not even a thousand million would.
pub fn requests_to_decide(
    allowed: f64,
    share: f64,
    correlation_time: f64,
    alpha: f64,
    beta: f64,
) -> Option<u64> {
    const MOST: f64 = 1e9;
    let decides = |requests: f64| {
        let counts = Counts { exceedances: share * requests, requests }.deflated(correlation_time);
        if share < allowed {
            ln_evidence_below(allowed, counts) >= -alpha.ln()
        } else {
            ln_evidence_above(allowed, counts) >= -beta.ln()
        }
    };
    let mut high = 1.0;
    while !decides(high) {
        high *= 2.0;
        if high > MOST {
            return None;
        }
    }
    let mut low = 0.5 * high;
    while high - low > 0.001 * high && high - low > 0.5 {
        let middle = 0.5 * (low + high);
        if decides(middle) { high = middle } else { low = middle }
    }
    Some(high.ceil() as u64)
}

fn ln_evidence(allowed: f64, Counts { exceedances, requests }: Counts, b: f64, below: bool) -> f64 {
    let a = 1.0;
    let within = requests - exceedances;
    let (posterior, prior) = (log_tails(allowed, a + exceedances, b + within), log_tails(allowed, a, b));
    let mass = if below { posterior.below - prior.below } else { posterior.above - prior.above };
    let null = exceedances * allowed.ln() + within * (-allowed).ln_1p();
    mass + ln_beta(a + exceedances, b + within) - ln_beta(a, b) - null
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(exceedances: f64, requests: f64) -> Counts {
        Counts { exceedances, requests }
    }

    /// Evidence of a single alternative, from the definition.
    fn ln_likelihood_ratio(alternative: f64, allowed: f64, counts: Counts) -> f64 {
        counts.exceedances * (alternative / allowed).ln()
            + (counts.requests - counts.exceedances) * ((1.0 - alternative) / (1.0 - allowed)).ln()
    }

    /// The mixture by numeric integration over the prior, in log space.
    fn ln_mixture(from: f64, to: f64, b: f64, allowed: f64, counts: Counts) -> f64 {
        let steps = 100_000;
        let width = (to - from) / f64::from(steps);
        let log_sum = |weight: &dyn Fn(f64) -> f64| {
            let logs: Vec<f64> =
                (0..steps).map(|step| weight(from + (f64::from(step) + 0.5) * width)).collect();
            let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln()
        };
        let prior = |share: f64| (b - 1.0) * (-share).ln_1p();
        log_sum(&|share| prior(share) + ln_likelihood_ratio(share, allowed, counts)) - log_sum(&prior)
    }

    #[test]
    fn evidence_is_the_mixture_it_says_also_for_fractional_counts() {
        let cases = [
            (0.0, 1.0),
            (0.0, 126.0),
            (1.5, 170.25),
            (40.0, 2_000.0),
            (310.7, 2_000.9),
            (600.0, 20_000.0),
            (2_000.0, 20_000.0),
        ];
        for (exceedances, requests) in cases {
            let counts = counts(exceedances, requests);
            for allowed in [0.01, 0.05, 0.5] {
                let below = ln_mixture(0.0, allowed, 2.0 / allowed - 1.0, allowed, counts);
                let above = ln_mixture(allowed, 1.0, 1.0 / allowed - 1.0, allowed, counts);
                let found = (ln_evidence_below(allowed, counts), ln_evidence_above(allowed, counts));
                assert!(
                    (found.0 - below).abs() < 1e-3 * (1.0 + below.abs()),
                    "{counts:?} {allowed}: {found:?} {below}"
                );
                assert!(
                    (found.1 - above).abs() < 1e-3 * (1.0 + above.abs()),
                    "{counts:?} {allowed}: {found:?} {above}"
                );
            }
        }
    }

    #[test]
    fn evidence_of_a_hundred_needs_as_many_requests_as_the_documentation_says() {
        let fewest = |exceedances: f64| {
            (1..1_000).find(|&requests| {
                ln_evidence_below(0.05, counts(exceedances, f64::from(requests))) >= 100_f64.ln()
            })
        };
        assert_eq!([fewest(0.0), fewest(1.0), fewest(2.0)], [Some(114), Some(166), Some(210)]);
        let failing = (1..100).find(|&requests| {
            ln_evidence_above(0.05, counts(f64::from(requests), f64::from(requests))) >= 100_f64.ln()
        });
        assert_eq!(failing, Some(5));
    }

    /// The whole error of the test, exactly: all paths of 1,500 independent requests, looked at after each.
    fn chance_of_deciding(share: f64, decided: impl Fn(Counts) -> bool) -> f64 {
        let mut paths = vec![1.0];
        let mut ended = 0.0;
        for requests in 1..=1_500_u32 {
            let mut next = vec![0.0; paths.len() + 1];
            for (exceedances, chance) in paths.iter().enumerate() {
                next[exceedances] += chance * (1.0 - share);
                next[exceedances + 1] += chance * share;
            }
            for (exceedances, chance) in next.iter_mut().enumerate() {
                // Paths too unlikely to matter are not asked about; what they could add is counted in full.
                if *chance < 1e-12 || decided(counts(exceedances as f64, f64::from(requests))) {
                    ended += *chance;
                    *chance = 0.0;
                }
            }
            paths = next;
        }
        ended
    }

    #[test]
    fn at_the_limit_neither_side_errs_more_often_than_it_says_however_often_it_is_looked_at() {
        for level in [0.01_f64, 0.05] {
            let pass = chance_of_deciding(0.05, |counts| ln_evidence_below(0.05, counts) >= -level.ln());
            let fail = chance_of_deciding(0.05, |counts| ln_evidence_above(0.05, counts) >= -level.ln());
            assert!(pass > 0.5 * level && pass <= level, "false PASS {pass} at {level}");
            assert!(fail > 0.3 * level && fail <= level, "false FAIL {fail} at {level}");
        }
    }

    #[test]
    fn the_confidence_sequence_crosses_the_allowed_share_when_the_test_decides() {
        for requests in [50.0, 200.0, 2_000.0, 20_000.0, 1_234.5] {
            for share in [0.0, 0.01, 0.03, 0.049, 0.06, 0.1, 0.5, 1.0] {
                let counts = counts(share * requests, requests);
                let interval = confidence_sequence(counts, 0.01, 0.01);
                assert!(interval.low <= share && share <= interval.high, "{counts:?}: {interval:?}");
                let decided = (
                    ln_evidence_below(0.05, counts) >= 100_f64.ln(),
                    ln_evidence_above(0.05, counts) >= 100_f64.ln(),
                );
                assert_eq!(
                    (interval.high <= 0.05, interval.low >= 0.05),
                    decided,
                    "{counts:?}: {interval:?}"
                );
            }
        }
    }

    #[test]
    fn without_requests_nothing_is_ruled_out() {
        assert_eq!(confidence_sequence(counts(0.0, 0.0), 0.01, 0.01), Interval { low: 0.0, high: 1.0 });
        assert_eq!(ln_evidence_below(0.05, counts(0.0, 0.0)), 0.0);
        assert_eq!(ln_evidence_above(0.05, counts(0.0, 0.0)), 0.0);
    }

    #[test]
    fn what_would_decide_does_and_a_tenth_less_does_not() {
        for (share, time) in [(0.02, 1.0), (0.02, 7.5), (0.06, 1.0), (0.2, 3.0), (0.0, 1.0)] {
            let requests = requests_to_decide(0.05, share, time, 0.01, 0.01).unwrap() as f64;
            let decided = |requests: f64| {
                let interval =
                    confidence_sequence(counts(share * requests, requests).deflated(time), 0.01, 0.01);
                interval.high <= 0.05 || interval.low >= 0.05
            };
            assert!(decided(requests) && !decided(0.9 * requests), "share {share}, time {time}: {requests}");
        }
        assert_eq!(requests_to_decide(0.05, 0.05, 1.0, 0.01, 0.01), None);
    }
}

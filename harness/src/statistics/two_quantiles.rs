//! Is one backend's quantile no larger than another's? Evidence that may be looked at as often as one likes, from the times of both.
//!
//! A backend's p-quantile is at or below x exactly if at most a share 1 - p of its requests take longer than x. For one x, two
//! independent e-processes say whether the first backend's quantile is above x and whether the second's is below it; their product is one
//! for "the first is at most x and the second at least x". If the second's quantile is the larger one, that holds for some x, so the least
//! product over all x reaches 1/alpha with probability at most alpha, however often it is looked at. The e-processes are those of
//! [`super::sequential`], after Howard & Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
//! identification", Bernoulli 28(3), 2022, who bound each quantile by itself: the product asks for about half of the requests.
//!
//! Counts are deflated by the correlation of each backend's requests, replicates that differ included.

use super::correlation::CorrelationEstimator;
use super::paired::Side;
use super::sequential::{Counts, ln_evidence_above, ln_evidence_below};

/// Places between which the least evidence is bounded.
const PLACES: usize = 400;
/// Fewer requests of a backend say nothing about how they hang together.
const FEWEST: usize = 100;

/// The times of two backends.
#[derive(Clone, Debug)]
pub struct TwoQuantiles {
    quantile: f64,
    sides: [Times; 2],
}

/// The times of one, in the order in which they came; those of requests that failed are infinite.
#[derive(Clone, Debug, Default)]
struct Times {
    replicates: Vec<Vec<f64>>,
}

/// What is sorted and counted once for all looks at the same times.
struct Sorted {
    times: Vec<f64>,
    correlation_time: f64,
}

impl TwoQuantiles {
    /// Of no times yet; `quantile` in (0, 1).
    #[must_use]
    pub fn new(quantile: f64) -> Self {
        Self { quantile, sides: [Times::default(), Times::default()] }
    }

    /// A fresh process of each follows.
    pub fn begin_replicate(&mut self) {
        self.sides.iter_mut().for_each(|side| side.replicates.push(Vec::new()));
    }

    /// Forgets the present replicate.
    pub fn drop_replicate(&mut self) {
        self.sides.iter_mut().for_each(|side| {
            side.replicates.pop();
        });
    }

    /// Adds a time in nanoseconds; `None` is infinite.
    pub fn add(&mut self, side: Side, nanoseconds: Option<u64>) {
        let time = nanoseconds.map_or(f64::INFINITY, |time| time as f64);
        if let Some(replicate) = self.sides[side.index()].replicates.last_mut() {
            replicate.push(time);
        }
    }

    /// ln of the evidence that the quantile of `side` is at most (1 + `margin`) times the other's. At ln(1/alpha) it is wrong with
    /// probability at most alpha. Negative infinity while there is too little to tell.
    #[must_use]
    pub fn ln_evidence_no_larger(&self, side: Side, margin: f64) -> f64 {
        let of = |side: Side| self.sides[side.index()].sorted(self.quantile);
        let (Some(small), Some(large)) = (of(side), of(side.other())) else { return f64::NEG_INFINITY };
        let allowed = 1.0 - self.quantile;
        let stretch = 1.0 + margin;
        let below = |x: f64| ln_evidence_below(allowed, small.counts_over(stretch * x));
        let above = |x: f64| ln_evidence_above(allowed, large.counts_over(x));
        let places = places(&small, &large, stretch);
        // The first falls and the second rises with x, so between two places both ends bound the sum.
        let ends = std::iter::once(f64::NEG_INFINITY).chain(places.iter().copied());
        let between = ends.zip(places.iter().copied().chain([f64::INFINITY]));
        between.map(|(from, to)| below(from) + above(to)).fold(f64::INFINITY, f64::min)
    }
}

/// Times of both, closest together where the evidence is least: around the quantile, where few are larger.
fn places(small: &Sorted, large: &Sorted, stretch: f64) -> Vec<f64> {
    let at = |sorted: &Sorted, place: usize, scale: f64| {
        // Equal steps of the share over it, in the logarithm.
        let share =
            (small.times.len().max(large.times.len()) as f64 * 2.0).powf(-(place as f64) / PLACES as f64);
        let index = ((1.0 - share) * sorted.times.len() as f64) as usize;
        sorted.times.get(index).map(|time| time / scale)
    };
    let mut places: Vec<f64> = (0..=PLACES)
        .flat_map(|place| [at(small, place, stretch), at(large, place, 1.0)])
        .flatten()
        .filter(|place| place.is_finite())
        .collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    places
}

impl Times {
    fn sorted(&self, quantile: f64) -> Option<Sorted> {
        let mut times: Vec<f64> = self.replicates.iter().flatten().copied().collect();
        if times.len() < FEWEST {
            return None;
        }
        times.sort_by(f64::total_cmp);
        let threshold = times[((quantile * times.len() as f64).ceil() as usize).clamp(1, times.len()) - 1];
        let slowest = times.iter().rev().copied().find(|time| time.is_finite()).unwrap_or(1.0).max(1.0);
        let (mut over, mut log) = (CorrelationEstimator::new(), CorrelationEstimator::new());
        for replicate in &self.replicates {
            over.begin_restart();
            log.begin_restart();
            for time in replicate {
                over.observe(f64::from(u8::from(*time > threshold)));
                log.observe(time.clamp(1.0, slowest).ln());
            }
        }
        // The logarithm has the more requests to tell by, the share over the threshold is what is asked about.
        let of = |series: &CorrelationEstimator| series.estimate().map_or(1.0, |found| found.time);
        Some(Sorted { correlation_time: of(&over).max(of(&log)), times })
    }
}

impl Sorted {
    /// Requests that took longer than `x`, of all, as independent requests would have to be.
    fn counts_over(&self, x: f64) -> Counts {
        let within = self.times.partition_point(|time| *time <= x);
        let requests = self.times.len() as f64;
        Counts { exceedances: requests - within as f64, requests }.deflated(self.correlation_time)
    }
}

#[cfg(test)]
mod tests;

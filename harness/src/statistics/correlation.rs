//! How many successive requests carry as much information as one independent request, and how long a pattern the series
//! has shown: from one pass, with a few hundred bytes. It does not know what the series measures or what is decided.
//!
//! Batches of 1, 2, 4, ... requests are kept as sums only, so memory grows with the logarithm of the count.

/// A level takes part in the correlation time only with this many batches: fewer say more about chance than about the
/// series.
const FEWEST_BATCHES: f64 = 16.0;

/// By how many standard errors a level's estimate is shrunk before the largest level is taken; without it the largest
/// would be the noisiest.
const SHRINKAGE: f64 = 0.5;

/// Standard errors by which neighboring batches must be correlated to count as a visible pattern. At 3.0, one independent
/// run in a hundred had to wait for nothing; at 3.6, one in three hundred.
const VISIBLE: f64 = 3.6;

/// What dependence costs a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correlation {
    /// A cautious estimate of the integrated correlation time, 1 + 2 x (sum of the autocorrelations), in requests: this
    /// many requests are worth one independent request. At least 1.
    pub time: f64,
    /// The longest stretch, in requests, over which the series visibly hangs together; 0 when nowhere.
    pub memory: u64,
}

impl Correlation {
    /// Independence.
    pub const NONE: Self = Self { time: 1.0, memory: 0 };
}

/// Sums over batches of one length.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    batches: u64,
    sum: f64,
    squares: f64,
    pairs: u64,
    pair_sums: f64,
    products: f64,
}

/// The batches of one length: of the restarts that have ended, and of the present one.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    ended: Sums,
    present: Sums,
    previous: Option<f64>,
    half: Option<f64>,
}

/// Collects one series, made of several restarts, and estimates its correlation.
#[derive(Clone, Debug, Default)]
pub struct CorrelationEstimator {
    levels: Vec<Level>,
    /// The first value; subtracted from all, so that sums of squares do not cancel.
    reference: Option<f64>,
}

impl CorrelationEstimator {
    /// An empty series.
    pub fn new() -> Self {
        Self::default()
    }

    /// What comes next is not a neighbor of what came before.
    pub fn begin_restart(&mut self) {
        for level in &mut self.levels {
            *level = Level { ended: level.ended.plus(level.present), ..Level::default() };
        }
    }

    /// Adds one finite value. Touches two levels on average.
    pub fn observe(&mut self, value: f64) {
        let reference = *self.reference.get_or_insert(value);
        let mut mean = value - reference;
        let mut depth = 0;
        loop {
            if depth == self.levels.len() {
                self.levels.push(Level::default());
            }
            match self.levels[depth].observe(mean) {
                None => return,
                Some(longer) => mean = longer,
            }
            depth += 1;
        }
    }

    /// The correlation over all restarts; `None` while the series is constant, because then it says nothing.
    ///
    /// With V_b the variance of the means of batches of b requests and C_b the covariance of neighbors, both around the
    /// mean of all restarts, b (V_b + 2 C_b) / V_1 estimates the correlation time with its first-order bias removed
    /// (batch means at b and 2b, extrapolated). The largest level decides, because a slow component with a small share
    /// shows only in long batches. Restarts that differ count as correlation.
    pub fn estimate(&self) -> Option<Correlation> {
        correlation(self.levels.iter().map(|level| level.ended.plus(level.present)))
    }

    /// The correlation within the present restart alone.
    pub fn estimate_present_restart(&self) -> Option<Correlation> {
        correlation(self.levels.iter().map(|level| level.present))
    }
}

/// The correlation from the sums at batch lengths 1, 2, 4, ...
fn correlation(levels: impl Iterator<Item = Sums>) -> Option<Correlation> {
    let mut levels = levels.peekable();
    let base = levels.peek().filter(|base| base.batches > 0)?;
    let mean = base.sum / base.batches as f64;
    let variance = base.variance(mean);
    // A constant series leaves rounding errors behind, not exactly zero.
    if variance <= 1e-18 * (1.0 + mean * mean) {
        return None;
    }
    let mut correlation = Correlation::NONE;
    let mut length = 1;
    for level in levels.take_while(|level| level.pairs >= 4) {
        let (batches, pairs) = (level.batches as f64, level.pairs as f64);
        let (own, neighbors) = (level.variance(mean), level.covariance(mean));
        if batches >= FEWEST_BATCHES {
            // The mean is estimated from the same data; 3 / batches is what that hides.
            let time = length as f64 * (own + 2.0 * neighbors) / variance / (1.0 - 3.0 / batches);
            let standard_error = (6.0 / batches).sqrt();
            correlation.time = correlation.time.max(time * (1.0 - SHRINKAGE * standard_error));
        }
        length *= 2;
        // Batches that are all equal show no pattern. They differ from the mean by what is in no batch of their length, the end of
        // a restart: where a worker was lost, that is the request it failed.
        if level.variance(level.sum / batches) <= 1e-18 * (1.0 + mean * mean) {
            continue;
        }
        if neighbors * pairs.sqrt() > VISIBLE * own {
            correlation.memory = length;
        }
    }
    Some(correlation)
}

impl Level {
    /// Adds a batch mean; returns the mean of a batch twice as long when that is complete.
    fn observe(&mut self, mean: f64) -> Option<f64> {
        let present = &mut self.present;
        present.batches += 1;
        present.sum += mean;
        present.squares += mean * mean;
        if let Some(previous) = self.previous.replace(mean) {
            present.pairs += 1;
            present.pair_sums += previous + mean;
            present.products += previous * mean;
        }
        match self.half.take() {
            None => {
                self.half = Some(mean);
                None
            }
            Some(half) => Some(0.5 * (half + mean)),
        }
    }
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            batches: self.batches + other.batches,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
            pairs: self.pairs + other.pairs,
            pair_sums: self.pair_sums + other.pair_sums,
            products: self.products + other.products,
        }
    }

    /// Variance of the batch means around `mean`.
    fn variance(&self, mean: f64) -> f64 {
        let batches = self.batches as f64;
        (self.squares - 2.0 * mean * self.sum) / batches + mean * mean
    }

    /// Covariance of neighboring batch means around `mean`; pairs never span a restart.
    fn covariance(&self, mean: f64) -> f64 {
        let pairs = self.pairs as f64;
        (self.products - mean * self.pair_sums) / pairs + mean * mean
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution as _, StandardNormal};

    use super::*;

    fn auto_regressive(rho: f64, restarts: u64, requests: u64, seed: u64) -> CorrelationEstimator {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || -> f64 { StandardNormal.sample(&mut generator) };
        let mut estimator = CorrelationEstimator::new();
        for _ in 0..restarts {
            estimator.begin_restart();
            let mut state = normal();
            for _ in 0..requests {
                state = rho * state + (1.0 - rho * rho).sqrt() * normal();
                estimator.observe(state);
            }
        }
        estimator
    }

    #[test]
    fn a_lone_failure_at_the_end_of_a_restart_is_no_pattern_of_those_before_it() {
        let mut estimator = CorrelationEstimator::new();
        for requests in [19, 131, 150] {
            estimator.begin_restart();
            (1..=requests)
                .for_each(|request| estimator.observe(f64::from(u8::from(request == 19 && requests == 19))));
        }
        assert_eq!(estimator.estimate().map(|found| found.memory), Some(0));
    }

    #[test]
    fn the_correlation_time_of_an_auto_regressive_series_is_found_and_seldom_underestimated() {
        for rho in [0.0, 0.5, 0.8, 0.95] {
            let truth = (1.0 + rho) / (1.0 - rho);
            let mut times: Vec<f64> = (0..200)
                .filter_map(|seed| auto_regressive(rho, 4, 5_000, seed).estimate())
                .map(|correlation| correlation.time)
                .collect();
            times.sort_by(f64::total_cmp);
            let (low, middle) = (times[10], times[100]);
            assert!(low > 0.75 * truth, "rho {rho}: in 5 % of series below {low}, truth {truth}");
            assert!((truth..1.5 * truth).contains(&middle), "rho {rho}: median {middle}, truth {truth}");
        }
    }

    #[test]
    fn memory_is_seen_where_it_is_and_not_where_it_is_not() {
        let memory =
            |rho, seed| auto_regressive(rho, 3, 667, seed).estimate().map_or(0, |found| found.memory);
        let long = |rho, requests| (0..200).filter(|&seed| memory(rho, seed) >= requests).count();
        assert!(long(0.0, 16) <= 4, "{} of 200 independent series", long(0.0, 16));
        assert!(long(0.95, 32) >= 190, "{} of 200 correlated series", long(0.95, 32));
    }

    #[test]
    fn a_short_burst_in_an_otherwise_independent_series_is_visible() {
        let mut estimator = CorrelationEstimator::new();
        for request in 0..2_000 {
            estimator.observe(f64::from(u8::from(request % 97 == 0 || (1_000..1_030).contains(&request))));
        }
        assert!(estimator.estimate().is_some_and(|found| found.memory >= 32));
    }

    #[test]
    fn restarts_are_not_neighbors() {
        let mut estimator = CorrelationEstimator::new();
        for _ in 0..64 {
            estimator.begin_restart();
            estimator.observe(1.0);
            estimator.begin_restart();
            estimator.observe(-1.0);
        }
        assert_eq!(estimator.estimate(), Some(Correlation::NONE));
    }

    #[test]
    fn a_difference_between_restarts_is_correlation_over_all_and_not_within_one() {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut estimator = CorrelationEstimator::new();
        for restart in 0..3_u32 {
            estimator.begin_restart();
            (0..667).for_each(|_| {
                let scattered: f64 = StandardNormal.sample(&mut generator);
                estimator.observe(scattered + 5.0 * f64::from(restart));
            });
        }
        assert!(estimator.estimate().is_some_and(|all| all.time > 30.0 && all.memory >= 128));
        assert!(estimator.estimate_present_restart().is_some_and(|own| own.time < 2.0 && own.memory == 0));
    }

    #[test]
    fn a_constant_series_says_nothing() {
        let mut estimator = CorrelationEstimator::new();
        assert_eq!(estimator.estimate(), None);
        (0..1_000).for_each(|_| estimator.observe(0.1));
        assert_eq!(estimator.estimate(), None);
    }

    #[test]
    fn memory_use_grows_with_the_logarithm_of_the_count() {
        let mut estimator = CorrelationEstimator::new();
        (0..1_000_000).for_each(|request| estimator.observe(f64::from(request % 7)));
        assert!(estimator.levels.len() <= 20, "{} levels", estimator.levels.len());
    }
}

//! Whether a series rises or falls inside each restart, and how steeply: Mann-Kendall on medians of batches, Sen's slope.
//! It does not know what a trend means for a verdict, and it does not look across restarts.
//!
//! Hirsch & Slack, "A nonparametric trend test for seasonal data with serial dependence", Water Resources Research 20(6),
//! 1984: one score per restart (their season), added up. The variance is raised by the correlation left between batches.

/// Requests in the smallest batch.
const BATCH: u64 = 16;

/// Batch medians kept per restart; a restart with more has its batches merged in pairs.
const MOST_BATCHES: usize = 32;

/// Fewest batch medians that a restart needs to be asked for a trend.
const FEWEST_BATCHES: usize = 8;

/// A trend over all restarts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Standard normal deviate of the combined Mann-Kendall score; positive when the series rises.
    pub deviate: f64,
    /// Sen's slope per request: the mean over restarts, weighted with their lengths, of the median slope between batches.
    pub slope: f64,
}

/// Watches one series, made of several restarts.
#[derive(Clone, Debug)]
pub struct TrendEstimator {
    batch: Vec<f64>,
    medians: Vec<f64>,
    /// Requests in each of `medians`.
    length: u64,
    /// Batches of [`BATCH`] requests waiting to be merged into one median of `length` requests, and their sum.
    waiting: (u64, f64),
    ended: Score,
}

/// What is kept of a restart that has ended.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    score: f64,
    variance: f64,
    slopes: f64,
    requests: f64,
}

impl Default for TrendEstimator {
    fn default() -> Self {
        let batch = Vec::with_capacity(BATCH as usize);
        let medians = Vec::with_capacity(MOST_BATCHES);
        Self { batch, medians, length: BATCH, waiting: (0, 0.0), ended: Score::default() }
    }
}

impl TrendEstimator {
    /// A series without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// What comes next is not compared with what came before.
    pub fn begin_restart(&mut self) {
        self.ended = self.ended.plus(Score::of(&self.medians, self.length));
        self.batch.clear();
        self.medians.clear();
        (self.length, self.waiting) = (BATCH, (0, 0.0));
    }

    /// Adds one finite value.
    pub fn observe(&mut self, value: f64) {
        self.batch.push(value);
        if self.batch.len() < BATCH as usize {
            return;
        }
        // Half of 16 lies between two values; which of them is taken does not matter to a rank test.
        let (_, median, _) = self.batch.select_nth_unstable_by(BATCH as usize / 2, f64::total_cmp);
        self.waiting = (self.waiting.0 + 1, self.waiting.1 + *median);
        self.batch.clear();
        if self.waiting.0 * BATCH < self.length {
            return;
        }
        self.medians.push(self.waiting.1 / self.waiting.0 as f64);
        self.waiting = (0, 0.0);
        if self.medians.len() == MOST_BATCHES {
            for pair in 0..MOST_BATCHES / 2 {
                self.medians[pair] = 0.5 * (self.medians[2 * pair] + self.medians[2 * pair + 1]);
            }
            self.medians.truncate(MOST_BATCHES / 2);
            self.length *= 2;
        }
    }

    /// The trend so far; `None` while no restart has enough batches, or when nothing varies.
    pub fn estimate(&self) -> Option<Trend> {
        let all = self.ended.plus(Score::of(&self.medians, self.length));
        let enough = all.variance > 0.0 && all.requests > 0.0;
        enough.then(|| Trend { deviate: all.score / all.variance.sqrt(), slope: all.slopes / all.requests })
    }
}

impl Score {
    fn plus(self, other: Self) -> Self {
        Self {
            score: self.score + other.score,
            variance: self.variance + other.variance,
            slopes: self.slopes + other.slopes,
            requests: self.requests + other.requests,
        }
    }

    fn of(medians: &[f64], length: u64) -> Self {
        if medians.len() < FEWEST_BATCHES {
            return Self::default();
        }
        let requests = medians.len() as f64 * length as f64;
        let slope = sen_slope(medians);
        let (score, variance) = mann_kendall(medians);
        let correlation = neighbor_correlation(medians, slope);
        let inflation = (1.0 + correlation) / (1.0 - correlation);
        Self { score, variance: variance * inflation, slopes: slope / length as f64 * requests, requests }
    }
}

/// The Mann-Kendall score (pairs that rise less pairs that fall) and its variance for independent values, ties allowed for.
pub fn mann_kendall(values: &[f64]) -> (f64, f64) {
    let mut score = 0.0;
    let mut tied = 0.0;
    for (index, earlier) in values.iter().enumerate() {
        for later in &values[index + 1..] {
            if later == earlier {
                tied += 1.0;
            } else {
                score += (later - earlier).signum();
            }
        }
    }
    let count = values.len() as f64;
    let pairs = count * (count - 1.0) / 2.0;
    // Pairs that are tied cannot rise or fall; the exact correction needs the size of each tie, this one is its first
    // order and exact when nothing or everything is tied.
    let distinct = if pairs > 0.0 { 1.0 - tied / pairs } else { 0.0 };
    (score, count * (count - 1.0) * (2.0 * count + 5.0) / 18.0 * distinct)
}

/// Sen's slope: the median of the slopes between all pairs, per step; 0 for fewer than two values.
pub fn sen_slope(values: &[f64]) -> f64 {
    let mut slopes = Vec::with_capacity(values.len() * values.len().saturating_sub(1) / 2);
    for (index, earlier) in values.iter().enumerate() {
        for (steps, later) in values[index + 1..].iter().enumerate() {
            slopes.push((later - earlier) / (steps + 1) as f64);
        }
    }
    if slopes.is_empty() {
        return 0.0;
    }
    let middle = slopes.len() / 2;
    *slopes.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Correlation of neighboring batches once the slope is taken out, with its small-sample bias, (1 + 3 r) / m, put back.
/// Between 0 and 0.9: a negative one is not believed, because it would sharpen the test.
fn neighbor_correlation(values: &[f64], slope: f64) -> f64 {
    let count = values.len() as f64;
    let rest: Vec<f64> = values.iter().enumerate().map(|(step, value)| value - slope * step as f64).collect();
    let mean = rest.iter().sum::<f64>() / count;
    let squares: f64 = rest.iter().map(|value| (value - mean).powi(2)).sum();
    if squares <= 0.0 {
        return 0.0;
    }
    let products: f64 = rest.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let raw = products / squares;
    ((raw * count + 1.0) / (count - 3.0)).clamp(0.0, 0.9)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution as _, StandardNormal};

    use super::*;

    fn deviates(rho: f64, restarts: u64, requests: u32, rise: f64) -> Vec<f64> {
        let mut deviates: Vec<f64> = (0..1_000)
            .filter_map(|seed| {
                let mut generator = ChaCha8Rng::seed_from_u64(seed);
                let mut normal = || -> f64 { StandardNormal.sample(&mut generator) };
                let mut trend = TrendEstimator::new();
                for _ in 0..restarts {
                    trend.begin_restart();
                    let mut state = normal();
                    for request in 0..requests {
                        state = rho * state + (1.0 - rho * rho).sqrt() * normal();
                        trend.observe(state + rise * f64::from(request) / f64::from(requests));
                    }
                }
                trend.estimate().map(|found| found.deviate)
            })
            .collect();
        deviates.sort_by(f64::total_cmp);
        deviates
    }

    #[test]
    fn a_series_without_trend_is_seldom_said_to_have_one() {
        for rho in [0.0, 0.5, 0.8, 0.95] {
            for requests in [667, 3_000] {
                let found = deviates(rho, 3, requests, 0.0);
                assert_eq!(found.len(), 1_000);
                let alarms = found.iter().filter(|deviate| deviate.abs() > 3.29).count();
                let at_five = found.iter().filter(|deviate| deviate.abs() > 1.96).count();
                assert!(alarms <= 5, "rho {rho}, {requests} requests: {alarms} of 1,000 at 0.1 %");
                assert!(at_five <= 60, "rho {rho}, {requests} requests: {at_five} of 1,000 at 5 %");
            }
        }
    }

    #[test]
    fn a_rise_of_two_thirds_of_a_standard_deviation_within_each_restart_is_found() {
        let found = deviates(0.0, 3, 667, 0.67).iter().filter(|&&deviate| deviate > 3.29).count();
        assert!(found >= 800, "{found} of 1,000");
    }

    #[test]
    fn the_slope_is_per_request_however_often_batches_were_merged() {
        for requests in [200, 1_000, 20_000] {
            let mut trend = TrendEstimator::new();
            (0..requests).for_each(|request| trend.observe(0.25 * f64::from(request)));
            let found = trend.estimate().map_or(0.0, |found| found.slope);
            assert!((found - 0.25).abs() < 0.01, "{requests} requests: {found}");
        }
    }

    #[test]
    fn a_constant_series_has_no_trend() {
        let mut trend = TrendEstimator::new();
        (0..1_000).for_each(|_| trend.observe(7.0));
        assert_eq!(trend.estimate(), None);
    }

    #[test]
    fn a_difference_between_restarts_is_not_a_trend() {
        let mut trend = TrendEstimator::new();
        for restart in 0..4 {
            trend.begin_restart();
            (0..500).for_each(|request| trend.observe(f64::from(100 * restart + (request * 7919) % 13)));
        }
        assert!(trend.estimate().is_some_and(|found| found.deviate.abs() < 2.0));
    }
}

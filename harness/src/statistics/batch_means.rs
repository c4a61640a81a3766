//! A rate with an interval around it, from the means of a bounded number of batches: neighboring requests are correlated,
//! batches of many of them hardly are (Law, Simulation Modeling and Analysis, 5th ed., section 9.5.3).

use std::time::Duration;

use statrs::distribution::{ContinuousCDF as _, StudentsT};

const MOST_BATCHES: usize = 40;
/// Below this many batches an interval is not worth the name.
const FEWEST_BATCHES: usize = 10;

/// Counts things done and the time they took, in at most forty batches of equal numbers of requests.
#[derive(Clone, Debug)]
pub struct BatchMeans {
    batches: Vec<Batch>,
    requests_per_batch: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Batch {
    requests: u64,
    done: u64,
    time: Duration,
}

/// A rate per second and the ends of its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Mean over the batches.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Default for BatchMeans {
    fn default() -> Self {
        Self { batches: Vec::new(), requests_per_batch: 1 }
    }
}

impl BatchMeans {
    /// Adds a request that did so much (texts embedded; 0 when it failed) and took so long until the next.
    pub fn record(&mut self, done: u64, time: Duration) {
        match self.batches.last_mut() {
            Some(last) if last.requests < self.requests_per_batch => {
                last.absorb(Batch { requests: 1, done, time })
            }
            _ => self.batches.push(Batch { requests: 1, done, time }),
        }
        if self.batches.len() > MOST_BATCHES {
            self.requests_per_batch *= 2;
            self.batches = self
                .batches
                .chunks(2)
                .map(|pair| {
                    let mut both = pair[0];
                    pair[1..].iter().for_each(|other| both.absorb(*other));
                    both
                })
                .collect();
        }
    }

    /// The rate with a two-sided t interval; `None` for fewer than ten full batches.
    #[must_use]
    pub fn rate(&self, confidence: f64) -> Option<Rate> {
        let full: Vec<f64> = self
            .batches
            .iter()
            .filter(|batch| batch.requests == self.requests_per_batch && !batch.time.is_zero())
            .map(|batch| batch.done as f64 / batch.time.as_secs_f64())
            .collect();
        if full.len() < FEWEST_BATCHES {
            return None;
        }
        let count = full.len() as f64;
        let mean = full.iter().sum::<f64>() / count;
        let variance = full.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let deviate = StudentsT::new(0.0, 1.0, count - 1.0).ok()?.inverse_cdf(f64::midpoint(1.0, confidence));
        let half = deviate * (variance / count).sqrt();
        Some(Rate { value: mean, low: mean - half, high: mean + half })
    }
}

impl Batch {
    fn absorb(&mut self, other: Self) {
        self.requests += other.requests;
        self.done += other.done;
        self.time += other.time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_has_no_width_and_a_mixed_one_covers_its_mean() {
        let mut steady = BatchMeans::default();
        let mut mixed = BatchMeans::default();
        for n in 0..1_000_u64 {
            steady.record(2, Duration::from_millis(10));
            mixed.record(1, Duration::from_millis(if n / 100 % 2 == 0 { 5 } else { 20 }));
        }
        let rate = steady.rate(0.95).expect("batches");
        assert!((rate.value - 200.0).abs() < 1e-6 && (rate.high - rate.low) < 1e-6, "{rate:?}");
        let rate = mixed.rate(0.95).expect("batches");
        assert!(rate.low < 125.0 && 125.0 < rate.high && rate.low > 80.0, "{rate:?}");
    }

    #[test]
    fn too_few_requests_have_no_interval() {
        let mut few = BatchMeans::default();
        (0..9).for_each(|_| few.record(1, Duration::from_millis(1)));
        assert_eq!(few.rate(0.95), None);
    }
}

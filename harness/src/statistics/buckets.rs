//! Times counted in buckets of equal ratio, of which only those that occur take memory: small enough to be kept for every restart
//! and every block of a run.

use std::collections::BTreeMap;

/// Bits of the mantissa that tell buckets apart: 1,024 buckets to an octave, so that a value is off by at most 0.05 %.
const KEPT_BITS: u32 = 10;
const DROPPED_BITS: u32 = f64::MANTISSA_DIGITS - 1 - KEPT_BITS;

/// A histogram of times. Those of requests that failed are infinite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    counts: BTreeMap<u32, u64>,
    finite: u64,
    infinite: u64,
}

impl Buckets {
    /// Adds a time in nanoseconds; `None` is infinite.
    pub fn record(&mut self, nanoseconds: Option<u64>) {
        match nanoseconds {
            Some(time) => {
                *self.counts.entry(bucket(time)).or_default() += 1;
                self.finite += 1;
            }
            None => self.infinite += 1,
        }
    }

    /// Adds all that another one has.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            *self.counts.entry(*bucket).or_default() += count;
        }
        self.finite += other.finite;
        self.infinite += other.infinite;
    }

    /// Times counted, infinite ones too.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.finite + self.infinite
    }

    /// The nearest-rank quantile in nanoseconds, `quantile` in (0, 1); `None` of nothing, or if it is infinite.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        quantile_of(&[self], quantile)
    }
}

/// The nearest-rank quantile of several histograms together.
#[must_use]
pub fn quantile_of(parts: &[&Buckets], quantile: f64) -> Option<f64> {
    let count: u64 = parts.iter().map(|part| part.count()).sum();
    let rank = ((quantile * count as f64).ceil() as u64).max(1);
    let mut all: BTreeMap<u32, u64> = BTreeMap::new();
    for (bucket, count) in parts.iter().flat_map(|part| &part.counts) {
        *all.entry(*bucket).or_default() += count;
    }
    let mut below = 0;
    all.into_iter().find_map(|(bucket, count)| {
        below += count;
        (below >= rank).then(|| middle(bucket))
    })
}

fn bucket(nanoseconds: u64) -> u32 {
    ((nanoseconds.max(1) as f64).to_bits() >> DROPPED_BITS) as u32
}

fn middle(bucket: u32) -> f64 {
    f64::from_bits((u64::from(bucket) << DROPPED_BITS) | (1 << (DROPPED_BITS - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_that_of_the_sorted_times_to_a_twentieth_of_a_percent() {
        let times: Vec<u64> = (1..=4_000_u64).map(|n| n * n * 37 % 999_983 + 50).collect();
        let mut sorted = times.clone();
        sorted.sort_unstable();
        let mut buckets = Buckets::default();
        times.iter().for_each(|time| buckets.record(Some(*time)));
        for quantile in [0.001, 0.5, 0.95, 0.999] {
            let exact = sorted[(quantile * 4_000_f64).ceil() as usize - 1] as f64;
            let found = buckets.quantile(quantile).unwrap();
            assert!((found / exact - 1.0).abs() <= 0.0005, "{quantile}: {found} for {exact}");
        }
    }

    #[test]
    fn a_failure_is_slower_than_any_time() {
        let mut one = Buckets::default();
        (0..19).for_each(|_| one.record(Some(1_000)));
        let mut other = Buckets::default();
        other.record(None);
        assert!(quantile_of(&[&one, &other], 0.95).is_some());
        assert_eq!(quantile_of(&[&one, &other], 0.96), None);
        one.merge(&other);
        assert_eq!((one.count(), one.quantile(0.96)), (20, None));
        assert_eq!(Buckets::default().quantile(0.5), None);
    }
}

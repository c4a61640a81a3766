//! The search for the rates that are worth certifying: which to try next, and which to declare in the end.
//!
//! Pure: the caller tells it what each trial gave. A search decides nothing: it looks at many noisy estimates and keeps the
//! lucky ones, so its data is thrown away and the rates that it names are tested on fresh data.

/// The share of the closed model's rate below which nothing is tried: capacity is not what makes an objective fail there.
const LOWEST: f64 = 0.05;
/// Number of trials. Each halves what is left, so the last one is 3 % of the closed model's rate from the one before.
const TRIES: usize = 5;
/// By how much of the best rate found one level lies below the next.
const STEP: f64 = 0.2;

/// A search by halving between a rate at which every objective was met and one at which one was not.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    met: Option<f64>,
    low: f64,
    high: f64,
    tried: usize,
}

impl Search {
    /// Begins with the rate that the backend reached in a closed model, in requests per second: in an open one it cannot be
    /// faster.
    #[must_use]
    pub fn below(closed_rate: f64) -> Self {
        Self { met: None, low: LOWEST * closed_rate, high: closed_rate, tried: 0 }
    }

    /// The rate to try next; `None` once the search is over.
    #[must_use]
    pub fn next(&self) -> Option<f64> {
        let middle = two_digits((self.low + self.high) / 2.0);
        // Between two neighbors of two digits there is nothing left to try.
        let is_new = self.met.is_none_or(|met| middle > met);
        (self.tried < TRIES && is_new).then_some(middle)
    }

    /// Whether every objective was met at that rate.
    pub fn tell(&mut self, rate: f64, met: bool) {
        self.tried += 1;
        if met {
            self.met = Some(rate);
            self.low = rate;
        } else {
            self.high = rate;
        }
    }

    /// The rates to certify, rising: at most so many, the highest being the best one found. When none was, the lowest rate
    /// there is to try, so that it is judged and not only believed to be too much.
    #[must_use]
    pub fn levels(&self, count: u32) -> Vec<f64> {
        let Some(best) = self.met else { return vec![two_digits(self.low)] };
        let mut levels: Vec<f64> =
            (0..count).rev().map(|below| two_digits(best * (1.0 - STEP * f64::from(below)))).collect();
        levels.dedup();
        levels
    }
}

/// Rounded down to two significant digits: rates are declared as people say them.
fn two_digits(rate: f64) -> f64 {
    let scale = 10_f64.powf(rate.log10().floor() - 1.0);
    // The hair above keeps a rate that has two digits already from falling to the one below.
    ((rate / scale + 1e-9).floor() * scale * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(closed_rate: f64, capacity: f64) -> Search {
        let mut search = Search::below(closed_rate);
        while let Some(rate) = search.next() {
            search.tell(rate, rate <= capacity);
        }
        search
    }

    #[test]
    fn the_highest_level_lies_within_a_few_percent_below_what_the_backend_takes() {
        for (closed_rate, capacity) in [(150.0, 96.0), (12_345.0, 9_876.0), (0.7, 0.33), (150.0, 149.0)] {
            let levels = search(closed_rate, capacity).levels(3);
            let best = levels[levels.len() - 1];
            assert!(
                best <= capacity && best > capacity - 0.08 * closed_rate,
                "{closed_rate} {capacity}: {levels:?}"
            );
            assert!(levels.len() == 3 && levels.windows(2).all(|pair| pair[0] < pair[1]), "{levels:?}");
        }
    }

    #[test]
    fn where_nothing_is_met_the_lowest_rate_is_certified_alone() {
        assert_eq!(search(150.0, 0.0).levels(3), [7.5]);
    }

    #[test]
    fn rates_have_two_digits_and_are_never_rounded_up() {
        for (rate, short) in [(96.7, 96.0), (12_345.0, 12_000.0), (0.0337, 0.033), (10.0, 10.0), (0.7, 0.7)] {
            assert_eq!(two_digits(rate), short);
        }
    }
}

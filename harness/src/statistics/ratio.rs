//! The ratio of one backend's figure to another's, with an interval that respects restarts.
//!
//! Requests of one process share its luck (where its memory lies, which processor it began on), so ten thousand requests of three
//! processes are three draws and not ten thousand (Kalibera & Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013). A unit
//! here is a restart, or a block of a single one. The delete-one jackknife over units gives the standard error of the logarithm of a
//! figure (Efron & Tibshirani, An Introduction to the Bootstrap, chapter 11), and Welch's t interval with Satterthwaite's degrees of
//! freedom that of the difference of two logarithms. How often it covers the truth is simulated in `examples/ratio_coverage.rs`.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// A figure of one backend as a logarithm, with how far it varies from unit to unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The natural logarithm of the figure over all units.
    pub log: f64,
    /// The variance of that logarithm; `None` of a single unit.
    pub variance: Option<f64>,
    /// Units.
    pub units: usize,
}

/// A ratio with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The first figure divided by the second.
    pub value: f64,
    /// The ends of the interval; `None` if one of the two has a single unit.
    pub interval: Option<(f64, f64)>,
}

/// The figure that `of` makes of units, over all of them and without each one. `None` if it has none for some of these.
pub fn jackknife<U>(units: &[U], of: impl Fn(&[&U]) -> Option<f64>) -> Option<Estimate> {
    let all: Vec<&U> = units.iter().collect();
    let log = of(&all).filter(|figure| *figure > 0.0)?.ln();
    let count = units.len();
    if count < 2 {
        return Some(Estimate { log, variance: None, units: count });
    }
    let without = |left_out: usize| {
        let others: Vec<&U> =
            units.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, unit)| unit).collect();
        Some(of(&others).filter(|figure| *figure > 0.0)?.ln())
    };
    let logs = (0..count).map(without).collect::<Option<Vec<f64>>>()?;
    let mean = logs.iter().sum::<f64>() / count as f64;
    let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
    let variance = squares * (count - 1) as f64 / count as f64;
    Some(Estimate { log, variance: Some(variance), units: count })
}

impl Estimate {
    /// This figure divided by another's, with a two-sided interval of that confidence, in (0, 1).
    #[must_use]
    pub fn over(&self, other: &Self, confidence: f64) -> Ratio {
        let difference = self.log - other.log;
        let half = match (self.variance, other.variance) {
            (Some(one), Some(two)) => half_width(&[(one, self.units), (two, other.units)], confidence),
            _ => None,
        };
        Ratio::around(difference, half)
    }

    /// A figure that is a ratio already, with its t interval.
    #[must_use]
    pub fn as_ratio(&self, confidence: f64) -> Ratio {
        let half = self.variance.and_then(|variance| half_width(&[(variance, self.units)], confidence));
        Ratio::around(self.log, half)
    }

    /// The smallest difference, as a share, whose interval of that confidence would leave one out with a chance of `power`: the
    /// standard error times the sum of the two t quantiles (Bloom, Minimum Detectable Effects, Evaluation Review 19(5), 1995).
    #[must_use]
    pub fn smallest_difference(&self, confidence: f64, power: f64) -> Option<f64> {
        let variance = self.variance?;
        let t = StudentsT::new(0.0, 1.0, self.units as f64 - 1.0).ok()?;
        let multiple = t.inverse_cdf(f64::midpoint(1.0, confidence)) + t.inverse_cdf(power);
        Some((multiple * variance.sqrt()).exp_m1())
    }
}

impl Ratio {
    fn around(log: f64, half: Option<f64>) -> Self {
        Self { value: log.exp(), interval: half.map(|half| ((log - half).exp(), (log + half).exp())) }
    }
}

/// Half the width of the t interval of a sum of independent estimates, each with its variance and its units.
fn half_width(parts: &[(f64, usize)], confidence: f64) -> Option<f64> {
    let variance: f64 = parts.iter().map(|(variance, _)| variance).sum();
    if variance <= 0.0 {
        return Some(0.0);
    }
    let freedom = variance.powi(2)
        / parts.iter().map(|(variance, units)| variance.powi(2) / (*units as f64 - 1.0)).sum::<f64>();
    let deviate = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(f64::midpoint(1.0, confidence));
    Some(deviate * variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(units: &[&f64]) -> Option<f64> {
        Some(units.iter().copied().sum::<f64>() / units.len() as f64)
    }

    #[test]
    fn of_a_mean_the_jackknife_is_the_usual_standard_error() {
        // Near one, the logarithm of a mean varies as the mean does.
        let units = [1.001, 0.999, 1.002, 0.998, 1.0];
        let estimate = jackknife(&units, mean).unwrap();
        let variance = units.iter().map(|unit| (unit - 1.0_f64).powi(2)).sum::<f64>() / 4.0 / 5.0;
        let found = estimate.variance.unwrap();
        assert!((found / variance - 1.0).abs() < 1e-2, "{found} for {variance}");
    }

    #[test]
    fn the_interval_is_welchs() {
        // scipy.stats.ttest_ind([1, 2, 3], [2, 4, 9], equal_var=False).confidence_interval() is -3 +- 8.2077, with 2.3059 degrees
        // of freedom.
        let variance = |units: [f64; 3]| {
            let mean = units.iter().sum::<f64>() / 3.0;
            units.iter().map(|unit| (unit - mean).powi(2)).sum::<f64>() / 2.0 / 3.0
        };
        let half = half_width(&[(variance([1.0, 2.0, 3.0]), 3), (variance([2.0, 4.0, 9.0]), 3)], 0.95);
        assert!((half.unwrap() - 8.207_701_579).abs() < 1e-6, "{half:?}");
    }

    #[test]
    fn the_smallest_difference_is_the_one_that_is_found_as_often_as_it_says() {
        // With 4 degrees of freedom: t(0.975) = 2.776445, t(0.8) = 0.940965.
        let estimate = Estimate { log: 0.0, variance: Some(0.0001), units: 5 };
        let smallest = estimate.smallest_difference(0.95, 0.8).unwrap();
        assert!((smallest - (0.01_f64 * (2.776_445 + 0.940_965)).exp_m1()).abs() < 1e-6, "{smallest}");
        assert_eq!(Estimate { variance: None, units: 1, ..estimate }.smallest_difference(0.95, 0.8), None);
    }

    #[test]
    fn units_that_are_all_alike_leave_no_doubt_and_a_single_one_leaves_it_all() {
        let alike = jackknife(&[2.0, 2.0, 2.0], mean).unwrap();
        let single = jackknife(&[1.0], mean).unwrap();
        assert_eq!(alike.over(&alike, 0.95), Ratio { value: 1.0, interval: Some((1.0, 1.0)) });
        let ratio = alike.over(&single, 0.95);
        assert!((ratio.value - 2.0).abs() < 1e-12 && ratio.interval.is_none(), "{ratio:?}");
        assert_eq!(jackknife(&[0.0, 0.0], mean), None);
    }
}

//! How the values of an indicator are written, and what its requests are called: everything that depends on which
//! indicator an objective names.

use crate::record::{Indicator, Interval, Objective};
use crate::units;

/// A value in the indicator's unit.
pub(crate) fn value(indicator: &Indicator, value: f64) -> String {
    match indicator {
        Indicator::ResponseTime { .. } | Indicator::ServiceTime { .. } | Indicator::ColdStart { .. } => {
            units::duration(value)
        }
        Indicator::Throughput => format!("{} texts/s", units::figure(value)),
        Indicator::FailureShare => units::percent(value),
        Indicator::PeakRss => units::bytes(value.max(0.0).round() as u64),
        Indicator::Cosine => format!("{value:.7}"),
    }
}

/// The ends of an estimate's interval, or `-` for a value that has none because it was counted and not estimated.
pub(crate) fn interval(indicator: &Indicator, estimate: &Interval) -> String {
    if estimate.low == estimate.value && estimate.high == Some(estimate.value) {
        return units::ABSENT.to_owned();
    }
    let low = value(indicator, estimate.low);
    match estimate.high {
        Some(high) => format!("{low} to {}", value(indicator, high)),
        None => format!("{low} or more"),
    }
}

/// What is counted when the indicator is judged.
pub(crate) fn noun(indicator: &Indicator) -> &'static str {
    match indicator {
        Indicator::ColdStart { .. } => "cold start",
        _ => "request",
    }
}

/// The share of requests that may be over the limit; `None` for an indicator that is not a percentile.
pub(crate) fn allowed_share(objective: &Objective) -> Option<f64> {
    objective.indicator.quantile().map(|quantile| 1.0 - quantile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_in_the_unit_of_their_indicator() {
        let written = [
            (Indicator::ServiceTime { quantile: 0.5 }, 6.62e6, "6.62 ms"),
            (Indicator::Throughput, 151.2, "151 texts/s"),
            (Indicator::FailureShare, 0.0125, "1.2 %"),
            (Indicator::PeakRss, 124_780_544.0, "119 MiB"),
            (Indicator::Cosine, 0.999_93, "0.9999300"),
        ];
        for (indicator, number, expected) in written {
            assert_eq!(value(&indicator, number), expected);
        }
    }

    #[test]
    fn only_what_was_estimated_has_an_interval() {
        let between = |low, high| Interval { value: 2.0, low, high };
        let written = |estimate| interval(&Indicator::Throughput, &estimate);
        assert_eq!(written(between(2.0, Some(2.0))), "-");
        assert_eq!(written(between(1.0, Some(3.0))), "1.00 texts/s to 3.00 texts/s");
        assert_eq!(written(between(1.0, None)), "1.00 texts/s or more");
    }
}

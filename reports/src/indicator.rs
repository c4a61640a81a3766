//! How an indicator and its values are written, the same in objectives, verdicts and reports, and what its requests are
//! called: everything that depends on which indicator an objective names.

use crate::record::{Indicator, Interval, Objective};
use crate::units;

/// What is measured, in words: `P95 response time`.
#[must_use]
pub fn name(indicator: &Indicator) -> String {
    match indicator {
        Indicator::ResponseTime { quantile } => format!("{} response time", units::percentile(*quantile)),
        Indicator::ServiceTime { quantile } => format!("{} service time", units::percentile(*quantile)),
        Indicator::ColdStart { quantile } => format!("{} cold start", units::percentile(*quantile)),
        Indicator::Throughput => "throughput".to_owned(),
        Indicator::FailureShare => "failure share".to_owned(),
        Indicator::PeakRss => "peak RSS".to_owned(),
        Indicator::Cosine => "cosine to the reference".to_owned(),
    }
}

/// A limit in the indicator's unit, exactly as it was set: a measured value is rounded, a limit is not.
#[must_use]
pub fn limit(indicator: &Indicator, limit: f64) -> String {
    match indicator {
        Indicator::ResponseTime { .. } | Indicator::ServiceTime { .. } | Indicator::ColdStart { .. } => {
            units::tick(limit)
        }
        _ => value(indicator, limit),
    }
}

/// A measured value in the indicator's unit.
#[must_use]
pub fn value(indicator: &Indicator, value: f64) -> String {
    match indicator {
        Indicator::ResponseTime { .. } | Indicator::ServiceTime { .. } | Indicator::ColdStart { .. } => {
            units::duration(value)
        }
        Indicator::Throughput => format!("{} texts/s", units::figure(value)),
        Indicator::FailureShare => units::percent(value),
        Indicator::PeakRss => units::bytes(value.max(0.0).round() as u64),
        Indicator::Cosine => units::cosine(value),
    }
}

/// The ends of an estimate's interval, or `-` for a value that has none because it was counted and not estimated.
pub(crate) fn interval(indicator: &Indicator, estimate: &Interval) -> String {
    // What was counted, such as memory, is recorded as an interval of no width.
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

/// The confidence of an interval of which either bound is wrong as rarely as the verdict.
pub(crate) fn two_sided(confidence: f64) -> f64 {
    2.0 * confidence - 1.0
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
            (Indicator::Cosine, 0.999_93, "0.99993"),
        ];
        for (indicator, number, expected) in written {
            assert_eq!(value(&indicator, number), expected);
        }
    }

    #[test]
    fn limits_are_written_as_they_were_set() {
        let written = [
            (Indicator::ResponseTime { quantile: 0.95 }, 20e6, "20 ms"),
            (Indicator::ColdStart { quantile: 0.5 }, 1.234e9, "1.234 s"),
            (Indicator::Throughput, 100.0, "100 texts/s"),
            (Indicator::Cosine, 0.999, "0.999"),
        ];
        for (indicator, number, expected) in written {
            assert_eq!(limit(&indicator, number), expected);
        }
        assert_eq!(name(&Indicator::ServiceTime { quantile: 0.999 }), "P99.9 service time");
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

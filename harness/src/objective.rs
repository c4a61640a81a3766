//! An objective, as data: the indicator, its limit, and how certain the answer must be.

use std::time::Duration;

use tailmark_reports::indicator as words;
use tailmark_reports::record::{self, Bound};

use crate::scenario::{self, ObjectiveSection, Percentile, TimeSpan};

pub use tailmark_reports::record::Indicator;

/// Something that a backend must meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// What is judged.
    pub indicator: Indicator,
    /// The limit: nanoseconds, texts per second, a share, bytes, or a cosine.
    pub limit: f64,
    /// 1 - the largest accepted chance of a wrong decision, each way.
    pub confidence: f64,
    /// The backends it applies to; `None` for all.
    pub backends: Option<Vec<String>>,
}

/// The key at fault, and why.
type Fault = (&'static str, String);

impl Objective {
    /// Reads a section, apart from its `backends`, which only the plan knows.
    ///
    /// # Errors
    /// Every fault, with the key it is at.
    pub fn read(section: &ObjectiveSection) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let confidence = section.confidence.unwrap_or(0.99);
        if !(confidence > 0.5 && confidence < 1.0) {
            faults.push(("confidence", format!("{confidence}; it must be above 0.5 and below 1")));
        }
        let indicator = indicator(section).map_err(|fault| faults.push(fault)).ok();
        let limit = indicator
            .and_then(|indicator| limit(section, indicator).map_err(|fault| faults.push(fault)).ok());
        match (indicator, limit) {
            (Some(indicator), Some(limit)) if faults.is_empty() => {
                Ok(Self { indicator, limit, confidence, backends: section.backends.clone() })
            }
            _ => Err(faults),
        }
    }

    /// Whether the objective is asked of this backend.
    #[must_use]
    pub fn applies_to(&self, backend: &str) -> bool {
        self.backends.as_ref().is_none_or(|names| names.iter().any(|name| name == backend))
    }

    /// The limit as a length of time, for indicators that are one.
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        match self.indicator {
            Indicator::ResponseTime { .. } | Indicator::ServiceTime { .. } | Indicator::ColdStart { .. } => {
                Some(Duration::from_nanos(self.limit as u64))
            }
            _ => None,
        }
    }

    /// What is measured, in words: `P95 response time`.
    #[must_use]
    pub fn subject(&self) -> String {
        words::name(&self.indicator)
    }

    /// A value of the indicator with its unit.
    #[must_use]
    pub fn show(&self, value: f64) -> String {
        words::value(&self.indicator, value)
    }

    /// The limit with its unit.
    #[must_use]
    pub fn show_limit(&self) -> String {
        words::limit(&self.indicator, self.limit)
    }

    /// The objective as the record has it.
    #[must_use]
    pub fn to_record(&self) -> record::Objective {
        let bound = self.indicator.bound();
        let sign = match bound {
            Bound::Below => "<",
            Bound::AtLeast => ">=",
        };
        record::Objective {
            text: format!("{} {sign} {}", self.subject(), self.show_limit()),
            indicator: self.indicator,
            bound,
            limit: self.limit,
            confidence: self.confidence,
            backends: self.backends.clone(),
        }
    }
}

fn indicator(section: &ObjectiveSection) -> Result<Indicator, Fault> {
    let Some(text) = section.indicator.as_deref().map(str::trim) else {
        return Err((
            "indicator",
            "missing; write what is judged, for example indicator = \"p95 response time\"".to_owned(),
        ));
    };
    let unknown = || {
        format!(
            "`{text}` is not an indicator; write `p95 response time`, `p95 service time` or `p50 cold start` with any \
             percentile, or `throughput`, `failure share`, `peak rss`, `cosine`"
        )
    };
    let of_percentile = |text: &str, make: fn(f64) -> Indicator| {
        text.parse::<Percentile>().map(|percentile| make(percentile.0)).map_err(|why| ("indicator", why))
    };
    match (text, text.split_once(' ').map(|(first, rest)| (first, rest.trim()))) {
        ("throughput", _) => Ok(Indicator::Throughput),
        ("failure share", _) => Ok(Indicator::FailureShare),
        ("peak rss", _) => Ok(Indicator::PeakRss),
        ("cosine", _) => Ok(Indicator::Cosine),
        (_, Some((percentile, "response time"))) => {
            of_percentile(percentile, |quantile| Indicator::ResponseTime { quantile })
        }
        (_, Some((percentile, "service time"))) => {
            of_percentile(percentile, |quantile| Indicator::ServiceTime { quantile })
        }
        (_, Some((percentile, "cold start"))) => {
            of_percentile(percentile, |quantile| Indicator::ColdStart { quantile })
        }
        _ => Err(("indicator", unknown())),
    }
}

fn limit(section: &ObjectiveSection, indicator: Indicator) -> Result<f64, Fault> {
    let (key, other, text, wrongly) = match indicator.bound() {
        Bound::Below => ("below", "at_least", &section.below, &section.at_least),
        Bound::AtLeast => ("at_least", "below", &section.at_least, &section.below),
    };
    if wrongly.is_some() {
        return Err((other, format!("this indicator has no such limit; write `{key}`")));
    }
    let example = match indicator {
        Indicator::Throughput => "100/s",
        Indicator::FailureShare => "0.1%",
        Indicator::PeakRss => "400MiB",
        Indicator::Cosine => "0.999",
        _ => "20ms",
    };
    let Some(text) = text else {
        return Err((key, format!("missing; write the limit, for example {key} = \"{example}\"")));
    };
    let value = match indicator {
        Indicator::Throughput => scenario::rate(text),
        Indicator::FailureShare => scenario::share(text),
        Indicator::PeakRss => scenario::memory(text),
        Indicator::Cosine => match text.trim().parse::<f64>() {
            Ok(cosine) if (-1.0..=1.0).contains(&cosine) => Ok(cosine),
            _ => Err(format!("`{text}` is not a cosine: write a number from -1 to 1, for example \"0.999\"")),
        },
        _ => text.parse::<TimeSpan>().map(|span| span.0.as_nanos() as f64),
    };
    value.map_err(|why| (key, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(indicator: &str, below: Option<&str>, at_least: Option<&str>) -> ObjectiveSection {
        ObjectiveSection {
            indicator: Some(indicator.to_owned()),
            below: below.map(str::to_owned),
            at_least: at_least.map(str::to_owned),
            ..ObjectiveSection::default()
        }
    }

    #[test]
    fn every_indicator_is_read_with_its_unit_and_said_in_words() {
        for (indicator, below, at_least, text) in [
            ("p95 response time", Some("20ms"), None, "P95 response time < 20 ms"),
            ("p99.9 service time", Some("1s"), None, "P99.9 service time < 1 s"),
            ("p50 cold start", Some("800ms"), None, "P50 cold start < 800 ms"),
            ("throughput", None, Some("100/s"), "throughput >= 100 texts/s"),
            ("failure share", Some("0.1%"), None, "failure share < 0.1 %"),
            ("peak rss", Some("400MiB"), None, "peak RSS < 400 MiB"),
            ("cosine", None, Some("0.999"), "cosine to the reference >= 0.999"),
        ] {
            let objective = Objective::read(&section(indicator, below, at_least)).expect(indicator);
            assert_eq!(objective.to_record().text, text);
        }
    }

    #[test]
    fn a_limit_of_the_wrong_kind_or_direction_is_refused_at_its_key() {
        for (indicator, below, at_least, key, part) in [
            ("p95 response time", Some("20MiB"), None, "below", "`20MiB` is not a length of time"),
            ("peak rss", Some("20ms"), None, "below", "`20ms` is not an amount of memory"),
            ("throughput", Some("100/s"), None, "below", "write `at_least`"),
            ("cosine", None, Some("2"), "at_least", "from -1 to 1"),
            ("p95 latency", Some("20ms"), None, "indicator", "`p95 latency` is not an indicator"),
            ("p0 response time", Some("20ms"), None, "indicator", "`p0` is not a percentile"),
            ("throughput", None, None, "at_least", "for example at_least = \"100/s\""),
        ] {
            let faults = Objective::read(&section(indicator, below, at_least)).expect_err(indicator);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].0 == key && faults[0].1.contains(part), "{faults:?}");
        }
    }
}

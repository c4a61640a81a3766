//! Quantities with their unit, as people write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time written as a number and a unit: "20ms", "1.5s", "250us".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan(pub Duration);

const UNITS: &[(&str, f64)] =
    &[("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0)];

/// The longest length of time that can be written: about four months. What is added to a clock must not overflow it.
const LONGEST: Duration = Duration::from_secs(10_000_000);
/// The largest amount of memory that can be written, in bytes, and the highest rate per second: beyond any machine, and far from
/// where the arithmetic on them ends.
const LARGEST: f64 = 1e15;

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "`{text}` is not a length of time: {why}; write a number and one of ns, us, ms, s, min, h, for example \"20ms\""
            )
        };
        let trimmed = text.trim();
        let split = trimmed
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+'))
            .unwrap_or(trimmed.len());
        let (number, unit) = (trimmed[..split].trim(), trimmed[split..].trim());
        if trimmed.is_empty() {
            return Err(wrong("it is empty"));
        }
        let number: f64 = number.parse().map_err(|_| wrong("it does not begin with a number"))?;
        if unit.is_empty() {
            return Err(wrong("it has no unit"));
        }
        let Some((_, seconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(wrong(&format!("`{unit}` is not a unit of time")));
        };
        // What is too large for a `Duration` is too large here; what is below a nanosecond is rounded to nothing.
        match Duration::try_from_secs_f64((number * seconds).min(2.0 * LONGEST.as_secs_f64())) {
            Ok(span) if span > LONGEST => Err(wrong("it must be at most 10000000s")),
            Ok(span) if !span.is_zero() => Ok(Self(span)),
            _ => Err(wrong("it must be more than zero")),
        }
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (unit, scale) = match seconds {
            s if s >= 1.0 => ("s", 1.0),
            s if s >= 1e-3 => ("ms", 1e-3),
            s if s >= 1e-6 => ("us", 1e-6),
            _ => ("ns", 1e-9),
        };
        // Rounded to a millionth of the unit, so that 0.02 s reads as 20ms and not as 20.000000000000004ms.
        write!(f, "{}{unit}", (seconds / scale * 1e6).round() / 1e6)
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = TimeSpan;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time in quotes, a number and one of ns, us, ms, s, min, h, for example \"20ms\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<TimeSpan, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> Cow<'static, str> {
        "TimeSpan".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A number and a unit: ns, us, ms, s, min, h.",
            "pattern": r"^\s*\+?[0-9]*\.?[0-9]+\s*(ns|us|µs|ms|s|min|h)\s*$",
        })
    }
}

/// A percentile written as `p95` or `p99.9`; kept as a quantile between 0 and 1, both excluded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile(pub f64);

impl FromStr for Percentile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix(['p', 'P']).and_then(|rest| rest.parse::<f64>().ok());
        match number {
            // Nearer to the ends than this, no run of any length could tell one from the other.
            Some(percent) if (1e-6..=100.0 - 1e-6).contains(&percent) => Ok(Self(percent / 100.0)),
            _ => Err(format!(
                "`{text}` is not a percentile: write `p` and a number above 0 and below 100, for example p95"
            )),
        }
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", (self.0 * 100.0 * 1e6).round() / 1e6)
    }
}

/// Reads a limit as it is written; what unit it must have, only its indicator knows.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = Option<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a limit in quotes, with its unit, for example \"20ms\"")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// A share written in percent or plainly, as in `0.1%` or `0.001`, between 0 and 1, both excluded.
///
/// # Errors
/// One sentence with the value and the rule.
pub fn share(text: &str) -> Result<f64, String> {
    let number = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.trim().parse(),
    };
    match number {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err(format!(
            "`{text}` is not a share: write more than 0 % and less than 100 %, for example \"0.1%\""
        )),
    }
}

/// An amount of memory in bytes, as in `400MiB`.
///
/// # Errors
/// One sentence with the value and the rule.
pub fn memory(text: &str) -> Result<f64, String> {
    let units = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
    ];
    let found = units.iter().find_map(|(unit, bytes)| {
        let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
        (number > 0.0 && (1.0..=LARGEST).contains(&(number * bytes))).then_some(number * bytes)
    });
    found.ok_or_else(|| {
        format!(
            "`{text}` is not an amount of memory: write a number and one of KiB, MiB, GiB, kB, MB, GB, from a byte to a million \
             GB, for example \"400MiB\""
        )
    })
}

/// A rate per second, as in `100/s`.
///
/// # Errors
/// One sentence with the value and the rule.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.trim().strip_suffix("/s").map(|number| number.trim().parse::<f64>()) {
        Some(Ok(rate)) if rate > 0.0 && rate <= LARGEST => Ok(rate),
        _ => Err(format!(
            "`{text}` is not a rate: write a number above 0, at most 1000000000000000, and `/s`, for example \"100/s\""
        )),
    }
}

/// A pause between requests: a length of time, or none.
///
/// # Errors
/// One sentence with the value, the rule and an example.
pub fn gap(text: &str) -> Result<Duration, String> {
    let number = text.trim().trim_end_matches(|c: char| c.is_alphabetic() || c == 'µ').trim();
    // A length of time is more than zero everywhere else; here zero is the most usual value.
    if number.parse::<f64>() == Ok(0.0) && UNITS.iter().any(|(unit, _)| text.trim().ends_with(unit)) {
        return Ok(Duration::ZERO);
    }
    text.parse::<TimeSpan>().map(|span| span.0)
}

/// Reads one text, or a list of them.
pub(super) fn one_or_several<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Option<Vec<String>>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a length of time in quotes, for example \"100ms\", or a list of them")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(vec![text.to_owned()]))
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element::<String>()? {
                texts.push(text);
            }
            if texts.is_empty() {
                return Err(de::Error::invalid_length(0, &self));
            }
            Ok(Some(texts))
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// What [`one_or_several`] reads.
pub(super) fn one_or_several_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            { "type": "null" },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_may_be_none_at_all_but_must_have_a_unit() {
        assert_eq!(gap("0ms"), Ok(Duration::ZERO));
        assert_eq!(gap("0 s"), Ok(Duration::ZERO));
        assert_eq!(gap("10ms"), Ok(Duration::from_millis(10)));
        for wrong in ["0", "-1ms", "ms", "soon"] {
            assert!(gap(wrong).is_err_and(|why| why.contains(wrong)), "{wrong}");
        }
    }

    #[test]
    fn spans_of_time_are_read_with_every_unit_and_written_back_short() {
        for (text, nanoseconds, written) in [
            ("20ms", 20_000_000, "20ms"),
            ("1.5 s", 1_500_000_000, "1.5s"),
            ("250us", 250_000, "250us"),
            ("2min", 120_000_000_000, "120s"),
            ("0.02s", 20_000_000, "20ms"),
            ("100ns", 100, "100ns"),
        ] {
            let span: TimeSpan = text.parse().expect(text);
            assert_eq!(span.0.as_nanos(), nanoseconds, "{text}");
            assert_eq!(span.to_string(), written);
        }
    }

    #[test]
    fn a_wrong_span_of_time_is_named_with_the_rule_and_an_example() {
        for (text, why) in [
            ("20", "it has no unit"),
            ("20 parsecs", "`parsecs` is not a unit of time"),
            ("fast", "it does not begin with a number"),
            ("0ms", "it must be more than zero"),
            ("-3ms", "it must be more than zero"),
            ("0.1ns", "it must be more than zero"),
            ("", "it is empty"),
            ("2600000000000000h", "it must be at most 10000000s"),
            ("99999999999999999999999999999999999999999999h", "it must be at most 10000000s"),
        ] {
            let message = text.parse::<TimeSpan>().expect_err(text);
            assert!(message.contains(&format!("`{text}`")) && message.contains(why), "{message}");
            assert!(message.contains("\"20ms\""), "{message}");
        }
    }

    #[test]
    fn percentiles_are_between_nought_and_a_hundred_both_excluded() {
        assert_eq!("p99.9".parse::<Percentile>().map(|p| p.to_string()), Ok("P99.9".to_owned()));
        for text in ["p0", "p100", "95", "pp", "p-1", "p1e-320", "p99.99999999999999", "pNaN", "pinf"] {
            assert!(text.parse::<Percentile>().expect_err(text).contains(text));
        }
    }

    #[test]
    fn shares_memory_and_rates_are_read_with_their_units_or_refused_with_an_example() {
        assert_eq!(share("5%"), Ok(0.05));
        assert_eq!(share("0.001"), Ok(0.001));
        assert_eq!(memory("400 MiB"), Ok(419_430_400.0));
        assert_eq!(memory("2GB"), Ok(2e9));
        assert_eq!(rate("100/s"), Ok(100.0));
        for wrong in [
            share("100%"),
            share("few"),
            memory("400"),
            memory("-1MB"),
            memory("1e300GiB"),
            memory("1e-9kB"),
            rate("100"),
            rate("0/s"),
            rate("1e300/s"),
            rate("NaN/s"),
        ] {
            let message = wrong.expect_err("refused");
            assert!(message.contains("for example"), "{message}");
        }
    }
}

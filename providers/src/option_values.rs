//! The value types that options of several backends share: bounded numbers, shares and delays. Each says in its error
//! what is allowed. Knows no option.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A whole number between two bounds, both allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bounded<const LOW: u32, const HIGH: u32>(u32);

/// A number of threads.
pub type Threads = Bounded<1, 1024>;

/// Length of a vector.
pub type Dimensions = Bounded<1, 65_536>;

impl<const LOW: u32, const HIGH: u32> Bounded<LOW, HIGH> {
    /// The number itself, which the caller wrote into the program.
    ///
    /// # Panics
    /// When it is out of bounds: this is a bug.
    #[must_use]
    pub const fn fixed(number: u32) -> Self {
        assert!(LOW <= number && number <= HIGH, "the number is out of bounds: this is a bug");
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const LOW: u32, const HIGH: u32> fmt::Debug for Bounded<LOW, HIGH> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<const LOW: u32, const HIGH: u32> Serialize for Bounded<LOW, HIGH> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de, const LOW: u32, const HIGH: u32> Deserialize<'de> for Bounded<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Value::deserialize(deserializer)?.as_u64().and_then(|number| u32::try_from(number).ok());
        number
            .filter(|number| (LOW..=HIGH).contains(number))
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("allowed are whole numbers from {LOW} to {HIGH}")))
    }
}

impl<const LOW: u32, const HIGH: u32> JsonSchema for Bounded<LOW, HIGH> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("WholeNumber{LOW}To{HIGH}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": LOW, "maximum": HIGH })
    }
}

/// A share between 0 and 1, both allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share(f64);

impl Share {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Value::deserialize(deserializer)?.as_f64();
        number
            .filter(|number| (0.0..=1.0).contains(number))
            .map(Self)
            .ok_or_else(|| D::Error::custom("allowed are numbers from 0 to 1"))
    }
}

impl JsonSchema for Share {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// A length of time, written with its unit: `"250us"`, `"2ms"`, `"1.5 s"`. Resolved to nanoseconds, up to a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delay(Duration);

/// What a faulty delay is answered with.
pub(crate) const DELAY_RULE: &str =
    "allowed are times up to a day with a unit (ns, us, ms or s), for example \"2ms\" or \"1.5s\"";
const DELAY_PATTERN: &str = r"^[0-9]+(\.[0-9]+)? ?(ns|us|ms|s)$";
const LONGEST_DELAY_NS: f64 = 86_400e9;

impl Delay {
    /// A delay the program itself chose.
    #[must_use]
    pub const fn of(duration: Duration) -> Self {
        Self(duration)
    }

    /// The time itself.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Reads `2ms`; `None` when it is not a time with a unit.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let unit_at = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, unit) = text.split_at(unit_at);
        let starts_and_ends_with_a_digit = number.starts_with(|first: char| first.is_ascii_digit())
            && number.ends_with(|last: char| last.is_ascii_digit());
        let scale = match unit.strip_prefix(' ').unwrap_or(unit) {
            "ns" => 1.0,
            "us" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            _ => return None,
        };
        let nanoseconds = (number.parse::<f64>().ok()? * scale).round();
        if !starts_and_ends_with_a_digit || nanoseconds > LONGEST_DELAY_NS {
            return None;
        }
        Some(Self(Duration::from_nanos(nanoseconds as u64)))
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        let (scale, unit) = match nanoseconds {
            0 => (1_000_000, "ms"),
            n if n % 1_000_000_000 == 0 => (1_000_000_000, "s"),
            n if n % 1_000_000 == 0 => (1_000_000, "ms"),
            n if n % 1_000 == 0 => (1_000, "us"),
            _ => (1, "ns"),
        };
        write!(formatter, "{}{unit}", nanoseconds / scale)
    }
}

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        value.as_str().and_then(Self::read).ok_or_else(|| D::Error::custom(DELAY_RULE))
    }
}

impl JsonSchema for Delay {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Delay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": DELAY_PATTERN })
    }
}

/// Reads a path that a user wrote, which may be relative to the working folder, so that it stays right when another process with
/// another working folder uses it.
pub(crate) fn absolute_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = Option::<PathBuf>::deserialize(deserializer)?;
    path.map(|path| std::path::absolute(&path).map_err(|error| D::Error::custom(format!("no path: {error}"))))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_read_with_its_unit_and_no_other_way() {
        let nanoseconds = |text| Delay::read(text).map(|delay| delay.get().as_nanos());
        assert_eq!(nanoseconds("250us"), Some(250_000));
        assert_eq!(nanoseconds("2ms"), Some(2_000_000));
        assert_eq!(nanoseconds("1.5 s"), Some(1_500_000_000));
        assert_eq!(nanoseconds("7ns"), Some(7));
        for wrong in
            ["", "2", "ms", "-2ms", ".5s", "5.s", "2 ms ", "2e3ms", "2min", "inf s", "90000s", "1.2.3s"]
        {
            assert_eq!(nanoseconds(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_delay_is_written_as_it_is_read() {
        for text in ["0ms", "7ns", "250us", "1500us", "2ms", "90s"] {
            assert_eq!(Delay::read(text).expect(text).to_string(), text);
        }
    }
}

//! Vectors as servers write them, numbers or base64, read straight into single precision. A number that is not there (`null`) is
//! read as NaN, so that it is found with the others that are not finite.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Numbers for which there is room at first: most models have no more.
const USUAL_LENGTH: usize = 1_024;

/// Vectors that cannot be those of any texts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found}, expected {expected}")]
pub(crate) struct WrongVectors {
    pub(crate) found: String,
    pub(crate) expected: String,
}

/// The vector of one text.
#[derive(Debug, PartialEq)]
pub(crate) struct Row(pub(crate) Vec<f32>);

/// The vectors of a request, one after the other.
#[derive(Debug, PartialEq)]
pub(crate) struct Vectors {
    /// How many there are.
    pub(crate) count: usize,
    /// Length of each.
    pub(crate) dimensions: usize,
    /// Their numbers.
    pub(crate) numbers: Vec<f32>,
}

impl Vectors {
    /// Vectors in the order of the texts.
    pub(crate) fn of(mut rows: Vec<Row>) -> Result<Self, WrongVectors> {
        let (count, dimensions) = (rows.len(), rows.first().map_or(0, |row| row.0.len()));
        if let Some((text, row)) = rows.iter().enumerate().find(|(_, row)| row.0.len() != dimensions) {
            return Err(WrongVectors {
                found: format!(
                    "{dimensions} numbers in the vector of text 0 and {} in that of text {text}",
                    row.0.len()
                ),
                expected: "vectors of one length".to_owned(),
            });
        }
        // Most requests have one text, whose vector need not be copied.
        let numbers = match (count, rows.pop()) {
            (1, Some(only)) => only.0,
            (_, last) => rows.iter().chain(&last).flat_map(|row| row.0.iter().copied()).collect(),
        };
        Ok(Self { count, dimensions, numbers })
    }

    /// Vectors that say to which text they belong. Servers that say it for none have them in the order of the texts.
    pub(crate) fn by_index(rows: Vec<(Option<usize>, Row)>) -> Result<Self, WrongVectors> {
        let count = rows.len();
        if rows.iter().all(|(index, _)| index.is_none()) {
            return Self::of(rows.into_iter().map(|(_, row)| row).collect());
        }
        let mut placed: Vec<Option<Row>> = rows.iter().map(|_| None).collect();
        for (index, row) in rows {
            let wrong = |found: String| WrongVectors {
                found,
                expected: format!("each `index` from 0 to {} once", count - 1),
            };
            let index =
                index.ok_or_else(|| wrong("a vector without `index` beside others with it".to_owned()))?;
            match placed.get_mut(index) {
                Some(place @ None) => *place = Some(row),
                Some(Some(_)) => return Err(wrong(format!("two vectors of `index` {index}"))),
                None => return Err(wrong(format!("a vector of `index` {index} among {count}"))),
            }
        }
        Self::of(placed.into_iter().flatten().collect())
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a vector, as numbers or in base64")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut written: A) -> Result<Row, A::Error> {
        let mut numbers = Vec::with_capacity(USUAL_LENGTH);
        while let Some(Number(number)) = written.next_element()? {
            numbers.push(number);
        }
        Ok(Row(numbers))
    }

    fn visit_str<E: serde::de::Error>(self, written: &str) -> Result<Row, E> {
        let bytes =
            BASE64_STANDARD.decode(written).map_err(|fault| E::custom(format!("no base64: {fault}")))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom(format!(
                "{} bytes in base64, which are no numbers of 4 bytes",
                bytes.len()
            )));
        }
        Ok(Row(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }
}

struct Number(f32);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor).map(Number)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = f32;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number")
    }

    fn visit_f64<E>(self, number: f64) -> Result<f32, E> {
        Ok(number as f32)
    }

    fn visit_u64<E>(self, number: u64) -> Result<f32, E> {
        Ok(number as f32)
    }

    fn visit_i64<E>(self, number: i64) -> Result<f32, E> {
        Ok(number as f32)
    }

    fn visit_unit<E>(self) -> Result<f32, E> {
        Ok(f32::NAN)
    }
}

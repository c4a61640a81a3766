//! One column of samples in memory, and what can be wrong with a file of them. Knows no file format.

use std::io;
use std::path::PathBuf;

use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;

use super::columns::Kind;

/// Rows that are encoded together, and so the most that are in memory: about 26 MB.
pub(super) const GROUP: usize = 1 << 17;

/// Rows of one column that wait to be encoded.
pub(super) enum Column {
    /// `known` has each word once, so that a row costs no allocation.
    Words {
        rows: Vec<ByteArray>,
        known: Vec<ByteArray>,
    },
    /// `known` is there when rows may be empty: 1 for one that is known, and 0 for an empty one, in whose place stands 0.
    Small {
        rows: Vec<i32>,
        known: Option<Vec<i16>>,
    },
    Large {
        rows: Vec<i64>,
        known: Option<Vec<i16>>,
    },
}

impl Column {
    pub(super) fn new(kind: Kind) -> Self {
        let known = || Some(Vec::with_capacity(GROUP));
        match kind {
            Kind::Word => Self::Words { rows: Vec::with_capacity(GROUP), known: Vec::new() },
            Kind::Small => Self::Small { rows: Vec::with_capacity(GROUP), known: None },
            Kind::Large => Self::Large { rows: Vec::with_capacity(GROUP), known: None },
            Kind::SmallOrEmpty => Self::Small { rows: Vec::with_capacity(GROUP), known: known() },
            Kind::LargeOrEmpty => Self::Large { rows: Vec::with_capacity(GROUP), known: known() },
        }
    }

    /// Adds a field; `None` when it is not what the column holds.
    pub(super) fn push(&mut self, field: &[u8]) -> Option<()> {
        match self {
            Self::Words { rows, known } => {
                if let Some(word) = known.iter().find(|word| word.data() == field) {
                    rows.push(word.clone());
                } else {
                    // Only names come here, which are text; anything else is a damaged line.
                    let word = ByteArray::from(std::str::from_utf8(field).ok()?);
                    known.push(word.clone());
                    rows.push(word);
                }
            }
            Self::Small { rows, known } => {
                let number = if known.is_some() && field.is_empty() { 0 } else { whole(field)? };
                rows.push(i32::try_from(number).ok()?);
                known.iter_mut().for_each(|known| known.push(i16::from(!field.is_empty())));
            }
            Self::Large { rows, known } => {
                rows.push(if known.is_some() && field.is_empty() { 0 } else { whole(field)? });
                known.iter_mut().for_each(|known| known.push(i16::from(!field.is_empty())));
            }
        }
        Some(())
    }

    /// The field of a row that was added, as it was written.
    pub(super) fn text(&self, row: usize) -> String {
        match self {
            Self::Words { rows, .. } => String::from_utf8_lossy(rows[row].data()).into_owned(),
            Self::Small { .. } | Self::Large { .. } => {
                self.number(row).map(|number| number.to_string()).unwrap_or_default()
            }
        }
    }

    /// The number of a row that was added; `None` where there are words, or nothing.
    pub(super) fn number(&self, row: usize) -> Option<u64> {
        match self {
            Self::Words { .. } => None,
            Self::Small { known: Some(known), .. } | Self::Large { known: Some(known), .. }
                if known[row] == 0 =>
            {
                None
            }
            Self::Small { rows, .. } => Some(rows[row].unsigned_abs().into()),
            Self::Large { rows, .. } => Some(rows[row].unsigned_abs()),
        }
    }

    pub(super) fn truncate(&mut self, length: usize) {
        match self {
            Self::Words { rows, .. } => rows.truncate(length),
            Self::Small { rows, known } => {
                rows.truncate(length);
                known.iter_mut().for_each(|known| known.truncate(length));
            }
            Self::Large { rows, known } => {
                rows.truncate(length);
                known.iter_mut().for_each(|known| known.truncate(length));
            }
        }
    }
}

/// A whole number of at least 0, written in digits.
fn whole(field: &[u8]) -> Option<i64> {
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0_i64, |number, digit| {
        digit.is_ascii_digit().then(|| number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))).flatten()
    })
}

/// Why the columnar file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ColumnarError {
    /// The rows cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The rows.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The rows are not this tailmark's.
    #[error("{} does not begin with this tailmark's columns: found `{found}`", path.display())]
    Header {
        /// The rows.
        path: PathBuf,
        /// The first line.
        found: String,
    },
    /// A line that is not the last is no sample.
    #[error("{}, line {line}: `{found}` is not a request; only the last line may be torn", path.display())]
    Line {
        /// The rows.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// The columnar file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The columnar file.
        path: PathBuf,
        /// What went wrong.
        source: ParquetError,
    },
}

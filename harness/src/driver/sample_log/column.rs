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
    Small(Vec<i32>),
    Large(Vec<i64>),
}

impl Column {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Word => Self::Words { rows: Vec::with_capacity(GROUP), known: Vec::new() },
            Kind::Small => Self::Small(Vec::with_capacity(GROUP)),
            Kind::Large => Self::Large(Vec::with_capacity(GROUP)),
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
            Self::Small(rows) => rows.push(i32::try_from(whole(field)?).ok()?),
            Self::Large(rows) => rows.push(whole(field)?),
        }
        Some(())
    }

    /// The field of a row that was added, as it was written.
    pub(super) fn text(&self, row: usize) -> String {
        match self {
            Self::Words { rows, .. } => String::from_utf8_lossy(rows[row].data()).into_owned(),
            Self::Small(_) | Self::Large(_) => self.number(row).to_string(),
        }
    }

    /// The number of a row that was added; 0 where there are words.
    pub(super) fn number(&self, row: usize) -> u64 {
        match self {
            Self::Words { .. } => 0,
            Self::Small(rows) => rows[row].unsigned_abs().into(),
            Self::Large(rows) => rows[row].unsigned_abs(),
        }
    }

    pub(super) fn truncate(&mut self, length: usize) {
        match self {
            Self::Words { rows, .. } => rows.truncate(length),
            Self::Small(rows) => rows.truncate(length),
            Self::Large(rows) => rows.truncate(length),
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

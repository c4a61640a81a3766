//! A record in every format there is.

use tailmark_reports::format::{FORMATS, Sheet};
use tailmark_reports::record::RunRecord;

/// The name of each format and what it shows.
pub(super) fn all(record: &RunRecord) -> Vec<(String, Vec<u8>)> {
    let shown = FORMATS.iter().map(|format| {
        let mut out = Vec::new();
        format.write(record, Sheet::default(), &mut out).expect("memory can be written to");
        (format.name.to_owned(), out)
    });
    shown.collect()
}

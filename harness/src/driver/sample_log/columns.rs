//! What the files of samples have of a request, in order: the columns of `samples.csv` and of `samples.parquet`.

use tailmark_reports::record::Phase;

/// How a column is written where types are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of a few words.
    Word,
    /// A whole number that is small, or the same in most rows.
    Small,
    /// A whole number that differs from row to row, as nanoseconds do.
    Large,
    /// The same as small, and empty when it is not known.
    SmallOrEmpty,
    /// The same as large, and empty when it is not known.
    LargeOrEmpty,
}

/// The columns. `*_ns` are nanoseconds, the instants among them since the run began.
pub(super) const COLUMNS: [(&str, Kind); 21] = [
    ("backend", Kind::Word),
    ("restart", Kind::Small),
    ("phase", Kind::Word),
    ("number", Kind::Large),
    ("texts", Kind::Small),
    ("tokens", Kind::SmallOrEmpty),
    ("scheduled_ns", Kind::Large),
    ("started_ns", Kind::Large),
    ("queued_ns", Kind::Large),
    ("finished_ns", Kind::Large),
    ("outcome", Kind::Word),
    ("serialize_ns", Kind::Large),
    ("tokenize_ns", Kind::LargeOrEmpty),
    ("infer_ns", Kind::LargeOrEmpty),
    ("pool_ns", Kind::LargeOrEmpty),
    ("worker_ns", Kind::LargeOrEmpty),
    ("deserialize_ns", Kind::Large),
    ("connect_ns", Kind::LargeOrEmpty),
    ("send_ns", Kind::LargeOrEmpty),
    ("wait_ns", Kind::LargeOrEmpty),
    ("receive_ns", Kind::LargeOrEmpty),
];

/// The first line of `samples.csv`, without its end.
pub(super) fn header() -> String {
    COLUMNS.map(|(name, _)| name).join(",")
}

/// Columns that had another name, which files of before version 0.2 still have: the old one and the new one.
const RENAMED: [(&str, &str); 2] = [("serialise_ns", "serialize_ns"), ("deserialise_ns", "deserialize_ns")];

/// Columns of before there were servers to ask; files of then have no others, and the rest is empty for each of their rows.
const WITHOUT_NETWORK: usize = 17;

/// How many columns a file has whose first line this is: those of this version, or of one before. `None` when no version wrote
/// it.
pub(super) fn columns_of(line: &[u8]) -> Option<usize> {
    let new = |name: &[u8]| RENAMED.iter().find(|(old, _)| old.as_bytes() == name).map(|(_, new)| *new);
    let names = line.split(|byte| *byte == b',');
    let names: Vec<&[u8]> = names.map(|name| new(name).map_or(name, str::as_bytes)).collect();
    let known = [COLUMNS.len(), WITHOUT_NETWORK].into_iter();
    known
        .into_iter()
        .find(|count| names.iter().copied().eq(COLUMNS[..*count].iter().map(|(name, _)| name.as_bytes())))
}

/// The word for a phase in the files of samples.
pub(super) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::ColdStart => "cold_start",
        Phase::WarmUp => "warm_up",
        Phase::Steady => "steady",
        Phase::Mixed => "mixed",
    }
}

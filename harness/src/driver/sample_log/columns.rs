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
}

/// The columns. `*_ns` are nanoseconds, the instants among them since the run began.
pub(super) const COLUMNS: [(&str, Kind); 17] = [
    ("backend", Kind::Word),
    ("restart", Kind::Small),
    ("phase", Kind::Word),
    ("number", Kind::Large),
    ("texts", Kind::Small),
    ("tokens", Kind::Small),
    ("scheduled_ns", Kind::Large),
    ("started_ns", Kind::Large),
    ("queued_ns", Kind::Large),
    ("finished_ns", Kind::Large),
    ("outcome", Kind::Word),
    ("serialise_ns", Kind::Large),
    ("tokenize_ns", Kind::Large),
    ("infer_ns", Kind::Large),
    ("pool_ns", Kind::Large),
    ("worker_ns", Kind::Large),
    ("deserialise_ns", Kind::Large),
];

/// The first line of `samples.csv`, without its end.
pub(super) fn header() -> String {
    COLUMNS.map(|(name, _)| name).join(",")
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

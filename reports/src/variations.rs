//! Which backends of a run belong together: those of the scenario as they stand, the variations of one, and the levels of
//! a capacity. Each is shown in one place: a level is a variation too, and is not shown among the others again.

use std::borrow::Cow;

use crate::record::{BackendOutcome, BackendRecord, Capacity, Level, PhaseSummary, RunRecord};
use crate::view::was_timed;

/// The axis along which the levels of a capacity lie.
const RATE: &str = "rate";

/// The axis of the graphs of a model.
pub(crate) const GRAPH: &str = "graph";

/// The variations of one backend along the same axes.
#[derive(Debug)]
pub(crate) struct Varied<'a> {
    /// Name of the scenario's backend.
    pub of: &'a str,
    /// What was varied.
    pub axes: Vec<&'a str>,
    /// In the record's order.
    pub cells: Vec<&'a BackendRecord>,
}

impl<'a> Varied<'a> {
    /// For example `onnx-cpu by threads and replicas`.
    pub(crate) fn title(&self) -> String {
        format!("{} by {}", self.of, listed(&self.axes))
    }

    /// The values of a variation in the order of the axes, a graph's with what its label remarks.
    pub(crate) fn values(backend: &'a BackendRecord) -> impl Iterator<Item = Cow<'a, str>> {
        let axes = backend.cell.iter().flat_map(|cell| &cell.axes);
        axes.map(|axis| match backend.label.strip_prefix(&backend.name) {
            Some(remark) if axis.name == GRAPH && !remark.is_empty() => {
                Cow::Owned(format!("{}{remark}", axis.value))
            }
            _ => Cow::Borrowed(axis.value.as_str()),
        })
    }

    /// The rate that can be compared between the variations: requests as long as each holds as many texts, and texts
    /// otherwise.
    pub(crate) fn rate(&self) -> Rate {
        let first = self.cells.first().map(|backend| backend.batch_size);
        if self.cells.iter().any(|backend| Some(backend.batch_size) != first) {
            ("texts/s", |summary| summary.texts_per_second)
        } else {
            ("requests/s", |summary| summary.requests_per_second)
        }
    }
}

/// The head of a column of rates, and which rate it holds.
pub(crate) type Rate = (&'static str, fn(&PhaseSummary) -> Option<f64>);

/// Where a backend is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In the table of backends.
    Plain,
    /// Among the variations of one backend.
    Variation,
    /// In a capacity.
    Level,
}

/// Where this backend is shown.
pub(crate) fn place(record: &RunRecord, backend: &BackendRecord) -> Place {
    let Some(cell) = &backend.cell else { return Place::Plain };
    let declared = || record.capacities.iter().flat_map(|capacity| &capacity.levels);
    // A rate may also be varied without a capacity; only the record's list of levels tells.
    let at_a_rate = cell.axes.iter().any(|axis| axis.name == RATE);
    if at_a_rate && declared().any(|level| level.backend == backend.name) {
        Place::Level
    } else {
        Place::Variation
    }
}

/// The backends shown in one place.
pub(crate) fn placed(record: &RunRecord, at: Place) -> impl Iterator<Item = &BackendRecord> {
    record.backends.iter().filter(move |backend| place(record, backend) == at)
}

/// Each backend that was varied, with its variations.
pub(crate) fn varied(record: &RunRecord) -> Vec<Varied<'_>> {
    let mut all: Vec<Varied<'_>> = Vec::new();
    for backend in placed(record, Place::Variation) {
        let Some(cell) = &backend.cell else { continue };
        let axes: Vec<&str> = cell.axes.iter().map(|axis| axis.name.as_str()).collect();
        match all.iter_mut().find(|varied| varied.of == cell.of && varied.axes == axes) {
            Some(varied) => varied.cells.push(backend),
            None => all.push(Varied { of: &cell.of, axes, cells: vec![backend] }),
        }
    }
    all
}

/// The levels of a capacity, each with the backend that holds its figures.
pub(crate) fn levels<'a>(
    record: &'a RunRecord,
    capacity: &'a Capacity,
) -> impl Iterator<Item = (&'a Level, Option<&'a BackendRecord>)> {
    let of = |level: &Level| record.backends.iter().find(|backend| backend.name == level.backend);
    capacity.levels.iter().map(move |level| (level, of(level)))
}

/// Whether nothing was done at a declared rate, which is not the same as having broken at it.
pub(crate) fn is_untested(level: &Level, backend: Option<&BackendRecord>) -> bool {
    let untouched =
        |backend: &BackendRecord| backend.outcome == BackendOutcome::Pending && !was_timed(backend);
    level.verdict.is_none() && backend.is_none_or(untouched)
}

/// The backends of a run without those of rates that were declared and not tested: of these there is nothing to say.
pub(crate) fn reached(record: &RunRecord) -> impl Iterator<Item = &BackendRecord> {
    let untested = |backend: &BackendRecord| {
        let mut declared = record.capacities.iter().flat_map(|capacity| &capacity.levels);
        declared.any(|level| level.backend == backend.name && is_untested(level, Some(backend)))
    };
    record.backends.iter().filter(move |backend| !untested(backend))
}

/// At most `most` of what is to be drawn, in its order, and how many are left out. Backends as they stand are kept first,
/// then variations, then levels, because the latter have pictures of their own.
pub(crate) fn foremost<T>(items: Vec<T>, most: usize, place: impl Fn(&T) -> Place) -> (Vec<T>, usize) {
    let left_out = items.len().saturating_sub(most);
    let mut ordered: Vec<(usize, T)> = items.into_iter().enumerate().collect();
    ordered.sort_by_key(|(_, item)| place(item));
    ordered.truncate(most);
    ordered.sort_by_key(|(index, _)| *index);
    (ordered.into_iter().map(|(_, item)| item).collect(), left_out)
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn every_backend_is_shown_in_one_place() {
        let record = fixture::matrix();
        let groups = varied(&record);
        let sizes: Vec<_> = groups.iter().map(|varied| (varied.title(), varied.cells.len())).collect();
        let expected =
            [("onnx-cpu by threads and replicas".into(), 16), ("rten-cpu by batch_size".into(), 3)];
        assert_eq!(sizes, expected);
        assert_eq!(placed(&record, Place::Plain).count(), 1);

        let record = fixture::capacity();
        assert!(varied(&record).is_empty());
        assert_eq!(placed(&record, Place::Level).count(), record.backends.len());
    }

    #[test]
    fn a_rate_that_belongs_to_no_capacity_is_a_variation_like_any_other() {
        let mut record = fixture::capacity();
        record.capacities.clear();
        assert_eq!(varied(&record).len(), 2);
    }

    #[test]
    fn texts_are_compared_only_where_requests_hold_different_numbers_of_them() {
        let record = fixture::matrix();
        let heads: Vec<_> = varied(&record).iter().map(|varied| varied.rate().0).collect();
        assert_eq!(heads, ["requests/s", "texts/s"]);
    }

    #[test]
    fn what_is_left_out_of_a_picture_is_what_others_show() {
        let items = vec![Place::Level, Place::Plain, Place::Variation, Place::Plain];
        let (kept, left_out) = foremost(items.clone(), 3, |place| *place);
        assert_eq!((kept, left_out), (vec![Place::Plain, Place::Variation, Place::Plain], 1));
        assert_eq!(foremost(items.clone(), 9, |place| *place), (items, 0));
    }
}

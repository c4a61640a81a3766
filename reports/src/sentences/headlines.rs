//! What a reader must know before the figures, beside the doubts: a model of which only a part ran where it should have. Of the
//! variations of one backend, the one with the smallest such part is named.

use crate::execution::{self, asked_share, is_partial};
use crate::record::{BackendRecord, RunRecord};
use crate::units::counted;
use crate::view::was_timed;

/// Something that a reader must know to read the figures of a backend rightly.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Headline {
    /// `partial execution`.
    pub kind: &'static str,
    /// The backend's label, or its name and how many of its variations there are.
    pub of: String,
    /// What was found.
    pub what: String,
    /// More about it, a sentence each.
    pub under: Vec<String>,
}

/// All of them, in the order of the backends. What was not timed has no figures that could be misread.
pub(crate) fn headlines(record: &RunRecord) -> Vec<Headline> {
    let timed: Vec<&BackendRecord> = record.backends.iter().filter(|backend| was_timed(backend)).collect();
    groups(&timed, |backend| is_partial(&backend.execution))
        .into_iter()
        .filter_map(partial_execution)
        .collect()
}

/// The backends that something is true of; variations of one together.
fn groups<'a>(
    timed: &[&'a BackendRecord],
    is_so: impl Fn(&BackendRecord) -> bool,
) -> Vec<Vec<&'a BackendRecord>> {
    let mut groups: Vec<Vec<&BackendRecord>> = Vec::new();
    let varied = |backend: &BackendRecord| backend.cell.as_ref().map(|cell| cell.of.clone());
    for backend in timed.iter().filter(|backend| is_so(backend)) {
        let of = varied(backend);
        match groups.iter_mut().find(|group| of.is_some() && varied(group[0]) == of) {
            Some(group) => group.push(backend),
            None => groups.push(vec![backend]),
        }
    }
    groups
}

fn named(group: &[&BackendRecord], least: &BackendRecord) -> String {
    match (&least.cell, group.len()) {
        (Some(cell), 2..) => {
            let variations = counted(group.len() as u64, "variation");
            format!("{}, in {variations} (worst: {})", cell.of, least.name)
        }
        _ => least.label.clone(),
    }
}

fn partial_execution(group: Vec<&BackendRecord>) -> Option<Headline> {
    // A reader who knows the worst of them is warned about all.
    let least = group.iter().copied().reduce(|least, other| {
        if asked_share(&other.execution) < asked_share(&least.execution) { other } else { least }
    })?;
    let required = least.requirement.as_ref().map(|required| execution::requirement(required, false));
    Some(Headline {
        kind: "partial execution",
        of: named(&group, least),
        what: execution::headline(&least.execution)?,
        under: execution::elsewhere(&least.execution).into_iter().chain(required).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn what_ran_in_part_is_told_and_nothing_else() {
        let said = headlines(&fixture::executions());
        let told: Vec<_> = said.iter().map(|headline| (headline.kind, headline.of.as_str())).collect();
        assert_eq!(told, [("partial execution", "onnx-coreml"), ("partial execution", "python-torch-mps")]);
        assert_eq!(headlines(&fixture::five()), []);
    }

    #[test]
    fn of_many_variations_the_one_that_ran_least_where_it_should_is_told() {
        let record = fixture::varied_executions();
        let said = headlines(&record);
        let lines: Vec<String> = said.iter().map(|said| format!("{}: {}", said.of, said.what)).collect();
        assert_eq!(
            lines,
            ["onnx-cpu, in 5 variations (worst: onnx-cpu-8-4): CoreML 36 of 458 nodes, 7 % of the time, \
              24 partitions; CPU 422 nodes, 93 % of the time"]
        );
    }
}

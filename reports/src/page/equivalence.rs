//! How close the vectors are to the reference's and what that comes to in use, and whether repeated texts are computed.

use super::block::{Column, Page, left, right};
use super::text::{Text, sentence, strong};
use crate::execution::class_name;
use crate::record::{BackendRecord, Equivalence, RunRecord};
use crate::sentences::equivalence::findings;
use crate::units::{self, ABSENT};
use crate::variations::reached;

/// The head of a column, and the side that it stands at.
type Head = (&'static str, fn(&'static str) -> Column);

/// The columns after the backend's.
const FIGURES: [Head; 14] = [
    ("class", left),
    ("accepted", left),
    ("required class", left),
    ("texts", right),
    ("min cosine", right),
    ("mean cosine", right),
    ("lowest text", left),
    ("max difference", right),
    ("length error", right),
    ("repeat difference", right),
    ("batch difference", right),
    ("nearest neighbors", right),
    ("Spearman", right),
    ("reference's Spearman", right),
];

pub(super) fn write(page: &mut Page, record: &RunRecord) {
    page.heading(2, "Equivalence");
    page.paragraph(
        "How close each backend's vectors are to the reference vectors. A backend that is worse than the scenario accepts is \
         not timed. Each difference is the largest of any component: from the reference; between two answers to the same \
         request (0 means deterministic); and between a text alone and in a batch (0 means that batches change nothing). \
         Length error is the largest difference of a vector's length from 1. Nearest neighbors are the share of the \
         reference's that are also the backend's. Spearman is the rank correlation with similarity as graded by people.",
    );
    let figures = FIGURES.map(|(head, column)| column(head));
    page.table([left("backend")].into_iter().chain(figures), reached(record).map(row));
    let found = reached(record).flat_map(|backend| {
        let of = |finding: &String| strong(&backend.label).then(format!(": {}", sentence(finding)));
        findings(&backend.equivalence).iter().map(of)
    });
    page.list(found);
    repeated(page, record);
}

fn row(backend: &BackendRecord) -> Vec<Text> {
    let cells: Vec<Text> = match &backend.equivalence {
        Equivalence::NotChecked { why } => {
            let absent = std::iter::repeat_n(Text::from(ABSENT), FIGURES.len() - 1);
            [format!("not checked: {why}").into()].into_iter().chain(absent).collect()
        }
        Equivalence::Checked {
            class,
            accepts,
            accepted,
            texts,
            min_cosine,
            mean_cosine,
            lowest,
            max_abs_difference,
            max_length_error,
            repeat_difference,
            batch_difference,
            findings: _,
            neighbors,
            graded,
        } => {
            let nearest = neighbors.map(|found| {
                let of = units::count(found.of.into());
                let texts = units::counted(found.texts.into(), "text");
                format!("{} of {of}, {texts}", units::percent(found.agreement))
            });
            let pairs = |graded: &crate::record::GradedPairs| units::counted(graded.pairs.into(), "pair");
            let spearman = graded.map(|graded| format!("{:.3}, {}", graded.spearman, pairs(&graded)));
            let reference = graded.map(|graded| format!("{:.3}", graded.reference_spearman));
            let figures = [
                class_name(*accepts).to_owned(),
                units::count((*texts).into()),
                format!("{min_cosine:.7}"),
                format!("{mean_cosine:.7}"),
                lowest.clone(),
                small(*max_abs_difference),
                small(*max_length_error),
                small(*repeat_difference),
                small(*batch_difference),
                or_absent(nearest),
                or_absent(spearman),
                or_absent(reference),
            ];
            let accepted = if *accepted { "yes".into() } else { strong("no") };
            [class_name(*class).into(), accepted].into_iter().chain(figures.map(Into::into)).collect()
        }
    };
    [backend.label.as_str().into()].into_iter().chain(cells).collect()
}

/// A difference that may be many orders of magnitude below 1.
fn small(difference: f64) -> String {
    match difference {
        0.0 => "0".to_owned(),
        large if large >= 0.001 => units::figure(large),
        little => format!("{little:.1e}"),
    }
}

fn repeated(page: &mut Page, record: &RunRecord) {
    let rows: Vec<Vec<Text>> = reached(record)
        .filter_map(|backend| {
            let probe = backend.repeat_probe?;
            let figures = [
                units::duration(probe.repeated_ns as f64),
                units::duration(probe.new_ns as f64),
                units::count(probe.pairs.into()),
            ];
            let answer = if probe.caching { strong("caching suspected") } else { "computed again".into() };
            let label = backend.label.as_str().into();
            Some([label].into_iter().chain(figures.map(Into::into)).chain([answer]).collect())
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.heading(2, "Repeated texts");
    page.paragraph(
        "Median service times of a text that was just sent and of one never sent before, from a probe separate from the timed \
         requests.",
    );
    let columns = [
        left("backend"),
        right("repeated text"),
        right("new text"),
        right("pairs"),
        left("repeated texts are"),
    ];
    page.table(columns, rows);
}

fn or_absent(text: Option<String>) -> String {
    text.unwrap_or_else(|| ABSENT.to_owned())
}

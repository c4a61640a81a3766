//! How close the vectors are to the reference's and what that comes to in use, and whether repeated texts are computed.

use super::text::{Column, inline, sentence, table};
use crate::execution::class_name;
use crate::record::{BackendRecord, Equivalence, RunRecord};
use crate::sentences::equivalence::findings;
use crate::units::{self, ABSENT};
use crate::variations::reached;

const FIGURES: [Column<'_>; 14] = [
    Column::Left("class"),
    Column::Left("accepted"),
    Column::Left("least accepted"),
    Column::Right("texts"),
    Column::Right("min cosine"),
    Column::Right("mean cosine"),
    Column::Left("lowest text"),
    Column::Right("max difference"),
    Column::Right("length error"),
    Column::Right("when repeated"),
    Column::Right("in a batch"),
    Column::Right("nearest neighbours"),
    Column::Right("Spearman"),
    Column::Right("reference's"),
];

pub(super) fn write(page: &mut String, record: &RunRecord) {
    page.push_str(
        "## Equivalence\n\nThe vectors against the reference vectors; a backend outside the classes that the scenario \
         accepts is not timed. Differences are the largest of any number: from the reference; between two answers to the \
         same request (0 is deterministic); between a text alone and in a batch (0 is batch invariant). Length error is \
         the largest difference of a vector's length from 1. Nearest neighbours are those of the reference that are the \
         backend's too; Spearman is the rank correlation with grades given by people.\n\n",
    );
    let columns: Vec<Column<'_>> = [Column::Left("backend")].into_iter().chain(FIGURES).collect();
    table(page, &columns, &reached(record).map(row).collect::<Vec<_>>());
    let mut found = false;
    for backend in reached(record) {
        for finding in findings(&backend.equivalence) {
            found = true;
            page.push_str(&format!("- **{}**: {}\n", inline(&backend.label), sentence(finding)));
        }
    }
    if found {
        page.push('\n');
    }
    repeated(page, record);
}

fn row(backend: &BackendRecord) -> Vec<String> {
    let cells = match &backend.equivalence {
        Equivalence::NotChecked { why } => {
            let absent = std::iter::repeat_n(ABSENT.to_owned(), FIGURES.len() - 1);
            [format!("not checked: {}", inline(why))].into_iter().chain(absent).collect()
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
            neighbours,
            graded,
        } => {
            let nearest = neighbours.map(|found| {
                let of = units::count(found.of.into());
                let texts = units::counted(found.texts.into(), "text");
                format!("{} of {of}, {texts}", units::percent(found.agreement))
            });
            let pairs = |graded: &crate::record::GradedPairs| units::counted(graded.pairs.into(), "pair");
            let spearman = graded.map(|graded| format!("{:.3}, {}", graded.spearman, pairs(&graded)));
            let reference = graded.map(|graded| format!("{:.3}", graded.reference_spearman));
            vec![
                class_name(*class).to_owned(),
                if *accepted { "yes" } else { "**no**" }.to_owned(),
                class_name(*accepts).to_owned(),
                units::count((*texts).into()),
                format!("{min_cosine:.7}"),
                format!("{mean_cosine:.7}"),
                inline(lowest),
                small(*max_abs_difference),
                small(*max_length_error),
                small(*repeat_difference),
                small(*batch_difference),
                or_absent(nearest),
                or_absent(spearman),
                or_absent(reference),
            ]
        }
    };
    [inline(&backend.label)].into_iter().chain::<Vec<String>>(cells).collect()
}

/// A difference that may be many orders of magnitude below 1.
fn small(difference: f64) -> String {
    match difference {
        0.0 => "0".to_owned(),
        large if large >= 0.001 => units::figure(large),
        little => format!("{little:.1e}"),
    }
}

fn repeated(page: &mut String, record: &RunRecord) {
    let rows: Vec<Vec<String>> = reached(record)
        .filter_map(|backend| {
            let probe = backend.repeat_probe?;
            Some(vec![
                inline(&backend.label),
                units::duration(probe.repeated_ns as f64),
                units::duration(probe.new_ns as f64),
                units::count(probe.pairs.into()),
                if probe.caching { "**caching suspected**" } else { "computed again" }.to_owned(),
            ])
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str(
        "## Repeated texts\n\nA text that was just seen against one never sent before: median service times of a probe \
         apart from the timed requests.\n\n",
    );
    let columns = [
        Column::Left("backend"),
        Column::Right("repeated text"),
        Column::Right("new text"),
        Column::Right("pairs"),
        Column::Left("repeats are"),
    ];
    table(page, &columns, &rows);
}

fn or_absent(text: Option<String>) -> String {
    text.unwrap_or_else(|| ABSENT.to_owned())
}

//! The answer, and the table that it rests on: every backend, what it is ranked by, and how far it is from the answer.

use super::block::{Page, left, right};
use super::text::{Text, strong};
use crate::record::{BackendRecord, RunRecord, Standing};
use crate::sentences::decision::{decision, figure, ratio, value};
use crate::sentences::equivalence;
use crate::units;
use crate::view::verdict_or_state;

/// The answer, in a sentence.
pub(super) fn answer(page: &mut Page, record: &RunRecord) {
    if let Some(answer) = decision(record).into_iter().next() {
        page.paragraph(strong(answer));
    }
}

/// The other backends, in a sentence each, and the table.
pub(super) fn others(page: &mut Page, record: &RunRecord) {
    let Some(made) = &record.decision else { return };
    let others: Vec<String> = decision(record).into_iter().skip(1).collect();
    if !others.is_empty() {
        page.list(others);
    }
    if made.rows.len() < 2 {
        return;
    }
    let of = |name: &str| record.backends.iter().find(|backend| backend.name == name);
    let row = |row: &crate::record::DecisionRow| -> Vec<Text> {
        let backend = of(&row.backend);
        let absent = || units::ABSENT.to_owned();
        let label = backend.map_or_else(|| row.backend.clone(), |backend| backend.label.clone());
        let name: Text = if row.standing == Standing::Best { strong(label) } else { Text::from(label) };
        let stands = |backend: &BackendRecord| verdict_or_state(backend).to_owned();
        vec![
            name,
            standing(row.standing, made.answer.is_some()).into(),
            backend.map_or_else(absent, stands).into(),
            backend.map_or("", |backend| equivalence::in_short(&backend.equivalence)).into(),
            row.value.map_or_else(absent, |found| value(made, found)).into(),
            row.ratio.as_ref().map_or_else(absent, ratio).into(),
        ]
    };
    let columns = [
        left("backend"),
        left("standing"),
        left("verdict"),
        left("vectors"),
        right(figure(made)),
        right("ratio to the first"),
    ];
    page.table(columns, made.rows.iter().map(row));
    page.paragraph(format!(
        "The chance of error is that of the verdict: that a backend called PASS misses its objective. How it compares with the others is in the \
         ratios. In parentheses is the range that the restarts leave open, with {} confidence for all ratios together. A backend is the same \
         as the first if the whole range is within {} of 1, and cannot be told apart if the range holds 1 and reaches further \
         (docs/METHODOLOGY.md).",
        units::percent(made.confidence),
        units::percent(made.same_within)
    ));
}

/// Where a backend stands, in a word or two.
fn standing(standing: Standing, answers: bool) -> &'static str {
    match standing {
        Standing::Best if answers => "deploy this",
        Standing::Best => "first",
        Standing::Same => "the same",
        Standing::Tied => "cannot be told apart",
        Standing::Behind => "behind",
        Standing::OtherVectors => "other vectors",
        Standing::Undecided => "not ranked",
        Standing::Misses => "misses an objective",
        Standing::NotMeasured => "not measured",
    }
}

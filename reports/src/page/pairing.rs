//! Two backends in turn: what it comes to, every figure, and how it was measured.

use super::block::{Page, left, right};
use super::text::{Text, strong};
use crate::indicator;
use crate::record::{PairedFigure, PairedOutcome, RunRecord};
use crate::sentences::decision::ratio;
use crate::sentences::pairing::{method, pairing, word};
use crate::units;

pub(super) fn write(page: &mut Page, record: &RunRecord) {
    let Some(made) = &record.pairing else { return };
    page.heading(2, format!("{} compared with {} in turn", made.second, made.first));
    page.list(pairing(record));
    let second =
        if made.first == made.second { format!("{} again", made.second) } else { made.second.clone() };
    let columns = [
        left("figure"),
        left("outcome"),
        right(made.first.as_str()),
        right(second),
        right("ratio"),
        right("smallest difference it finds"),
    ];
    let control = made.control.iter().flatten().map(|figure| row(figure, "control: "));
    page.table(columns, made.figures.iter().map(|figure| row(figure, "")).chain(control));
    page.paragraph(method(made));
}

fn row(figure: &PairedFigure, of: &str) -> Vec<Text> {
    let outcome: Text = match figure.outcome {
        PairedOutcome::Worse | PairedOutcome::Better => strong(word(figure)),
        PairedOutcome::Equivalent | PairedOutcome::NoDifference => word(figure).into(),
    };
    let smallest = figure.smallest.map(|share| format!("{} %", units::figure(100.0 * share)));
    vec![
        format!("{of}{}", indicator::name(&figure.indicator)).into(),
        outcome,
        indicator::value(&figure.indicator, figure.first).into(),
        indicator::value(&figure.indicator, figure.second).into(),
        ratio(&figure.ratio).into(),
        smallest.unwrap_or_else(|| units::ABSENT.to_owned()).into(),
    ]
}

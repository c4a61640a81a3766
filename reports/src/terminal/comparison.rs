//! A comparison for a terminal: the answer, a table for each backend, and what changed.

use std::io::{self, Write};

use super::grid::{Grid, Row};
use super::printer::Printer;
use super::{LEAST_COLUMNS, Sheet, words::WIDEST_TEXT};
use crate::indicator;
use crate::record::{ComparedFigure, Comparison};
use crate::sentences::comparison::{answer, method, name, runs, word};
use crate::sentences::decision::ratio;
use crate::view::one_line;

/// Writes it in lines no wider than the sheet.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write(comparison: &Comparison, sheet: Sheet, out: &mut dyn Write) -> io::Result<()> {
    let columns = sheet.columns.max(LEAST_COLUMNS);
    let mut printer = Printer { out, columns: columns.min(WIDEST_TEXT), color: sheet.color };
    printer.paragraph("", &answer(comparison))?;
    printer.paragraph("", &runs(comparison))?;
    for note in &comparison.notes {
        printer.paragraph("", &format!("note: {note}"))?;
    }
    for unlike in &comparison.unlike {
        printer.paragraph("", &format!("unlike, and compared all the same: {unlike}"))?;
    }
    for backend in &comparison.backends {
        printer.line("")?;
        let (before, after) = &backend.vectors;
        let vectors = if before == after { after.clone() } else { format!("{before} before, {after} after") };
        printer.paragraph("", &format!("{}: vectors {vectors}", backend.name))?;
        let grid = Grid {
            about: vec!["figure".into(), "outcome".into()],
            head: ["before", "after", "after / before"].map(Into::into).into(),
            rows: backend.figures.iter().map(row).collect(),
        };
        if !grid.rows.is_empty() {
            for line in grid.laid_out(columns).lines() {
                printer.line(line)?;
            }
        }
        for changed in &backend.changed {
            printer.paragraph("  ", &format!("changed: {changed}"))?;
        }
    }
    for (names, which) in [(&comparison.only_before, "earlier"), (&comparison.only_after, "later")] {
        if !names.is_empty() {
            printer.paragraph("", &format!("only the {which} run measured {}", names.join(", ")))?;
        }
    }
    printer.line("")?;
    for changed in &comparison.changed {
        printer.paragraph("", &format!("changed: {changed}"))?;
    }
    printer.paragraph("", &method(comparison))
}

fn row(figure: &ComparedFigure) -> Row {
    let (named, word) = (one_line(&name(figure)), word(figure).to_owned());
    Row {
        above: format!("{named}: {word}"),
        about: vec![named, word],
        figures: vec![
            indicator::value(&figure.indicator, figure.before),
            indicator::value(&figure.indicator, figure.after),
            ratio(&figure.ratio),
        ],
    }
}

//! The page of a comparison: the answer, then each backend with its figures and what changed of it.

use super::block::{Page, left, right};
use super::text::{Text, capitalized, sentence, strong};
use crate::indicator;
use crate::record::{Change, Comparison};
use crate::sentences::comparison::{answer, method, name, runs, word};
use crate::sentences::decision::ratio;

/// The page of a comparison.
pub(crate) fn of(comparison: &Comparison) -> Page {
    let mut page = Page::default();
    page.heading(1, format!("{} compared with {}", comparison.after.id, comparison.before.id));
    page.paragraph(strong(answer(comparison)));
    page.paragraph(runs(comparison));
    page.list(comparison.notes.iter().map(|note| sentence(&capitalized(note))));
    for backend in &comparison.backends {
        page.heading(2, backend.name.as_str());
        let columns =
            [left("figure"), left("outcome"), right("before"), right("after"), right("after / before")];
        page.table(
            columns,
            backend.figures.iter().map(|figure| {
                let outcome: Text = match figure.outcome {
                    Change::Worse | Change::Better => strong(word(figure)),
                    _ => word(figure).into(),
                };
                vec![
                    Text::from(name(figure)),
                    outcome,
                    indicator::value(&figure.indicator, figure.before).into(),
                    indicator::value(&figure.indicator, figure.after).into(),
                    ratio(&figure.ratio).into(),
                ]
            }),
        );
        let (before, after) = &backend.vectors;
        page.paragraph(match before == after {
            true => format!("Vectors: {after} in both runs."),
            false => format!("Vectors: {before} before, {after} after."),
        });
        page.list(backend.changed.iter().map(|changed| sentence(&capitalized(changed))));
    }
    let only = [(&comparison.only_before, "earlier"), (&comparison.only_after, "later")];
    for (names, which) in only {
        if !names.is_empty() {
            page.paragraph(format!("Only the {which} run measured {}.", names.join(", ")));
        }
    }
    if !comparison.unlike.is_empty() {
        page.heading(2, "Unlike, and compared all the same");
        page.list(comparison.unlike.iter().map(|unlike| sentence(&capitalized(unlike))));
    }
    if !comparison.changed.is_empty() {
        page.heading(2, "What else changed");
        page.list(comparison.changed.iter().map(|changed| sentence(&capitalized(changed))));
    }
    page.paragraph(method(comparison));
    page
}

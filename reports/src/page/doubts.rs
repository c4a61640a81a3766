//! What a reader should know before believing the figures: the doubts, which can withhold a verdict, and the warnings,
//! which cannot.

use super::block::Page;
use super::text::{Text, sentence};
use crate::record::RunRecord;
use crate::sentences;

/// The doubts, which stand before any figure.
pub(super) fn write(page: &mut Page, record: &RunRecord) {
    let mut doubts = sentences::doubts(record).peekable();
    if doubts.peek().is_none() {
        return;
    }
    page.heading(2, "Doubts");
    page.paragraph("Reasons not to trust the figures. A serious doubt can withhold a verdict.");
    page.list(doubts.map(|doubt| {
        let weight = Text::default();
        let weight = if doubt.serious { weight.strong("Serious:").then(" ") } else { weight };
        item(weight, doubt.backend.as_deref(), &doubt.what, &doubt.remedy)
    }));
}

/// The warnings.
pub(super) fn warnings(page: &mut Page, record: &RunRecord) {
    if record.warnings.is_empty() {
        return;
    }
    page.heading(2, "Warnings");
    page.list(
        record
            .warnings
            .iter()
            .map(|warning| item(Text::default(), warning.backend.as_deref(), &warning.what, &warning.remedy)),
    );
}

fn item(weight: Text, backend: Option<&str>, what: &str, remedy: &str) -> Text {
    let of = backend.map(|backend| format!("{backend}: ")).unwrap_or_default();
    let what = weight.then(format!("{of}{} ", sentence(what)));
    what.emphasis("What to do:").then(format!(" {}", sentence(remedy)))
}

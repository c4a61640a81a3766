//! What a reader should know before believing the figures: the doubts, which can withhold a verdict, and the warnings,
//! which cannot.

use super::text::{inline, sentence};
use crate::record::RunRecord;
use crate::sentences;

/// The doubts, which stand before any figure.
pub(super) fn write(page: &mut String, record: &RunRecord) {
    let mut doubts = sentences::doubts(record).peekable();
    if doubts.peek().is_none() {
        return;
    }
    page.push_str(
        "## Doubts\n\nWhat stands against believing the figures; a serious one can withhold a verdict.\n\n",
    );
    for doubt in doubts {
        let weight = if doubt.serious { "**Serious:** " } else { "" };
        item(page, weight, doubt.backend.as_deref(), &doubt.what, &doubt.remedy);
    }
    page.push('\n');
}

/// The warnings.
pub(super) fn warnings(page: &mut String, record: &RunRecord) {
    if record.warnings.is_empty() {
        return;
    }
    page.push_str("## Warnings\n\n");
    for warning in &record.warnings {
        item(page, "", warning.backend.as_deref(), &warning.what, &warning.remedy);
    }
    page.push('\n');
}

fn item(page: &mut String, weight: &str, backend: Option<&str>, what: &str, remedy: &str) {
    let of = backend.map(|backend| format!("{}: ", inline(backend))).unwrap_or_default();
    page.push_str(&format!("- {weight}{of}{} *What to do:* {}\n", sentence(what), sentence(remedy)));
}

//! Workers that were lost while they were needed.

use super::block::Page;
use super::text::{sentence, strong};
use crate::record::RunRecord;
use crate::sentences::losses::{losses, replacements_used};
use crate::variations::reached;

pub(super) fn write(page: &mut Page, record: &RunRecord) {
    let mut lost_any = false;
    for backend in reached(record) {
        let Some(used) = replacements_used(backend) else { continue };
        if !lost_any {
            page.heading(2, "Lost workers");
        }
        lost_any = true;
        page.paragraph(strong(&backend.label).then(format!(": {}", sentence(&used))));
        for lost in losses(backend) {
            page.list([lost.line]);
            if !lost.tail.is_empty() {
                page.code("text", lost.tail.join("\n"));
            }
        }
    }
}

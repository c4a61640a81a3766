//! Workers that were lost while they were needed.

use super::text::{block, inline, sentence};
use crate::record::RunRecord;
use crate::sentences::losses::{losses, restarts_used};
use crate::variations::reached;

pub(super) fn write(page: &mut String, record: &RunRecord) {
    let mut heading = "## Lost workers\n\n";
    for backend in reached(record) {
        let Some(used) = restarts_used(backend) else { continue };
        page.push_str(&format!("{heading}**{}**: {}\n\n", inline(&backend.label), sentence(&used)));
        heading = "";
        for lost in losses(backend) {
            page.push_str(&format!("- {}\n\n", inline(&lost.line)));
            if !lost.tail.is_empty() {
                block(page, "text", &lost.tail.join("\n"));
            }
        }
    }
}

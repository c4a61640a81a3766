//! What a report says, in its order: the verdict first, then what it rests on, then what the figures were taken on.
//!
//! `verdicts` with `load`, `doubts`, `capacity` and `variations`, then `figures` with `mixture` and `resources`, and
//! `context` with `execution`, `equivalence` and `losses` are its parts in the order of the page; `text` is how tables are
//! written.

mod capacity;
mod context;
mod doubts;
mod equivalence;
mod execution;
mod figures;
mod load;
mod losses;
mod mixture;
mod resources;
mod text;
mod variations;
mod verdicts;

use crate::pictures::PICTURES;
use crate::record::RunRecord;

/// The page of a run.
pub(crate) fn of(record: &RunRecord) -> String {
    let mut page = String::new();
    verdicts::write(&mut page, record);
    pictures(&mut page, record);
    figures::write(&mut page, record);
    context::write(&mut page, record);
    page
}

fn pictures(page: &mut String, record: &RunRecord) {
    for picture in PICTURES {
        if (picture.draw)(record).is_some() {
            let (title, description, file) = (picture.title, picture.description, picture.file);
            page.push_str(&format!("## {title}\n\n![{title}: {description}]({file})\n\n"));
        }
    }
}

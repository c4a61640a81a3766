//! What a report says, before it is in any format: the verdict first, then what it rests on, then what the figures were
//! taken on.
//!
//! A page is made of the blocks of `block`, whose texts are those of `text`: plain, on one line, with spans that stand out.
//! Whoever writes a format writes these and nothing else, and escapes what its format has to. `verdicts` with `load`,
//! `doubts`, `capacity` and `variations`, then `figures` with `mixture` and `resources`, and `context` with `execution`,
//! `equivalence` and `losses` fill the page of a run, in the order of the page.

mod block;
mod capacity;
pub(crate) mod comparison;
mod context;
mod decision;
mod doubts;
mod equivalence;
mod execution;
mod figures;
mod load;
mod losses;
mod mixture;
mod pairing;
mod resources;
mod text;
mod variations;
mod verdicts;

pub(crate) use block::{Block, Column, Item, Page, Side, can_wait, has_picture};
pub(crate) use text::{Span, Text};

use crate::pictures::PICTURES;
use crate::record::RunRecord;

/// The page of a run, with those pictures for which the record holds something to draw.
pub(crate) fn of(record: &RunRecord) -> Page {
    let mut page = Page::default();
    verdicts::write(&mut page, record);
    // The pictures stand between the verdicts, which they explain, and the tables of what they show.
    for picture in PICTURES {
        if let Some(drawing) = (picture.draw)(record) {
            page.heading(2, picture.title);
            page.picture(picture, drawing);
        }
    }
    figures::write(&mut page, record);
    context::write(&mut page, record);
    page
}

//! The tailmark run record and everything that shows it.
//!
//! Read in this order: [`record`] is what a run is on disk; `page` fills a page from a [`record::RunRecord`], which says the
//! same in every format that writes it; `pictures` are drawn for it; `markdown` writes it, and `terminal` has a layout of its
//! own; [`format`](mod@format) is the table of all of them, and [`folder`] writes those that have files. `sentences` and `view` are what they have in common, and [`units`]
//! is how numbers are written. Nothing here knows how anything was measured.

pub mod execution;
pub mod folder;
pub mod format;
mod html;
pub mod indicator;
mod junit;
mod markdown;
mod openmetrics;
mod page;
mod pictures;
pub mod record;
mod sentences;
mod summary;
mod terminal;
pub mod units;
mod variations;
mod view;

#[cfg(test)]
mod fixture;

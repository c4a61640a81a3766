//! The tailmark run record and everything that shows it.
//!
//! Read in this order: [`record`] is what a run is on disk; [`format`](mod@format) lists the renderers, each of which
//! takes a [`record::RunRecord`] and a writer; [`terminal`], [`markdown`] and [`pictures`] are those renderers;
//! [`units`] is how numbers are written. Nothing here knows how anything was measured.

pub mod execution;
pub mod format;
mod indicator;
pub mod markdown;
mod page;
pub mod pictures;
pub mod record;
mod sentences;
pub mod terminal;
pub mod units;
mod variations;
mod view;

#[cfg(test)]
mod fixture;

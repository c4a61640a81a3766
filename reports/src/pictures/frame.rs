//! What every chart has around its data: heading, axes with their grid, lines at the limits, a legend.

use plotters::prelude::{Color as _, RGBColor};

use super::axis::{Axis, spread};
use super::canvas::{Anchor, Canvas, Lettering};
use super::palette::{FAINT_INK, GRID, INK, LIMIT, LIMIT_LABEL, SMALL, SUBTITLE, TITLE, hollow_mark, mark};
use crate::record::RunRecord;
use crate::view::{Limit, one_line};

/// Every picture is this wide, in points.
pub(super) const WIDTH: f64 = 920.0;
/// Room for the heading.
pub(super) const HEADING: f64 = 62.0;
/// Points between neighboring ticks of a vertical axis, at least.
pub(super) const TICK_LINE: f64 = 18.0;
/// Room at the edges of the sheet.
pub(super) const EDGE: f64 = 16.0;
/// How much of its color a band has, so that what lies behind it can be seen.
pub(super) const BAND_OPACITY: f64 = 0.2;
/// Height of one line of a legend.
const LEGEND_LINE: f64 = 19.0;
/// Height that two neighboring labels need.
const LABEL_GAP: f64 = 15.0;

/// The rectangle that the data are drawn in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

/// Draws the title and what run it is about.
pub(super) fn heading(canvas: &mut Canvas<'_>, title: &str, record: &RunRecord, what: &str) {
    let width = WIDTH - 2.0 * EDGE;
    canvas.text(&TITLE.fitted(title, width), (EDGE, 22.0), TITLE);
    let run = format!("{}, {}: {what}", one_line(&record.scenario.name), record.started_at);
    canvas.text(&SUBTITLE.fitted(&run, width), (EDGE, 42.0), SUBTITLE);
}

/// Draws the horizontal lines of a grid and the labels of its ticks to the left of the area.
pub(super) fn vertical_axis(canvas: &mut Canvas<'_>, area: Area, ticks: &[(f64, String)]) {
    for (y, label) in ticks {
        canvas.line(&[(area.left, *y), (area.right, *y)], GRID.to_rgba(), 1.0);
        canvas.text(label, (area.left - 7.0, *y), SMALL.anchored(Anchor::End));
    }
    canvas.line(&[(area.left, area.top), (area.left, area.bottom)], FAINT_INK.to_rgba(), 1.0);
}

/// Draws the vertical lines of a grid, and, `labeled`, the ticks' labels under the area.
pub(super) fn horizontal_axis(canvas: &mut Canvas<'_>, area: Area, ticks: &[(f64, String)], labeled: bool) {
    for (x, label) in ticks {
        canvas.line(&[(*x, area.top), (*x, area.bottom)], GRID.to_rgba(), 1.0);
        if labeled {
            canvas.text(label, (*x, area.bottom + 12.0), SMALL.anchored(Anchor::Middle));
        }
    }
    canvas.line(&[(area.left, area.bottom), (area.right, area.bottom)], FAINT_INK.to_rgba(), 1.0);
}

/// Writes the name of the horizontal axis under its ticks.
pub(super) fn horizontal_title(canvas: &mut Canvas<'_>, area: Area, title: &str) {
    let middle = f64::midpoint(area.left, area.right);
    canvas.text(title, (middle, area.bottom + 31.0), SUBTITLE.anchored(Anchor::Middle));
}

/// Writes the name of the vertical axis at the left edge, along it.
pub(super) fn vertical_title(canvas: &mut Canvas<'_>, top: f64, bottom: f64, title: &str) {
    canvas.upright_text(title, (EDGE, f64::midpoint(top, bottom)), SUBTITLE);
}

/// Points that the labels of the limits take to the right of an area.
pub(super) fn limit_margin(limits: &[Limit]) -> f64 {
    limits.iter().map(|limit| LIMIT_LABEL.width_of(&limit.label) + 10.0).fold(EDGE, f64::max)
}

/// Draws a horizontal line at each limit, labeled to the right of the area.
pub(super) fn horizontal_limits(canvas: &mut Canvas<'_>, area: Area, axis: &Axis, limits: &[Limit]) {
    let lines: Vec<f64> = limits.iter().map(|limit| axis.at(limit.value)).collect();
    let labels = spread(&lines, LABEL_GAP, area.top, area.bottom);
    for ((limit, y), label) in limits.iter().zip(lines).zip(labels) {
        canvas.line(&[(area.left, y), (area.right, y)], LIMIT.to_rgba(), 1.5);
        canvas.line(&[(area.right, y), (area.right + 4.0, label)], LIMIT.to_rgba(), 1.0);
        canvas.text(&limit.label, (area.right + 6.0, label), LIMIT_LABEL);
    }
}

/// Labels each limit in a line of its own above the area. The lines down from there are [`vertical_limit`]'s.
pub(super) fn vertical_limits(canvas: &mut Canvas<'_>, area: Area, axis: &Axis, limits: &[Limit]) {
    let row = |index: usize| area.top - 9.0 - LABEL_GAP * index as f64;
    for limit in limits {
        let x = axis.at(limit.value);
        vertical_limit(canvas, x, row(0) + 7.0, area.top);
    }
    for (index, limit) in limits.iter().enumerate() {
        let half = LIMIT_LABEL.width_of(&limit.label) / 2.0;
        let (first, last) = (area.left + half, (area.right - half).max(area.left + half));
        let middle = axis.at(limit.value).clamp(first, last);
        canvas.text_on_white(&limit.label, (middle, row(index)), LIMIT_LABEL.anchored(Anchor::Middle));
    }
}

/// Draws a piece of a limit's line.
pub(super) fn vertical_limit(canvas: &mut Canvas<'_>, x: f64, top: f64, bottom: f64) {
    canvas.line(&[(x, top), (x, bottom)], LIMIT.to_rgba(), 1.5);
}

/// Points that [`vertical_limits`] takes above an area.
pub(super) fn limits_height(limits: &[Limit]) -> f64 {
    LABEL_GAP * limits.len() as f64 + 4.0
}

/// How an entry of a legend looks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sign {
    /// A line with the mark of a series.
    Series(usize),
    /// A line without a mark.
    Line,
    /// A mark alone.
    Mark(usize),
    /// A hollow mark.
    HollowMark(usize),
    /// A patch of color.
    Patch,
    /// A patch as faint as a band.
    Band,
    /// A thin line with ends.
    Whisker,
    /// A thin line that goes on to the right.
    OpenWhisker,
    /// A cross.
    Cross,
    /// A word that stands for a longer one.
    Word(&'static str),
}

/// An entry of a legend.
pub(super) struct Entry {
    pub sign: Sign,
    pub color: RGBColor,
    pub label: String,
}

impl Entry {
    pub(super) fn new(sign: Sign, color: RGBColor, label: impl Into<String>) -> Self {
        Self { sign, color, label: label.into() }
    }
}

const SIGN_WIDTH: f64 = 34.0;
const COLUMN_GAP: f64 = 22.0;

/// Columns of a legend and the width of each, so that the longest label fits.
fn columns(entries: &[Entry]) -> (usize, f64) {
    let room = WIDTH - 2.0 * EDGE;
    let widest = entries.iter().map(|entry| SMALL.width_of(&entry.label)).fold(0.0, f64::max);
    let column = (SIGN_WIDTH + widest + COLUMN_GAP).min(room);
    (((room / column) as usize).max(1), column)
}

/// Points that a legend takes.
pub(super) fn legend_height(entries: &[Entry]) -> f64 {
    entries.len().div_ceil(columns(entries).0) as f64 * LEGEND_LINE
}

/// Draws a legend with its upper edge at `top`.
pub(super) fn legend(canvas: &mut Canvas<'_>, top: f64, entries: &[Entry]) {
    let (columns, width) = columns(entries);
    for (index, entry) in entries.iter().enumerate() {
        let x = EDGE + (index % columns) as f64 * width;
        let y = top + LEGEND_LINE * ((index / columns) as f64 + 0.5);
        sign(canvas, entry, x, y);
        let label = SMALL.fitted(&entry.label, width - SIGN_WIDTH);
        canvas.text(&label, (x + SIGN_WIDTH, y), SMALL);
    }
}

fn sign(canvas: &mut Canvas<'_>, entry: &Entry, x: f64, y: f64) {
    let (color, end) = (entry.color.to_rgba(), x + SIGN_WIDTH - 8.0);
    let middle = f64::midpoint(x, end);
    match entry.sign {
        Sign::Series(index) => {
            canvas.line(&[(x, y), (end, y)], color, 2.0);
            mark(canvas, index, (middle, y), entry.color);
        }
        Sign::Line => canvas.line(&[(x, y), (end, y)], color, 1.5),
        Sign::Mark(index) => mark(canvas, index, (middle, y), entry.color),
        Sign::HollowMark(index) => hollow_mark(canvas, index, (middle, y), entry.color),
        Sign::Patch => canvas.rectangle((x + 4.0, y - 5.0), (end - 2.0, y + 5.0), color),
        Sign::Band => {
            canvas.rectangle((x + 4.0, y - 5.0), (end - 2.0, y + 5.0), entry.color.mix(BAND_OPACITY));
        }
        Sign::Whisker => whisker(canvas, x, WhiskerEnd::At(end), y, entry.color),
        Sign::OpenWhisker => whisker(canvas, x, WhiskerEnd::Beyond(end), y, entry.color),
        Sign::Cross => cross(canvas, (middle, y), entry.color),
        Sign::Word(word) => canvas.text(word, (x, y), Lettering::new(10.0, entry.color).bold()),
    }
}

/// Where a whisker ends at the right.
#[derive(Clone, Copy, Debug)]
pub(super) enum WhiskerEnd {
    /// There.
    At(f64),
    /// Nowhere: an arrow there says that it goes on.
    Beyond(f64),
}

/// Draws a horizontal interval with its ends.
pub(super) fn whisker(canvas: &mut Canvas<'_>, low: f64, high: WhiskerEnd, y: f64, color: RGBColor) {
    const REACH: f64 = 4.0;
    let color = color.to_rgba();
    canvas.line(&[(low, y - REACH), (low, y + REACH)], color, 1.5);
    match high {
        WhiskerEnd::At(high) => {
            canvas.line(&[(low, y), (high, y)], color, 1.5);
            canvas.line(&[(high, y - REACH), (high, y + REACH)], color, 1.5);
        }
        WhiskerEnd::Beyond(tip) => {
            canvas.line(&[(low, y), (tip, y)], color, 1.5);
            canvas.area(&[(tip - 7.0, y - REACH), (tip, y), (tip - 7.0, y + REACH)], color);
        }
    }
}

/// Draws an upright interval from `low` up to `high`; without an upper end it goes on to an arrow at `top`.
pub(super) fn upright_whisker(
    canvas: &mut Canvas<'_>,
    x: f64,
    low: f64,
    high: Option<f64>,
    top: f64,
    color: RGBColor,
) {
    const REACH: f64 = 3.0;
    let color = color.to_rgba();
    let end = high.unwrap_or(top);
    canvas.line(&[(x, low), (x, end)], color, 1.5);
    canvas.line(&[(x - REACH, low), (x + REACH, low)], color, 1.5);
    match high {
        Some(high) => canvas.line(&[(x - REACH, high), (x + REACH, high)], color, 1.5),
        None => canvas.area(&[(x - REACH, top + 7.0), (x, top), (x + REACH, top + 7.0)], color),
    }
}

/// Draws a small cross.
pub(super) fn cross(canvas: &mut Canvas<'_>, (x, y): (f64, f64), color: RGBColor) {
    const REACH: f64 = 3.0;
    for slope in [REACH, -REACH] {
        canvas.line(&[(x - REACH, y - slope), (x + REACH, y + slope)], color.to_rgba(), 1.5);
    }
}

/// Draws texts one under the other, the block vertically centered on `y`.
pub(super) fn block(canvas: &mut Canvas<'_>, lines: &[String], x: f64, y: f64) {
    let first = y - LABEL_GAP * (lines.len() as f64 - 1.0) / 2.0;
    for (index, line) in lines.iter().enumerate() {
        canvas.text(line, (x, first + LABEL_GAP * index as f64), super::palette::NAME);
    }
}

/// The height of each of several panels that stand under each other: lower ones when there are many.
pub(super) fn panel_height(panels: usize, few: f64, many: f64) -> f64 {
    const FEW: usize = 4;
    if panels > FEW { many } else { few }
}

/// What a heading says of backends that a picture has no room for.
pub(super) fn left_out(number: usize) -> String {
    match number {
        0 => String::new(),
        1 => "; 1 more is left out".to_owned(),
        number => format!("; {number} more are left out"),
    }
}

/// The color of texts and signs that belong to no series.
pub(super) const NEUTRAL: RGBColor = INK;

//! The share of requests over the limit as the run went on, with the shares not ruled out and the share allowed: one panel
//! for each backend and objective whose record holds a band.
//!
//! Each panel has a scale of its own around the allowed share, since that is what its band is read against.

use plotters::prelude::{Color as _, RGBColor};

use super::axis::Axis;
use super::canvas::{Canvas, draw};
use super::frame::{self, Area, EDGE, Entry, HEADING, Sign, WIDTH};
use super::palette::{BLUE, NAME, SMALL, mark, verdict};
use crate::indicator::{allowed_share, two_sided};
use crate::record::{BackendRecord, Objective, ObjectiveVerdict, RunRecord};
use crate::units;
use crate::variations::{foremost, place};
use crate::view::{Limit, one_line, verdict_name};

const TITLE: &str = "Requests over the limit";
/// The name, the verdict with its objective, and the figures.
const PANEL_HEADING: f64 = 58.0;
const PANEL_GAP: f64 = 16.0;
/// Room for tick labels and the vertical title left of the first column, and for tick labels left of the second.
const LEFT: f64 = 74.0;
/// More panels than these stand in two columns.
const ONE_COLUMN: usize = 3;
/// At most so many panels: more would make a sheet that nobody scrolls through.
const MOST_PANELS: usize = 16;
const COLOR: RGBColor = BLUE;
/// Half the width of the band of a run that was looked at only once.
const SINGLE: f64 = 5.0;

/// A panel, and what it shows.
struct Panel<'a> {
    backend: &'a BackendRecord,
    objective: &'a Objective,
    judged: &'a ObjectiveVerdict,
    allowed: f64,
    /// The largest share on the panel's scale.
    most: f64,
}

/// Draws the picture; `None` when no verdict has a band.
pub(super) fn picture(record: &RunRecord) -> Option<String> {
    let (panels, left_out) = foremost(panels(record), MOST_PANELS, |panel| place(record, panel.backend));
    let limits: Vec<Limit> = panels.iter().map(|panel| limit(panel.allowed)).collect();
    let columns = if panels.len() > ONE_COLUMN { 2 } else { 1 };
    let height = if columns == 1 { 170.0 } else { 120.0 };
    let margin = frame::limit_margin(&limits);
    let width = (WIDTH - columns as f64 * (LEFT + margin)) / columns as f64;
    let stride = PANEL_HEADING + height + PANEL_GAP;
    let area_of = |index: usize| {
        let top = HEADING + stride * (index / columns) as f64 + PANEL_HEADING;
        let left = LEFT + (LEFT + width + margin) * (index % columns) as f64;
        Area { left, top, right: left + width, bottom: top + height }
    };
    let counts = panels.iter().flat_map(|panel| &panel.judged.band).map(|point| point.requests as f64);
    let across = Axis::logarithmic(counts, 0.0, 1.0)?;
    let bottom = area_of(panels.len() - 1).bottom;
    let entries = [
        Entry::new(Sign::Series(0), COLOR, "share over the limit"),
        Entry::new(Sign::Band, COLOR, format!("shares that are not ruled out{}", confidence(&panels))),
    ];
    let cut = panels.iter().any(|panel| panel.judged.band.iter().any(|point| point.high > panel.most));

    Some(draw(TITLE, WIDTH, bottom + 52.0 + frame::legend_height(&entries), |canvas| {
        let cut = if cut { "; bands continue above the panels" } else { "" };
        let left_out = frame::left_out(left_out);
        let what = format!("share of requests over each objective's limit, failures included{cut}{left_out}");
        frame::heading(canvas, TITLE, record, &what);
        for (index, panel) in panels.iter().enumerate() {
            let area = area_of(index);
            heading(canvas, area, panel, area.right + margin - EDGE);
            let lowest = index + columns >= panels.len();
            draw_panel(canvas, area, panel, &across.moved(area.left, area.right), lowest);
        }
        frame::vertical_title(canvas, HEADING, bottom, "share of requests");
        frame::legend(canvas, bottom + 44.0, &entries);
    }))
}

fn panels(record: &RunRecord) -> Vec<Panel<'_>> {
    let of = |backend| move |judged| panel(record, backend, judged);
    record.backends.iter().flat_map(|backend| backend.verdicts.iter().filter_map(of(backend))).collect()
}

fn panel<'a>(
    record: &'a RunRecord,
    backend: &'a BackendRecord,
    judged: &'a ObjectiveVerdict,
) -> Option<Panel<'a>> {
    let objective = record.objectives.get(judged.objective)?;
    let allowed = allowed_share(objective)?;
    let last = judged.band.last()?;
    // Early bands reach from nothing to nearly all; the scale is made for the end of the run.
    let most = (2.0 * allowed).max(1.25 * last.high).min(1.0);
    Some(Panel { backend, objective, judged, allowed, most })
}

/// At which confidence, if all panels have the same.
fn confidence(panels: &[Panel<'_>]) -> String {
    let mut all = panels.iter().map(|panel| panel.objective.confidence);
    match all.next() {
        Some(first) if all.all(|other| other == first) => {
            format!(" ({} interval)", units::percent(two_sided(first)))
        }
        _ => String::new(),
    }
}

fn limit(allowed: f64) -> Limit {
    Limit { value: allowed, label: format!("{} allowed", units::percent(allowed)), backends: None }
}

fn heading(canvas: &mut Canvas<'_>, area: Area, panel: &Panel<'_>, right: f64) {
    let Panel { backend, objective, judged, .. } = panel;
    let width = right - area.left;
    let line = |index: f64| area.top - PANEL_HEADING + 9.0 + 16.0 * index;
    canvas.text(&NAME.fitted(&one_line(&backend.label), width), (area.left, line(0.0)), NAME);
    let lettering = verdict(Some(judged.verdict));
    let word = verdict_name(judged.verdict);
    canvas.text(word, (area.left, line(1.0)), lettering);
    let indent = lettering.width_of(word) + 8.0;
    let asked = SMALL.fitted(&one_line(&objective.text), width - indent);
    canvas.text(&asked, (area.left + indent, line(1.0)), SMALL);
    if let Some(last) = judged.band.last() {
        let [share, low, high] = [last.share, last.low, last.high].map(units::percent);
        let requests = units::counted(last.requests, "request");
        let figures = format!("{share} ({low} to {high}) of {requests} over");
        canvas.text(&SMALL.fitted(&figures, width), (area.left, line(2.0)), SMALL);
    }
}

fn draw_panel(canvas: &mut Canvas<'_>, area: Area, panel: &Panel<'_>, across: &Axis, lowest: bool) {
    let up = Axis::from_zero(panel.most, area.bottom, area.top);
    // Between one request and two there is none.
    let whole = |value: f64| (value.fract() == 0.0).then(|| units::count(value as u64));
    frame::horizontal_axis(canvas, area, &across.ticks_as(64.0, whole), lowest);
    frame::vertical_axis(canvas, area, &up.ticks_as(frame::TICK_LINE, |share| Some(units::percent(share))));
    band(canvas, panel, across, &up);
    frame::horizontal_limits(canvas, area, &up, &[limit(panel.allowed)]);
    estimate(canvas, panel, across, &up);
    if lowest {
        frame::horizontal_title(canvas, area, "requests (logarithmic)");
    }
}

fn band(canvas: &mut Canvas<'_>, panel: &Panel<'_>, across: &Axis, up: &Axis) {
    let points = &panel.judged.band;
    let at = |requests: u64| across.at(requests as f64);
    let single = if points.len() == 1 { SINGLE } else { 0.0 };
    let upper = points.iter().map(|point| (at(point.requests) - single, up.at(point.high)));
    let lower = points.iter().map(|point| (at(point.requests) - single, up.at(point.low)));
    let mut outline: Vec<(f64, f64)> = upper.clone().collect();
    let mut back: Vec<(f64, f64)> = lower.clone().collect();
    if points.len() == 1 {
        outline.extend(upper.map(|(x, y)| (x + 2.0 * single, y)));
        back.extend(lower.map(|(x, y)| (x + 2.0 * single, y)));
    }
    back.reverse();
    outline.append(&mut back);
    canvas.area(&outline, COLOR.mix(frame::BAND_OPACITY));
}

fn estimate(canvas: &mut Canvas<'_>, panel: &Panel<'_>, across: &Axis, up: &Axis) {
    let points = panel.judged.band.iter();
    let path: Vec<(f64, f64)> =
        points.map(|point| (across.at(point.requests as f64), up.at(point.share))).collect();
    canvas.line(&path, COLOR.to_rgba(), 2.0);
    if let Some(last) = path.last() {
        mark(canvas, 0, *last, COLOR);
    }
}

//! Response times in the order of the run, one panel for each backend: strokes from the fastest to the slowest of
//! neighboring requests, in the color of their phase.
//!
//! Strokes that would fall on the same column of the sheet are drawn as one, from the fastest to the slowest of all.

use plotters::prelude::Color as _;

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Lettering, draw};
use super::frame::{self, Area, EDGE, Entry, HEADING, Sign, WIDTH};
use super::palette::{FAINT_INK, LIMIT, NAME, SMALL, phase as color_of};
use crate::record::{BackendRecord, Phase, RunRecord, TimelineGroup};
use crate::variations::{foremost, place};
use crate::view::{Limit, limits, one_line};

const TITLE: &str = "Latency over time";
/// Heading of a panel and the line of restart numbers under it.
const PANEL_HEADING: f64 = 38.0;
const PANEL_GAP: f64 = 10.0;
/// Room for the labels of a panel's own ticks.
const TICK_LABELS: f64 = 16.0;
/// At most so many panels: more would make a sheet that nobody scrolls through.
const MOST_PANELS: usize = 12;
/// Panels share their axis of time unless one backend took this many times as long as another.
const SQUASHED: u64 = 3;
const STROKE: f64 = 1.5;
/// Fainter than the text of a legend: numbers of restarts.
const RESTART: Lettering = Lettering::new(10.0, FAINT_INK);

/// Draws the picture; `None` when nothing was sent.
pub(super) fn picture(record: &RunRecord) -> Option<String> {
    let with_requests: Vec<&BackendRecord> =
        record.backends.iter().filter(|backend| !backend.timeline.is_empty()).collect();
    let (panels, left_out) = foremost(with_requests, MOST_PANELS, |backend| place(record, backend));
    let limits = limits(record);
    let groups = || panels.iter().flat_map(|backend| &backend.timeline);
    let values = groups().flat_map(|group| [group.min_ns, group.max_ns]).flatten().map(|value| value as f64);
    let values = values.chain(limits.iter().map(|limit| limit.value));
    let (left, right) = (EDGE + 72.0, WIDTH - frame::limit_margin(&limits));
    let response = Axis::logarithmic(values, 0.0, 1.0)?;
    let ends: Vec<u64> = panels.iter().map(|backend| end_of(backend)).collect();
    let (shortest, longest) = (ends.iter().min()?, *ends.iter().max()?);
    let common_time = longest <= shortest.saturating_mul(SQUASHED);
    let height = if panels.len() > 4 { 96.0 } else { 150.0 };
    let stride = PANEL_HEADING + height + PANEL_GAP + if common_time { 0.0 } else { TICK_LABELS };
    let bottom = HEADING + stride * panels.len() as f64 - (stride - PANEL_HEADING - height);
    let entries = legend_entries(&panels);

    let sheet = bottom + 56.0 + frame::legend_height(&entries);
    Some(draw(TITLE, WIDTH, sheet, |canvas| {
        let scale = if common_time { "" } else { "; time scales differ" };
        let left_out = frame::left_out(left_out);
        let what = format!("one panel for each backend, without the time of the others{scale}{left_out}");
        frame::heading(canvas, TITLE, record, &what);
        for (index, (backend, end)) in panels.iter().zip(&ends).enumerate() {
            let top = HEADING + stride * index as f64 + PANEL_HEADING;
            let area = Area { left, top, right, bottom: top + height };
            let name = NAME.fitted(&one_line(&backend.label), right - left);
            canvas.text(&name, (left, top - PANEL_HEADING + 9.0), NAME);
            let last = index + 1 == panels.len();
            let time = Axis::from_zero(if common_time { longest } else { *end } as f64, left, right);
            shading(canvas, area, backend, &time);
            frame::horizontal_axis(canvas, area, &time.ticks(64.0), last || !common_time);
            panel(canvas, area, backend, &time, &response.moved(area.bottom, area.top), &limits);
            if last {
                frame::horizontal_title(canvas, area, "time since the backend was first started");
            }
        }
        frame::vertical_title(canvas, HEADING, bottom, "response time (logarithmic)");
        frame::legend(canvas, bottom + 48.0, &entries);
    }))
}

/// When the last request that is known of ended, as well as can be told.
fn end_of(backend: &BackendRecord) -> u64 {
    let ends = backend.timeline.iter().map(|group| group.at_ns + group.max_ns.unwrap_or(0));
    ends.max().unwrap_or(0)
}

fn legend_entries(panels: &[&BackendRecord]) -> Vec<Entry> {
    let groups = || panels.iter().flat_map(|backend| &backend.timeline);
    let phases = [Phase::ColdStart, Phase::WarmUp, Phase::Steady];
    let mut entries: Vec<Entry> = phases
        .into_iter()
        .filter(|phase| groups().any(|group| group.phase == *phase))
        .map(|phase| Entry::new(Sign::Patch, color_of(phase), phase.name()))
        .collect();
    if groups().any(|group| group.failures > 0) {
        entries.push(Entry::new(Sign::Cross, LIMIT, "failed requests"));
    }
    entries
}

fn panel(
    canvas: &mut Canvas<'_>,
    area: Area,
    backend: &BackendRecord,
    time: &Axis,
    response: &Axis,
    limits: &[Limit],
) {
    frame::vertical_axis(canvas, area, &response.ticks(frame::TICK_LINE));
    let limits: Vec<Limit> = limits.iter().filter(|limit| limit.applies_to(backend)).cloned().collect();
    frame::horizontal_limits(canvas, area, response, &limits);
    restarts(canvas, area, backend, time);
    for stroke in strokes(&backend.timeline, time) {
        draw_stroke(canvas, &stroke, response);
    }
    failures(canvas, area, backend, time);
}

/// Shades the area behind each stretch of one phase. The steady state stays white: it is what is judged.
fn shading(canvas: &mut Canvas<'_>, area: Area, backend: &BackendRecord, time: &Axis) {
    let stretches: Vec<&[TimelineGroup]> =
        backend.timeline.chunk_by(|a, b| (a.phase, a.restart) == (b.phase, b.restart)).collect();
    for (index, stretch) in stretches.iter().enumerate() {
        let Some(first) = stretch.first() else { continue };
        if first.phase == Phase::Steady {
            continue;
        }
        let next = stretches.get(index + 1).and_then(|next| next.first());
        let until = next.map_or_else(|| end_of(backend), |next| next.at_ns);
        let (from, to) = (time.at(first.at_ns as f64), time.at(until as f64));
        canvas.rectangle((from, area.top), (to, area.bottom), color_of(first.phase).mix(0.14));
    }
}

/// Marks where each restart begins, and numbers it if there is room for the number.
fn restarts(canvas: &mut Canvas<'_>, area: Area, backend: &BackendRecord, time: &Axis) {
    let begins: Vec<&TimelineGroup> = backend
        .timeline
        .chunk_by(|a, b| a.restart == b.restart)
        .filter_map(|restart| restart.first())
        .collect();
    if begins.len() < 2 {
        return;
    }
    let starts: Vec<f64> = begins.iter().map(|group| time.at(group.at_ns as f64)).collect();
    let word = |group: &TimelineGroup| format!("restart {}", group.restart);
    let widest = begins.iter().map(|group| RESTART.width_of(&word(group))).fold(0.0, f64::max) + 4.0;
    let roomy = starts.windows(2).all(|pair| pair[1] - pair[0] >= widest)
        && starts.last().is_none_or(|last| area.right - last >= widest);
    let y = area.top - 10.0;
    if !roomy {
        canvas.text("restart", (area.left - 7.0, y), RESTART.anchored(Anchor::End));
    }
    let mut free_from = area.left;
    for (group, x) in begins.into_iter().zip(starts) {
        canvas.line(&[(x, area.top - 4.0), (x, area.bottom)], FAINT_INK.to_rgba(), 1.0);
        let label = if roomy { word(group) } else { group.restart.to_string() };
        if x >= free_from {
            canvas.text(&label, (x, y), RESTART);
            free_from = x + RESTART.width_of(&label) + 4.0;
        }
    }
}

/// What is drawn in one column of the sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stroke {
    phase: Phase,
    x: f64,
    fastest: u64,
    slowest: u64,
}

/// Groups that fall on the same column, drawn as one.
fn strokes(timeline: &[TimelineGroup], time: &Axis) -> Vec<Stroke> {
    let mut strokes: Vec<Stroke> = Vec::new();
    for group in timeline {
        let (Some(fastest), Some(slowest)) = (group.min_ns, group.max_ns) else { continue };
        let x = (time.at(group.at_ns as f64) / STROKE).floor() * STROKE + STROKE / 2.0;
        match strokes.last_mut() {
            Some(last) if last.phase == group.phase && (last.x - x).abs() < 1e-6 => {
                last.fastest = last.fastest.min(fastest);
                last.slowest = last.slowest.max(slowest);
            }
            _ => strokes.push(Stroke { phase: group.phase, x, fastest, slowest }),
        }
    }
    strokes
}

fn draw_stroke(canvas: &mut Canvas<'_>, stroke: &Stroke, response: &Axis) {
    let color = color_of(stroke.phase).to_rgba();
    let (low, high) = (response.at(stroke.fastest as f64), response.at(stroke.slowest as f64));
    if low - high < 3.0 {
        // A stroke this short would hardly be seen.
        canvas.disc((stroke.x, f64::midpoint(low, high)), 2.0, color);
    } else {
        canvas.line(&[(stroke.x, low), (stroke.x, high)], color, STROKE);
    }
}

/// Marks failed requests at the upper edge: they took for ever.
fn failures(canvas: &mut Canvas<'_>, area: Area, backend: &BackendRecord, time: &Axis) {
    let mut free_from = f64::NEG_INFINITY;
    for group in backend.timeline.iter().filter(|group| group.failures > 0) {
        let x = time.at(group.at_ns as f64);
        if x >= free_from {
            frame::cross(canvas, (x, area.top + 5.0), LIMIT);
            free_from = x + SMALL.size / 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_on_one_column_become_one_stroke_that_keeps_the_extremes() {
        let group = |at_ns, min_ns, max_ns| TimelineGroup {
            phase: Phase::Steady,
            restart: 1,
            at_ns,
            requests: 4,
            failures: 0,
            min_ns,
            max_ns,
        };
        let timeline = [
            group(0, Some(5), Some(9)),
            group(1, Some(3), Some(7)),
            group(2, None, None),
            group(900, Some(4), Some(6)),
        ];
        let strokes = strokes(&timeline, &Axis::from_zero(1000.0, 0.0, 100.0));
        let extremes: Vec<_> = strokes.iter().map(|stroke| (stroke.fastest, stroke.slowest)).collect();
        assert_eq!(extremes, [(3, 9), (4, 6)]);
    }
}

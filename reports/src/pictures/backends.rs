//! The backends side by side: P50, P95 and P99 of the steady state with their intervals, and the limits.
//!
//! Variations and the levels of a capacity have pictures of their own, and are not here.

use plotters::prelude::Color as _;

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, draw};
use super::frame::{self, Area, EDGE, Entry, HEADING, NEUTRAL, Sign, WIDTH, WhiskerEnd};
use super::palette::{GRID, NAME, PERCENTILES as SHOWN, SMALL, SUBTITLE, mark, verdict};
use crate::record::{BackendRecord, Latency, Phase, RunRecord};
use crate::sentences::ran::labeled;
use crate::variations::{Place, placed};
use crate::view::{self, latency, limits, one_line, percentile, percentile_text};

const TITLE: &str = "Backends side by side";
const NAMES: f64 = 236.0;
const VALUE: f64 = 70.0;
/// Lines that a name is wrapped to; what it ran on is at its end.
const NAME_LINES: usize = 4;
/// Vertical distance between the marks of one backend, so that their intervals do not cover each other.
const STEP: f64 = 12.0;

/// Draws the picture; `None` when no backend has a steady state.
pub(super) fn picture(record: &RunRecord) -> Option<String> {
    let rows: Vec<(&BackendRecord, &Latency)> = placed(record, Place::Plain)
        .filter_map(|backend| Some((backend, latency(backend, Phase::Steady)?)))
        .collect();
    let limits = limits(record);
    let named: Vec<Vec<String>> = rows
        .iter()
        .map(|(backend, _)| NAME.wrapped(&one_line(&labeled(backend)), NAMES - 12.0, NAME_LINES))
        .collect();
    let heights: Vec<f64> = named.iter().map(|lines| 15.0 * (lines.len() as f64 + 1.0) + 18.0).collect();

    let top = HEADING + 20.0 + frame::limits_height(&limits).max(22.0);
    let area = Area {
        left: EDGE + NAMES,
        top,
        right: WIDTH - EDGE - VALUE * SHOWN.len() as f64,
        bottom: top + heights.iter().sum::<f64>(),
    };
    let values = rows.iter().flat_map(|(_, latency)| shown_values(latency));
    let values = values.chain(limits.iter().map(|limit| limit.value));
    let axis = Axis::logarithmic(values, area.left, area.right)?;
    if rows.is_empty() {
        return None;
    }

    Some(draw(TITLE, WIDTH, area.bottom + 48.0, |canvas| {
        frame::heading(canvas, TITLE, record, "response time in steady state");
        legend(canvas, &rows);
        for (index, (_, name, _)) in SHOWN.iter().enumerate() {
            let heading = (value_column(area, index), area.top - 9.0);
            canvas.text(name, heading, SUBTITLE.anchored(Anchor::End));
        }
        frame::horizontal_axis(canvas, area, &axis.ticks(58.0), true);
        frame::horizontal_title(canvas, area, "response time (logarithmic)");
        frame::vertical_limits(canvas, area, &axis, &limits);
        let mut y = area.top;
        for ((row, lines), height) in rows.iter().zip(&named).zip(&heights) {
            canvas.line(&[(EDGE, y), (WIDTH - EDGE, y)], GRID.to_rgba(), 1.0);
            for limit in limits.iter().filter(|limit| limit.applies_to(row.0)) {
                frame::vertical_limit(canvas, axis.at(limit.value), y, y + height);
            }
            backend(canvas, area, &axis, *row, lines, y + height / 2.0);
            y += height;
        }
    }))
}

fn legend(canvas: &mut Canvas<'_>, rows: &[(&BackendRecord, &Latency)]) {
    let marks = SHOWN.iter().enumerate();
    let mut entries: Vec<Entry> =
        marks.map(|(index, (_, name, color))| Entry::new(Sign::Mark(index), *color, *name)).collect();
    entries.push(Entry::new(Sign::Whisker, NEUTRAL, "95 % interval"));
    let shown = |latency: &'_ Latency| SHOWN.iter().any(|(quantile, ..)| open_ended(latency, *quantile));
    if rows.iter().any(|(_, latency)| shown(latency)) {
        entries.push(Entry::new(Sign::OpenWhisker, NEUTRAL, "no upper bound"));
    }
    frame::legend(canvas, HEADING - 4.0, &entries);
}

pub(super) fn open_ended(latency: &Latency, quantile: f64) -> bool {
    percentile(latency, quantile)
        .is_some_and(|percentile| percentile.low_ns.is_some() && percentile.high_ns.is_none())
}

pub(super) fn shown_values(latency: &Latency) -> Vec<f64> {
    let shown = SHOWN.iter().filter_map(|(quantile, ..)| percentile(latency, *quantile));
    let ends = shown.flat_map(|percentile| [percentile.value_ns, percentile.low_ns, percentile.high_ns]);
    ends.flatten().map(|value| value as f64).collect()
}

fn value_column(area: Area, index: usize) -> f64 {
    area.right + VALUE * (index as f64 + 1.0)
}

fn backend(
    canvas: &mut Canvas<'_>,
    area: Area,
    axis: &Axis,
    (backend, latency): (&BackendRecord, &Latency),
    lines: &[String],
    y: f64,
) {
    frame::block(canvas, lines, EDGE, y - 8.0);
    let under = y + 15.0 * lines.len() as f64 / 2.0;
    canvas.text(&view::verdict_and_objectives(backend), (EDGE, under), verdict(view::worst_verdict(backend)));
    for (index, (quantile, _, color)) in SHOWN.iter().enumerate() {
        let text = percentile_text(Some(latency), *quantile);
        canvas.text(&text, (value_column(area, index), y), SMALL.anchored(Anchor::End));
        let Some(percentile) = percentile(latency, *quantile) else { continue };
        let line = y + STEP * (index as f64 - 1.0);
        if let Some(low) = percentile.low_ns {
            let high = percentile.high_ns.map(|high| WhiskerEnd::At(axis.at(high as f64)));
            let high = high.unwrap_or(WhiskerEnd::Beyond(area.right));
            frame::whisker(canvas, axis.at(low as f64), high, line, *color);
        }
        if let Some(value) = percentile.value_ns {
            mark(canvas, index, (axis.at(value as f64), line), *color);
        }
    }
}

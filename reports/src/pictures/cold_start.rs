//! What a cold start is made of: one bar for each backend, its stages one after the other.

use plotters::prelude::{Color as _, RGBColor};

use super::axis::Axis;
use super::canvas::{Canvas, draw};
use super::frame::{self, Area, EDGE, Entry, HEADING, NEUTRAL, Sign, WIDTH};
use super::palette::{BLUE, GREEN, NAME, ORANGE, SMALL, VERMILION};
use crate::record::{BackendRecord, ColdStart, RunRecord};
use crate::units;
use crate::variations::{foremost, place};
use crate::view::{cold_start_stages, median_restart, one_line};

const TITLE: &str = "Cold start by stage";
const NAMES: f64 = 236.0;
const BAR: f64 = 20.0;
/// At most so many bars: more would make a sheet that nobody scrolls through.
const MOST_BARS: usize = 20;
/// In the order of [`cold_start_stages`].
const COLORS: [RGBColor; 4] = [VERMILION, ORANGE, BLUE, GREEN];
/// Room for the total beside the longest bar.
const TOTAL: f64 = 122.0;

/// Draws the picture; `None` when no backend was started.
pub(super) fn picture(record: &RunRecord) -> Option<String> {
    let started: Vec<(&BackendRecord, &ColdStart)> = record
        .backends
        .iter()
        .filter_map(|backend| Some((backend, median_restart(&backend.cold_starts)?)))
        .collect();
    let (rows, left_out) = foremost(started, MOST_BARS, |(backend, _)| place(record, backend));
    let slowest =
        rows.iter().flat_map(|(backend, _)| &backend.cold_starts).map(|start| start.total_ns).max()?;
    let named: Vec<Vec<String>> =
        rows.iter().map(|(backend, _)| NAME.wrapped(&one_line(&backend.label), NAMES - 12.0, 3)).collect();
    let heights: Vec<f64> = named.iter().map(|lines| (15.0 * lines.len() as f64 + 16.0).max(56.0)).collect();

    let top = HEADING + 26.0;
    let area = Area {
        left: EDGE + NAMES,
        top,
        right: WIDTH - EDGE - TOTAL,
        bottom: top + heights.iter().sum::<f64>(),
    };
    let axis = Axis::from_zero(slowest as f64, area.left, area.right);

    Some(draw(TITLE, WIDTH, area.bottom + 48.0, |canvas| {
        let what = format!("from spawn to the first vector, the median restart{}", frame::left_out(left_out));
        frame::heading(canvas, TITLE, record, &what);
        legend(canvas, &rows);
        frame::horizontal_axis(canvas, area, &axis.ticks(64.0), true);
        frame::horizontal_title(canvas, area, "time since spawn");
        let mut y = area.top;
        for ((row, lines), height) in rows.iter().zip(&named).zip(&heights) {
            let middle = y + height / 2.0 - 10.0;
            frame::block(canvas, lines, EDGE, if lines.len() > 2 { y + height / 2.0 } else { middle });
            bar(canvas, &axis, *row, middle);
            y += height;
        }
    }))
}

fn legend(canvas: &mut Canvas<'_>, rows: &[(&BackendRecord, &ColdStart)]) {
    let stages = rows.first().map(|(_, start)| cold_start_stages(start)).unwrap_or_default();
    let mut entries: Vec<Entry> =
        stages.iter().zip(COLORS).map(|((stage, _), color)| Entry::new(Sign::Patch, color, *stage)).collect();
    entries.push(Entry::new(Sign::Cross, NEUTRAL, "total of each restart"));
    frame::legend(canvas, HEADING - 6.0, &entries);
}

fn bar(canvas: &mut Canvas<'_>, axis: &Axis, (backend, start): (&BackendRecord, &ColdStart), y: f64) {
    let mut sum = 0;
    for ((_, nanoseconds), color) in cold_start_stages(start).into_iter().zip(COLORS) {
        let from = axis.at(sum as f64);
        sum += nanoseconds.unwrap_or_default();
        canvas.rectangle((from, y - BAR / 2.0), (axis.at(sum as f64), y + BAR / 2.0), color.to_rgba());
    }
    let mut last = axis.at(sum as f64);
    for restart in &backend.cold_starts {
        let x = axis.at(restart.total_ns as f64);
        frame::cross(canvas, (x, y), NEUTRAL);
        last = last.max(x);
    }
    let total = format!("median {}", units::duration(start.total_ns as f64));
    canvas.text_on_white(&total, (last + 9.0, y), SMALL.bold());
    let stages: Vec<String> = cold_start_stages(start)
        .into_iter()
        .filter_map(|(stage, nanoseconds)| Some((stage, nanoseconds.filter(|nanoseconds| *nanoseconds > 0)?)))
        .map(|(stage, nanoseconds)| format!("{stage} {}", units::duration(nanoseconds as f64)))
        .collect();
    let room = WIDTH - EDGE - axis.at(0.0);
    let values = SMALL.fitted(&stages.join(" · "), room);
    canvas.text_on_white(&values, (axis.at(0.0) + 2.0, y + BAR / 2.0 + 10.0), SMALL);
}

//! How much load each backend takes: response times over the offered rate, and beside them the rate that was achieved.
//!
//! Certified levels are solid, with their verdict above; the tries of the search are hollow, because they decided nothing
//! but the rates. Each backend has rates of its own and a common scale of response times.

use plotters::prelude::Color as _;

use super::axis::Axis;
use super::backends::shown_values;
use super::canvas::{Anchor, Canvas, Lettering, draw};
use super::frame::{self, Area, EDGE, Entry, HEADING, NEUTRAL, Sign, WIDTH};
use super::palette::{
    BLUE, FAINT_INK, LIMIT, NAME, PERCENTILES, SMALL, SUBTITLE, hollow_mark, mark, verdict,
};
use crate::record::{BackendRecord, Capacity, Latency, Level, Phase, RunRecord};
use crate::sentences::capacity::answer;
use crate::units;
use crate::variations::{is_untested, levels};
use crate::view::{Limit, latency, limits, one_line, percentile, phase, verdict_name, verdict_or_state};

const TITLE: &str = "Capacity";
const PANEL_GAP: f64 = 18.0;
const LEFT: f64 = EDGE + 72.0;
/// Width of the panel of achieved rates, and the room for its ticks' labels.
const ACHIEVED: f64 = 216.0;
const ACHIEVED_LABELS: f64 = 62.0;
/// Height of a line of the heading, and of a row of verdicts.
const LINE: f64 = 16.0;
/// Room for the ticks and the title of the axis of rates.
const UNDER: f64 = 40.0;
/// Distance between the marks at one rate.
const STEP: f64 = 4.0;
const SENTENCE_LINES: usize = 3;

/// A capacity and where it is drawn.
struct Panel<'a> {
    capacity: &'a Capacity,
    levels: Vec<(&'a Level, Option<&'a BackendRecord>)>,
    sentence: Vec<String>,
    labels: Vec<Label>,
    rates: Axis,
    /// The panel of response times.
    times: Area,
    /// The panel of achieved rates.
    achieved: Area,
}

/// What stands above a level.
struct Label {
    text: String,
    lettering: Lettering,
    /// Where the level lies, and where the text's middle does.
    level: f64,
    middle: f64,
    /// Counted from the panel up.
    row: usize,
}

/// Draws the picture; `None` when there is no capacity of which anything was tried.
pub(super) fn picture(record: &RunRecord) -> Option<String> {
    let limits = limits(record);
    let tried = || record.capacities.iter().filter(|capacity| !rates_of(capacity).is_empty());
    let height = frame::panel_height(tried().count(), 200.0, 160.0);
    let mut panels: Vec<Panel<'_>> = Vec::new();
    let mut top = HEADING;
    for capacity in tried() {
        let panel = panel(record, capacity, &limits, (top, height))?;
        top = panel.times.bottom + UNDER + PANEL_GAP;
        panels.push(panel);
    }
    let values: Vec<f64> = panels.iter().flat_map(Panel::latencies).flat_map(shown_values).collect();
    if values.is_empty() {
        return None;
    }
    let values = values.into_iter().chain(limits.iter().map(|limit| limit.value));
    let times = Axis::logarithmic(values, 0.0, 1.0)?;
    let bottom = panels.last()?.times.bottom + UNDER;
    let entries = legend_entries(&panels);

    let sheet = bottom + 14.0 + frame::legend_height(&entries);
    Some(draw(TITLE, WIDTH, sheet, |canvas| {
        let what =
            "response time and achieved rate in steady state over the offered rate; rate scales differ";
        frame::heading(canvas, TITLE, record, what);
        for panel in &panels {
            let times = times.moved(panel.times.bottom, panel.times.top);
            axes(canvas, panel, &times);
            heading(canvas, panel);
            response_times(canvas, panel, &times, &limits);
            achieved_rates(canvas, panel);
        }
        frame::legend(canvas, bottom + 4.0, &entries);
    }))
}

impl<'a> Panel<'a> {
    /// Everything drawn on the scale of response times.
    fn latencies(&self) -> impl Iterator<Item = &'a Latency> {
        let tested = self.levels.iter().filter_map(|(_, backend)| latency((*backend)?, Phase::Steady));
        let probes: Vec<_> =
            self.capacity.search.iter().filter_map(|probe| probe.response_time.as_ref()).collect();
        tested.collect::<Vec<_>>().into_iter().chain(probes)
    }
}

/// Every rate of the capacity: those offered and those achieved in the search.
fn rates_of(capacity: &Capacity) -> Vec<f64> {
    let tries =
        capacity.search.iter().flat_map(|probe| [probe.offered_per_second, probe.achieved_per_second]);
    let declared = capacity.levels.iter().map(|level| level.offered_per_second);
    tries.chain(declared).filter(|rate| rate.is_finite() && *rate > 0.0).collect()
}

fn panel<'a>(
    record: &'a RunRecord,
    capacity: &'a Capacity,
    limits: &[Limit],
    (top, height): (f64, f64),
) -> Option<Panel<'a>> {
    let right = WIDTH - EDGE - ACHIEVED - ACHIEVED_LABELS - frame::limit_margin(limits);
    let rates = Axis::logarithmic(rates_of(capacity), LEFT, right)?;
    let levels: Vec<_> = levels(record, capacity).collect();
    let labels = labels(&levels, &rates, LEFT, WIDTH - EDGE - ACHIEVED - ACHIEVED_LABELS);
    let rows = labels.iter().map(|label| label.row + 1).max().unwrap_or(0);
    let sentence = SMALL.wrapped(&one_line(&answer(record, capacity)), WIDTH - EDGE - LEFT, SENTENCE_LINES);
    let above = LINE * (1 + sentence.len() + rows) as f64 + 14.0;
    let times = Area { left: LEFT, top: top + above, right, bottom: top + above + height };
    let achieved = Area { left: WIDTH - EDGE - ACHIEVED, right: WIDTH - EDGE, ..times };
    Some(Panel { capacity, levels, sentence, labels, rates, times, achieved })
}

/// The verdicts, each in the lowest row in which it touches no other.
fn labels(levels: &[(&Level, Option<&BackendRecord>)], rates: &Axis, left: f64, right: f64) -> Vec<Label> {
    let mut rows: Vec<f64> = Vec::new();
    let mut labels = Vec::new();
    for (level, backend) in levels {
        let word = match (level.verdict, backend) {
            (Some(verdict), _) => verdict_name(verdict),
            (None, Some(backend)) if !is_untested(level, Some(backend)) => verdict_or_state(backend),
            (None, _) => "not tested",
        };
        let text = format!("{} {word}", units::rate(level.offered_per_second));
        let lettering = Lettering { size: 11.0, ..verdict(level.verdict) }.anchored(Anchor::Middle);
        let half = lettering.width_of(&text) / 2.0;
        let at = rates.at(level.offered_per_second);
        let middle = at.clamp(left + half, (right - half).max(left + half));
        let free = rows.iter().position(|taken| middle - half >= taken + 6.0);
        let row = free.unwrap_or(rows.len());
        if row == rows.len() {
            rows.push(0.0);
        }
        rows[row] = middle + half;
        labels.push(Label { text, lettering, level: at, middle, row });
    }
    labels
}

fn legend_entries(panels: &[Panel<'_>]) -> Vec<Entry> {
    let marks = PERCENTILES.iter().enumerate();
    let mut entries: Vec<Entry> =
        marks.map(|(index, (_, name, color))| Entry::new(Sign::Mark(index), *color, *name)).collect();
    entries.push(Entry::new(Sign::Whisker, NEUTRAL, "95 % interval"));
    let probes = || panels.iter().flat_map(|panel| &panel.capacity.search);
    if probes().next().is_some() {
        entries.push(Entry::new(Sign::HollowMark(0), NEUTRAL, "search (data thrown away)"));
    }
    let no_number = |latency: &Latency| {
        let shown = PERCENTILES.iter().filter_map(|(quantile, ..)| percentile(latency, *quantile));
        shown.into_iter().any(|percentile| percentile.value_ns.is_none())
    };
    if probes().any(|probe| probe.overloaded) || panels.iter().flat_map(Panel::latencies).any(no_number) {
        entries.push(Entry::new(Sign::Cross, LIMIT, "overloaded, or among the failures"));
    }
    entries.push(Entry::new(Sign::Line, FAINT_INK, "achieved = offered"));
    entries
}

fn heading(canvas: &mut Canvas<'_>, panel: &Panel<'_>) {
    let area = panel.times;
    let rows = panel.labels.iter().map(|label| label.row + 1).max().unwrap_or(0);
    let first = area.top - 14.0 - LINE * (1 + panel.sentence.len() + rows) as f64 + 9.0;
    let name = NAME.fitted(&one_line(&panel.capacity.backend), WIDTH - EDGE - area.left);
    canvas.text(&name, (area.left, first), NAME);
    for (index, line) in (1_u32..).zip(&panel.sentence) {
        canvas.text(line, (area.left, first + LINE * f64::from(index)), SMALL);
    }
    let y = |label: &Label| area.top - 12.0 - LINE * label.row as f64;
    for label in &panel.labels {
        let path = [(label.middle, y(label)), (label.level, area.top), (label.level, area.bottom)];
        canvas.line(&path, label.lettering.color.mix(0.4), 1.0);
    }
    for label in &panel.labels {
        canvas.text_on_white(&label.text, (label.middle, y(label)), label.lettering);
    }
}

fn axes(canvas: &mut Canvas<'_>, panel: &Panel<'_>, axis: &Axis) {
    let area = panel.times;
    let ticks = panel.rates.ticks_as(46.0, |rate| Some(units::rate_tick(rate)));
    frame::horizontal_axis(canvas, area, &ticks, true);
    frame::vertical_axis(canvas, area, &axis.ticks(frame::TICK_LINE));
    frame::vertical_title(canvas, area.top, area.bottom, "response time (logarithmic)");
    frame::horizontal_title(canvas, area, "offered rate (logarithmic)");
}

fn response_times(canvas: &mut Canvas<'_>, panel: &Panel<'_>, axis: &Axis, limits: &[Limit]) {
    let area = panel.times;
    let tested = || panel.levels.iter().filter_map(|(_, backend)| *backend);
    let here = |limit: &&Limit| {
        limit.backends.as_ref().is_none_or(|names| names.contains(&panel.capacity.backend))
            || tested().any(|backend| limit.applies_to(backend))
    };
    let limits: Vec<Limit> = limits.iter().filter(here).cloned().collect();
    frame::horizontal_limits(canvas, area, axis, &limits);
    for probe in &panel.capacity.search {
        let x = panel.rates.at(probe.offered_per_second);
        for (series, (quantile, _, color)) in PERCENTILES.iter().enumerate() {
            let value = probe.response_time.as_ref().and_then(|times| percentile(times, *quantile)?.value_ns);
            if let Some(value) = value {
                hollow_mark(canvas, series, (x, axis.at(value as f64)), *color);
            }
        }
        if probe.overloaded {
            frame::cross(canvas, (x, area.top + 6.0), LIMIT);
        }
    }
    for (level, backend) in &panel.levels {
        let Some(times) = backend.and_then(|backend| latency(backend, Phase::Steady)) else { continue };
        let x = panel.rates.at(level.offered_per_second);
        for (series, (quantile, _, color)) in PERCENTILES.iter().enumerate() {
            let Some(percentile) = percentile(times, *quantile) else { continue };
            let x = x + STEP * (series as f64 - 1.0);
            if let Some(low) = percentile.low_ns {
                let high = percentile.high_ns.map(|high| axis.at(high as f64));
                frame::upright_whisker(canvas, x, axis.at(low as f64), high, area.top, *color);
            }
            match percentile.value_ns {
                Some(value) => mark(canvas, series, (x, axis.at(value as f64)), *color),
                None => frame::cross(canvas, (x, area.top + 6.0), LIMIT),
            }
        }
    }
}

fn achieved_rates(canvas: &mut Canvas<'_>, panel: &Panel<'_>) {
    let area = panel.achieved;
    let across = panel.rates.moved(area.left, area.right);
    let up = panel.rates.moved(area.bottom, area.top);
    let tick = |rate| Some(units::rate_tick(rate));
    frame::horizontal_axis(canvas, area, &across.ticks_as(46.0, tick), true);
    frame::vertical_axis(canvas, area, &up.ticks_as(frame::TICK_LINE, tick));
    frame::horizontal_title(canvas, area, "offered rate");
    canvas.text("achieved rate", (area.left, area.top - 12.0), SUBTITLE);
    canvas.line(&[(area.left, area.bottom), (area.right, area.top)], FAINT_INK.to_rgba(), 1.0);
    for probe in &panel.capacity.search {
        let at = (across.at(probe.offered_per_second), up.at(probe.achieved_per_second));
        hollow_mark(canvas, 0, at, NEUTRAL);
        if probe.overloaded {
            frame::cross(canvas, at, LIMIT);
        }
    }
    for (level, backend) in &panel.levels {
        let arrivals = backend.and_then(|backend| phase(backend, Phase::Steady)?.arrivals.as_ref());
        if let Some(achieved) = arrivals.and_then(|arrivals| arrivals.achieved_per_second) {
            mark(canvas, 0, (across.at(level.offered_per_second), up.at(achieved)), BLUE);
        }
    }
}

//! The variations of each backend: P50, P95 and P99 of the steady state with their intervals, one column for each
//! variation, one panel for each backend.
//!
//! Under a panel stands what was varied: a line for each axis, where neighbors that share a value share the text too.

use plotters::prelude::Color as _;

use super::axis::Axis;
use super::backends::{open_ended, shown_values};
use super::canvas::{Anchor, Canvas, Lettering, draw};
use super::frame::{self, Area, EDGE, Entry, HEADING, NEUTRAL, Sign, WIDTH};
use super::palette::{FAINT_INK, GRID, LIMIT, NAME, PERCENTILES, SMALL, mark, verdict};
use crate::record::{BackendRecord, Phase, RunRecord, Verdict};
use crate::variations::{GRAPH, Varied, varied};
use crate::view::{
    Limit, latency, limits, one_line, percentile, verdict_name, verdict_or_state, worst_verdict,
};

const TITLE: &str = "Variations of a backend";
const PANEL_HEADING: f64 = 26.0;
const PANEL_GAP: f64 = 22.0;
/// Room for the names of the axes, and for the ticks' labels and the vertical title.
const LEFT: f64 = 104.0;
/// Height of a line under a panel.
const LINE: f64 = 17.0;
/// A variation's column is not made wider than this, so that few of them stand close enough to be compared.
const WIDEST: f64 = 150.0;
/// More columns than these go on in another panel.
const MOST_COLUMNS: usize = 16;
/// Distance between the marks of one column.
const STEP: f64 = 10.0;
/// Written for INCONCLUSIVE where there is no room for the word.
const SHORT: &str = "INC.";

/// Ends the name of every graph, and is left out; so is what its label remarks.
const GRAPH_ENDING: &str = ".onnx";

/// One piece of a backend's variations.
struct Panel<'a> {
    title: String,
    axes: Vec<&'a str>,
    cells: Vec<&'a BackendRecord>,
    area: Area,
}

/// Draws the picture; `None` when nothing was varied, or nothing of it has a steady state.
pub(super) fn picture(record: &RunRecord) -> Option<String> {
    let groups = varied(record);
    let limits = limits(record);
    let right = WIDTH - frame::limit_margin(&limits);
    let panels = panels(&groups, right);
    let cells = || panels.iter().flat_map(|panel| &panel.cells).copied();
    let values = cells().filter_map(|backend| latency(backend, Phase::Steady)).flat_map(shown_values);
    values.clone().next()?;
    let values = values.chain(limits.iter().map(|limit| limit.value));
    let response = Axis::logarithmic(values, 0.0, 1.0)?;
    let last = panels.last()?;
    let bottom = last.area.bottom + LINE * (last.axes.len() as f64 + 1.0);
    let shortened = panels.iter().any(|panel| {
        let inconclusive = |backend: &&BackendRecord| worst_verdict(backend) == Some(Verdict::Inconclusive);
        panel.cells.iter().any(inconclusive) && is_shortened(panel)
    });
    let entries = legend_entries(cells(), shortened);

    let sheet = bottom + 24.0 + frame::legend_height(&entries);
    Some(draw(TITLE, WIDTH, sheet, |canvas| {
        frame::heading(canvas, TITLE, record, "response time in steady state (logarithmic)");
        for panel in &panels {
            let axis = response.moved(panel.area.bottom, panel.area.top);
            draw_panel(canvas, panel, &axis, &limits);
        }
        frame::legend(canvas, bottom + 14.0, &entries);
    }))
}

fn panels<'a>(groups: &[Varied<'a>], right: f64) -> Vec<Panel<'a>> {
    let mut panels = Vec::new();
    let mut top = HEADING;
    let pieces = |varied: &Varied<'_>| varied.cells.len().div_ceil(MOST_COLUMNS);
    let height = frame::panel_height(groups.iter().map(pieces).sum(), 220.0, 160.0);
    for varied in groups {
        let pieces = pieces(varied);
        for (piece, cells) in varied.cells.chunks(MOST_COLUMNS).enumerate() {
            let part = if pieces > 1 { format!(", part {} of {pieces}", piece + 1) } else { String::new() };
            let (left, panel_top) = (EDGE + LEFT, top + PANEL_HEADING);
            let right = right.min(left + WIDEST * cells.len() as f64);
            let area = Area { left, top: panel_top, right, bottom: panel_top + height };
            top = area.bottom + LINE * (varied.axes.len() as f64 + 1.0) + PANEL_GAP;
            let title = format!("{}{part}", varied.title());
            panels.push(Panel { title, axes: varied.axes.clone(), cells: cells.to_vec(), area });
        }
    }
    panels
}

impl Panel<'_> {
    fn column_width(&self) -> f64 {
        (self.area.right - self.area.left) / self.cells.len() as f64
    }

    /// The left edge of a column.
    fn edge(&self, index: usize) -> f64 {
        self.area.left + self.column_width() * index as f64
    }

    fn middle(&self, index: usize) -> f64 {
        self.edge(index) + self.column_width() / 2.0
    }

    /// Whether a column and the one before it have the same values on the first `axes` axes.
    fn continues(&self, index: usize, axes: usize) -> bool {
        let values = |index: usize| Varied::values(self.cells[index]).take(axes);
        index > 0 && values(index).eq(values(index - 1))
    }
}

fn state_lettering(backend: &BackendRecord) -> Lettering {
    let judged = worst_verdict(backend).filter(|judged| verdict_name(*judged) == verdict_or_state(backend));
    Lettering { size: 10.0, ..verdict(judged) }.anchored(Anchor::Middle)
}

/// Whether a verdict has no room in a column of the panel.
fn is_shortened(panel: &Panel<'_>) -> bool {
    let word = verdict_name(Verdict::Inconclusive);
    panel.cells.iter().any(|backend| state_lettering(backend).width_of(word) > panel.column_width() - 4.0)
}

fn legend_entries<'a>(cells: impl Iterator<Item = &'a BackendRecord>, shortened: bool) -> Vec<Entry> {
    let marks = PERCENTILES.iter().enumerate();
    let mut entries: Vec<Entry> =
        marks.map(|(index, (_, name, color))| Entry::new(Sign::Series(index), *color, *name)).collect();
    entries.push(Entry::new(Sign::Whisker, NEUTRAL, "95 % interval"));
    let shown: Vec<_> = cells.filter_map(|backend| latency(backend, Phase::Steady)).collect();
    let any = |is: &dyn Fn(f64) -> bool| PERCENTILES.iter().any(|(quantile, ..)| is(*quantile));
    if shown.iter().any(|latency| any(&|quantile| open_ended(latency, quantile))) {
        entries.push(Entry::new(Sign::OpenWhisker, NEUTRAL, "no upper bound"));
    }
    let failed = |quantile| {
        let values = shown.iter().filter_map(|latency| percentile(latency, quantile));
        values.into_iter().any(|percentile| percentile.value_ns.is_none())
    };
    if any(&failed) {
        entries.push(Entry::new(Sign::Cross, LIMIT, "among the failures"));
    }
    if shortened {
        let word = verdict_name(Verdict::Inconclusive);
        entries.push(Entry::new(Sign::Word(SHORT), verdict(Some(Verdict::Inconclusive)).color, word));
    }
    entries
}

fn draw_panel(canvas: &mut Canvas<'_>, panel: &Panel<'_>, axis: &Axis, limits: &[Limit]) {
    let area = panel.area;
    let title = NAME.fitted(&one_line(&panel.title), WIDTH - EDGE - area.left);
    canvas.text(&title, (area.left, area.top - PANEL_HEADING + 11.0), NAME);
    frame::vertical_axis(canvas, area, &axis.ticks(frame::TICK_LINE));
    canvas.line(&[(area.left, area.bottom), (area.right, area.bottom)], FAINT_INK.to_rgba(), 1.0);
    values_of_axes(canvas, panel);
    let here = |limit: &&Limit| panel.cells.iter().any(|backend| limit.applies_to(backend));
    let limits: Vec<Limit> = limits.iter().filter(here).cloned().collect();
    frame::horizontal_limits(canvas, area, axis, &limits);
    for (series, (quantile, _, color)) in PERCENTILES.iter().enumerate() {
        let aside = STEP * (series as f64 - 1.0);
        let points: Vec<Option<(f64, f64)>> = panel
            .cells
            .iter()
            .enumerate()
            .map(|(index, backend)| {
                let value = percentile(latency(backend, Phase::Steady)?, *quantile)?.value_ns?;
                Some((panel.middle(index) + aside, axis.at(value as f64)))
            })
            .collect();
        // A line says that what it joins differs in the last axis alone, and that this has an order: graphs have none.
        let outer = panel.axes.len().saturating_sub(1);
        let has_order = panel.axes.last() != Some(&GRAPH);
        for index in (1..points.len()).filter(|index| has_order && panel.continues(*index, outer)) {
            if let (Some(from), Some(to)) = (points[index - 1], points[index]) {
                canvas.line(&[from, to], color.mix(0.5), 1.2);
            }
        }
        for (index, backend) in panel.cells.iter().enumerate() {
            let at = latency(backend, Phase::Steady).and_then(|latency| percentile(latency, *quantile));
            let (Some(percentile), x) = (at, panel.middle(index) + aside) else { continue };
            if let Some(low) = percentile.low_ns {
                let high = percentile.high_ns.map(|high| axis.at(high as f64));
                frame::upright_whisker(canvas, x, axis.at(low as f64), high, area.top, *color);
            }
            match points[index] {
                Some(point) => mark(canvas, series, point, *color),
                None => frame::cross(canvas, (x, area.top + 5.0), LIMIT),
            }
        }
    }
    states(canvas, panel);
}

/// What was varied to what, and lines between columns that differ in more than the last axis.
fn values_of_axes(canvas: &mut Canvas<'_>, panel: &Panel<'_>) {
    let area = panel.area;
    let lettering = SMALL.anchored(Anchor::Middle);
    for (line, axis) in panel.axes.iter().enumerate() {
        let y = area.bottom + LINE * (line as f64 + 0.6);
        let name = SMALL.fitted(&one_line(axis), LEFT - 8.0);
        canvas.text(&name, (area.left - 7.0, y), SMALL.anchored(Anchor::End));
        let starts = (0..panel.cells.len()).filter(|index| !panel.continues(*index, line + 1));
        let starts: Vec<usize> = starts.collect();
        for (order, start) in starts.iter().enumerate() {
            let end = starts.get(order + 1).copied().unwrap_or(panel.cells.len());
            let (from, to) = (panel.edge(*start), panel.edge(end));
            let value = Varied::values(panel.cells[*start]).nth(line).unwrap_or_default();
            let room = to - from - 3.0;
            let value = match value.split_once(GRAPH_ENDING) {
                Some((graph, _)) if *axis == GRAPH => lettering.fitted_at_end(&one_line(graph), room),
                _ => lettering.fitted(&one_line(&value), room),
            };
            canvas.text(&value, (f64::midpoint(from, to), y), lettering);
            if line + 1 < panel.axes.len() && *start > 0 {
                canvas.line(&[(from, area.top), (from, y + LINE * 0.4)], GRID.to_rgba(), 1.0);
            }
        }
    }
}

/// The verdicts in a line under the axes; what stands in the place of one, upright in the empty column.
fn states(canvas: &mut Canvas<'_>, panel: &Panel<'_>) {
    let area = panel.area;
    let y = area.bottom + LINE * (panel.axes.len() as f64 + 0.6);
    canvas.text("verdict", (area.left - 7.0, y), SMALL.anchored(Anchor::End));
    let shortened = is_shortened(panel);
    for (index, backend) in panel.cells.iter().enumerate() {
        let (state, lettering, x) =
            (verdict_or_state(backend), state_lettering(backend), panel.middle(index));
        let inconclusive = state == verdict_name(Verdict::Inconclusive);
        let state = if inconclusive && shortened { SHORT } else { state };
        if latency(backend, Phase::Steady).is_none() {
            canvas.upright_text_on_white(state, (x, f64::midpoint(area.top, area.bottom)), lettering);
        } else if lettering.width_of(state) <= panel.column_width() - 4.0 {
            canvas.text(state, (x, y), lettering);
        }
    }
}

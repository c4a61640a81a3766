//! The percentile curve of every backend: how slow the slowest tenth, hundredth, thousandth of the requests is.
//!
//! A panel holds no more curves than there are colors. The variations of a backend have panels of their own, and so have
//! the levels of a capacity.

use plotters::prelude::Color as _;

use super::axis::Axis;
use super::canvas::{Canvas, draw};
use super::frame::{self, Area, EDGE, Entry, HEADING, Sign, WIDTH};
use super::palette::{NAME, SERIES_TOLD_APART, mark, series};
use crate::record::{BackendRecord, Phase, RunRecord};
use crate::units;
use crate::variations::{Place, foremost, levels, placed, varied};
use crate::view::{Limit, latency, limits, one_line, percentile};

const TITLE: &str = "Percentiles of the response time";
/// Of the only panel.
const HEIGHT: f64 = 360.0;
/// At most so many panels: more would make a sheet that nobody scrolls through.
const MOST_PANELS: usize = 8;
/// The name of a panel, where there are several.
const PANEL_HEADING: f64 = 26.0;
/// The ticks' labels, the axis title and the room to the next panel.
const UNDER: f64 = 52.0;
/// The marks of the axis, in the order in which they give way when there is no room for all.
const MARKS: [f64; 12] = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.95, 0.75, 0.995, 0.9995, 0.25];
/// The curve is marked at these.
const MARKED: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
const TICK_GAP: f64 = 46.0;

/// A panel: what its curves have in common, and whose they are.
struct Panel<'a> {
    place: Place,
    title: String,
    curves: Vec<&'a BackendRecord>,
    legend: Vec<Entry>,
}

/// Draws the picture; `None` when no backend has a curve.
pub(super) fn picture(record: &RunRecord) -> Option<String> {
    let (panels, left_out) = foremost(panels(record), MOST_PANELS, |panel| panel.place);
    let limits = limits(record);
    let drawn = || panels.iter().flat_map(|panel| &panel.curves).flat_map(|backend| &backend.curve);
    let farthest = drawn().map(|point| nines(point.quantile)).filter(|x| x.is_finite()).fold(0.0, f64::max);
    if farthest <= 0.0 {
        return None;
    }
    // The marks lie between points of the curve, so they need no room of their own.
    let values = drawn().flat_map(|point| [Some(point.value_ns), Some(point.low_ns), point.high_ns]);
    let values = values.flatten().map(|value| value as f64).chain(limits.iter().map(|limit| limit.value));
    let response = Axis::logarithmic(values, 0.0, 1.0)?;
    let (heading, height) = match panels.len() {
        1 => (0.0, HEIGHT),
        several => (PANEL_HEADING, frame::panel_height(several, 250.0, 190.0)),
    };
    let mut top = HEADING;
    let mut areas = Vec::new();
    for panel in &panels {
        let bottom = top + heading + height;
        let right = WIDTH - frame::limit_margin(&limits);
        areas.push(Area { left: EDGE + 72.0, top: top + heading, right, bottom });
        top = bottom + UNDER + frame::legend_height(&panel.legend);
    }

    Some(draw(TITLE, WIDTH, top, |canvas| {
        let what = format!("steady state; bands are 95 % intervals{}", frame::left_out(left_out));
        frame::heading(canvas, TITLE, record, &what);
        for (panel, area) in panels.iter().zip(&areas) {
            if panels.len() > 1 {
                let name = NAME.fitted(&one_line(&panel.title), area.right - area.left);
                canvas.text(&name, (area.left, area.top - heading + 11.0), NAME);
            }
            draw_panel(canvas, *area, panel, &response.moved(area.bottom, area.top), farthest, &limits);
        }
    }))
}

/// The backends as they stand, each backend that was varied, and each capacity, in pieces of as many curves as there are
/// colors.
fn panels(record: &RunRecord) -> Vec<Panel<'_>> {
    let plain = (Place::Plain, "backends".to_owned(), placed(record, Place::Plain).collect());
    let varied = varied(record).into_iter().map(|varied| (Place::Variation, varied.title(), varied.cells));
    let capacities = record.capacities.iter().map(|capacity| {
        let tested = levels(record, capacity).filter_map(|(_, backend)| backend);
        (Place::Level, format!("capacity of {}", capacity.backend), tested.collect())
    });
    let mut panels = Vec::new();
    for (place, title, backends) in std::iter::once(plain).chain(varied).chain(capacities) {
        let curves: Vec<&BackendRecord> =
            Vec::into_iter(backends).filter(|backend| backend.curve.len() > 1).collect();
        let pieces = curves.len().div_ceil(SERIES_TOLD_APART);
        for (piece, curves) in curves.chunks(SERIES_TOLD_APART).enumerate() {
            let part = if pieces > 1 { format!(", part {} of {pieces}", piece + 1) } else { String::new() };
            let entry = |(index, backend): (usize, &&BackendRecord)| {
                Entry::new(Sign::Series(index), series(index), one_line(&backend.label))
            };
            panels.push(Panel {
                place,
                title: format!("{title}{part}"),
                curves: curves.to_vec(),
                legend: curves.iter().enumerate().map(entry).collect(),
            });
        }
    }
    panels
}

fn draw_panel(
    canvas: &mut Canvas<'_>,
    area: Area,
    panel: &Panel<'_>,
    axis: &Axis,
    farthest: f64,
    limits: &[Limit],
) {
    let across = |quantile: f64| area.left + nines(quantile) / farthest * (area.right - area.left);
    frame::horizontal_axis(canvas, area, &ticks(farthest, across), true);
    frame::vertical_axis(canvas, area, &axis.ticks(frame::TICK_LINE));
    frame::horizontal_limits(canvas, area, axis, limits);
    for (index, backend) in panel.curves.iter().enumerate() {
        band(canvas, index, backend, axis, across);
    }
    for (index, backend) in panel.curves.iter().enumerate() {
        curve(canvas, index, backend, axis, across);
    }
    frame::horizontal_title(canvas, area, "percentile (logarithmic in the share of slower requests)");
    frame::vertical_title(canvas, area.top, area.bottom, "response time (logarithmic)");
    frame::legend(canvas, area.bottom + 44.0, &panel.legend);
}

/// How many nines a quantile has: 0.9 is one, 0.99 is two. Infinite for 1.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile.clamp(0.0, 1.0)).log10()
}

fn ticks(farthest: f64, across: impl Fn(f64) -> f64) -> Vec<(f64, String)> {
    let mut ticks: Vec<(f64, String)> = Vec::new();
    for quantile in MARKS {
        let x = across(quantile);
        let free = ticks.iter().all(|(taken, _)| (taken - x).abs() >= TICK_GAP);
        if nines(quantile) <= farthest && free {
            ticks.push((x, units::percentile(quantile)));
        }
    }
    ticks
}

fn band(
    canvas: &mut Canvas<'_>,
    index: usize,
    backend: &BackendRecord,
    axis: &Axis,
    across: impl Fn(f64) -> f64,
) {
    // Where an upper end is missing the band stops: from there on the count puts no bound on the percentile.
    let bounded = || {
        let finite = backend.curve.iter().filter(|point| point.quantile < 1.0);
        finite.map_while(|point| point.high_ns.map(|high| (across(point.quantile), point.low_ns, high)))
    };
    let upper = bounded().map(|(x, _, high)| (x, axis.at(high as f64)));
    let lower = bounded().map(|(x, low, _)| (x, axis.at(low as f64)));
    let mut outline: Vec<(f64, f64)> = upper.collect();
    let mut back: Vec<(f64, f64)> = lower.collect();
    back.reverse();
    outline.append(&mut back);
    canvas.area(&outline, series(index).mix(0.16));
}

fn curve(
    canvas: &mut Canvas<'_>,
    index: usize,
    backend: &BackendRecord,
    axis: &Axis,
    across: impl Fn(f64) -> f64,
) {
    let at = |(quantile, value): (f64, u64)| (across(quantile), axis.at(value as f64));
    let path: Vec<(f64, f64)> = points(backend).into_iter().map(at).collect();
    canvas.line(&path, series(index).to_rgba(), 2.0);
    for point in marked(backend) {
        mark(canvas, index, at(point), series(index));
    }
}

/// The points of the curve that lie on the axis, from left to right. Those that are marked are among them, so that the curve
/// goes through its marks.
fn points(backend: &BackendRecord) -> Vec<(f64, u64)> {
    let curve = backend.curve.iter().map(|point| (point.quantile, point.value_ns));
    let mut points: Vec<(f64, u64)> =
        curve.filter(|(quantile, _)| *quantile < 1.0).chain(marked(backend)).collect();
    points.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    points
}

/// The percentiles that the curve is marked at, as the tables have them. The curve is drawn from points at steps of its own,
/// so the nearest of these would stand beside the percentile it is taken for.
fn marked(backend: &BackendRecord) -> impl Iterator<Item = (f64, u64)> {
    let steady = latency(backend, Phase::Steady);
    let last = backend.curve.iter().map(|point| point.quantile).filter(|at| *at < 1.0).fold(0.0, f64::max);
    let value = move |quantile| Some((quantile, percentile(steady?, quantile)?.value_ns?));
    MARKED.into_iter().filter(move |quantile| *quantile <= last).filter_map(value)
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, Node};

    use super::*;
    use crate::fixture;

    fn number(node: Node<'_, '_>, name: &str) -> f64 {
        node.attribute(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("{name}: {node:?}"))
    }

    #[test]
    fn each_mark_stands_on_its_percentile_although_the_curve_has_no_point_there() {
        let mut record = fixture::one();
        let curve = &mut record.backends[0].curve;
        curve.retain(|point| MARKED.iter().all(|at| (nines(point.quantile) - nines(*at)).abs() > 0.05));
        assert!(curve.len() > 10, "there is a curve");
        let svg = picture(&record).expect("a picture");
        let document = Document::parse(&svg).expect("well-formed XML");
        let named = |tag: &'static str| document.descendants().filter(move |node| node.has_tag_name(tag));
        let tick = |name: &str| {
            let found = named("text").find(|node| node.text().unwrap_or_default().trim() == name);
            number(found.unwrap_or_else(|| panic!("no tick {name}")), "x")
        };
        // The first series is marked with discs; the one to the left of all is that of the legend.
        let mut marks: Vec<f64> = named("circle").map(|node| number(node, "cx")).collect();
        marks.sort_by(f64::total_cmp);
        assert_eq!(marks[1..], [tick("P50"), tick("P90"), tick("P99")]);
    }

    #[test]
    fn what_no_count_carries_is_not_marked() {
        let mut record = fixture::one();
        let backend = &mut record.backends[0];
        for summary in &mut backend.phases {
            let times = summary.response_time.as_mut().expect("response times");
            times.percentiles.retain(|percentile| percentile.quantile < 0.95);
        }
        assert_eq!(marked(backend).map(|(quantile, _)| quantile).collect::<Vec<_>>(), [0.5, 0.9]);
    }
}

//! Colors and marks that people with any color vision can tell apart, after Okabe and Ito, on white.

use plotters::prelude::{Color as _, RGBAColor, RGBColor, WHITE};

use super::canvas::{Anchor, Canvas, Lettering};
use crate::record::{Phase, Verdict};

/// Texts and axes.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Texts of less weight.
pub(super) const FAINT_INK: RGBColor = RGBColor(0x5a, 0x5a, 0x5a);
/// Lines of the grid.
pub(super) const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// Limits of objectives, and nothing else.
pub(super) const LIMIT: RGBColor = RGBColor(0xb3, 0x1b, 0x1b);

pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
pub(super) const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
pub(super) const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
pub(super) const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
pub(super) const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
const BLACK: RGBColor = RGBColor(0x00, 0x00, 0x00);
/// In the place of Okabe and Ito's yellow, which cannot be seen on white.
const OLIVE: RGBColor = RGBColor(0x8a, 0x7b, 0x00);

/// More series than these would share their colors and marks.
pub(super) const SERIES_TOLD_APART: usize = 8;

const SERIES: [RGBColor; SERIES_TOLD_APART] = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK, OLIVE];

/// The percentiles that are shown where there is room for three, with their names and colors. The order is that of their
/// marks.
pub(super) const PERCENTILES: [(f64, &str, RGBColor); 3] =
    [(0.5, "P50", BLUE), (0.95, "P95", VERMILION), (0.99, "P99", GREEN)];

/// The title of a picture.
pub(super) const TITLE: Lettering = Lettering::new(16.0, INK).bold();
/// The line under the title, and headings of panels.
pub(super) const SUBTITLE: Lettering = Lettering::new(12.0, FAINT_INK);
/// Names of backends.
pub(super) const NAME: Lettering = Lettering::new(12.0, INK).bold();
/// Ticks, legends, values.
pub(super) const SMALL: Lettering = Lettering::new(11.0, INK);
/// Labels of limits.
pub(super) const LIMIT_LABEL: Lettering = Lettering::new(11.0, LIMIT).bold().anchored(Anchor::Start);

/// The color of the `index`-th of several series.
pub(super) fn series(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

/// The color of a phase.
pub(super) fn phase(phase: Phase) -> RGBColor {
    match phase {
        Phase::ColdStart => VERMILION,
        Phase::WarmUp => ORANGE,
        Phase::Steady | Phase::Mixed => BLUE,
    }
}

/// A verdict in its color; the word says the same without it.
pub(super) fn verdict(verdict: Option<Verdict>) -> Lettering {
    let color = match verdict {
        Some(Verdict::Pass) => RGBColor(0x00, 0x6b, 0x4e),
        Some(Verdict::Fail) => LIMIT,
        Some(Verdict::Inconclusive) => RGBColor(0x8a, 0x55, 0x00),
        None => FAINT_INK,
    };
    Lettering::new(12.0, color).bold()
}

/// How far a mark reaches from its middle.
const REACH: f64 = 4.0;

/// Draws the mark of the `index`-th of several series: the shape tells apart what the color may not.
pub(super) fn mark(canvas: &mut Canvas<'_>, index: usize, at: (f64, f64), color: RGBColor) {
    shape(canvas, index, at, REACH, color.to_rgba());
}

/// Draws the same mark hollow, for what counts less.
pub(super) fn hollow_mark(canvas: &mut Canvas<'_>, index: usize, at: (f64, f64), color: RGBColor) {
    shape(canvas, index, at, REACH, color.to_rgba());
    // A triangle shrinks towards its center of gravity, which lies below the middle of its height.
    let (inside, lower) = if index % 4 == 2 { (0.5, REACH * 0.19) } else { (0.62, 0.0) };
    shape(canvas, index, (at.0, at.1 + lower), REACH * inside, WHITE.to_rgba());
}

fn shape(canvas: &mut Canvas<'_>, index: usize, (x, y): (f64, f64), reach: f64, color: RGBAColor) {
    match index % 4 {
        0 => canvas.disc((x, y), reach, color),
        1 => {
            let side = reach * 0.9;
            canvas.rectangle((x - side, y - side), (x + side, y + side), color);
        }
        2 => {
            let (wide, tall) = (reach * 1.2, reach * 1.1);
            canvas.area(&[(x - wide, y + tall), (x + wide, y + tall), (x, y - tall)], color);
        }
        _ => {
            let tip = reach * 1.3;
            canvas.area(&[(x - tip, y), (x, y - tip), (x + tip, y), (x, y + tip)], color);
        }
    }
}

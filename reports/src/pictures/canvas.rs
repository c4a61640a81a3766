//! A white sheet to draw on: shapes and texts in points, written as SVG by plotters.
//!
//! It knows how wide a text will be at most, because a picture cannot ask the viewer's font, and nothing of charts.

use plotters::prelude::{Color as _, DrawingBackend as _, RGBAColor, RGBColor, SVGBackend, TextStyle, WHITE};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, FontTransform, ShapeStyle};

/// plotters places everything on whole pixels; drawing four times as large and shrinking makes that a quarter of a point.
const FINENESS: f64 = 4.0;
/// plotters divides the size of a font by this before it writes it.
const FONT_SIZE_DIVISOR: f64 = 1.24;
/// The colors of what is no series, where a viewer prefers dark pages.
const DARK: &str = "<style>@media (prefers-color-scheme: dark) { [fill=\"#FFFFFF\"] { fill: #0f1419 } [fill=\"#222222\"] { fill: #e6edf3 } \
                    [stroke=\"#222222\"] { stroke: #e6edf3 } [fill=\"#5A5A5A\"] { fill: #9da7b1 } [stroke=\"#5A5A5A\"] { stroke: #9da7b1 } \
                    [fill=\"#DDDDDD\"] { fill: #3a434d } [stroke=\"#DDDDDD\"] { stroke: #3a434d } [fill=\"#000000\"] { fill: #e6edf3 } \
                    [stroke=\"#000000\"] { stroke: #e6edf3 } [fill=\"#B31B1B\"] { fill: #ff8a80 } [stroke=\"#B31B1B\"] { stroke: #ff8a80 } \
                    [fill=\"#006B4E\"] { fill: #4cc38a } [fill=\"#8A5500\"] { fill: #e3b341 } }</style>";
const CANNOT_FAIL: &str = "writing a picture into memory cannot fail: this is a bug";

/// Where a text stands relative to its position. Vertically it is always centered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lettering {
    pub size: f64,
    pub bold: bool,
    pub color: RGBColor,
    pub anchor: Anchor,
}

impl Lettering {
    pub(super) const fn new(size: f64, color: RGBColor) -> Self {
        Self { size, bold: false, color, anchor: Anchor::Start }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) const fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// Points that a text will not be wider than in the usual sans-serif fonts; the widest of them was measured.
    pub(super) fn width_of(&self, text: &str) -> f64 {
        let ems: f64 = text.chars().map(ems_of).sum();
        ems * self.size * if self.bold { 1.1 } else { 1.0 }
    }

    /// The text, cut and ended with an ellipsis where it would be wider than `width` points.
    pub(super) fn fitted(&self, text: &str, width: f64) -> String {
        if self.width_of(text) <= width {
            return text.to_owned();
        }
        let mut kept = String::new();
        let room = width - self.width_of("…");
        for character in text.chars() {
            kept.push(character);
            if self.width_of(&kept) > room {
                kept.pop();
                break;
            }
        }
        kept.truncate(kept.trim_end().len());
        kept.push('…');
        kept
    }

    /// The same, cut at its beginning: for names whose ends tell them apart.
    pub(super) fn fitted_at_end(&self, text: &str, width: f64) -> String {
        let reversed: String = text.chars().rev().collect();
        self.fitted(&reversed, width).chars().rev().collect()
    }

    /// The text broken into at most `lines` lines no wider than `width` points; what is left over is cut.
    pub(super) fn wrapped(&self, text: &str, width: f64, lines: usize) -> Vec<String> {
        let mut wrapped: Vec<String> = Vec::new();
        for word in text.split_whitespace().flat_map(|word| self.broken(word, width)) {
            match wrapped.last_mut() {
                Some(line) if self.width_of(line) + self.width_of(&word) + self.width_of(" ") <= width => {
                    line.push(' ');
                    line.push_str(&word);
                }
                _ => wrapped.push(word),
            }
        }
        if wrapped.len() > lines {
            let rest = wrapped.split_off(lines.saturating_sub(1)).join(" ");
            wrapped.push(self.fitted(&rest, width));
        }
        wrapped
    }

    /// A word in pieces no wider than `width` points, parted after a hyphen or the like where there is one.
    fn broken(&self, word: &str, width: f64) -> Vec<String> {
        let mut pieces = Vec::new();
        let mut rest = word;
        while self.width_of(rest) > width {
            let fits = |&(end, _): &(usize, char)| self.width_of(&rest[..end]) <= width;
            let ends = || rest.char_indices().skip(1).take_while(fits);
            let after_joint = |&(end, _): &(usize, char)| rest[..end].ends_with(['-', '_', '/', '.', ':']);
            let Some((end, _)) = ends().filter(after_joint).last().or_else(|| ends().last()) else { break };
            pieces.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        pieces.push(rest.to_owned());
        pieces
    }
}

/// The width of a character in ems, rounded up over the usual sans-serif fonts.
fn ems_of(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.35,
        'f' | 'r' | 't' | 'I' | '(' | ')' | '[' | ']' | '-' | '/' | '·' => 0.43,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' | '–' | '—' => 1.0,
        'a'..='z' | '0'..='9' | '_' | '?' | '$' | '#' | '*' | '"' => 0.65,
        'A'..='Z' | '<' | '>' | '=' | '+' | '&' | '~' => 0.84,
        'µ' | '×' => 0.84,
        c if c.is_ascii() => 0.84,
        _ => 1.05,
    }
}

/// A picture under way; coordinates are points from the upper left corner.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// Draws a picture of `width` x `height` points; `title` is what a screen reader says of it.
pub(super) fn draw(title: &str, width: f64, height: f64, paint: impl FnOnce(&mut Canvas<'_>)) -> String {
    let mut sheet = String::new();
    let fine = |points: f64| (points * FINENESS).ceil() as u32;
    {
        let mut canvas = Canvas { backend: SVGBackend::with_string(&mut sheet, (fine(width), fine(height))) };
        canvas.rectangle((0.0, 0.0), (width, height), WHITE.to_rgba());
        paint(&mut canvas);
        canvas.backend.present().expect(CANNOT_FAIL);
    }
    let shapes = sheet.split_once('>').map_or("", |(_, shapes)| shapes);
    let name = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{name}\" stroke-linejoin=\"round\">\n\
         <title>{name}</title>{DARK}{shapes}",
        fine(width),
        fine(height),
    )
}

impl Canvas<'_> {
    /// A filled rectangle between two corners.
    pub(super) fn rectangle(&mut self, from: (f64, f64), to: (f64, f64), color: RGBAColor) {
        self.backend.draw_rect(fine(from), fine(to), &stroke(color, 0.0), true).expect(CANNOT_FAIL);
    }

    /// A line through the points, `width` points wide.
    pub(super) fn line(&mut self, points: &[(f64, f64)], color: RGBAColor, width: f64) {
        if points.len() > 1 {
            let path = points.iter().map(|&point| fine(point));
            self.backend.draw_path(path, &stroke(color, width)).expect(CANNOT_FAIL);
        }
    }

    /// A filled area.
    pub(super) fn area(&mut self, corners: &[(f64, f64)], color: RGBAColor) {
        if corners.len() > 2 {
            let path = corners.iter().map(|&corner| fine(corner));
            self.backend.fill_polygon(path, &stroke(color, 0.0)).expect(CANNOT_FAIL);
        }
    }

    /// A filled disc.
    pub(super) fn disc(&mut self, center: (f64, f64), radius: f64, color: RGBAColor) {
        let radius = (radius * FINENESS).round() as u32;
        self.backend.draw_circle(fine(center), radius, &stroke(color, 0.0), true).expect(CANNOT_FAIL);
    }

    /// A text at a position, vertically centered on it. Control characters are left out.
    pub(super) fn text(&mut self, text: &str, at: (f64, f64), lettering: Lettering) {
        self.lettered(text, at, lettering, FontTransform::None);
    }

    /// A text on a white patch, so that no line behind it runs through it.
    pub(super) fn text_on_white(&mut self, text: &str, (x, y): (f64, f64), lettering: Lettering) {
        let width = lettering.width_of(text);
        let left = match lettering.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        let half = lettering.size * 0.6;
        self.rectangle((left - 1.0, y - half), (left + width + 1.0, y + half), WHITE.to_rgba());
        self.text(text, (x, y), lettering);
    }

    /// A text that reads from below to above, centered on its position.
    pub(super) fn upright_text(&mut self, text: &str, at: (f64, f64), lettering: Lettering) {
        self.lettered(text, at, lettering.anchored(Anchor::Middle), FontTransform::Rotate270);
    }

    /// The same on a white patch.
    pub(super) fn upright_text_on_white(&mut self, text: &str, (x, y): (f64, f64), lettering: Lettering) {
        let (half, reach) = (lettering.size * 0.6, lettering.width_of(text) / 2.0 + 1.0);
        self.rectangle((x - half, y - reach), (x + half, y + reach), WHITE.to_rgba());
        self.upright_text(text, (x, y), lettering);
    }

    fn lettered(&mut self, text: &str, at: (f64, f64), lettering: Lettering, turned: FontTransform) {
        let weight = if lettering.bold { FontStyle::Bold } else { FontStyle::Normal };
        let size = lettering.size * FINENESS * FONT_SIZE_DIVISOR;
        let horizontal = match lettering.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = TextStyle::from(FontDesc::new(FontFamily::SansSerif, size, weight).transform(turned))
            .color(&lettering.color)
            .pos(Pos::new(horizontal, VPos::Center));
        self.backend.draw_text(&printable(text), &style, fine(at)).expect(CANNOT_FAIL);
    }
}

fn fine((x, y): (f64, f64)) -> (i32, i32) {
    ((x * FINENESS).round() as i32, (y * FINENESS).round() as i32)
}

fn stroke(color: RGBAColor, width: f64) -> ShapeStyle {
    ShapeStyle { color, filled: true, stroke_width: (width * FINENESS).round() as u32 }
}

/// XML has no way to write control characters and the two non-characters; whatever else there is stays.
fn printable(text: &str) -> String {
    crate::view::one_line(text).replace(['\u{fffe}', '\u{ffff}'], "")
}

fn escaped(text: &str) -> String {
    let marks = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")];
    marks.iter().fold(printable(text), |text, (mark, written)| text.replace(mark, written))
}

#[cfg(test)]
mod tests {
    use plotters::prelude::BLACK;

    use super::*;

    const LETTERING: Lettering = Lettering::new(10.0, BLACK);

    #[test]
    fn a_text_too_wide_is_cut_and_ends_with_an_ellipsis() {
        let cut = LETTERING.fitted("python-torch (fallback)", 80.0);
        assert!(cut.ends_with('…') && LETTERING.width_of(&cut) <= 80.0, "{cut}");
        assert_eq!(LETTERING.fitted("onnx", 80.0), "onnx");
    }

    #[test]
    fn every_line_of_a_wrapped_text_fits() {
        let text = "python-torch (fallback from python-onnx: no model.onnx) averyverylongwordwithoutanybreak";
        for lines in 1..6 {
            let wrapped = LETTERING.wrapped(text, 90.0, lines);
            assert!(wrapped.len() <= lines, "{wrapped:?}");
            assert!(wrapped.iter().all(|line| LETTERING.width_of(line) <= 90.0), "{wrapped:?}");
        }
        let all = LETTERING.wrapped(text, 90.0, 99).concat().replace(' ', "");
        assert_eq!(all, text.replace(' ', ""), "nothing is lost when there are lines enough");
    }

    #[test]
    fn a_title_with_markup_and_control_characters_stays_well_formed() {
        let picture = draw("a < b & \"c\"\u{1b}[0m", 10.0, 10.0, |canvas| {
            canvas.text("<\u{7}&>", (1.0, 1.0), LETTERING);
        });
        let parsed = roxmltree::Document::parse(&picture).expect("well-formed");
        assert_eq!(parsed.root_element().attribute("aria-label"), Some("a < b & \"c\" [0m"));
    }
}

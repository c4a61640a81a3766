//! Tables of figures in the widest of three layouts that fits: what a row is about beside its figures; on a line of its
//! own above them; or all of it as running text.
//!
//! It knows widths and nothing of what the figures are.

use tabled::Table;
use tabled::builder::Builder;
use tabled::settings::formatting::AlignmentStrategy;
use tabled::settings::object::Columns;
use tabled::settings::style::{HorizontalLine, Style};
use tabled::settings::{Alignment, Modify, Padding};
use textwrap::core::display_width;

use super::words::{WIDEST_TEXT, unbroken};

const GAP: usize = 2;
/// A column of names is not made wider than this: longer ones are wrapped.
const WIDEST_NAME: usize = 44;

/// A table before it is laid out. A head may have several lines.
pub(super) struct Grid {
    /// Heads of the columns that say what a row is about.
    pub about: Vec<String>,
    /// Heads of the figures.
    pub head: Vec<String>,
    pub rows: Vec<Row>,
}

/// What one row is about, and its figures.
pub(super) struct Row {
    /// The texts under `about`, left-aligned; the first may be wrapped, the others may have two lines.
    pub about: Vec<String>,
    /// The same as one text, where they have no columns.
    pub above: String,
    /// Right-aligned; a figure may have two lines.
    pub figures: Vec<String>,
}

impl Grid {
    /// The table in at most `columns` characters a line.
    pub(super) fn laid_out(&self, columns: usize) -> String {
        self.beside(columns).or_else(|| self.above(columns)).unwrap_or_else(|| self.running(columns))
    }

    /// One line, or two, for each row; `None` when a name would have to be wrapped more than once.
    pub(super) fn beside(&self, columns: usize) -> Option<String> {
        let fixed: usize = (1..self.about.len()).map(|index| self.about_width(index) + GAP).sum();
        let room = columns.checked_sub(self.figures_width() + fixed)?.min(WIDEST_NAME);
        let fits = |name: &String| {
            room > 0
                && name.split(' ').all(|word| display_width(word) <= room)
                && textwrap::wrap(name, unbroken(room)).len() <= 2
        };
        let first = self.rows.iter().filter_map(|row| row.about.first()).chain(self.about.first());
        if !first.into_iter().all(fits) {
            return None;
        }
        let mut builder = Builder::new();
        builder.push_record(self.about.iter().chain(&self.head).map(String::as_str));
        for row in &self.rows {
            let name = row.about.iter().take(1).map(|name| textwrap::fill(name, unbroken(room)));
            let rest = row.about.iter().skip(1).chain(&row.figures).cloned();
            builder.push_record(name.chain(rest));
        }
        let mut table = builder.build();
        set(&mut table);
        table.with(Modify::new(Columns::new(..self.about.len())).with(Alignment::left()));
        Some(table.to_string())
    }

    /// What a row is about on a line of its own, the figures under it; `None` when they are too wide even so.
    pub(super) fn above(&self, columns: usize) -> Option<String> {
        if self.figures_width() > columns {
            return None;
        }
        let mut builder = Builder::new();
        builder.push_record(&self.head);
        for row in &self.rows {
            builder.push_record(&row.figures);
        }
        let mut table = builder.build();
        set(&mut table);
        table.with(Modify::new(Columns::first()).with(Padding::new(GAP, GAP, 0, 0)));
        // What a row is about may be wider than its figures, so it is no part of the table that they are laid out in.
        let table = table.to_string();
        let mut lines = table.lines();
        let mut take = |number: usize| lines.by_ref().take(number).map(str::to_owned).collect::<Vec<_>>();
        let mut laid_out = take(height_of(&self.head) + 1);
        for row in &self.rows {
            let about = unbroken(columns.min(WIDEST_TEXT)).subsequent_indent("    ");
            laid_out.push(textwrap::fill(&row.above, about));
            laid_out.extend(take(height_of(&row.figures)));
        }
        Some(laid_out.join("\n"))
    }

    /// What a row is about, and under it each figure after its head.
    fn running(&self, columns: usize) -> String {
        let on_one_line = |text: &str| text.replace('\n', " ");
        let mut lines = Vec::new();
        for row in &self.rows {
            lines.push(textwrap::fill(&row.above, unbroken(columns).subsequent_indent("  ")));
            let named = self.head.iter().zip(&row.figures);
            let figures: Vec<String> =
                named.map(|(head, figure)| on_one_line(&format!("{head} {figure}"))).collect();
            let indented = unbroken(columns).initial_indent("  ").subsequent_indent("  ");
            lines.push(textwrap::fill(&figures.join(", "), indented));
        }
        lines.join("\n")
    }

    fn about_width(&self, index: usize) -> usize {
        let texts = self.rows.iter().filter_map(|row| row.about.get(index));
        texts.chain(self.about.get(index)).map(|text| width_of(text)).max().unwrap_or(0)
    }

    /// The figures' columns, each with the gap before it.
    fn figures_width(&self) -> usize {
        let column = |index: usize| {
            let figures = self.rows.iter().filter_map(|row| row.figures.get(index));
            figures.chain(self.head.get(index)).map(|text| width_of(text)).max().unwrap_or(0)
        };
        (0..self.head.len()).map(|index| GAP + column(index)).sum()
    }
}

fn width_of(cell: &str) -> usize {
    cell.lines().map(display_width).max().unwrap_or(0)
}

/// Lines of a row of the table: those of its tallest cell.
fn height_of(cells: &[String]) -> usize {
    cells.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1)
}

fn set(table: &mut Table) {
    table.with(Style::empty().horizontals([(1, HorizontalLine::new('-'))]));
    table.with(Padding::new(0, GAP, 0, 0));
    table.with(Modify::new(Columns::last()).with(Padding::zero()));
    table.with(Alignment::right());
    table.with(AlignmentStrategy::PerLine);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_room_there_is_the_more_a_table_becomes_a_text() {
        let grid = Grid {
            about: vec!["rate".into(), "verdict".into()],
            head: vec!["P50".into(), "cold\nstart".into()],
            rows: vec![Row {
                about: vec!["80.0/s".into(), "PASS".into()],
                above: "80.0/s: PASS".into(),
                figures: vec!["6.60 ms".into(), "3 min 20 s".into()],
            }],
        };
        let trimmed = |columns| {
            let laid_out = grid.laid_out(columns);
            laid_out.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(trimmed(40)[3], "80.0/s  PASS     6.60 ms  3 min 20 s");
        assert_eq!(trimmed(25)[3..], ["80.0/s: PASS", "  6.60 ms  3 min 20 s"]);
        assert_eq!(trimmed(20), ["80.0/s: PASS", "  P50 6.60 ms, cold", "  start 3 min 20 s"]);
    }
}

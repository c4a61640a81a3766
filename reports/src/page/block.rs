//! What a page is made of. Nothing here knows how a block looks in any format.

use super::text::Text;
use crate::pictures::Picture;

/// What a report shows, from top to bottom.
#[derive(Debug, Default)]
pub(crate) struct Page(Vec<Block>);

/// A piece of a page.
#[derive(Debug)]
pub(crate) enum Block {
    Heading {
        /// 1 for the page's own, 2 for its sections, 3 for what is in them.
        level: u8,
        text: Text,
    },
    Paragraph(Text),
    List(Vec<Item>),
    Table {
        columns: Vec<Column>,
        rows: Vec<Vec<Text>>,
    },
    /// Lines as they are.
    Code {
        /// What they are written in, for example `toml`.
        language: &'static str,
        lines: String,
    },
    Picture {
        picture: &'static Picture,
        /// What it shows, as SVG.
        drawing: String,
    },
}

/// An item of a list, and what is set in under it.
#[derive(Debug)]
pub(crate) struct Item {
    pub text: Text,
    pub under: Vec<Text>,
}

/// A column of a table.
#[derive(Debug)]
pub(crate) struct Column {
    pub head: Text,
    pub side: Side,
}

/// The side of a column that its cells stand at: texts at the left, figures at the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A column of texts.
pub(super) fn left(head: impl Into<Text>) -> Column {
    Column { head: head.into(), side: Side::Left }
}

/// A column of figures.
pub(super) fn right(head: impl Into<Text>) -> Column {
    Column { head: head.into(), side: Side::Right }
}

impl<T: Into<Text>> From<T> for Item {
    fn from(text: T) -> Self {
        Self { text: text.into(), under: Vec::new() }
    }
}

/// Begins the headings of sections about one objective.
pub(super) const OBJECTIVE: &str = "Objective: ";

/// Whether a section shows a picture.
pub(crate) fn has_picture(section: &[Block]) -> bool {
    section.iter().any(|block| matches!(block, Block::Picture { .. }))
}

/// Whether a section can be folded: the figures of one objective, which the table of the decision sums up, and what comes
/// after the first picture and is none itself.
pub(crate) fn can_wait(section: &[Block], after_a_picture: bool) -> bool {
    let Some(Block::Heading { level: 2, text }) = section.first() else { return false };
    text.plain().starts_with(OBJECTIVE) || after_a_picture && !has_picture(section)
}

impl Page {
    /// Its pieces, in order.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.0
    }

    /// The blocks before the first heading of a section, then those of each section.
    pub(crate) fn sections(&self) -> Vec<&[Block]> {
        let begins = |block: &Block| matches!(block, Block::Heading { level: 2, .. });
        let blocks = self.blocks();
        let mut starts: Vec<usize> =
            blocks.iter().enumerate().filter(|(_, block)| begins(block)).map(|(at, _)| at).collect();
        starts.insert(0, 0);
        starts.dedup();
        let ends = starts.iter().skip(1).copied().chain([blocks.len()]);
        starts.iter().zip(ends).map(|(start, end)| &blocks[*start..end]).collect()
    }

    pub(super) fn heading(&mut self, level: u8, text: impl Into<Text>) {
        self.0.push(Block::Heading { level, text: text.into() });
    }

    pub(super) fn paragraph(&mut self, text: impl Into<Text>) {
        self.0.push(Block::Paragraph(text.into()));
    }

    /// A list, if there is anything in it.
    pub(super) fn list(&mut self, items: impl IntoIterator<Item = impl Into<Item>>) {
        let items: Vec<Item> = items.into_iter().map(Into::into).collect();
        if !items.is_empty() {
            self.0.push(Block::List(items));
        }
    }

    /// A table, if it has a row.
    pub(super) fn table<Cell: Into<Text>>(
        &mut self,
        columns: impl IntoIterator<Item = Column>,
        rows: impl IntoIterator<Item = Vec<Cell>>,
    ) {
        let cells = |row: Vec<Cell>| row.into_iter().map(Into::into).collect();
        let rows: Vec<Vec<Text>> = rows.into_iter().map(cells).collect();
        if !rows.is_empty() {
            self.0.push(Block::Table { columns: columns.into_iter().collect(), rows });
        }
    }

    pub(super) fn code(&mut self, language: &'static str, lines: impl Into<String>) {
        self.0.push(Block::Code { language, lines: lines.into() });
    }

    pub(super) fn picture(&mut self, picture: &'static Picture, drawing: String) {
        self.0.push(Block::Picture { picture, drawing });
    }

    /// What the picture in this file shows, if the page has it.
    pub(crate) fn drawing(&self, file: &str) -> Option<&str> {
        self.0.iter().find_map(|block| match block {
            Block::Picture { picture, drawing } if picture.file == file => Some(drawing.as_str()),
            _ => None,
        })
    }
}

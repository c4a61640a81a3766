//! How texts and tables are written in Markdown so that what they contain cannot break them.

use crate::view::one_line;

/// A text on one line, with nothing in it that ends a cell or begins a tag.
pub(super) fn inline(text: &str) -> String {
    let line = one_line(text);
    let mut safe = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek();
        let opens_tag =
            character == '<' && next.is_some_and(|c| c.is_ascii_alphabetic() || "/!?".contains(*c));
        if matches!(character, '|' | '\\' | '*') || opens_tag {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// A text that ends in a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = inline(text);
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// The text with a capital at its beginning.
pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), characters.as_str())
}

/// A text as code, whatever it contains. In a table a bar must be escaped even so.
pub(super) fn code(text: &str) -> String {
    let line = one_line(text).replace('|', "\\|");
    let longest = longest_run(&line, '`');
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{line}`") } else { format!("{fence} {line} {fence}") }
}

/// Lines as they are, in a block of their own that nothing in them can end.
pub(super) fn block(page: &mut String, language: &str, text: &str) {
    let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
    let printable = text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', " ");
    page.push_str(&format!("{fence}{language}\n{}\n{fence}\n\n", printable.trim_end()));
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}

/// Where the texts of a column stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column<'a> {
    /// Texts.
    Left(&'a str),
    /// Figures.
    Right(&'a str),
}

impl<'a> Column<'a> {
    fn name(&self) -> &'a str {
        match self {
            Column::Left(name) | Column::Right(name) => name,
        }
    }
}

/// Writes a table, its columns padded so that it can be read without being rendered. The cells must be safe already.
pub(super) fn table(page: &mut String, columns: &[Column<'_>], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let width_of = |text: &str| textwrap::core::display_width(text);
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| width_of(cell));
            cells.chain([width_of(column.name()), 3]).max().unwrap_or(3)
        })
        .collect();
    let mut write_row = |cells: &mut dyn Iterator<Item = &str>| {
        for ((cell, column), width) in cells.zip(columns).zip(&widths) {
            let blank = " ".repeat(width - width_of(cell).min(*width));
            page.push_str(&match column {
                Column::Left(_) => format!("| {cell}{blank} "),
                Column::Right(_) => format!("| {blank}{cell} "),
            });
        }
        page.push_str("|\n");
    };
    write_row(&mut columns.iter().map(Column::name));
    let rules: Vec<String> = columns
        .iter()
        .zip(&widths)
        .map(|(column, width)| match column {
            Column::Left(_) => "-".repeat(*width),
            Column::Right(_) => format!("{}:", "-".repeat(width - 1)),
        })
        .collect();
    write_row(&mut rules.iter().map(String::as_str));
    for row in rows {
        write_row(&mut row.iter().map(String::as_str));
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_table_or_become_a_tag_is_escaped() {
        assert_eq!(inline("a | b\nc <why> x < 20 ms *d*"), r"a \| b c \<why> x < 20 ms \*d\*");
    }

    #[test]
    fn code_with_backticks_in_it_is_fenced_by_more_of_them() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a `b` | c"), "`` a `b` \\| c ``");
    }

    #[test]
    fn a_block_ends_only_at_its_own_end() {
        let mut page = String::new();
        block(&mut page, "", "```\nx\u{1b}[0m\n````\n");
        assert_eq!(page, "`````\n```\nx [0m\n````\n`````\n\n");
    }
}

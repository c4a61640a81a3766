//! Prints line after line: texts wrapped and set in, tables as they are. It knows nothing of what a line says.

use std::io::{self, Write};

use super::table;
use super::words::{painted, unbroken, wrapped};
use crate::view::one_line;

pub(super) struct Printer<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) columns: usize,
    pub(super) color: bool,
}

impl Printer<'_> {
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", painted(line.trim_end(), self.color))
    }

    /// A text on as many lines as it takes, each begun with `indent`, those after the first with two spaces more.
    pub(super) fn paragraph(&mut self, indent: &str, text: &str) -> io::Result<()> {
        let hanging = format!("{indent}  ");
        let layout = unbroken(self.columns).initial_indent(indent).subsequent_indent(&hanging);
        wrapped(&one_line(text), layout).lines().try_for_each(|line| self.line(line))
    }

    /// Something noticed and what to do about it.
    pub(super) fn remark(
        &mut self,
        kind: &str,
        backend: Option<&str>,
        what: &str,
        remedy: &str,
    ) -> io::Result<()> {
        let of = backend.map(|backend| format!("{backend}: ")).unwrap_or_default();
        self.paragraph("", &format!("{kind}: {of}{what}"))?;
        self.paragraph("  ", &format!("-> {remedy}"))
    }

    /// A table as it is, with what its signs mean under it.
    pub(super) fn table(&mut self, table: table::Lines) -> io::Result<()> {
        for line in table.lines.lines() {
            self.line(line)?;
        }
        for footnote in table.footnotes {
            self.paragraph("  ", footnote)?;
        }
        Ok(())
    }
}

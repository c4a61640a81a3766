//! How lines are written: wrapped, set in, and verdicts in colour. It knows nothing of what a line says, but that a percent
//! sign stays with its number.

use std::io::{self, Write};

use super::table;
use crate::record::Verdict;
use crate::view::{one_line, verdict_name};

pub(super) struct Page<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) columns: usize,
    pub(super) colour: bool,
}

impl Page<'_> {
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", painted(line.trim_end(), self.colour))
    }

    /// A text on as many lines as it takes, each begun with `indent`, those after the first with two spaces more.
    pub(super) fn paragraph(&mut self, indent: &str, text: &str) -> io::Result<()> {
        let hanging = format!("{indent}  ");
        let layout = unbroken(self.columns).initial_indent(indent).subsequent_indent(&hanging);
        let text = one_line(text).replace(" %", JOINED_PERCENT);
        for line in textwrap::wrap(&text, layout) {
            self.line(&line.replace(JOINED_PERCENT, " %"))?;
        }
        Ok(())
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

/// A percent sign with a space before it at which no line ends.
const JOINED_PERCENT: &str = "\u{a0}%";

/// A text on as many lines of this width as it takes.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    let text = text.replace(" %", JOINED_PERCENT);
    textwrap::fill(&text, unbroken(columns)).replace(JOINED_PERCENT, " %")
}

/// Wrapping that leaves hyphenated names in one piece.
pub(super) fn unbroken<'a>(columns: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(columns).word_splitter(textwrap::WordSplitter::NoHyphenation)
}

/// Stand around a verdict until the line is written. They have no width, so they can be laid out like the word alone.
const MARKS: [char; 2] = ['\u{200b}', '\u{200c}'];

/// A verdict that will be coloured if colour is asked for.
pub(super) fn marked(verdict: Verdict) -> String {
    format!("{}{}{}", MARKS[0], verdict_name(verdict), MARKS[1])
}

/// The line with its marked verdicts in colour, or without the marks.
fn painted(line: &str, colour: bool) -> String {
    let mut painted = line.to_owned();
    for verdict in [Verdict::Pass, Verdict::Inconclusive, Verdict::Fail] {
        if colour {
            let number = match verdict {
                Verdict::Pass => 32,
                Verdict::Inconclusive => 33,
                Verdict::Fail => 31,
            };
            let escaped = format!("\u{1b}[{number}m{}\u{1b}[0m", verdict_name(verdict));
            painted = painted.replace(&marked(verdict), &escaped);
        }
    }
    painted.replace(MARKS, "")
}

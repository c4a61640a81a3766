//! How words are laid out on a line: where it may end, and verdicts in color. A percent sign stays with its number.

use crate::record::Verdict;
use crate::view::verdict_name;

/// Texts are not set wider than this, so that they can be read.
pub(super) const WIDEST_TEXT: usize = 110;

/// A percent sign with a space before it at which no line ends.
const JOINED_PERCENT: &str = "\u{a0}%";

/// A text on as many lines as it takes.
pub(super) fn wrapped(text: &str, layout: textwrap::Options<'_>) -> String {
    let text = text.replace(" %", JOINED_PERCENT);
    textwrap::fill(&text, layout).replace(JOINED_PERCENT, " %")
}

/// Wrapping that leaves hyphenated names in one piece.
pub(super) fn unbroken<'a>(columns: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(columns).word_splitter(textwrap::WordSplitter::NoHyphenation)
}

/// Stand around a verdict until the line is written. They have no width, so they can be laid out like the word alone.
const MARKS: [char; 2] = ['\u{200b}', '\u{200c}'];

/// A verdict that will be colored if color is asked for.
pub(super) fn marked(verdict: Verdict) -> String {
    format!("{}{}{}", MARKS[0], verdict_name(verdict), MARKS[1])
}

/// The line with its marked verdicts in color, or without the marks.
pub(super) fn painted(line: &str, color: bool) -> String {
    let mut painted = line.to_owned();
    for verdict in [Verdict::Pass, Verdict::Inconclusive, Verdict::Fail] {
        if color {
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

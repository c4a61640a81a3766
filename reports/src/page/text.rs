//! The texts of a page, as people read them: one line each, with spans that stand out. How a span stands out, and what has
//! to be escaped, is the business of whoever writes the page.

use crate::view::one_line;

/// A text on one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(Vec<Span>);

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Plain(String),
    Strong(String),
    Emphasis(String),
    /// Something that is typed or read by a program.
    Code(String),
}

/// A text that stands out from its first letter on.
pub(super) fn strong(text: impl AsRef<str>) -> Text {
    Text::default().strong(text)
}

/// A text that is typed or read by a program.
pub(super) fn code(text: impl AsRef<str>) -> Text {
    Text::default().code(text)
}

impl Text {
    /// Its pieces, in order.
    pub(crate) fn spans(&self) -> &[Span] {
        &self.0
    }

    /// The text, and after it this one.
    pub(super) fn then(self, text: impl AsRef<str>) -> Self {
        self.with(Span::Plain(unbroken(text.as_ref())))
    }

    /// The text without what stands out in it.
    pub(crate) fn plain(&self) -> String {
        let pieces = self.0.iter().map(|span| match span {
            Span::Plain(text) | Span::Strong(text) | Span::Emphasis(text) | Span::Code(text) => text.as_str(),
        });
        pieces.collect()
    }

    pub(super) fn strong(self, text: impl AsRef<str>) -> Self {
        self.with(Span::Strong(one_line(text.as_ref())))
    }

    pub(super) fn emphasis(self, text: impl AsRef<str>) -> Self {
        self.with(Span::Emphasis(one_line(text.as_ref())))
    }

    pub(crate) fn code(self, text: impl AsRef<str>) -> Self {
        self.with(Span::Code(one_line(text.as_ref())))
    }

    fn with(mut self, span: Span) -> Self {
        self.0.push(span);
        self
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::default().then(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// A text on one line that keeps a space at either end, where it is joined to its neighbor.
fn unbroken(text: &str) -> String {
    let is_blank = |end: Option<char>| end.is_some_and(|c| c.is_whitespace() || c.is_control());
    let space = |end: bool| if end { " " } else { "" };
    let (line, mut characters) = (one_line(text), text.chars());
    let (first, last) = (is_blank(characters.next()), is_blank(characters.next_back()));
    format!("{}{line}{}", space(first), space(last))
}

/// A text that ends in a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = one_line(text);
    if text.ends_with(['.', '!', '?', '…']) { text } else { format!("{text}.") }
}

/// The text with a capital at its beginning.
pub(super) fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_on_one_line_and_its_pieces_stay_apart() {
        let text = Text::from("a\n\tb ").strong(" c\u{1b}\n").then("\r\n d");
        let pieces = [Span::Plain("a b ".into()), Span::Strong("c".into()), Span::Plain(" d".into())];
        assert_eq!(text.spans(), pieces);
    }

    #[test]
    fn a_sentence_ends_once() {
        assert_eq!([sentence("a\nb"), sentence("why? "), sentence("53aa…")], ["a b.", "why?", "53aa…"]);
        assert_eq!([capitalized("a b"), capitalized("")], ["A b", ""]);
    }
}

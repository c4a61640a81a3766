//! What is wrong with a scenario, and where: the words and the places that every part of it is refused with.

use std::fmt;

use tailmark_providers::nearest::nearest;

/// Something wrong with a scenario: what was found, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line in the file, from 1; `None` for what is not there at all, and for what was set on the command line.
    pub line: Option<usize>,
    /// The key, dotted, as in `phases.steady.min_requests`.
    pub key: String,
    /// The value found, the rule, and the remedy.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}, ")?,
            None => write!(f, "")?,
        }
        if self.key.is_empty() {
            write!(f, "{}", self.message)
        } else {
            write!(f, "{}: {}", self.key, self.message)
        }
    }
}

/// A step on the way from the file's root to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key of a table.
    Key(String),
    /// An index into an array, from 0.
    Index(usize),
}

/// The path as people write it, `backend[2].kind`, counted from 1.
pub(crate) fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => text.push_str(&format!("[{}]", index + 1)),
        }
    }
    text
}

/// What a message adds about a word that is unknown: the candidate that was probably meant, or nothing.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"))
}

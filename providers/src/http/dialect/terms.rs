//! What a dialect is, what it is asked for, and what it answers. Does not know which dialects there are.

use std::sync::Arc;

use hyper::HeaderMap;
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use super::vectors::{Vectors, WrongVectors};

/// How a server is asked.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// As it is written in a scenario.
    pub(crate) name: &'static str,
    /// Where requests go if the address has no path.
    pub(crate) path: &'static str,
    /// Whether each request must name the model.
    pub(crate) needs_model: bool,
    /// Whether it can be asked for vectors in base64.
    pub(crate) has_encoding_format: bool,
    /// Whether it can be asked for shorter vectors.
    pub(crate) has_dimensions: bool,
    /// Writes the body of a request.
    pub(crate) write: fn(&Asked<'_>) -> serde_json::Result<Vec<u8>>,
    /// Reads the answer to it.
    pub(crate) read: fn(&HeaderMap, &[u8]) -> Result<Answer, Unreadable>,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) texts: Texts<'a>,
    /// The server's name of the model.
    pub(crate) model: Option<&'a str>,
    /// Whether vectors are to have length one.
    pub(crate) normalize: bool,
    /// The length of vectors, where it is not the model's own.
    pub(crate) dimensions: Option<u32>,
    /// Whether vectors are to come in base64, where there is a choice.
    pub(crate) base64: bool,
}

/// Texts with the model's prompt before each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts<'a> {
    pub(crate) prompt: &'a str,
    pub(crate) texts: &'a [Arc<str>],
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.texts.len()))?;
        for text in self.texts {
            if self.prompt.is_empty() {
                list.serialize_element(text)?;
            } else {
                list.serialize_element(&format!("{}{text}", self.prompt))?;
            }
        }
        list.end()
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// In the order of the texts.
    pub(crate) vectors: Vectors,
    /// Tokens of all texts, by the server's count.
    pub(crate) tokens: Option<u64>,
    /// The server's word on where its time went.
    pub(crate) told: Told,
}

/// Nanoseconds by a server's own account; `None` for what it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) tokenize_ns: Option<u64>,
    pub(crate) infer_ns: Option<u64>,
    /// All of its time, the two above among it.
    pub(crate) total_ns: Option<u64>,
}

/// Why a body is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is not what the dialect answers.
    #[error("{0}")]
    Body(#[from] serde_json::Error),
    /// It is, and its vectors cannot be right.
    #[error("{0}")]
    Answer(#[from] WrongVectors),
}

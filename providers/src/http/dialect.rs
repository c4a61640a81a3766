//! The dialects in which servers are asked for vectors: how a request is written and its answer read. Adding one is a file here
//! and a line in [`DIALECTS`]. Knows no connection and no clock.

mod akidb;
mod ollama;
mod openai;
mod rows;
mod tei;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use hyper::HeaderMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub(super) use rows::{Row, Vectors};

use crate::nearest::nearest;

/// Every dialect there is; the first is spoken unless the scenario says otherwise.
const DIALECTS: &[Dialect] = &[openai::DIALECT, ollama::DIALECT, tei::DIALECT, akidb::DIALECT];

/// How a server is asked.
#[derive(Debug)]
pub(super) struct Dialect {
    /// As it is written in a scenario.
    pub(super) name: &'static str,
    /// Where requests go if the address has no path.
    pub(super) path: &'static str,
    /// Whether each request must name the model.
    pub(super) needs_model: bool,
    /// Whether it can be asked for vectors in base64.
    pub(super) has_encoding_format: bool,
    /// Whether it can be asked for shorter vectors.
    pub(super) has_dimensions: bool,
    /// Writes the body of a request.
    pub(super) write: fn(&Asked<'_>) -> serde_json::Result<Vec<u8>>,
    /// Reads the answer to it.
    pub(super) read: fn(&HeaderMap, &[u8]) -> Result<Answer, Unreadable>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) texts: Texts<'a>,
    /// The server's name of the model.
    pub(super) model: Option<&'a str>,
    /// Whether vectors are to have length one.
    pub(super) normalize: bool,
    /// The length of vectors, where it is not the model's own.
    pub(super) dimensions: Option<u32>,
    /// Whether vectors are to come in base64, where there is a choice.
    pub(super) base64: bool,
}

/// Texts with the model's prompt before each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    pub(super) prompt: &'a str,
    pub(super) texts: &'a [Arc<str>],
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
pub(super) struct Answer {
    /// In the order of the texts.
    pub(super) vectors: Vectors,
    /// Tokens of all texts, by the server's count.
    pub(super) tokens: Option<u64>,
    /// The server's word on where its time went.
    pub(super) told: Told,
}

/// Nanoseconds by a server's own account; `None` for what it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) tokenize_ns: Option<u64>,
    pub(super) infer_ns: Option<u64>,
    /// All of its time, the two above among it.
    pub(super) total_ns: Option<u64>,
}

/// Why a body is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// It is not what the dialect answers.
    #[error("{0}")]
    Body(#[from] serde_json::Error),
    /// It is, and says something that cannot be.
    #[error("{found}, expected {expected}")]
    Answer { found: String, expected: String },
}

/// A dialect, as an option has it.
#[derive(Clone, Copy)]
pub(super) struct Spoken(&'static Dialect);

impl Spoken {
    pub(super) fn dialect(self) -> &'static Dialect {
        self.0
    }
}

impl Default for Spoken {
    fn default() -> Self {
        Self(&DIALECTS[0])
    }
}

impl PartialEq for Spoken {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl fmt::Debug for Spoken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.name)
    }
}

impl Serialize for Spoken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

impl<'de> Deserialize<'de> for Spoken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Value::deserialize(deserializer)?;
        let name = written.as_str().unwrap_or_default();
        if let Some(known) = DIALECTS.iter().find(|dialect| dialect.name == name) {
            return Ok(Self(known));
        }
        let names = || DIALECTS.iter().map(|dialect| dialect.name);
        let list = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let hint = nearest(name, names()).map(|name| format!("\n\nhint: did you mean `{name}`?"));
        let hint = hint.unwrap_or_default();
        Err(D::Error::custom(format!("found {written}: the dialects are {list}{hint}")))
    }
}

impl JsonSchema for Spoken {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dialect".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

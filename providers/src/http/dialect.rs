//! The dialects in which servers are asked for vectors: how a request is written and its answer read. Adding one is a file here
//! and a line in [`DIALECTS`]. Knows no connection and no clock.

mod akidb;
mod ollama;
mod openai;
mod tei;
mod terms;
#[cfg(test)]
mod tests;
mod vectors;

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub(super) use terms::{Answer, Asked, Dialect, Texts, Unreadable};

use crate::nearest::nearest;

/// Every dialect there is; the first is spoken unless the scenario says otherwise.
const DIALECTS: &[Dialect] = &[openai::DIALECT, ollama::DIALECT, tei::DIALECT, akidb::DIALECT];

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

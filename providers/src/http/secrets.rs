//! Values that are sent and never written: options name the environment variables that hold them, and nothing that a server says
//! is shown before they were taken out of it.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::provider::ProviderError;

/// The longest name: longer ones are more likely keys.
const LONGEST_NAME: usize = 64;

/// The name of an environment variable, in capitals as is usual, so that no key of a service passes for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct VariableName(String);

impl VariableName {
    /// Its value.
    ///
    /// # Errors
    /// [`ProviderError::Option`] when it is not set, empty, or no text.
    pub(super) fn value(&self, key: &str) -> Result<String, ProviderError> {
        let fault = |why: String| ProviderError::Option { key: key.to_owned(), why };
        match std::env::var(&self.0) {
            Ok(value) if value.trim().is_empty() => {
                Err(fault(format!("the environment variable {} is empty", self.0)))
            }
            Ok(value) => Ok(value.trim().to_owned()),
            Err(std::env::VarError::NotPresent) => {
                Err(fault(format!("the environment variable {} is not set", self.0)))
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(fault(format!("the environment variable {} holds no text", self.0)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for VariableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let is_one = |name: &str| {
            let capital = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
            name.len() <= LONGEST_NAME
                && name.bytes().next().is_some_and(capital)
                && name.bytes().all(|byte| capital(byte) || byte.is_ascii_digit())
        };
        match value.as_str() {
            Some(name) if is_one(name) => Ok(Self(name.to_owned())),
            // It may be the key itself, so it is not repeated.
            _ => Err(D::Error::custom(
                "found what is no name of an environment variable: write the name of the variable that holds the \
                 value (capital letters, digits and `_`), never the value itself",
            )),
        }
    }
}

impl JsonSchema for VariableName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VariableName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z_][A-Z0-9_]*$", "maxLength": LONGEST_NAME })
    }
}

/// The values themselves.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Keeps a value from being shown.
    pub(super) fn add(&mut self, value: String) {
        // A value that is part of another must not leave the rest of it standing.
        self.0.push(value);
        self.0.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// The text without them.
    pub(super) fn hide(&self, text: String) -> String {
        self.0.iter().fold(text, |text, value| {
            if text.contains(value.as_str()) { text.replace(value.as_str(), "[hidden]") } else { text }
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} hidden", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_place_of_a_name_is_refused_and_not_repeated() {
        for key in ["sk-proj-Abc123", "abc123", "hf_Abc", "Bearer ABC", "", &"A".repeat(65)] {
            let fault = serde_json::from_value::<VariableName>(Value::from(key)).expect_err(key).to_string();
            assert!(fault.starts_with("found what is no name"), "{fault}");
            assert!(key.is_empty() || !fault.contains(key), "{fault}");
        }
        for name in ["OPENAI_API_KEY", "_KEY2"] {
            assert_eq!(
                serde_json::from_value::<VariableName>(Value::from(name)).unwrap(),
                VariableName(name.into())
            );
        }
    }

    #[test]
    fn a_secret_is_taken_out_of_a_text_with_the_longer_ones_first() {
        let mut secrets = Secrets::default();
        secrets.add("abc".to_owned());
        secrets.add("Bearer abc".to_owned());
        assert_eq!(secrets.hide("no `Bearer abc`, no abcd".to_owned()), "no `[hidden]`, no [hidden]d");
        assert_eq!(format!("{secrets:?}"), "2 hidden");
    }
}

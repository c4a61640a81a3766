//! What `http` can be told. Knows no connection.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper::Uri;
use hyper::header::{self, HeaderName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::dialect::Spoken;
use super::secrets::VariableName;
use crate::option_values::{Bounded, Delay, Dimensions, absolute_path};
use crate::options::{OptionFault, OptionSet};

/// Connections unless the scenario says otherwise. None is opened before a request needs it.
const USUAL_CONNECTIONS: u32 = 64;

/// Headers that belong to the connection and not to the user.
const OWN_HEADERS: [HeaderName; 6] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::ACCEPT_ENCODING,
];

/// Options of `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpOptions {
    /// The server's address. With a path it is the whole endpoint; without one, the dialect's path is asked.
    #[schemars(example = "http://127.0.0.1:8080")]
    pub(super) url: Address,
    /// How the server is asked.
    #[serde(default)]
    pub(super) dialect: Spoken,
    /// The server's name of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// How vectors come, in a dialect that has a choice: `base64` unless `float` is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encoding_format: Option<EncodingFormat>,
    /// The length of vectors that the server is asked for; its model's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dimensions: Option<Dimensions>,
    /// Connections at most, each with one request at a time; they are opened when they are needed and kept open.
    #[serde(default = "usual_connections")]
    pub(super) connections: Bounded<1, 4096>,
    /// A PEM file of the certificates to trust, in place of the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "absolute_path")]
    pub(super) ca_file: Option<PathBuf>,
    /// Headers of each request: the name of each, and the name of the environment variable that holds its value.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, VariableName>,
    /// The name of the environment variable that holds the key, which is sent as `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) api_key: Option<VariableName>,
    /// How tailmark starts the server, a fresh one for each restart; left out for one that runs already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<ServerOptions>,
}

/// How a server is started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerOptions {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// The path that answers 200 to 299 once the server is ready; left out, a connection is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ready: Option<String>,
    /// Environment variables that are set for it beside those it inherits.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// Its working folder; tailmark's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "absolute_path")]
    pub(super) cwd: Option<PathBuf>,
    /// How long it may take to get ready; `[deadlines] load` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ready_timeout: Option<Delay>,
}

impl ServerOptions {
    fn fault(&self) -> Option<String> {
        if self.command.first().is_none_or(String::is_empty) {
            return Some("`command` names no program; write it as [\"program\", \"argument\"]".to_owned());
        }
        if let Some(path) =
            self.ready.as_ref().filter(|path| !path.starts_with('/') || path.parse::<Uri>().is_err())
        {
            return Some(format!("`ready` is {path:?}; it must be a path that begins with /"));
        }
        let wrong = |name: &&String| name.is_empty() || name.contains(['=', '\0']);
        self.env.keys().find(wrong).map(|name| format!("`env` has {name:?}, which is no name of a variable"))
    }
}

fn usual_connections() -> Bounded<1, 4096> {
    Bounded::fixed(USUAL_CONNECTIONS)
}

/// How vectors come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EncodingFormat {
    /// As numbers in digits.
    Float,
    /// As base64 of their bytes: shorter, and read several times as fast.
    Base64,
}

impl OptionSet for HttpOptions {
    fn conflicts(&self) -> Vec<OptionFault> {
        let dialect = self.dialect.dialect();
        let mut faults = Vec::new();
        let mut fault = |key: &str, why: String| faults.push(OptionFault { key: key.to_owned(), why });
        let has_none = |what: &str| format!("the dialect `{}` has no {what}; remove it", dialect.name);
        if dialect.needs_model && self.model.is_none() {
            let why = format!("missing; the dialect `{}` names the model in each request", dialect.name);
            fault("model", why);
        }
        if self.encoding_format.is_some() && !dialect.has_encoding_format {
            fault("encoding_format", has_none("choice of encodings"));
        }
        if self.dimensions.is_some() && !dialect.has_dimensions {
            fault("dimensions", has_none("choice of lengths"));
        }
        if self.ca_file.is_some() && !self.url.tls {
            fault("ca_file", format!("`url` is {}, which is not encrypted; write https://", self.url));
        }
        if let Some(why) = self.server.as_ref().and_then(ServerOptions::fault) {
            fault("server", why);
        }
        for name in self.headers.keys() {
            match HeaderName::from_bytes(name.as_bytes()) {
                Ok(known) if OWN_HEADERS.contains(&known) => {
                    fault("headers", format!("`{name}` is set by tailmark"));
                }
                Ok(known) if known == header::AUTHORIZATION && self.api_key.is_some() => {
                    fault("headers", format!("`{name}` beside `api_key`, which sets it: give one of them"));
                }
                Ok(_) => {}
                Err(_) => fault("headers", format!("{name:?} is no name of a header")),
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::options::{check, resolve};

    fn faults(options: Value) -> Vec<String> {
        let options = options.as_object().expect("an object").clone();
        let faults = check::<HttpOptions>(&options).into_iter();
        faults.map(|fault| format!("{}: {}", fault.key, fault.why)).collect()
    }

    #[test]
    fn an_address_alone_will_do_and_defaults_are_written_out() {
        let options = json!({ "url": "http://127.0.0.1:8080" });
        assert_eq!(faults(options.clone()), Vec::<String>::new());
        let resolved = resolve::<HttpOptions>(options.as_object().expect("an object"));
        let expected = json!({
            "url": "http://127.0.0.1:8080", "dialect": "openai", "connections": 64, "headers": {}
        });
        assert_eq!(Value::Object(resolved), expected);
    }

    #[test]
    fn an_unknown_dialect_is_answered_with_the_nearest() {
        let found = faults(json!({ "url": "http://a", "dialect": "opneai" }));
        assert_eq!(
            found,
            [
                "dialect: found \"opneai\": the dialects are `openai`, `ollama`, `tei`, `akidb`\n\nhint: did you mean \
              `openai`?"
            ]
        );
    }

    #[test]
    fn what_a_dialect_does_not_have_is_refused() {
        let akidb =
            json!({ "url": "http://a", "dialect": "akidb", "encoding_format": "float", "dimensions": 8 });
        assert_eq!(
            faults(akidb),
            [
                "model: missing; the dialect `akidb` names the model in each request",
                "encoding_format: the dialect `akidb` has no choice of encodings; remove it",
                "dimensions: the dialect `akidb` has no choice of lengths; remove it",
            ]
        );
    }

    #[test]
    fn headers_are_names_of_variables_and_none_of_those_that_tailmark_sets() {
        let found = faults(json!({ "url": "http://a", "headers": { "Authorization": "Bearer hunter2" } }));
        assert!(found[0].starts_with("headers: found what is no name of"), "{found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
        let found = faults(json!({
            "url": "http://a", "api_key": "KEY",
            "headers": { "Host": "A", "authorization": "B", "no header": "C", "X-Mine": "D" }
        }));
        assert_eq!(
            found,
            [
                "headers: `Host` is set by tailmark",
                "headers: `authorization` beside `api_key`, which sets it: give one of them",
                "headers: \"no header\" is no name of a header",
            ]
        );
    }
}

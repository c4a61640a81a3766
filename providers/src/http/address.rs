//! The address of a server, read and checked before anything is sent.

use std::fmt;

use hyper::Uri;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The address of a server, as an option has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// As it was written.
    text: String,
    /// Whether the connection is encrypted.
    pub(super) tls: bool,
    /// A name or an address, without the brackets of IPv6.
    pub(super) host: String,
    /// 80 or 443 unless it is written.
    pub(super) port: u16,
    /// Host and port as the header `host` has them.
    pub(super) authority: String,
    /// The whole path; `None` when there is none, and the dialect says it.
    path: Option<String>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What was found and what is allowed; credentials are not repeated.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let quoted = format!("found {text:?}");
        if text.contains('@') {
            return Err("found credentials in it: name the environment variable that holds them, by `headers` or `api_key`"
                .to_owned());
        }
        let Some((scheme, _)) = text.split_once("://") else {
            return Err(format!("{quoted}: an address begins with http:// or https://"));
        };
        let tls = match scheme {
            "http" => false,
            "https" => true,
            other => return Err(format!("found the scheme {other}://: allowed are http:// and https://")),
        };
        if text.contains(['?', '#']) {
            // What is after it may be a key, so it is not repeated.
            return Err("found a `?` or `#` in it: an address ends with its path".to_owned());
        }
        let uri: Uri = text.parse().map_err(|fault| format!("{quoted}: {fault}"))?;
        let authority = uri.authority().ok_or_else(|| format!("{quoted}: it names no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(format!("{quoted}: it names no host"));
        }
        let port = match authority.port() {
            Some(port) if port.as_u16() == 0 => {
                return Err(format!("{quoted}: allowed are ports from 1 to 65535"));
            }
            Some(port) => port.as_u16(),
            // What follows the last colon was no number that a port can be.
            None if authority.as_str().len() > authority.host().len() => {
                return Err(format!("{quoted}: allowed are ports from 1 to 65535"));
            }
            None if tls => 443,
            None => 80,
        };
        let path = Some(uri.path()).filter(|path| *path != "/").map(str::to_owned);
        Ok(Self { text: text.to_owned(), tls, host, port, authority: authority.as_str().to_owned(), path })
    }

    /// The path of requests in a dialect that has this one; its own is the whole of it.
    pub(super) fn path<'a>(&'a self, dialects: &'a str) -> &'a str {
        self.path.as_deref().unwrap_or(dialects)
    }

    /// Where requests go, for a message.
    pub(super) fn endpoint(&self, dialects: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path(dialects))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text =
            value.as_str().ok_or_else(|| D::Error::custom("an address begins with http:// or https://"))?;
        Self::read(text).map_err(D::Error::custom)
    }
}

impl JsonSchema for Address {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^https?://[^@?#]+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_port_of_its_scheme_and_the_path_of_the_dialect_unless_it_has_its_own() {
        for (text, host, port, endpoint) in [
            ("http://localhost", "localhost", 80, "http://localhost/embed"),
            ("https://a.example/", "a.example", 443, "https://a.example/embed"),
            ("http://[::1]:8080", "::1", 8080, "http://[::1]:8080/embed"),
            ("http://10.0.0.1:7997/embeddings", "10.0.0.1", 7997, "http://10.0.0.1:7997/embeddings"),
        ] {
            let address = Address::read(text).expect(text);
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!(address.endpoint("/embed"), endpoint);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_is_allowed_and_no_credentials_are_repeated() {
        for (text, why) in [
            ("localhost:8080", "an address begins with http:// or https://"),
            ("ftp://a.example", "found the scheme ftp://: allowed are http:// and https://"),
            ("grpc://a.example", "found the scheme grpc://"),
            ("http://", "found \"http://\""),
            ("http://:80", "found \"http://:80\""),
            ("http://a.example:0", "allowed are ports from 1 to 65535"),
            ("http://a.example:99999", "found \"http://a.example:99999\""),
        ] {
            let found = Address::read(text).expect_err(text);
            assert!(found.contains(why), "{text}: {found}");
        }
        for text in ["http://me:hunter2@a.example", "http://a.example/?key=hunter2"] {
            let found = Address::read(text).expect_err(text);
            assert!(!found.contains("hunter2"), "{found}");
        }
    }
}

//! Why a request has no vectors, in one line: what happened, what the server said of it, and what to do.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::{Mutex, PoisonError};

use hyper::header::{LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};
use serde_json::Value;

/// How much of what a server says is quoted, in characters.
const QUOTED_CHARACTERS: usize = 160;

/// What kind of fault it is: of each kind, the first message stands for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FaultKind {
    /// The name of the host is not known.
    Name,
    /// No connection.
    Connect,
    /// No encrypted one.
    Tls,
    /// The connection ended before the answer did.
    Closed,
    /// The answer is no HTTP, or its head is too long.
    Head,
    /// The body is longer than any answer.
    TooLong,
    /// An answer with another status than 200.
    Status(u16),
    /// The body is not what the dialect answers.
    Body,
}

/// A request without vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) why: String,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }

    /// What became of a connection while it was used.
    pub(super) fn of_connection(error: &hyper::Error) -> Self {
        if error.is_parse() {
            let why = format!(
                "the head of its answer cannot be read ({error}; it must be HTTP/1.1, and at most 128 kB); look at the \
                 scheme and the port of `url`, and at what stands in between"
            );
            return Self::new(FaultKind::Head, why);
        }
        let why = match system_error(error) {
            Some(cause) => format!("the connection broke before the answer was complete: {cause}"),
            None => "the server closed the connection before its answer was complete".to_owned(),
        };
        Self::new(FaultKind::Closed, format!("{why}; look at the server's log"))
    }

    /// An answer with another status than 200.
    pub(super) fn of_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(quoted);
        let mut why = status.to_string();
        if status.is_redirection() {
            let to = text(LOCATION).unwrap_or_else(|| "nowhere".to_owned());
            why.push_str(&format!(" to {to}; redirects are not followed: write where it leads in `url`"));
            return Self::new(FaultKind::Status(status.as_u16()), why);
        }
        if let Some(after) = text(RETRY_AFTER) {
            why.push_str(&format!(" (Retry-After: {after}; nothing is sent again)"));
        }
        let said = said(body);
        if !said.is_empty() {
            why.push_str(&format!(": {said}"));
        }
        if let Some(remedy) = remedy(status) {
            why.push_str(&format!("; {remedy}"));
        }
        Self::new(FaultKind::Status(status.as_u16()), why)
    }

    /// A body of status 200 that the dialect cannot read.
    pub(super) fn of_body(dialect: &str, cause: &dyn Error, body: &[u8]) -> Self {
        let begins = match quoted(&String::from_utf8_lossy(&body[..body.len().min(4 * QUOTED_CHARACTERS)])) {
            nothing if nothing.is_empty() => "it is empty".to_owned(),
            words => format!("it begins `{words}`"),
        };
        let why = format!(
            "200 OK, and its body is no answer of the dialect `{dialect}` ({cause}): {begins}; look at `url` and `dialect`"
        );
        Self::new(FaultKind::Body, why)
    }
}

fn remedy(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        401 | 403 => Some("name the environment variable with its key in `api_key`, or in `headers`"),
        404 | 405 => {
            Some("look at `url`, `dialect` and `model`: an address with a path is the whole endpoint")
        }
        400 | 413 | 422 => Some(
            "it may take fewer or shorter texts in a request (`batch_size`), or no such `model`, `encoding_format` or \
             `dimensions`",
        ),
        429 | 503 => Some("offer fewer requests, or allow the server more"),
        500.. => Some("look at the server's log"),
        _ => None,
    }
}

/// What the body of an error says: its message, where it is JSON as servers write it.
fn said(body: &[u8]) -> String {
    let message = serde_json::from_slice::<Value>(body).ok().and_then(|value| {
        let error = value.get("error").unwrap_or(&value);
        let of = |key: &str| error.get(key).and_then(Value::as_str);
        let found = error.as_str().or_else(|| of("message")).or_else(|| of("detail"));
        found.map(quoted)
    });
    message
        .unwrap_or_else(|| quoted(&String::from_utf8_lossy(&body[..body.len().min(4 * QUOTED_CHARACTERS)])))
}

/// A text in one line that steers no terminal.
fn quoted(text: &str) -> String {
    let text: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(QUOTED_CHARACTERS) {
        words.truncate(end);
        words.push_str("...");
    }
    words
}

fn system_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = error.source();
    while let Some(found) = cause {
        if let Some(system) = found.downcast_ref() {
            return Some(system);
        }
        cause = found.source();
    }
    None
}

/// The first message of each kind. Later ones may tell of other times and other requests, and would each be a reason of their own.
#[derive(Debug, Default)]
pub(super) struct FirstOfEachKind(Mutex<BTreeMap<FaultKind, String>>);

impl FirstOfEachKind {
    pub(super) fn message(&self, fault: Fault) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(fault.kind).or_insert(fault.why).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, headers: &[(&'static str, &str)], body: &str) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Fault::of_status(StatusCode::from_u16(status).unwrap(), &map, body.as_bytes()).why
    }

    #[test]
    fn a_status_says_what_the_server_said_and_what_to_do() {
        let told = [
            of(429, &[("retry-after", "7")], r#"{"error":{"message":"slow down","type":"x"}}"#),
            of(503, &[], r#"{"error":"Model is overloaded","error_type":"overloaded"}"#),
            of(401, &[], ""),
            of(404, &[], "<html>\n<b>nginx</b>\u{1b}[31m"),
            of(422, &[], r#"{"detail":"batch size 64 > 32"}"#),
            of(307, &[("location", "https://b.example/embed")], ""),
            of(418, &[], &"a".repeat(500)),
        ];
        insta::assert_snapshot!(told.join("\n"), @r#"
    429 Too Many Requests (Retry-After: 7; nothing is sent again): slow down; offer fewer requests, or allow the server more
    503 Service Unavailable: Model is overloaded; offer fewer requests, or allow the server more
    401 Unauthorized; name the environment variable with its key in `api_key`, or in `headers`
    404 Not Found: <html> <b>nginx</b> [31m; look at `url`, `dialect` and `model`: an address with a path is the whole endpoint
    422 Unprocessable Entity: batch size 64 > 32; it may take fewer or shorter texts in a request (`batch_size`), or no such `model`, `encoding_format` or `dimensions`
    307 Temporary Redirect to https://b.example/embed; redirects are not followed: write where it leads in `url`
    418 I'm a teapot: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...
    "#);
    }

    #[test]
    fn the_first_of_each_kind_stands_for_all() {
        let first = FirstOfEachKind::default();
        let message = |status: u16, why: &str| first.message(Fault::new(FaultKind::Status(status), why));
        assert_eq!(message(503, "after 1 s"), "after 1 s");
        assert_eq!(message(503, "after 2 s"), "after 1 s");
        assert_eq!(message(500, "broken"), "broken");
    }
}

//! What a line of the wire means: requests and answers as data, to bytes and back, with no process and no stream.
//!
//! Reading borrows from the line; texts and vectors are copied once, into where they are used.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::method::Method;
use super::refusal::Refusal;
use crate::provider::ProviderError;

/// A program and its version: who calls, who serves, in which language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Params of `initialize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The version of the protocol that the caller speaks.
    pub protocol: u32,
    /// Who calls.
    pub client: Peer,
}

/// Result of `initialize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The version of the protocol that the worker speaks.
    pub protocol: u32,
    /// The backend served, as named on the command line.
    pub kind: String,
    /// Who serves.
    pub worker: Peer,
    /// The language it is written in.
    pub language: Peer,
}

/// How vectors travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Base64 of little-endian binary32: a quarter of the characters, a tenth of the time.
    #[default]
    Base64,
    /// Arrays of numbers, for people with a pipe and a pair of eyes.
    Float,
}

/// Params of `embed` as the worker reads them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedParams {
    /// The texts.
    pub texts: Vec<Arc<str>>,
    /// Whether each vector is scaled to length one.
    pub normalize: bool,
    /// How the vectors travel back.
    #[serde(default)]
    pub encoding: Encoding,
}

/// Params of `embed` as the client writes them, borrowed from the request.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct EmbedParamsRef<'a> {
    pub(super) texts: &'a [Arc<str>],
    pub(super) normalize: bool,
    pub(super) encoding: Encoding,
}

/// A request as it was read.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The id as it was written; `None` for a notification, which is not answered.
    pub id: Option<&'a str>,
    /// The method's name.
    pub method: Cow<'a, str>,
    /// The params as they were written.
    pub params: Option<&'a RawValue>,
}

/// An answer as it was read.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    /// The id of the request it answers.
    pub id: u64,
    /// The result as it was written, or the refusal.
    pub outcome: Result<&'a RawValue, Refusal>,
}

/// A member that is there with the value `null` is not the same as one that is missing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct RequestMembers<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ReplyMembers<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A string that borrows if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a request.
///
/// # Errors
/// The refusal to answer with, and the id to answer it under (`None` is written as `null`).
pub fn read_request(line: &[u8]) -> Result<Request<'_>, (Option<&str>, Refusal)> {
    let text = std::str::from_utf8(line).map_err(|fault| (None, Refusal::not_json(&fault.to_string())))?;
    // A struct may be read from an array as well, so the shape is looked at first.
    if !text.trim_ascii_start().starts_with('{') {
        return Err((None, not_an_object(text)));
    }
    let members: RequestMembers<'_> = serde_json::from_str(text).map_err(|fault| {
        let refuse = if fault.is_data() { Refusal::not_a_request } else { Refusal::not_json };
        (None, refuse(&fault.to_string()))
    })?;
    let id = members.id.map(RawValue::get);
    if id.is_some_and(|id| !is_id(id)) {
        return Err((None, Refusal::not_a_request("`id` must be an integer or a string")));
    }
    if members.jsonrpc.map(RawValue::get) != Some("\"2.0\"") {
        return Err((id, Refusal::not_a_request("`jsonrpc` must be \"2.0\"")));
    }
    let Some(method) = members.method else {
        return Err((id, Refusal::not_a_request("it has no `method`")));
    };
    match serde_json::from_str::<Text<'_>>(method.get()) {
        Ok(Text(method)) => Ok(Request { id, method, params: members.params }),
        Err(_) => Err((id, Refusal::not_a_request("`method` must be a string"))),
    }
}

/// Whether an id can be answered under as it was written: a number with a fraction or an exponent, or one that is too long, may
/// be none that the other side can read.
fn is_id(written: &str) -> bool {
    written.starts_with('"') || written.parse::<u64>().is_ok() || written.parse::<i64>().is_ok()
}

fn not_an_object(text: &str) -> Refusal {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Err(fault) => Refusal::not_json(&fault.to_string()),
        Ok(_) if text.trim_ascii_start().starts_with('[') => {
            Refusal::not_a_request("batches are not taken; send one message per line")
        }
        Ok(_) => Refusal::not_a_request("an object is expected"),
    }
}

/// Reads an answer.
///
/// # Errors
/// A fragment that says why the line is not one.
pub fn read_reply(line: &[u8]) -> Result<Reply<'_>, String> {
    let text = std::str::from_utf8(line).map_err(|fault| format!("not UTF-8: {fault}"))?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err("not a JSON object".to_owned());
    }
    let members: ReplyMembers<'_> =
        serde_json::from_str(text).map_err(|fault| format!("not JSON: {fault}"))?;
    if members.jsonrpc.map(RawValue::get) != Some("\"2.0\"") {
        return Err("`jsonrpc` is not \"2.0\"".to_owned());
    }
    let id = members.id.ok_or("it has no `id`")?.get();
    let outcome =
        match (members.result, members.error) {
            (Some(result), None) => Ok(result),
            (None, Some(error)) => Err(serde_json::from_str::<Refusal>(error.get())
                .map_err(|fault| format!("its `error`: {fault}"))?),
            (None, None) => return Err("it has neither `result` nor `error`".to_owned()),
            (Some(_), Some(_)) => return Err("it has both `result` and `error`".to_owned()),
        };
    match (id.parse(), outcome) {
        (Ok(id), outcome) => Ok(Reply { id, outcome }),
        (Err(_), Err(refusal)) => Err(format!("an error under the id {id}: {}", refusal.message)),
        (Err(_), Ok(_)) => Err(format!("the id {id} was never asked")),
    }
}

/// Reads the params of `method`.
///
/// # Errors
/// The refusal to answer with.
pub fn read_params<'a, T: Deserialize<'a>>(
    method: Method,
    params: Option<&'a RawValue>,
) -> Result<T, Refusal> {
    let params = params.ok_or_else(|| Refusal::bad_params(method, "its params are missing"))?.get();
    if !params.starts_with('{') {
        return Err(Refusal::bad_params(method, "its params must be an object"));
    }
    serde_json::from_str(params).map_err(|fault| Refusal::bad_params(method, &fault.to_string()))
}

/// Reads the result of `method`.
///
/// # Errors
/// [`ProviderError::Protocol`] naming what is wrong with it.
pub fn read_result<'a, T: Deserialize<'a>>(method: &str, result: &'a RawValue) -> Result<T, ProviderError> {
    serde_json::from_str(result.get()).map_err(|fault| unreadable(method, &fault))
}

/// The failure of a request whose result has the wrong shape.
pub(super) fn unreadable(method: &str, fault: &serde_json::Error) -> ProviderError {
    ProviderError::Protocol {
        found: format!("a result of `{method}` that cannot be read ({fault})"),
        expected: format!("the members that the protocol gives the result of `{method}`"),
    }
}

#[derive(Serialize)]
struct RequestLine<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a P>,
}

/// Appends a request and its line break to the buffer.
///
/// # Errors
/// When the params cannot be JSON (a path that is not UTF-8); the buffer is then as it was.
pub fn write_request<P: Serialize>(
    buffer: &mut Vec<u8>,
    id: u64,
    method: &str,
    params: Option<&P>,
) -> Result<(), serde_json::Error> {
    let before = buffer.len();
    let line = RequestLine { jsonrpc: "2.0", id, method, params };
    serde_json::to_writer(&mut *buffer, &line).inspect_err(|_| buffer.truncate(before))?;
    buffer.push(b'\n');
    Ok(())
}

/// Appends an answer and its line break to the buffer. `id` is written as it was read.
///
/// # Errors
/// When the result cannot be JSON; the buffer is then as it was.
pub fn write_result<R: Serialize>(
    buffer: &mut Vec<u8>,
    id: &str,
    result: &R,
) -> Result<(), serde_json::Error> {
    let before = buffer.len();
    begin_answer(buffer, id);
    buffer.extend_from_slice(b",\"result\":");
    serde_json::to_writer(&mut *buffer, result).inspect_err(|_| buffer.truncate(before))?;
    buffer.extend_from_slice(b"}\n");
    Ok(())
}

/// Appends a refusal and its line break to the buffer. Without an id it is written under `null`.
pub fn write_refusal(buffer: &mut Vec<u8>, id: Option<&str>, refusal: &Refusal) {
    begin_answer(buffer, id.unwrap_or("null"));
    buffer.extend_from_slice(b",\"error\":");
    serde_json::to_writer(&mut *buffer, refusal)
        .expect("numbers, strings and maps are always JSON: this is a bug");
    buffer.extend_from_slice(b"}\n");
}

/// The members that every answer starts with.
pub(super) fn begin_answer(buffer: &mut Vec<u8>, id: &str) {
    buffer.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    buffer.extend_from_slice(id.as_bytes());
}

#[cfg(test)]
mod tests;

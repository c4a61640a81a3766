//! The error object of an answer, and its two translations: from a backend's failure to a code, and from a code back
//! to the failure the caller sees. Knows nothing of streams.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::method::Method;
use crate::provider::ProviderError;

/// The line is not JSON.
pub const NOT_JSON: i64 = -32700;
/// JSON, and not a request.
pub const NOT_A_REQUEST: i64 = -32600;
/// No such method.
pub const UNKNOWN_METHOD: i64 = -32601;
/// Params missing or of the wrong type.
pub const BAD_PARAMS: i64 = -32602;
/// The worker itself failed, for example by a panic in the backend.
pub const INTERNAL: i64 = -32603;
/// Not available on this machine.
pub const NOT_AVAILABLE: i64 = 1;
/// A file of the model is missing or unreadable.
pub const MODEL_FILE: i64 = 2;
/// An option is unknown or has a value that is not allowed.
pub const OPTION: i64 = 3;
/// The model could not be loaded.
pub const LOAD: i64 = 4;
/// Embedding failed.
pub const EMBED: i64 = 5;
/// Asked too early: `embed` before `load`, or anything before `initialize`.
pub const TOO_EARLY: i64 = 6;

/// Why a request was not done: the `error` member of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// One of the codes of this module.
    pub code: i64,
    /// One sentence for a person.
    pub message: String,
    /// The parts of the message, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Refusal {
    fn plain(code: i64, message: String) -> Refusal {
        Refusal { code, message, data: None }
    }

    /// The line is not JSON.
    #[must_use]
    pub fn not_json(why: &str) -> Refusal {
        Refusal::plain(NOT_JSON, format!("the line is not JSON: {why}"))
    }

    /// The line is JSON and not a request.
    #[must_use]
    pub fn not_a_request(why: &str) -> Refusal {
        Refusal::plain(NOT_A_REQUEST, format!("not a request: {why}"))
    }

    /// No such method; the message lists those there are.
    #[must_use]
    pub fn unknown_method(name: &str) -> Refusal {
        let known = Method::ALL.map(Method::name).join(", ");
        Refusal::plain(UNKNOWN_METHOD, format!("unknown method `{name}`; the known ones are {known}"))
    }

    /// Params missing or of the wrong type.
    #[must_use]
    pub fn bad_params(method: Method, why: &str) -> Refusal {
        Refusal::plain(BAD_PARAMS, format!("`{}`: {why}", method.name()))
    }

    /// `method` was asked before `first`, which has to come first.
    #[must_use]
    pub fn too_early(method: Method, first: Method) -> Refusal {
        Refusal::plain(TOO_EARLY, format!("`{}` before `{}`", method.name(), first.name()))
    }

    /// The worker itself failed.
    #[must_use]
    pub fn internal(why: &str) -> Refusal {
        Refusal::plain(INTERNAL, why.to_owned())
    }

    /// What a backend's failure is on the wire. Failures that have no code of their own are told by the method they
    /// happened in.
    #[must_use]
    pub fn of(method: Method, error: &ProviderError) -> Refusal {
        let (code, data) = match error {
            ProviderError::NotAvailable { what, why } => (NOT_AVAILABLE, json!({ "what": what, "why": why })),
            ProviderError::ModelFile { path, why } => {
                (MODEL_FILE, json!({ "path": path.to_string_lossy(), "why": why }))
            }
            ProviderError::Option { key, why } => (OPTION, json!({ "key": key, "why": why })),
            ProviderError::Load(why) => (LOAD, json!({ "why": why })),
            ProviderError::Embed(why) => (EMBED, json!({ "why": why })),
            other if method == Method::Load => (LOAD, json!({ "why": other.to_string() })),
            other => (EMBED, json!({ "why": other.to_string() })),
        };
        Refusal { code, message: error.to_string(), data: Some(data) }
    }

    /// What the caller of `method` sees. A part that `data` lacks is filled in from the message, because a worker whose
    /// reason is in the wrong place still has a reason.
    #[must_use]
    pub fn into_error(self, method: &str) -> ProviderError {
        let part = |name: &str| self.data.as_ref().and_then(|data| data.get(name)).and_then(Value::as_str);
        let why = part("why").unwrap_or(&self.message).to_owned();
        match self.code {
            NOT_AVAILABLE => {
                let what = part("what").unwrap_or("what was asked for").to_owned();
                ProviderError::NotAvailable { what, why }
            }
            MODEL_FILE => {
                ProviderError::ModelFile { path: PathBuf::from(part("path").unwrap_or("(not named)")), why }
            }
            OPTION => ProviderError::Option { key: part("key").unwrap_or("(not named)").to_owned(), why },
            LOAD => ProviderError::Load(why),
            EMBED => ProviderError::Embed(why),
            // The protocol did without `prove` at first, so a worker need not know it.
            UNKNOWN_METHOD if method == Method::Prove.name() => ProviderError::NotAvailable {
                what: "a proof of what executed the model".to_owned(),
                why: "the worker does not know the method `prove`".to_owned(),
            },
            INTERNAL if method == Method::Load.name() => ProviderError::Load(why),
            INTERNAL if method == Method::Embed.name() => ProviderError::Embed(why),
            code => ProviderError::Protocol {
                found: format!("error {code} to `{method}` ({})", self.message),
                expected: "a result, or an error that belongs to the method".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_failure_of_a_backend_survives_the_wire() {
        let failures = [
            ProviderError::NotAvailable {
                what: "device `mps`".into(),
                why: "torch was built without it".into(),
            },
            ProviderError::ModelFile { path: "/models/a/model.onnx".into(), why: "no such file".into() },
            ProviderError::Option { key: "threads".into(), why: "0 is less than 1".into() },
            ProviderError::Load("out of memory".into()),
            ProviderError::Embed("shape mismatch".into()),
        ];
        for failure in failures {
            let line = serde_json::to_string(&Refusal::of(Method::Load, &failure)).unwrap();
            let refusal: Refusal = serde_json::from_str(&line).unwrap();
            assert_eq!(refusal.message, failure.to_string());
            assert_eq!(refusal.into_error("load"), failure);
        }
    }

    #[test]
    fn a_failure_without_a_code_is_told_by_its_method() {
        let timeout = ProviderError::Timeout { method: "run".into(), after: Duration::from_secs(1) };
        let embed = Refusal::of(Method::Embed, &timeout);
        assert_eq!(embed.code, EMBED);
        assert_eq!(embed.into_error("embed"), ProviderError::Embed("no answer to `run` within 1s".into()));
        assert_eq!(Refusal::of(Method::Load, &timeout).code, LOAD);
    }

    #[test]
    fn a_reason_that_is_only_in_the_message_is_not_lost() {
        let refusal = Refusal { code: OPTION, message: "colour is not an option".into(), data: None };
        let why = "colour is not an option".to_owned();
        assert_eq!(refusal.into_error("load"), ProviderError::Option { key: "(not named)".into(), why });
    }

    #[test]
    fn a_refusal_of_the_request_itself_is_a_broken_protocol() {
        let error = Refusal::unknown_method("rerank").into_error("rerank");
        insta::assert_snapshot!(error, @"the worker broke the protocol: error -32601 to `rerank` (unknown method `rerank`; the known ones are initialize, load, embed, prove, ping, shutdown), expected a result, or an error that belongs to the method");
    }

    #[test]
    fn a_worker_that_does_not_know_prove_is_within_the_protocol() {
        let error = Refusal::unknown_method("prove").into_error("prove");
        insta::assert_snapshot!(error, @"a proof of what executed the model is not available here: the worker does not know the method `prove`");
    }

    #[test]
    fn a_panic_in_the_worker_fails_the_request_it_happened_in() {
        let refusal = Refusal::internal("the backend panicked: index out of bounds");
        let why = "the backend panicked: index out of bounds".to_owned();
        assert_eq!(refusal.clone().into_error("embed"), ProviderError::Embed(why.clone()));
        assert_eq!(refusal.into_error("load"), ProviderError::Load(why));
    }
}

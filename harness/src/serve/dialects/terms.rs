//! What a dialect is, what is asked in it, and what is answered. Does not know which dialects there are.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use tailmark_providers::provider::Runs;

use crate::serve::service::{Answer, Refusal};

/// How vectors are asked for and given.
#[derive(Debug)]
pub struct Dialect {
    /// As the kind `http` and the metrics call it.
    pub name: &'static str,
    /// Where vectors are asked for, by `POST`.
    pub path: &'static str,
    /// What is told of the server, by `GET`.
    pub info: &'static [Info],
    /// The status for more texts than are taken.
    pub too_many_texts: StatusCode,
    /// Reads a request's body.
    pub read: fn(&[u8]) -> Result<Asked, Fault>,
    /// Writes the answer.
    pub write: fn(&Written<'_>) -> Said,
    /// Writes a refusal.
    pub refuse: fn(&Fault) -> Value,
}

/// Something that is told of the server.
#[derive(Debug)]
pub struct Info {
    /// Where.
    pub path: &'static str,
    /// What.
    pub tell: fn(&About) -> Value,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// In their order.
    pub texts: Vec<Arc<str>>,
    /// The model's name; `None` in a dialect or a request that names none.
    pub model: Option<String>,
    /// Whether vectors are to have length one.
    pub normalize: bool,
    /// The length of vectors that is expected.
    pub dimensions: Option<u64>,
    /// Whether vectors are to come in base64.
    pub base64: bool,
    /// Whether texts that are too long are cut, and are no fault.
    pub truncate: bool,
}

/// What is known of what is served.
#[derive(Clone, Debug)]
pub struct About {
    /// The name that requests have for the model.
    pub model: String,
    /// Length of its vectors.
    pub dimensions: u32,
    /// Texts are cut to so many tokens; `None` without a model.
    pub max_tokens: Option<u32>,
    /// How its tokens are pooled; `None` without a model.
    pub pooling: Option<String>,
    /// What runs.
    pub runs: Runs,
    /// Texts in a request.
    pub max_texts: usize,
    /// Requests that are here at once, at most.
    pub max_requests: usize,
    /// When the model was there, in seconds since 1970.
    pub since: i64,
}

/// What an answer is written of.
#[derive(Debug)]
pub struct Written<'a> {
    /// What was asked.
    pub asked: &'a Asked,
    /// What came of it.
    pub answer: &'a Answer,
    /// What is served.
    pub about: &'a About,
}

/// An answer as it goes out.
#[derive(Debug)]
pub struct Said {
    /// Beside its type and its length.
    pub headers: HeaderMap,
    /// JSON.
    pub body: Vec<u8>,
}

/// Why there are no vectors, on the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The status.
    pub status: StatusCode,
    /// One word for programs and for the metrics.
    pub code: &'static str,
    /// What was found, the rule, and what to do.
    pub message: String,
    /// When to come again, in seconds.
    pub retry_seconds: Option<u64>,
}

impl Fault {
    /// A fault without a time to come again.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_seconds: None }
    }

    /// A request that says something that cannot be done.
    #[must_use]
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// Why the service has no vectors, with this status for more texts than are taken.
    #[must_use]
    pub fn of(refusal: &Refusal, too_many_texts: StatusCode) -> Self {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let (status, code, retry_seconds) = match refusal {
            Refusal::NotReady => (unavailable, "not_ready", Some(1)),
            Refusal::Ending => (unavailable, "ending", None),
            Refusal::QueueFull { retry_seconds, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "queue_full", Some(*retry_seconds))
            }
            Refusal::NoTexts => (StatusCode::BAD_REQUEST, "invalid_request", None),
            Refusal::TooManyTexts { .. } => (too_many_texts, "too_many_texts", None),
            Refusal::Lost => (unavailable, "worker_lost", Some(1)),
            Refusal::TooLate(_) => (StatusCode::GATEWAY_TIMEOUT, "too_late", None),
            Refusal::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "backend_failed", None),
        };
        Self { status, code, message: refusal.to_string(), retry_seconds }
    }
}

/// The texts at a key: a string, or a list of strings.
pub(super) fn texts(key: &str, value: Option<Value>) -> Result<Vec<Arc<str>>, Fault> {
    let Some(value) = value else {
        return Err(Fault::bad(format!("`{key}` is missing; it is a text or a list of texts")));
    };
    match value {
        Value::String(text) => Ok(vec![text.into()]),
        Value::Array(items) => {
            items.into_iter().enumerate().map(|(index, item)| one_of(key, index, item)).collect()
        }
        other => Err(Fault::bad(format!("`{key}` is {}; write a text or a list of texts", name_of(&other)))),
    }
}

fn one_of(key: &str, index: usize, item: Value) -> Result<Arc<str>, Fault> {
    match item {
        Value::String(text) => Ok(text.into()),
        Value::Number(_) | Value::Array(_) => Err(Fault::bad(format!(
            "`{key}[{index}]` is {}; token numbers are not taken, because they may be those of another tokenizer: \
             send texts",
            name_of(&item)
        ))),
        other => Err(Fault::bad(format!("`{key}[{index}]` is {}; write a text", name_of(&other)))),
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A body that is no JSON, or has a key of another type.
pub(super) fn unreadable(error: &serde_json::Error) -> Fault {
    Fault::bad(format!("the body cannot be read: {error}; it must be a JSON object of this path's keys"))
}

/// What a request says yes or no to.
pub(super) fn yes() -> bool {
    true
}

/// The times of an answer as Text Embeddings Inference tells them: whole milliseconds, rounded down. What the backend does not
/// tell is left out.
pub(super) fn times(answer: &Answer, asked: &Asked) -> HeaderMap {
    let stages = &answer.embeddings.stages;
    let ms = |ns: u64| ns / 1_000_000;
    let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let characters: usize = asked.texts.iter().map(|text| text.chars().count()).sum();
    let told = [
        ("x-total-time", Some(ms(nanoseconds(answer.total)))),
        ("x-queue-time", Some(ms(nanoseconds(answer.waited)))),
        ("x-tokenization-time", stages.tokenize_ns.map(ms)),
        ("x-inference-time", stages.infer_ns.map(ms)),
        ("x-compute-time", stages.worker_ns.map(ms)),
        ("x-compute-tokens", answer.embeddings.tokens().map(u64::from)),
        ("x-compute-characters", Some(characters as u64)),
    ];
    let told = told
        .into_iter()
        .filter_map(|(name, number)| Some((HeaderName::from_static(name), HeaderValue::from(number?))));
    told.collect()
}

/// JSON of an answer; its numbers are finite and its keys are texts, so there is always one.
pub(super) fn json(body: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("an answer is JSON: this is a bug")
}

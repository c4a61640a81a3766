//! `akidb`: `POST /api/v1/embed`.

use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::terms::{self, Asked, Dialect, Fault, Said, Written};

pub(super) const DIALECT: Dialect = Dialect {
    name: "akidb",
    path: "/api/v1/embed",
    info: &[],
    too_many_texts: StatusCode::BAD_REQUEST,
    read,
    write,
    refuse,
};

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    inputs: Option<Value>,
    #[serde(default = "terms::yes")]
    normalize: bool,
}

#[derive(Serialize)]
struct Response<'a> {
    model: &'a str,
    embeddings: Vec<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Usage {
    total_tokens: u32,
    /// Milliseconds, with their fractions.
    duration_ms: f64,
}

fn read(body: &[u8]) -> Result<Asked, Fault> {
    let request: Request = serde_json::from_slice(body).map_err(|error| terms::unreadable(&error))?;
    let Some(model) = request.model else {
        return Err(Fault::bad("`model` is missing; write the name of the model that is served"));
    };
    Ok(Asked {
        texts: terms::texts("inputs", request.inputs)?,
        model: Some(model),
        normalize: request.normalize,
        dimensions: None,
        base64: false,
        truncate: true,
    })
}

fn write(Written { answer, about, .. }: &Written<'_>) -> Said {
    let duration_ms = answer.total.as_secs_f64() * 1e3;
    let tokens = answer.embeddings.tokens();
    let body = Response {
        model: &about.model,
        embeddings: answer.embeddings.rows().collect(),
        usage: tokens.map(|total_tokens| Usage { total_tokens, duration_ms }),
    };
    Said { headers: HeaderMap::new(), body: terms::json(&body) }
}

fn refuse(fault: &Fault) -> Value {
    json!({ "error": { "code": fault.code, "message": fault.message } })
}

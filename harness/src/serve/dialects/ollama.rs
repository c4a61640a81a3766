//! `ollama`: `POST /api/embed`. The body tells the server's own times in nanoseconds.

use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::terms::{self, Asked, Dialect, Fault, Said, Written};

pub(super) const DIALECT: Dialect = Dialect {
    name: "ollama",
    path: "/api/embed",
    info: &[],
    too_many_texts: StatusCode::BAD_REQUEST,
    read,
    write,
    refuse,
};

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    input: Option<Value>,
    #[serde(default = "terms::yes")]
    truncate: bool,
    dimensions: Option<u64>,
}

#[derive(Serialize)]
struct Response<'a> {
    model: &'a str,
    embeddings: Vec<&'a [f32]>,
    total_duration: u64,
    /// The model was loaded before anybody asked.
    load_duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_eval_count: Option<u32>,
}

fn read(body: &[u8]) -> Result<Asked, Fault> {
    let request: Request = serde_json::from_slice(body).map_err(|error| terms::unreadable(&error))?;
    let Some(model) = request.model else {
        return Err(Fault::bad("`model` is missing; write the name of the model that is served"));
    };
    Ok(Asked {
        texts: terms::texts("input", request.input)?,
        // Ollama's clients add the tag that is meant where none is written.
        model: Some(model.strip_suffix(":latest").unwrap_or(&model).to_owned()),
        normalize: true,
        dimensions: request.dimensions,
        base64: false,
        truncate: request.truncate,
    })
}

fn write(Written { answer, about, .. }: &Written<'_>) -> Said {
    let body = Response {
        model: &about.model,
        embeddings: answer.embeddings.rows().collect(),
        total_duration: u64::try_from(answer.total.as_nanos()).unwrap_or(u64::MAX),
        load_duration: 0,
        prompt_eval_count: answer.embeddings.tokens(),
    };
    Said { headers: HeaderMap::new(), body: terms::json(&body) }
}

fn refuse(fault: &Fault) -> Value {
    json!({ "error": fault.message })
}

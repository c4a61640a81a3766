//! `openai`: `POST /v1/embeddings` and `GET /v1/models`.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::terms::{self, About, Asked, Dialect, Fault, Info, Said, Written};

pub(super) const DIALECT: Dialect = Dialect {
    name: "openai",
    path: "/v1/embeddings",
    info: &[Info { path: "/v1/models", tell: models }],
    too_many_texts: StatusCode::BAD_REQUEST,
    read,
    write,
    refuse,
};

#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    input: Option<Value>,
    encoding_format: Option<String>,
    dimensions: Option<u64>,
}

#[derive(Serialize)]
struct Response<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    model: &'a str,
    /// Left out where the backend does not count tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: usize,
    embedding: Row<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Numbers(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u32,
    total_tokens: u32,
}

fn read(body: &[u8]) -> Result<Asked, Fault> {
    let request: Request = serde_json::from_slice(body).map_err(|error| terms::unreadable(&error))?;
    let base64 = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            return Err(Fault::bad(format!("`encoding_format` is {other:?}; write \"float\" or \"base64\"")));
        }
    };
    Ok(Asked {
        texts: terms::texts("input", request.input)?,
        model: request.model,
        normalize: true,
        dimensions: request.dimensions,
        base64,
        truncate: true,
    })
}

fn write(Written { asked, answer, about }: &Written<'_>) -> Said {
    let rows = answer.embeddings.rows().enumerate().map(|(index, row)| Item {
        object: "embedding",
        index,
        embedding: if asked.base64 { Row::Base64(in_base64(row)) } else { Row::Numbers(row) },
    });
    let usage = answer.embeddings.tokens();
    let body = Response {
        object: "list",
        data: rows.collect(),
        model: &about.model,
        usage: usage.map(|tokens| Usage { prompt_tokens: tokens, total_tokens: tokens }),
    };
    Said { headers: terms::times(answer, asked), body: terms::json(&body) }
}

/// Little-endian numbers of 32 bits, as OpenAI's clients read them.
fn in_base64(row: &[f32]) -> String {
    STANDARD.encode(row.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

fn refuse(fault: &Fault) -> Value {
    let kind = match fault.status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    json!({ "error": { "message": fault.message, "type": kind, "param": null, "code": fault.code } })
}

fn models(about: &About) -> Value {
    json!({
        "object": "list",
        "data": [{ "id": about.model, "object": "model", "created": about.since, "owned_by": "tailmark" }],
    })
}

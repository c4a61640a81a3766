//! `ollama`: `POST /api/embed`. The body tells the server's own time in nanoseconds.

use hyper::HeaderMap;
use serde::{Deserialize, Serialize};

use super::terms::{Answer, Asked, Dialect, Texts, Told, Unreadable};
use super::vectors::{Row, Vectors};

pub(super) const DIALECT: Dialect = Dialect {
    name: "ollama",
    path: "/api/embed",
    needs_model: true,
    has_encoding_format: false,
    has_dimensions: true,
    write,
    read,
};

#[derive(Serialize)]
struct Request<'a> {
    model: Option<&'a str>,
    input: Texts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
struct Response {
    embeddings: Vec<Row>,
    /// With the time in which the model was loaded, if it was not there.
    total_duration: Option<u64>,
    prompt_eval_count: Option<u64>,
}

fn write(asked: &Asked<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Request { model: asked.model, input: asked.texts, dimensions: asked.dimensions })
}

fn read(_: &HeaderMap, body: &[u8]) -> Result<Answer, Unreadable> {
    let Response { embeddings, total_duration, prompt_eval_count } = serde_json::from_slice(body)?;
    Ok(Answer {
        vectors: Vectors::of(embeddings)?,
        tokens: prompt_eval_count,
        told: Told { total_ns: total_duration, ..Told::default() },
    })
}

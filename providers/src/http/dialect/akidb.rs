//! `akidb`: `POST /api/v1/embed`.

use hyper::HeaderMap;
use serde::{Deserialize, Serialize};

use super::terms::{Answer, Asked, Dialect, Texts, Told, Unreadable};
use super::vectors::{Row, Vectors};

pub(super) const DIALECT: Dialect = Dialect {
    name: "akidb",
    path: "/api/v1/embed",
    needs_model: true,
    has_encoding_format: false,
    has_dimensions: false,
    write,
    read,
};

#[derive(Serialize)]
struct Request<'a> {
    model: Option<&'a str>,
    inputs: Texts<'a>,
    normalize: bool,
}

#[derive(Deserialize)]
struct Response {
    embeddings: Vec<Row>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: Option<u64>,
}

fn write(asked: &Asked<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Request { model: asked.model, inputs: asked.texts, normalize: asked.normalize })
}

fn read(_: &HeaderMap, body: &[u8]) -> Result<Answer, Unreadable> {
    let Response { embeddings, usage } = serde_json::from_slice(body)?;
    Ok(Answer {
        vectors: Vectors::of(embeddings)?,
        tokens: usage.and_then(|usage| usage.total_tokens),
        told: Told::default(),
    })
}

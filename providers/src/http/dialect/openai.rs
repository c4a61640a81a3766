//! `openai`: `POST /v1/embeddings`, as vLLM, llama.cpp, Ollama, LM Studio, Text Embeddings Inference, infinity, gateways and hosted
//! services have it.

use hyper::HeaderMap;
use serde::{Deserialize, Serialize};

use super::tei;
use super::terms::{Answer, Asked, Dialect, Texts, Unreadable};
use super::vectors::{Row, Vectors};

pub(super) const DIALECT: Dialect = Dialect {
    name: "openai",
    path: "/v1/embeddings",
    // Servers of a single model take requests that name none.
    needs_model: false,
    has_encoding_format: true,
    has_dimensions: true,
    write,
    read,
};

#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    input: Texts<'a>,
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
struct Response {
    data: Vec<Item>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Row,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
}

fn write(asked: &Asked<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Request {
        model: asked.model,
        input: asked.texts,
        encoding_format: if asked.base64 { "base64" } else { "float" },
        dimensions: asked.dimensions,
    })
}

/// A server that knows no base64 answers with numbers, which are read as well.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Answer, Unreadable> {
    let Response { data, usage } = serde_json::from_slice(body)?;
    let rows = data.into_iter().map(|item| (item.index, item.embedding)).collect();
    Ok(Answer {
        vectors: Vectors::by_index(rows)?,
        tokens: usage.and_then(|usage| usage.prompt_tokens),
        // Text Embeddings Inference sends the headers of its times here too.
        told: tei::told(headers),
    })
}

//! `tei`: `POST /embed` of Text Embeddings Inference. The headers of an answer tell the server's own times, in whole milliseconds.

use hyper::HeaderMap;
use serde::Serialize;

use super::terms::{Answer, Asked, Dialect, Texts, Told, Unreadable};
use super::vectors::{Row, Vectors};

pub(super) const DIALECT: Dialect = Dialect {
    name: "tei",
    path: "/embed",
    needs_model: false,
    has_encoding_format: false,
    has_dimensions: true,
    write,
    read,
};

#[derive(Serialize)]
struct Request<'a> {
    inputs: Texts<'a>,
    normalize: bool,
    /// Otherwise a text that is too long would be an error, where every other backend cuts it.
    truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

fn write(asked: &Asked<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Request {
        inputs: asked.texts,
        normalize: asked.normalize,
        truncate: true,
        dimensions: asked.dimensions,
    })
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Answer, Unreadable> {
    let rows: Vec<Row> = serde_json::from_slice(body)?;
    Ok(Answer {
        vectors: Vectors::of(rows)?,
        tokens: whole(headers, "x-compute-tokens"),
        told: told(headers),
    })
}

/// The server's own times; nothing where there are none.
pub(super) fn told(headers: &HeaderMap) -> Told {
    let nanoseconds = |name| whole(headers, name).and_then(|ms| ms.checked_mul(1_000_000));
    Told {
        tokenize_ns: nanoseconds("x-tokenization-time"),
        infer_ns: nanoseconds("x-inference-time"),
        total_ns: nanoseconds("x-total-time"),
    }
}

fn whole(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

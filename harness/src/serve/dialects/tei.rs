//! `tei`: `POST /embed` and `GET /info`, as Text Embeddings Inference has them. The headers of an answer tell the server's own times, in
//! whole milliseconds.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::terms::{self, About, Asked, Dialect, Fault, Info, Said, Written};

pub(super) const DIALECT: Dialect = Dialect {
    name: "tei",
    path: "/embed",
    info: &[Info { path: "/info", tell: info }],
    too_many_texts: StatusCode::UNPROCESSABLE_ENTITY,
    read,
    write,
    refuse,
};

#[derive(Deserialize)]
struct Request {
    inputs: Option<Value>,
    #[serde(default = "terms::yes")]
    normalize: bool,
    truncate: Option<bool>,
    prompt_name: Option<String>,
    dimensions: Option<u64>,
}

fn read(body: &[u8]) -> Result<Asked, Fault> {
    let request: Request = serde_json::from_slice(body).map_err(|error| terms::unreadable(&error))?;
    if let Some(name) = request.prompt_name {
        return Err(Fault::bad(format!(
            "`prompt_name` is {name:?}; the prompt is that of `tailmark serve --prompt` and the same for every request"
        )));
    }
    Ok(Asked {
        texts: terms::texts("inputs", request.inputs)?,
        model: None,
        normalize: request.normalize,
        dimensions: request.dimensions,
        base64: false,
        truncate: request.truncate.unwrap_or(true),
    })
}

fn write(Written { asked, answer, .. }: &Written<'_>) -> Said {
    let rows: Vec<&[f32]> = answer.embeddings.rows().collect();
    Said { headers: terms::times(answer, asked), body: terms::json(&rows) }
}

fn refuse(fault: &Fault) -> Value {
    let kind = match fault.status {
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::TOO_MANY_REQUESTS => "Overloaded",
        StatusCode::SERVICE_UNAVAILABLE => "Unhealthy",
        status if status.is_server_error() => "Backend",
        _ => "Validation",
    };
    json!({ "error": fault.message, "error_type": kind })
}

fn info(about: &About) -> Value {
    json!({
        "model_id": about.model,
        "model_sha": null,
        "model_dtype": about.runs.dtype,
        "model_type": { "embedding": { "pooling": about.pooling } },
        "max_concurrent_requests": about.max_requests,
        "max_input_length": about.max_tokens,
        "max_client_batch_size": about.max_texts,
        "auto_truncate": true,
        "version": env!("CARGO_PKG_VERSION"),
        "docker_label": null,
        "sha": null,
    })
}

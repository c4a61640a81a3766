//! What each dialect reads, writes and refuses.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tailmark_providers::provider::{Embeddings, Runs, StageTimes};

use super::*;
use crate::serve::service::{Answer, Refusal};

fn dialect(name: &str) -> &'static Dialect {
    DIALECTS.iter().find(|dialect| dialect.name == name).expect("a dialect")
}

fn read(name: &str, body: &Value) -> Result<Asked, Fault> {
    (dialect(name).read)(body.to_string().as_bytes())
}

fn about() -> About {
    About {
        model: "tiny".to_owned(),
        dimensions: 2,
        max_tokens: Some(8),
        pooling: Some("mean".to_owned()),
        runs: Runs::default(),
        max_texts: 4,
        max_requests: 3,
        since: 7,
    }
}

fn answer() -> Answer {
    let stages = StageTimes {
        tokenize_ns: Some(1_999_999),
        infer_ns: None,
        worker_ns: Some(5_000_000),
        ..StageTimes::ZERO
    };
    Answer {
        embeddings: Embeddings {
            vectors: vec![1.0, 0.5, -2.0, 0.0],
            dimensions: 2,
            token_counts: Some(vec![3, 4]),
            tokens_in_all: None,
            truncated: Some(0),
            stages,
        },
        waited: Duration::from_millis(2),
        total: Duration::from_millis(9),
    }
}

fn written(name: &str, body: &Value) -> (Said, Value) {
    let asked = read(name, body).expect("a request");
    let said = (dialect(name).write)(&Written { asked: &asked, answer: &answer(), about: &about() });
    let body = serde_json::from_slice(&said.body).expect("JSON");
    (said, body)
}

#[test]
fn a_text_or_a_list_of_texts_is_read_in_every_dialect() {
    for (name, key) in [("openai", "input"), ("ollama", "input"), ("tei", "inputs"), ("akidb", "inputs")] {
        for (texts, count) in [(json!("a"), 1), (json!(["a", "b"]), 2), (json!([]), 0)] {
            let asked = read(name, &json!({ "model": "tiny", key: texts })).expect("a request");
            assert_eq!(asked.texts.len(), count, "{name}");
            assert!(asked.normalize && asked.truncate, "{name}");
        }
        let faults = [
            (json!([[1, 2]]), "token numbers are not taken"),
            (json!([1, 2]), "token numbers are not taken"),
            (json!([null]), "[0]` is null"),
            (json!({}), "is an object; write a text or a list of texts"),
        ];
        for (wrong, part) in faults {
            let fault = read(name, &json!({ "model": "tiny", key: wrong })).expect_err("a fault");
            assert_eq!(fault.status, StatusCode::BAD_REQUEST);
            assert!(fault.message.contains(part), "{name}: {}", fault.message);
        }
        let missing = read(name, &json!({ "model": "tiny" })).expect_err("a fault");
        assert!(missing.message.starts_with(&format!("`{key}` is missing")), "{}", missing.message);
    }
}

#[test]
fn openai_gives_numbers_or_base64_and_counts_tokens() {
    let (said, body) = written("openai", &json!({ "input": ["a", "b"] }));
    assert_eq!(body["data"][1], json!({ "object": "embedding", "index": 1, "embedding": [-2.0, 0.0] }));
    assert_eq!((&body["model"], &body["usage"]["prompt_tokens"]), (&json!("tiny"), &json!(7)));
    assert_eq!(said.headers["x-queue-time"], "2");
    let (_, body) = written("openai", &json!({ "input": ["a", "b"], "encoding_format": "base64" }));
    assert_eq!(body["data"][0]["embedding"], "AACAPwAAAD8=");
    let fault = read("openai", &json!({ "input": "a", "encoding_format": "hex" })).expect_err("a fault");
    assert!(fault.message.contains("\"hex\""), "{}", fault.message);
}

#[test]
fn ollama_tells_nanoseconds_and_takes_the_usual_tag() {
    let (_, body) = written("ollama", &json!({ "model": "tiny:latest", "input": ["a", "b"] }));
    assert_eq!(
        body,
        json!({ "model": "tiny", "embeddings": [[1.0, 0.5], [-2.0, 0.0]], "total_duration": 9_000_000,
            "load_duration": 0, "prompt_eval_count": 7 })
    );
    assert_eq!(
        read("ollama", &json!({ "model": "tiny:latest", "input": "a" })).unwrap().model.as_deref(),
        Some("tiny")
    );
}

#[test]
fn tei_tells_whole_milliseconds_and_nothing_that_the_backend_does_not_tell() {
    let (said, body) = written("tei", &json!({ "inputs": ["a", "bc"], "normalize": false }));
    assert_eq!(body, json!([[1.0, 0.5], [-2.0, 0.0]]));
    for (name, value) in [
        ("x-total-time", "9"),
        ("x-tokenization-time", "1"),
        ("x-compute-tokens", "7"),
        ("x-compute-characters", "3"),
    ] {
        assert_eq!(said.headers[name], value, "{name}");
    }
    assert!(!said.headers.contains_key("x-inference-time"));
    let fault = read("tei", &json!({ "inputs": "a", "prompt_name": "query" })).expect_err("a fault");
    assert!(fault.message.contains("--prompt"), "{}", fault.message);
}

#[test]
fn akidb_wants_the_model_and_counts_tokens() {
    let (_, body) = written("akidb", &json!({ "model": "tiny", "inputs": ["a", "b"] }));
    assert_eq!(body["usage"], json!({ "total_tokens": 7, "duration_ms": 9.0 }));
    let fault = read("akidb", &json!({ "inputs": "a" })).expect_err("a fault");
    assert!(fault.message.starts_with("`model` is missing"), "{}", fault.message);
}

#[test]
fn each_dialect_refuses_in_its_own_form() {
    let full = Refusal::QueueFull { waiting: 3, retry_seconds: 2 };
    let said = DIALECTS.iter().map(|dialect| {
        let fault = Fault::of(&full, dialect.too_many_texts);
        assert_eq!((fault.status, fault.retry_seconds), (StatusCode::TOO_MANY_REQUESTS, Some(2)));
        format!("{}: {}", dialect.name, (dialect.refuse)(&fault))
    });
    let said: Vec<String> = said.collect();
    let message = "3 requests wait already, as many as may (--queue); try again in 2 s";
    let expected = [
        json!({ "error": { "message": message, "type": "rate_limit_error", "param": null, "code": "queue_full" } }),
        json!({ "error": message }),
        json!({ "error": message, "error_type": "Overloaded" }),
        json!({ "error": { "code": "queue_full", "message": message } }),
    ];
    let names = ["openai", "ollama", "tei", "akidb"];
    let expected: Vec<String> =
        names.iter().zip(&expected).map(|(name, body)| format!("{name}: {body}")).collect();
    assert_eq!(said, expected);
}

#[test]
fn a_body_that_is_no_request_is_said_where_it_breaks() {
    for dialect in DIALECTS {
        for body in ["", "{", "[]", "\u{0}", "{\"model\": 1}"] {
            let fault = (dialect.read)(body.as_bytes()).expect_err("a fault");
            assert_eq!(fault.status, StatusCode::BAD_REQUEST, "{}: {body}", dialect.name);
        }
    }
}

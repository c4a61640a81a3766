//! What each dialect writes and reads.

use std::sync::Arc;

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::terms::Told;
use super::vectors::Vectors;
use super::*;

fn dialect(name: &str) -> &'static Dialect {
    DIALECTS.iter().find(|dialect| dialect.name == name).expect("a dialect")
}

fn written(name: &str, change: impl FnOnce(&mut Asked<'_>)) -> Value {
    let texts: Vec<Arc<str>> = vec!["a".into(), "b".into()];
    let mut asked = Asked {
        texts: Texts { prompt: "", texts: &texts },
        model: Some("bge"),
        normalize: true,
        dimensions: None,
        base64: true,
    };
    change(&mut asked);
    serde_json::from_slice(&(dialect(name).write)(&asked).unwrap()).unwrap()
}

fn read(name: &str, body: &str) -> Result<Answer, String> {
    read_with(name, &[], body)
}

fn read_with(name: &str, headers: &[(&'static str, &str)], body: &str) -> Result<Answer, String> {
    let headers = headers
        .iter()
        .map(|(name, value)| (hyper::header::HeaderName::from_static(name), value.parse().expect("a value")));
    (dialect(name).read)(&headers.collect::<HeaderMap>(), body.as_bytes()).map_err(|fault| fault.to_string())
}

#[test]
fn each_dialect_writes_its_request() {
    assert_eq!(
        written("openai", |_| ()),
        json!({ "model": "bge", "input": ["a", "b"], "encoding_format": "base64" })
    );
    assert_eq!(
        written("openai", |asked| {
            (asked.model, asked.base64, asked.dimensions) = (None, false, Some(64));
        }),
        json!({ "input": ["a", "b"], "encoding_format": "float", "dimensions": 64 })
    );
    assert_eq!(written("ollama", |_| ()), json!({ "model": "bge", "input": ["a", "b"] }));
    assert_eq!(
        written("tei", |asked| asked.normalize = false),
        json!({ "inputs": ["a", "b"], "normalize": false, "truncate": true })
    );
    assert_eq!(written("akidb", |_| ()), json!({ "model": "bge", "inputs": ["a", "b"], "normalize": true }));
}

#[test]
fn the_models_prompt_is_put_before_every_text() {
    let found = written("tei", |asked| asked.texts.prompt = "query: ");
    assert_eq!(found["inputs"], json!(["query: a", "query: b"]));
}

#[test]
fn each_dialect_reads_its_answer() {
    let openai = json!({ "object": "list", "model": "bge", "usage": { "prompt_tokens": 7, "total_tokens": 7 }, "data": [
        { "object": "embedding", "index": 1, "embedding": [3, -4.5] },
        { "object": "embedding", "index": 0, "embedding": "AACAPwAAAEA=" },
    ] });
    let answer = read("openai", &openai.to_string()).unwrap();
    assert_eq!(answer.vectors, Vectors { count: 2, dimensions: 2, numbers: vec![1.0, 2.0, 3.0, -4.5] });
    assert_eq!((answer.tokens, answer.told), (Some(7), Told::default()));

    let ollama = json!({ "model": "bge", "embeddings": [[1.0, 2.0]], "total_duration": 14143917, "load_duration": 1019500,
        "prompt_eval_count": 8 });
    let answer = read("ollama", &ollama.to_string()).unwrap();
    assert_eq!(answer.vectors, Vectors { count: 1, dimensions: 2, numbers: vec![1.0, 2.0] });
    let told = Told { total_ns: Some(14_143_917), ..Told::default() };
    assert_eq!((answer.tokens, answer.told), (Some(8), told));

    let headers = [
        ("x-total-time", "12"),
        ("x-tokenization-time", "1"),
        ("x-queue-time", "2"),
        ("x-inference-time", "9"),
        ("x-compute-tokens", "5"),
    ];
    let answer = read_with("tei", &headers, "[[1e0, 2]]").unwrap();
    assert_eq!(answer.vectors, Vectors { count: 1, dimensions: 2, numbers: vec![1.0, 2.0] });
    let told = Told { tokenize_ns: Some(1_000_000), infer_ns: Some(9_000_000), total_ns: Some(12_000_000) };
    assert_eq!((answer.tokens, answer.told), (Some(5), told));

    let akidb =
        json!({ "model": "bge", "embeddings": [[1.0]], "usage": { "total_tokens": 3, "duration_ms": 2 } });
    let answer = read("akidb", &akidb.to_string()).unwrap();
    assert_eq!((answer.vectors.numbers, answer.tokens), (vec![1.0], Some(3)));
}

#[test]
fn what_cannot_be_an_answer_is_told() {
    let of = |data: Value| read("openai", &json!({ "data": data }).to_string()).unwrap_err();
    let row = |index: Value, embedding: Value| json!({ "index": index, "embedding": embedding });
    let told = [
        of(json!([row(json!(0), json!([1])), row(json!(0), json!([1]))])),
        of(json!([row(json!(0), json!([1])), row(json!(2), json!([1]))])),
        of(json!([row(json!(0), json!([1])), row(Value::Null, json!([1]))])),
        of(json!([row(json!(0), json!([1])), row(json!(1), json!([1, 2]))])),
        of(json!([row(json!(0), json!("AAAA!"))])),
        of(json!([row(json!(0), json!("AAAA"))])),
        of(json!([row(json!(0), json!(["one"]))])),
        of(json!([{ "index": 0 }])),
        read("tei", r#"{"error":"no"}"#).unwrap_err(),
        read("tei", "[[NaN]]").unwrap_err(),
        read("ollama", "<html>").unwrap_err(),
        read("akidb", "").unwrap_err(),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    two vectors of `index` 0, expected each `index` from 0 to 1 once
    a vector of `index` 2 among 2, expected each `index` from 0 to 1 once
    a vector without `index` beside others with it, expected each `index` from 0 to 1 once
    1 numbers in the vector of text 0 and 2 in that of text 1, expected vectors of one length
    no base64: Invalid symbol 33, offset 4. at line 1 column 39
    3 bytes in base64, which are no numbers of 4 bytes at line 1 column 38
    invalid type: string "one", expected a number at line 1 column 38
    missing field `embedding` at line 1 column 20
    invalid type: map, expected a sequence at line 1 column 0
    expected value at line 1 column 3
    expected value at line 1 column 1
    EOF while parsing a value at line 1 column 0
    "#);
}

#[test]
fn a_number_that_is_not_there_is_none_that_a_vector_can_have() {
    let answer = read("tei", "[[1, null]]").unwrap();
    assert!(answer.vectors.numbers[1].is_nan());
    let answer = read("tei", "[[1, 1e39]]").unwrap();
    assert!(answer.vectors.numbers[1].is_infinite());
}

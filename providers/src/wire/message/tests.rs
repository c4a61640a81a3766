//! Lines in, meanings out, and back.

use serde_json::{Value, json};

use super::*;
use crate::provider::{Embeddings, StageTimes};
use crate::wire::refusal::{NOT_A_REQUEST, NOT_JSON};
use crate::wire::vectors::{read_embeddings, write_embeddings};

fn refused(line: &str) -> (Option<&str>, i64, String) {
    let (id, refusal) = read_request(line.as_bytes()).unwrap_err();
    (id, refusal.code, refusal.message)
}

#[test]
fn a_request_borrows_its_parts_from_the_line() {
    let line = br#" {"params":{"a":1},"id":7,"method":"ping","jsonrpc":"2.0"} "#;
    let request = read_request(line).unwrap();
    assert_eq!(request.id, Some("7"));
    assert!(matches!(request.method, Cow::Borrowed("ping")));
    assert_eq!(request.params.unwrap().get(), r#"{"a":1}"#);
}

#[test]
fn a_message_without_an_id_is_a_notification() {
    assert_eq!(read_request(br#"{"jsonrpc":"2.0","method":"ping"}"#).unwrap().id, None);
}

#[test]
fn a_null_id_is_not_a_missing_one() {
    let (id, code, message) = refused(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#);
    assert_eq!((id, code), (None, NOT_A_REQUEST));
    assert_eq!(message, "not a request: `id` must be an integer or a string");
}

#[test]
fn an_id_that_is_no_integer_is_refused_and_not_written_back() {
    for id in ["1.5", "1e309", "-0.1", "true", "18446744073709551616"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let (under, code, _) = refused(&line);
        assert_eq!((under, code), (None, NOT_A_REQUEST), "{id}");
    }
    assert_eq!(read_request(br#"{"jsonrpc":"2.0","id":-7,"method":"ping"}"#).unwrap().id, Some("-7"));
}

#[test]
fn what_is_not_json_is_told_from_what_is_no_request() {
    assert_eq!(refused("hello").1, NOT_JSON);
    assert_eq!(refused("").1, NOT_JSON);
    assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1"#).1, NOT_JSON);
    assert_eq!(refused("[1,").1, NOT_JSON);
    assert_eq!(refused("[]").1, NOT_A_REQUEST);
    assert_eq!(refused("null").1, NOT_A_REQUEST);
    assert_eq!(read_request(b"{\"a\":\"\xff\"}").unwrap_err().1.code, NOT_JSON);
}

#[test]
fn a_refused_request_is_refused_under_its_own_id() {
    let no_version = refused(r#"{"id":"a","method":"ping"}"#);
    assert_eq!(
        no_version,
        (Some("\"a\""), NOT_A_REQUEST, "not a request: `jsonrpc` must be \"2.0\"".to_owned())
    );
    let no_method = refused(r#"{"jsonrpc":"2.0","id":3}"#);
    assert_eq!(no_method, (Some("3"), NOT_A_REQUEST, "not a request: it has no `method`".to_owned()));
    let odd_method = refused(r#"{"jsonrpc":"2.0","id":3,"method":4}"#);
    assert_eq!(odd_method, (Some("3"), NOT_A_REQUEST, "not a request: `method` must be a string".to_owned()));
}

#[test]
fn an_answer_that_is_none_says_what_is_wrong_with_it() {
    let cases = [
        ("Loading weights...", "not a JSON object"),
        (r#"{"id":1,"result":{}}"#, "`jsonrpc` is not \"2.0\""),
        (r#"{"jsonrpc":"2.0","result":{}}"#, "it has no `id`"),
        (r#"{"jsonrpc":"2.0","id":1}"#, "it has neither `result` nor `error`"),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}"#,
            "it has both `result` and `error`",
        ),
        (r#"{"jsonrpc":"2.0","id":"one","result":{}}"#, "the id \"one\" was never asked"),
        (
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the line is not JSON"}}"#,
            "an error under the id null: the line is not JSON",
        ),
    ];
    for (line, why) in cases {
        assert_eq!(read_reply(line.as_bytes()).unwrap_err(), why, "{line}");
    }
}

#[test]
fn params_must_be_an_object_even_where_an_array_would_fit() {
    let line = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":[1,{"name":"a","version":"1"}]}"#;
    let request = read_request(line).unwrap();
    let refusal = read_params::<Introduction>(Method::Initialize, request.params).unwrap_err();
    assert_eq!(refusal, Refusal::bad_params(Method::Initialize, "its params must be an object"));
}

#[test]
fn a_request_is_one_line_whatever_the_texts_hold() {
    let texts: Vec<Arc<str>> = vec!["two\nlines\r\n".into(), "a \"quote\" and a \u{0} and 🧪".into()];
    let params = EmbedParamsRef { texts: &texts, normalize: true, encoding: Encoding::Base64 };
    let mut line = Vec::new();
    write_request(&mut line, 9, "embed", Some(&params)).unwrap();
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    let request = read_request(&line).unwrap();
    let read: EmbedParams = read_params(Method::Embed, request.params).unwrap();
    assert_eq!(read, EmbedParams { texts, normalize: true, encoding: Encoding::Base64 });
}

fn embeddings(vectors: Vec<f32>) -> Embeddings {
    let stages = StageTimes {
        tokenize_ns: Some(1),
        infer_ns: Some(2),
        pool_ns: Some(3),
        worker_ns: Some(7),
        ..StageTimes::default()
    };
    let token_counts = Some(vec![4; vectors.len() / 3]);
    Embeddings { vectors, dimensions: 3, token_counts, tokens_in_all: None, truncated: Some(1), stages }
}

#[test]
fn vectors_come_back_bit_for_bit_in_both_encodings() {
    let numbers = vec![1.0, -0.0, f32::MIN_POSITIVE / 2.0, f32::MAX, 0.1, -1.0e-20];
    for encoding in [Encoding::Base64, Encoding::Float] {
        let sent = embeddings(numbers.clone());
        let mut line = Vec::new();
        write_embeddings(&mut line, "5", &sent, encoding).unwrap();
        let reply = read_reply(&line).unwrap();
        let got = read_embeddings(reply.outcome.unwrap()).unwrap();
        let bits = |vectors: &[f32]| vectors.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&got.vectors), bits(&sent.vectors), "{encoding:?}");
        assert_eq!(got, sent);
    }
}

#[test]
fn base64_is_that_of_little_endian_binary32() {
    let mut line = Vec::new();
    write_embeddings(&mut line, "5", &embeddings(vec![1.0, 0.0, 0.0]), Encoding::Base64).unwrap();
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["result"]["vectors"], json!(["AACAPwAAAAAAAAAA"]));
}

#[test]
fn a_number_that_json_cannot_write_is_a_failure_and_leaves_the_buffer_alone() {
    let mut line = b"before".to_vec();
    let error =
        write_embeddings(&mut line, "5", &embeddings(vec![1.0, f32::NAN, 0.0]), Encoding::Float).unwrap_err();
    assert_eq!(error, ProviderError::Embed("the vectors hold NaN, which JSON has no number for".to_owned()));
    assert_eq!(line, b"before");
}

#[test]
fn what_a_worker_does_not_tell_is_left_out_and_not_taken_for_nothing() {
    let sent = Embeddings {
        vectors: vec![1.0, 2.0],
        dimensions: 2,
        token_counts: None,
        tokens_in_all: None,
        truncated: None,
        stages: StageTimes::default(),
    };
    let mut line = Vec::new();
    write_embeddings(&mut line, "5", &sent, Encoding::Float).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&line),
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"vectors\":[[1.0,2.0]],\"stages\":{}}}\n"
    );
    let read = |result: &str| read_embeddings(&RawValue::from_string(result.to_owned()).unwrap()).unwrap();
    assert_eq!(read(r#"{"vectors":[[1.0,2.0]],"stages":{}}"#), sent);
    assert_eq!(read(r#"{"vectors":[[1.0,2.0]]}"#), sent, "a client has nothing to say of its stages");
    assert_eq!(sent.check(1, 2), Ok(()));
}

fn misread(vectors: &str) -> String {
    let stages = r#"{"tokenize_ns":0,"infer_ns":0,"pool_ns":0,"worker_ns":0}"#;
    let result = format!(r#"{{"vectors":{vectors},"token_counts":[1],"truncated":0,"stages":{stages}}}"#);
    read_embeddings(&RawValue::from_string(result).unwrap()).unwrap_err().to_string()
}

#[test]
fn vectors_that_cannot_be_read_are_named() {
    let cases = [
        "[]",
        r#"["AACAPw==","AACAPwAAAAA="]"#,
        r#"["AACA"]"#,
        r#"["not base64!"]"#,
        r#"[[1.0,"two"]]"#,
        r#""AACAPw==""#,
    ]
    .map(misread);
    insta::assert_snapshot!(cases.join("\n"), @r#"
    the backend answered no vectors, or empty ones, expected one vector for each text
    the backend answered 1 numbers in the vector of text 0 and 2 in that of text 1, expected vectors of one length
    the worker broke the protocol: a result of `embed` that cannot be read (a vector has 3 bytes, which is not a multiple of four at line 1 column 18), expected the members that the protocol gives the result of `embed`
    the worker broke the protocol: a result of `embed` that cannot be read (a vector is not base64: Invalid symbol 32, offset 3. at line 1 column 25), expected the members that the protocol gives the result of `embed`
    the worker broke the protocol: a result of `embed` that cannot be read (invalid type: string "two", expected f32 at line 1 column 22), expected the members that the protocol gives the result of `embed`
    the worker broke the protocol: a result of `embed` that cannot be read (invalid type: string "AACAPw==", expected an array of vectors at line 1 column 21), expected the members that the protocol gives the result of `embed`
    "#);
}

//! The client against servers that answer rightly, wrongly and not at all.

mod server;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use self::server::{Act, Heard, Server, answer, ok};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const PATIENT: Deadlines = Deadlines { start: MINUTE, load: MINUTE, request: MINUTE, shutdown: MINUTE };

/// A client of the server, in the dialect `tei` unless told otherwise, that expects vectors of two numbers.
async fn client(url: &str, more: Value) -> HttpProvider {
    client_with(url, more, PATIENT).await
}

async fn client_with(url: &str, more: Value, deadlines: Deadlines) -> HttpProvider {
    let mut options = json!({ "url": url, "dialect": "tei" });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let provider = HttpProvider::new(2, deadlines);
    let request = LoadRequest { model: None, options: options.as_object().unwrap().clone() };
    provider.load(&request).await.expect("nothing is asked by loading");
    provider
}

fn texts(count: usize) -> EmbedRequest {
    EmbedRequest {
        texts: (0..count).map(|text| Arc::from(format!("text {text}"))).collect(),
        normalize: true,
    }
}

/// As many vectors as there are texts.
fn right(heard: &Heard) -> Vec<Act> {
    let count = heard.body["inputs"].as_array().map_or(0, Vec::len);
    vec![Act::Send(ok(&json!(vec![[0.6, 0.8]; count])))]
}

/// What is said of one request of two texts to a server that acts so, without its port.
async fn said(script: impl Fn(&Heard) -> Vec<Act> + Send + Sync + 'static, more: Value) -> String {
    let server = Server::start(script).await;
    let error = client(&server.url(), more).await.embed(&texts(2)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Server { .. } | ProviderError::Answer { .. }), "{error:?}");
    assert_eq!(server.heard().len(), 1, "nothing is sent again after: {error}");
    error.to_string().replace(&server.at.port().to_string(), "PORT")
}

#[tokio::test]
async fn a_request_ends_with_its_vectors_and_its_connection_is_used_again() {
    let headers = "x-total-time: 7\r\nx-inference-time: 5\r\nx-compute-tokens: 9\r\n";
    let server =
        Server::start(move |_| vec![Act::Send(answer("200 OK", headers, "[[0.6,0.8],[1,0]]"))]).await;
    let client = client(&server.url(), json!({})).await;
    let first = client.embed(&texts(2)).await.unwrap();
    assert_eq!((&first.vectors[..], first.dimensions), (&[0.6, 0.8, 1.0, 0.0][..], 2));
    assert_eq!((first.tokens(), &first.token_counts), (Some(9), &None));
    let stages = first.stages;
    assert_eq!(
        (stages.tokenize_ns, stages.infer_ns, stages.worker_ns),
        (None, Some(5_000_000), Some(7_000_000)),
        "the server's own word"
    );
    assert!(stages.network.unwrap().connect_ns > 0, "{stages:?}");
    let second = client.embed(&texts(2)).await.unwrap();
    assert_eq!(second.stages.network.unwrap().connect_ns, 0);
    assert_eq!(server.opened.load(Ordering::Relaxed), 1);
    let head = server.heard()[0].head.clone();
    assert!(head.starts_with("post /embed http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.at)), "{head}");
}

#[tokio::test]
async fn the_count_of_a_single_text_is_its_own() {
    let body = json!({ "data": [{ "index": 0, "embedding": [0.6, 0.8] }], "usage": { "prompt_tokens": 4 } });
    let server = Server::start(move |_| vec![Act::Send(ok(&body))]).await;
    let client = client(&server.url(), json!({ "dialect": "openai", "model": "bge" })).await;
    let found = client.embed(&texts(1)).await.unwrap();
    assert_eq!(found.token_counts, Some(vec![4]));
    let expected = json!({ "model": "bge", "input": ["text 0"], "encoding_format": "base64" });
    assert_eq!(server.heard()[0].body, expected);
}

#[tokio::test]
async fn vectors_go_to_the_text_whose_index_they_have() {
    let body = json!({ "data": [{ "index": 1, "embedding": [0, 1] }, { "index": 0, "embedding": [1, 0] }] });
    let server = Server::start(move |_| vec![Act::Send(ok(&body))]).await;
    let client = client(&server.url(), json!({ "dialect": "openai" })).await;
    assert_eq!(client.embed(&texts(2)).await.unwrap().vectors, [1.0, 0.0, 0.0, 1.0]);
}

#[tokio::test]
async fn an_answer_that_has_no_vectors_says_where_what_and_what_to_do() {
    let send = |bytes: Vec<u8>| move |_: &Heard| vec![Act::Send(bytes.clone())];
    let html = "<html><body><h1>Welcome</h1></body></html>";
    let mut told = Vec::new();
    for (status, headers, body) in [
        ("401 Unauthorized", "", r#"{"error":{"message":"no key","type":"x"}}"#),
        ("404 Not Found", "content-type: text/html\r\n", html),
        ("200 OK", "content-type: text/html\r\n", html),
        ("200 OK", "", "[[0.6,0.8]]"),
        ("200 OK", "", "[[0.6,0.8,0],[0.6,0.8,0]]"),
        ("200 OK", "", "[[0.6,0.8],[0.6]]"),
        ("200 OK", "", "[[0.6,0.8],[0.6,null]]"),
        ("200 OK", "", "[[0.6,0.8],[0.6,NaN]]"),
        ("200 OK", "", ""),
        ("201 Created", "", "[[0.6,0.8],[0.6,0.8]]"),
        ("301 Moved Permanently", "location: https://b.example/embed\r\n", ""),
        ("429 Too Many Requests", "retry-after: 20\r\n", r#"{"error":"Model is overloaded"}"#),
        ("503 Service Unavailable", "", ""),
        ("500 Internal Server Error", "", "Traceback (most recent call last):\n  File \"a.py\""),
    ] {
        told.push(said(send(answer(status, headers, body)), json!({})).await);
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    POST http://127.0.0.1:PORT/embed: 401 Unauthorized: no key; name the environment variable with its key in `api_key`, or in `headers`
    POST http://127.0.0.1:PORT/embed: 404 Not Found: <html><body><h1>Welcome</h1></body></html>; look at `url`, `dialect` and `model`: an address with a path is the whole endpoint
    POST http://127.0.0.1:PORT/embed: 200 OK, and its body is no answer of the dialect `tei` (expected value at line 1 column 1): it begins `<html><body><h1>Welcome</h1></body></html>`; look at `url` and `dialect`
    the backend answered 1 vector to POST http://127.0.0.1:PORT/embed, expected 2: one for each text
    the backend answered vectors of 3 numbers to POST http://127.0.0.1:PORT/embed, expected 2 as the model's have; is it another model, or are `dimensions` asked for?
    the backend answered 2 numbers in the vector of text 0 and 1 in that of text 1 to POST http://127.0.0.1:PORT/embed, expected vectors of one length
    the backend answered NaN in the vector of text 1 to POST http://127.0.0.1:PORT/embed, expected finite numbers
    POST http://127.0.0.1:PORT/embed: 200 OK, and its body is no answer of the dialect `tei` (expected value at line 1 column 17): it begins `[[0.6,0.8],[0.6,NaN]]`; look at `url` and `dialect`
    POST http://127.0.0.1:PORT/embed: 200 OK, and its body is no answer of the dialect `tei` (EOF while parsing a value at line 1 column 0): it is empty; look at `url` and `dialect`
    POST http://127.0.0.1:PORT/embed: 201 Created: [[0.6,0.8],[0.6,0.8]]
    POST http://127.0.0.1:PORT/embed: 301 Moved Permanently to https://b.example/embed; redirects are not followed: write where it leads in `url`
    POST http://127.0.0.1:PORT/embed: 429 Too Many Requests (Retry-After: 20; nothing is sent again): Model is overloaded; offer fewer requests, or allow the server more
    POST http://127.0.0.1:PORT/embed: 503 Service Unavailable; offer fewer requests, or allow the server more
    POST http://127.0.0.1:PORT/embed: 500 Internal Server Error: Traceback (most recent call last): File "a.py"; look at the server's log
    "#);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_or_is_none_or_is_too_much_says_so() {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n\r\n").into_bytes();
    let part = || Act::Send(b"[[0.6,".to_vec());
    let chunk = || Act::Flood([&b"10000\r\n"[..], &[b'1'; 0x10000], b"\r\n"].concat());
    let announced = head("content-length: 40");
    let billion = head("content-length: 1000000000");
    let chunked = head("transfer-encoding: chunked");
    let headers = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "a".repeat(1_000_000)).into_bytes();
    let told = [
        said(|_| vec![Act::Close], json!({})).await,
        said(move |_| vec![Act::Send(announced.clone()), part(), Act::Close], json!({})).await,
        said(move |_| vec![Act::Send(billion.clone()), Act::Hang], json!({})).await,
        said(move |_| vec![Act::Send(chunked.clone()), chunk()], json!({})).await,
        said(move |_| vec![Act::Send(headers.clone()), Act::Hang], json!({})).await,
        said(|_| vec![Act::Send(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), Act::Hang], json!({})).await,
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    POST http://127.0.0.1:PORT/embed: the server closed the connection before its answer was complete; look at the server's log
    POST http://127.0.0.1:PORT/embed: the connection broke before the answer was complete: end of file before message length reached; look at the server's log
    POST http://127.0.0.1:PORT/embed: its answer is longer than 262272 bytes, and the vectors that were asked for are not; look at `url` and `dialect`
    POST http://127.0.0.1:PORT/embed: its answer is longer than 262272 bytes, and the vectors that were asked for are not; look at `url` and `dialect`
    POST http://127.0.0.1:PORT/embed: the head of its answer cannot be read (message head is too large; it must be HTTP/1.1, and at most 128 kB); look at the scheme and the port of `url`, and at what stands in between
    POST http://127.0.0.1:PORT/embed: the head of its answer cannot be read (invalid HTTP version parsed; it must be HTTP/1.1, and at most 128 kB); look at the scheme and the port of `url`, and at what stands in between
    "#);
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up_at_the_deadline_with_its_connection() {
    let endless = b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n[[".to_vec();
    let server = Server::start(move |heard| match heard.number {
        0 => vec![Act::Send(endless.clone()), Act::Hang],
        _ => right(heard),
    })
    .await;
    let short = Duration::from_millis(200);
    let impatient = Deadlines { load: short, request: short, ..PATIENT };
    let client = client_with(&server.url(), json!({}), impatient).await;
    let error = client.embed(&texts(1)).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no answer to `POST {}/embed` within 200ms", server.url()));
    client.embed(&texts(1)).await.expect("another connection is opened");
    assert_eq!(server.opened.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_opened_again_and_is_no_failure() {
    let server = Server::start(|heard| right(heard).into_iter().chain([Act::Close]).collect()).await;
    let client = client(&server.url(), json!({})).await;
    for request in 1..=3 {
        let found = client.embed(&texts(1)).await.unwrap();
        assert!(found.stages.network.unwrap().connect_ns > 0, "request {request}");
        // The server closes after its answer, and the client's system learns of it in its own time.
        while server.opened.load(Ordering::Relaxed) < request {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((server.heard().len(), server.opened.load(Ordering::Relaxed)), (3, 3));
}

#[tokio::test]
async fn a_server_that_dies_between_requests_and_comes_back_has_failed_only_in_between() {
    let server = Server::start(right).await;
    let at = server.at.to_string();
    let client = client(&server.url(), json!({})).await;
    client.embed(&texts(1)).await.unwrap();
    drop(server);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = client.embed(&texts(1)).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("POST http://{at}/embed: no connection to port ")), "{error}");
    assert!(error.ends_with("; is the server running?"), "{error}");
    let server = Server::start_at(&at, right).await;
    client.embed(&texts(1)).await.unwrap();
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn a_name_that_is_not_known_is_told() {
    let client = client("http://no-such-host.invalid", json!({})).await;
    let error = client.embed(&texts(1)).await.unwrap_err().to_string();
    let expected = "POST http://no-such-host.invalid/embed: no-such-host.invalid has no address: ";
    assert!(error.starts_with(expected), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_told_by_the_remedy() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("https://{}", listener.local_addr().unwrap()), json!({})).await;
    let request = texts(1);
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let (asked, _stream) = tokio::join!(client.embed(&request), serving);
    let error = asked.unwrap_err().to_string();
    assert!(error.contains("/embed: no encrypted connection: "), "{error}");
    assert!(error.ends_with("; look at the scheme of `url`, and at `ca_file`"), "{error}");
}

#[tokio::test]
async fn no_more_connections_are_opened_than_are_allowed() {
    let server = Server::start(right).await;
    let client = client(&server.url(), json!({ "connections": 2 })).await;
    let request = texts(1);
    let found = join_all((0..9).map(|_| client.embed(&request))).await;
    assert!(found.iter().all(Result::is_ok), "{found:?}");
    assert_eq!((server.heard().len(), server.opened.load(Ordering::Relaxed)), (9, 2));
}

#[tokio::test]
async fn a_key_is_sent_and_never_told_even_if_the_server_repeats_it() {
    // A variable that every test has, so that none is set for all of them.
    let key = env!("CARGO_PKG_NAME");
    let server = Server::start(move |_| {
        let body = json!({ "error": { "message": format!("Incorrect API key provided: {key}") } });
        vec![Act::Send(answer("401 Unauthorized", "", &body.to_string()))]
    })
    .await;
    let options = json!({ "api_key": "CARGO_PKG_NAME", "headers": { "X-Also": "CARGO_PKG_NAME" } });
    let client = client(&server.url(), options).await;
    let error = client.embed(&texts(1)).await.unwrap_err();
    let heard = &server.heard()[0].head;
    assert!(heard.contains(&format!("authorization: bearer {key}\r\nx-also: {key}")) || heard.contains(key));
    let told = format!("{error} {error:?}");
    assert!(told.contains("Incorrect API key provided: [hidden]") && !told.contains(key), "{told}");
}

#[tokio::test]
async fn a_variable_that_is_not_set_and_a_file_without_certificates_are_told_before_anything_is_sent() {
    let fault = |options: Value| fits_here(options.as_object().unwrap()).unwrap_err().to_string();
    assert_eq!(
        fault(json!({ "url": "http://a", "api_key": "TAILMARK_NO_SUCH_KEY" })),
        "option `api_key`: the environment variable TAILMARK_NO_SUCH_KEY is not set"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let options = json!({ "url": "https://a", "ca_file": file });
    assert!(fault(options.clone()).starts_with("option `ca_file`: cannot read "), "{}", fault(options));
    std::fs::write(&file, "no certificate").unwrap();
    let why = fault(json!({ "url": "https://a", "ca_file": file }));
    assert!(why.ends_with(" has no certificates in PEM"), "{why}");
}

#[tokio::test]
async fn what_executes_the_model_is_not_known() {
    let server = Server::start(right).await;
    let client = client(&server.url(), json!({})).await;
    let request = ProveRequest { texts: vec!["a".into()], runs: 1 };
    let evidence = client.prove(&request).await.unwrap();
    assert_eq!((evidence.source.as_str(), evidence.runs), (NOT_KNOWN, 0));
    assert_eq!(server.heard().len(), 0, "the server is not asked for it");
}

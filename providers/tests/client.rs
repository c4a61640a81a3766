//! The client's end of the wire over pipes in memory, on a clock that only moves when everybody waits: deadlines,
//! requests in flight together, and what a request that was given up leaves behind.

#![expect(clippy::unwrap_used, reason = "a test that panics has said what it found")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tailmark_providers::model::recipe::{PoolingMode, Recipe};
use tailmark_providers::provider::{EmbedRequest, LoadRequest, Options, ProviderError};
use tailmark_providers::wire::client::{Client, Ending, connect};
use tailmark_providers::wire::message::Encoding;
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, split,
};
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_millis(20);

/// Both ends: the client, and the worker as the test plays it.
struct Wire {
    client: Client<WriteHalf<DuplexStream>>,
    listening: JoinHandle<Ending>,
    requests: Lines<BufReader<ReadHalf<DuplexStream>>>,
    answers: WriteHalf<DuplexStream>,
}

impl Wire {
    /// A wire that holds so many bytes each way.
    fn of(bytes: usize) -> Wire {
        let (ours, theirs) = tokio::io::duplex(bytes);
        let (reader, writer) = split(ours);
        let (client, listener) = connect(reader, writer);
        let (reader, answers) = split(theirs);
        let listening = tokio::spawn(listener.run());
        Wire { client, listening, requests: BufReader::new(reader).lines(), answers }
    }

    async fn request(&mut self) -> Value {
        let line = self.requests.next_line().await.unwrap().expect("a request");
        serde_json::from_str(&line).unwrap()
    }

    async fn answer(&mut self, id: u64, result: &Value) {
        let line = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string() + "\n";
        self.answers.write_all(line.as_bytes()).await.unwrap();
    }
}

fn text(text: &str) -> EmbedRequest {
    EmbedRequest { texts: vec![Arc::from(text)], normalize: true }
}

fn timeout(method: &str) -> ProviderError {
    ProviderError::Timeout { method: method.to_owned(), after: DEADLINE }
}

fn loaded() -> Value {
    let runs =
        json!({"engine": "e", "engine_version": "1", "device": "cpu", "dtype": "float32", "versions": {}});
    json!({"dimensions": 1, "concurrency": 2, "runs": runs, "import_ns": 0, "load_ns": 0})
}

fn vector(number: f32) -> Value {
    let stages = json!({"tokenize_ns": 0, "infer_ns": 0, "pool_ns": 0, "worker_ns": 0});
    json!({"vectors": [[number]], "token_counts": [1], "truncated": 0, "stages": stages})
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_deadline_is_dropped_and_counted() {
    let mut wire = Wire::of(1024);
    assert_eq!(wire.client.ping(DEADLINE).await, Err(timeout("ping")));
    assert_eq!(wire.request().await["id"], 1);
    wire.answer(1, &json!({})).await;
    wire.answer(2, &json!({})).await;
    assert_eq!(wire.client.late_answers(), 0);
    assert_eq!(wire.client.ping(DEADLINE).await, Ok(()));
    assert_eq!(wire.client.late_answers(), 1);
    assert!(!wire.listening.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_request_given_up_half_written_is_finished_before_the_next_one_begins() {
    let mut wire = Wire::of(64);
    let long = "long ".repeat(100);
    assert_eq!(wire.client.embed(&text(&long), Encoding::Base64, DEADLINE).await, Err(timeout("embed")));
    let worker = async {
        let requests = (wire.requests.next_line().await, wire.requests.next_line().await);
        wire.answers.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n").await.unwrap();
        requests
    };
    // Without a limit, a request that never gets through would leave this waiting for ever.
    let worker = tokio::time::timeout(10 * DEADLINE, worker);
    let (pinged, requests) = tokio::join!(wire.client.ping(DEADLINE), worker);
    let (first, second) = requests.expect("two whole requests get through");
    assert_eq!(pinged, Ok(()));
    let read = |line: std::io::Result<Option<String>>| -> Value {
        serde_json::from_str(&line.unwrap().expect("a request")).unwrap()
    };
    assert_eq!(read(first)["params"]["texts"][0], long);
    assert_eq!(read(second)["method"], "ping");
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_together_get_their_own_answers_whatever_the_order() {
    let mut wire = Wire::of(4096);
    let nothing = LoadRequest { model: None, options: Options::new() };
    wire.answer(1, &loaded()).await;
    assert_eq!(wire.client.load(&nothing, DEADLINE).await.unwrap().concurrency, 2);
    assert_eq!(wire.request().await["method"], "load");
    wire.answer(3, &vector(3.0)).await;
    wire.answer(2, &vector(2.0)).await;
    let (one, two) = (text("one"), text("two"));
    let (first, second) = tokio::join!(
        wire.client.embed(&one, Encoding::Base64, DEADLINE),
        wire.client.embed(&two, Encoding::Base64, DEADLINE),
    );
    assert_eq!((first.unwrap().vectors, second.unwrap().vectors), (vec![2.0], vec![3.0]));
    assert_eq!(wire.request().await["params"]["texts"], json!(["one"]));
    assert_eq!(wire.request().await["params"]["texts"], json!(["two"]));
}

#[tokio::test(start_paused = true)]
async fn a_broken_protocol_fails_what_is_in_flight_and_what_comes_later() {
    let mut wire = Wire::of(1024);
    let breaking = async { wire.answers.write_all(b"0.1234\n").await.unwrap() };
    let (first, second, ()) = tokio::join!(wire.client.ping(DEADLINE), wire.client.ping(DEADLINE), breaking);
    let error = first.unwrap_err();
    assert!(error.to_string().starts_with("the worker broke the protocol: the line `0.1234`"), "{error}");
    assert_eq!(second.unwrap_err(), error);
    assert_eq!(wire.client.ping(DEADLINE).await.unwrap_err(), error);
    assert_eq!(wire.listening.await.unwrap(), Ending::Broken(error));
}

#[tokio::test(start_paused = true)]
async fn the_reason_for_the_end_of_the_stream_is_what_its_owner_says() {
    let Wire { client, listening, requests, answers } = Wire::of(1024);
    drop((requests, answers));
    assert_eq!(listening.await.unwrap(), Ending::EndOfStream);
    let why = ProviderError::Exited { status: "exit status: 9".to_owned(), stderr_tail: String::new() };
    let closing = async { client.close(&why) };
    let (pinged, ()) = tokio::join!(client.ping(DEADLINE), closing);
    assert_eq!(pinged, Err(why));
}

#[tokio::test(start_paused = true)]
async fn a_path_that_json_cannot_hold_fails_the_load_and_nothing_else() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut wire = Wire::of(1024);
    let folder = std::ffi::OsString::from_vec(b"/models/\xff".to_vec()).into();
    let recipe = Recipe::pooling(PoolingMode::Mean, 256);
    let model = tailmark_providers::provider::ModelFolder { folder, recipe };
    let request = LoadRequest { model: Some(model), options: Options::new() };
    let why = "the request cannot be written: path contains invalid UTF-8 characters".to_owned();
    assert_eq!(wire.client.load(&request, DEADLINE).await, Err(ProviderError::Load(why)));
    wire.answer(2, &json!({})).await;
    assert_eq!(wire.client.ping(DEADLINE).await, Ok(()));
}

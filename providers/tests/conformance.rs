//! Both Rust ends of the wire against the conversations in `conformance/`: the server over buffers, the client over
//! pipes in memory.

#![expect(clippy::unwrap_used, reason = "a test that panics has said what it found")]

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tailmark_providers::null::NullBackend;
use tailmark_providers::provider::{EmbedRequest, Embeddings, ProviderError};
use tailmark_providers::wire::client::{Client, connect};
use tailmark_providers::wire::message::{Encoding, Greeting, Peer};
use tailmark_providers::wire::server::serve;
use tokio::io::{AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversation {
    name: String,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    send: Value,
    receive: Option<Value>,
    #[serde(default)]
    vary: Vec<String>,
}

impl Exchange {
    /// What goes over the wire: a message as JSON, a string as it stands.
    fn line(&self) -> String {
        match &self.send {
            Value::String(raw) => raw.clone(),
            message => message.to_string(),
        }
    }
}

fn conversations() -> Vec<Conversation> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    assert!(!files.is_empty(), "no conversations in {}", folder.display());
    let read = |file: &Path| match serde_json::from_slice(&std::fs::read(file).unwrap()) {
        Ok(conversation) => conversation,
        Err(fault) => panic!("{}: {fault}", file.display()),
    };
    files.iter().map(|file| read(file)).collect()
}

fn same_type(left: &Value, right: &Value) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
}

/// Puts the expected value wherever the answer may vary and is of the same type, so that the rest can be compared.
fn level(expected: &Exchange, mut answer: Value) -> Value {
    for pointer in &expected.vary {
        let example = expected.receive.as_ref().and_then(|receive| receive.pointer(pointer));
        let example = example.unwrap_or_else(|| panic!("`vary` names {pointer}, which `receive` lacks"));
        if let Some(found) = answer.pointer_mut(pointer)
            && same_type(found, example)
        {
            *found = example.clone();
        }
    }
    answer
}

#[test]
fn the_server_gives_every_answer_in_order() {
    for conversation in conversations() {
        let input: String = conversation.exchanges.iter().map(|exchange| exchange.line() + "\n").collect();
        let mut output = Vec::new();
        serve("null", Box::<NullBackend>::default(), input.as_bytes(), &mut output).unwrap();
        let output = String::from_utf8(output).unwrap();
        let mut answers = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        for exchange in conversation.exchanges.iter().filter(|exchange| exchange.receive.is_some()) {
            let answer = answers
                .next()
                .unwrap_or_else(|| panic!("{}: no answer to {}", conversation.name, exchange.send));
            assert_eq!(Some(level(exchange, answer)), exchange.receive, "{}", conversation.name);
        }
        assert_eq!(answers.next(), None, "{}: one answer too many", conversation.name);
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_writes_every_request_and_understands_every_answer() {
    let mut asked = 0;
    for Conversation { name, exchanges } in conversations() {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (reader, writer) = tokio::io::split(ours);
        let (client, listener) = connect(reader, writer);
        let listening = tokio::spawn(listener.run());
        let (reader, mut answers) = tokio::io::split(theirs);
        let mut requests = BufReader::new(reader).lines();
        for exchange in exchanges.iter().filter(|exchange| exchange.send["id"].is_u64()) {
            let receive = exchange.receive.as_ref().expect("a request is answered");
            let play = async {
                let line = requests.next_line().await.unwrap().expect("the client writes a request");
                answers.write_all(format!("{receive}\n").as_bytes()).await.unwrap();
                serde_json::from_str::<Value>(&line).unwrap()
            };
            let (understood, written) = tokio::join!(ask(&client, exchange), play);
            assert_eq!(written, exchange.send, "{name}");
            assert_eq!(understood, understanding(receive, &exchange.send), "{name}");
            asked += 1;
        }
        assert!(!listening.is_finished(), "{name}: the client gave up");
    }
    assert!(asked > 40, "only {asked} requests were compared");
}

/// Asks the client for what the exchange sends: by a method of its own where it has one for those params.
async fn ask<W: AsyncWrite + Unpin + Send>(
    client: &Client<W>,
    exchange: &Exchange,
) -> Result<Value, ProviderError> {
    let deadline = Duration::from_secs(5);
    let method = exchange.send["method"].as_str().expect("a request names its method");
    let params = exchange.send.get("params");
    let part = |name: &str| params.and_then(|params| params.get(name)).cloned().unwrap_or_default();
    let refused_params = exchange.receive.as_ref().is_some_and(|receive| receive["error"]["code"] == -32602);
    match method {
        _ if refused_params => client.call(method, params, deadline).await,
        "initialize" => {
            let caller: Peer = serde_json::from_value(part("client")).unwrap();
            client.initialize(caller, deadline).await.map(|greeting| serde_json::to_value(greeting).unwrap())
        }
        "load" => {
            let request = serde_json::from_value(params.cloned().unwrap_or_default()).unwrap();
            client.load(&request, deadline).await.map(|loaded| serde_json::to_value(loaded).unwrap())
        }
        "embed" => {
            let request: EmbedRequest =
                serde_json::from_value(json!({"texts": part("texts"), "normalize": part("normalize")}))
                    .unwrap();
            let encoding: Encoding = serde_json::from_value(part("encoding")).unwrap();
            client.embed(&request, encoding, deadline).await.map(|embeddings| told(&embeddings))
        }
        "ping" => client.ping(deadline).await.map(|()| json!({})),
        "shutdown" => client.shutdown(deadline).await.map(|()| json!({})),
        other => client.call(other, params, deadline).await,
    }
}

fn told(embeddings: &Embeddings) -> Value {
    let stages = embeddings.stages;
    json!({
        "rows": embeddings.vectors.chunks(embeddings.dimensions as usize).collect::<Vec<_>>(),
        "token_counts": embeddings.token_counts,
        "truncated": embeddings.truncated,
        "worker_ns": stages.worker_ns,
    })
}

/// What the client must have made of an answer, worked out without its code.
fn understanding(receive: &Value, send: &Value) -> Result<Value, ProviderError> {
    if let Some(error) = receive.get("error") {
        let why = || error["data"]["why"].as_str().unwrap_or_default().to_owned();
        return Err(match error["code"].as_i64().unwrap() {
            3 => ProviderError::Option { key: error["data"]["key"].as_str().unwrap().to_owned(), why: why() },
            code => ProviderError::Protocol {
                found: format!(
                    "error {code} to `{}` ({})",
                    send["method"].as_str().unwrap(),
                    error["message"].as_str().unwrap()
                ),
                expected: "a result, or an error that belongs to the method".to_owned(),
            },
        });
    }
    let result = &receive["result"];
    if send["method"] != "embed" {
        // Reading a greeting drops nothing, which is what is compared here.
        if send["method"] == "initialize" {
            let greeting: Greeting = serde_json::from_value(result.clone()).unwrap();
            assert_eq!(&serde_json::to_value(greeting).unwrap(), result);
        }
        return Ok(result.clone());
    }
    // The null backend's vectors have two numbers here, in either encoding.
    let rows = vec![json!([1.0, 0.0]); result["vectors"].as_array().unwrap().len()];
    Ok(json!({
        "rows": rows,
        "token_counts": result["token_counts"],
        "truncated": result["truncated"],
        "worker_ns": result["stages"]["worker_ns"],
    }))
}

//! `tailmark serve` asked by clients that people use.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::own_model::named;
use super::server::Server;
use super::workbench::{DATA, Workbench};

const NULL: &[&str] = &["null", "--set", "dimensions=3", "--warm-up", "2", "--model-name", "mine/null"];

/// What the package `openai` makes of the answers to these requests.
fn openai(python: &Path, server: &Server, key: &str, bodies: &[Value]) -> Vec<Value> {
    let asked = Command::new(python)
        .args([format!("{DATA}/openai_client.py"), server.url(), key.to_owned()])
        .args(bodies.iter().map(Value::to_string))
        .stdin(Stdio::null())
        .output()
        .expect("the interpreter was started");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let lines = String::from_utf8(asked.stdout).expect("JSON is text");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn the_package_openai_gets_vectors_and_its_own_errors() {
    let Some(python) = named("TAILMARK_TEST_CLIENTS_PYTHON") else { return };
    let bench = Workbench::new();
    std::fs::write(bench.path().join("key"), "the key\n").expect("a file for the key");
    let server = Server::ready(&bench, &[NULL, &["--api-key-file", "key"]].concat());
    let ask = |more: Value| {
        let mut body = json!({ "model": "mine/null", "input": "a text" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let answers = openai(
        &python,
        &server,
        "the key",
        &[
            // Asks for base64 of its own accord.
            ask(json!({})),
            ask(json!({ "encoding_format": "float", "dimensions": 3 })),
            ask(json!({ "input": vec!["text"; 32] })),
            ask(json!({ "dimensions": 2 })),
            ask(json!({ "model": "another" })),
            ask(json!({ "input": [] })),
            ask(json!({ "input": [[1, 2]] })),
        ],
    );
    for (answer, count) in answers.iter().zip([1, 1, 32]) {
        assert_eq!(answer["vectors"], json!(vec![[1.0, 0.0, 0.0]; count]), "{answer}");
        assert_eq!(answer["model"], "mine/null");
    }
    let errors: Vec<&Value> = answers.iter().skip(3).map(|answer| &answer["error"]).collect();
    assert_eq!(errors, ["BadRequestError", "NotFoundError", "BadRequestError", "BadRequestError"]);
    assert!(answers[3]["message"].to_string().contains("have 3 numbers"), "{}", answers[3]);
    let stranger = openai(&python, &server, "another key", &[ask(json!({}))]);
    assert_eq!(stranger[0]["error"], "AuthenticationError");
    assert_eq!(server.end(), Some(0));
}

#[test]
fn the_package_openai_calls_a_full_queue_a_limit_of_the_rate() {
    let Some(python) = named("TAILMARK_TEST_CLIENTS_PYTHON") else { return };
    let bench = Workbench::new();
    let hanging =
        ["simulated", "--set", "hangs=1.0", "--warm-up", "0", "--request-timeout", "2h", "--queue", "1"];
    let server = Server::ready(&bench, &[&hanging[..], &["--drain-timeout", "100ms"]].concat());
    let body = json!({ "inputs": "a" }).to_string();
    let under_way = server.post_meanwhile("/embed", &body);
    server.wait_for_metric("tailmark_serve_in_flight 1");
    let waiting = server.post_meanwhile("/embed", &body);
    server.wait_for_metric("tailmark_serve_queue_length 1");
    let refused = openai(&python, &server, "none", &[json!({ "model": "simulated", "input": "a" })]);
    assert_eq!(refused[0]["error"], "RateLimitError");
    let seconds = refused[0]["retry_after"].as_str().and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(seconds >= Some(1), "{}", refused[0]);
    // The other two are never answered, and end with the server.
    drop((under_way, waiting));
    server.end();
}

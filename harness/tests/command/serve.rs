//! `tailmark serve`: every dialect by hand and through tailmark's own client, what it refuses and how, and that nothing ends it but its
//! end.

use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};
use sysinfo::{Pid, Signal};

use super::http::write_model;
use super::interruption::{children, is_alive, wait_for};
use super::server::{Server, answer, posted};
use super::workbench::{Workbench, backend, outcome};

/// A backend that answers at once.
const NULL: &[&str] = &["null", "--set", "dimensions=3", "--warm-up", "2"];
/// One that does not answer by itself within any test.
const HANGING: &[&str] = &["simulated", "--set", "hangs=1.0", "--warm-up", "0", "--request-timeout", "2h"];
/// The dialects' paths, and the key of the texts in each.
const PATHS: [(&str, &str); 4] =
    [("/v1/embeddings", "input"), ("/api/embed", "input"), ("/embed", "inputs"), ("/api/v1/embed", "inputs")];

/// A request's body, in any dialect.
fn asking(key: &str, texts: &Value) -> String {
    json!({ "model": "null", key: texts }).to_string()
}

/// The message of a refusal, in whichever form.
fn message(body: &Value) -> String {
    let error = &body["error"];
    error["message"].as_str().or_else(|| error.as_str()).expect("a message").to_owned()
}

#[test]
fn every_dialect_gives_the_vectors_of_one_text_and_of_several() {
    let bench = Workbench::new();
    let server = Server::ready(&bench, NULL);
    for (texts, count) in [(json!("a text"), 1), (json!(["a text", "another"]), 2)] {
        for (path, key) in PATHS {
            let reply = server.post(path, &asking(key, &texts));
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            assert_eq!(reply.header("content-type"), Some("application/json"));
            let body = reply.json();
            let rows: Vec<Value> = match path {
                "/v1/embeddings" => {
                    let data = body["data"].as_array().expect("data");
                    data.iter().map(|item| item["embedding"].clone()).collect()
                }
                "/embed" => body.as_array().expect("rows").clone(),
                _ => body["embeddings"].as_array().expect("rows").clone(),
            };
            assert_eq!(rows, vec![json!([1.0, 0.0, 0.0]); count], "{path}: {body}");
        }
    }
    let base64 = json!({ "input": "a", "encoding_format": "base64", "dimensions": 3 }).to_string();
    let body = server.post("/v1/embeddings", &base64).json();
    assert_eq!(body["data"][0]["embedding"], "AACAPwAAAAAAAAAA");
    assert!(server.post("/embed", &asking("inputs", &json!("a"))).header("x-total-time").is_some());
    assert_eq!(server.get("/v1/models").json()["data"][0]["id"], "null");
    assert_eq!(server.get("/info").json()["max_client_batch_size"], 32);
    assert_eq!(server.end(), Some(0));
}

#[test]
fn tailmarks_own_client_finds_the_vectors_equal_in_every_dialect() {
    let bench = Workbench::new();
    let unit = |_: &str| [&[1.0_f32][..], &[0.0; 7]].concat();
    write_model(&bench.path().join("letters"), unit);
    let server = Server::ready(
        &bench,
        &["null", "--set", "dimensions=8", "--model-name", "mine/letters", "--replicas", "2"],
    );
    let mut scenario = "[model]\nfolder = \"letters\"\n[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 1\n\
        [phases.warm_up]\nmin_requests = 2\nmax_requests = 2\n[phases.steady]\nmin_requests = 20\nmax_requests = 20\n"
        .to_owned();
    let url = server.url();
    let ways = [
        ("openai", "model = \"mine/letters\""),
        ("openai-float", "dialect = \"openai\", encoding_format = \"float\""),
        ("tei", "dialect = \"tei\""),
        ("ollama", "dialect = \"ollama\", model = \"mine/letters\""),
        ("akidb", "dialect = \"akidb\", model = \"mine/letters\""),
    ];
    for (name, options) in ways {
        scenario.push_str(&format!(
            "[[backend]]\nkind = \"http\"\nname = {name:?}\noptions = {{ url = {url:?}, {options} }}\n"
        ));
    }
    let ran = bench.run_scenario(&scenario);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let record = bench.record();
    for (name, _) in ways {
        assert_eq!(outcome(&record, name), ("measured", ""), "{name}");
        let smallest = backend(&record, name)["equivalence"]["min_cosine"].as_f64().expect("a cosine");
        assert!(smallest > 0.999_999, "{name}: {smallest}");
    }
    assert_eq!(server.end(), Some(0));
}

#[test]
fn what_cannot_be_answered_is_refused_in_the_dialects_own_form_with_the_rule() {
    let bench = Workbench::new();
    let limits = ["--max-texts", "2", "--max-body", "1KiB"];
    let server = Server::ready(&bench, &[NULL, &limits].concat());
    for (path, key) in PATHS {
        let too_many = if path == "/embed" { 422 } else { 400 };
        let cases = [
            ("{".to_owned(), 400, "the body cannot be read"),
            (asking(key, &json!([])), 400, "found no text"),
            (asking(key, &json!([[1, 2]])), 400, "token numbers are not taken"),
            (asking(key, &json!(["a", "b", "c"])), too_many, "found 3 texts; at most 2"),
            (asking(key, &json!("long ".repeat(400))), 413, "more than 1024 bytes"),
        ];
        for (body, status, part) in cases {
            let reply = server.post(path, &body);
            assert_eq!(reply.status, status, "{path}: {reply:?}");
            assert!(message(&reply.json()).contains(part), "{path}: {}", reply.body);
        }
    }
    let shorter = json!({ "input": "a", "dimensions": 2 }).to_string();
    let reply = server.post("/v1/embeddings", &shorter);
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (400, &json!("invalid_request_error")));
    assert!(reply.body.contains("`dimensions` is 2; the model's vectors have 3 numbers"), "{}", reply.body);
    let other = server.post("/api/embed", &json!({ "model": "bge", "input": "a" }).to_string());
    assert_eq!((other.status, message(&other.json()).contains("this server has \"null\"")), (404, true));
    assert_eq!(server.get("/v2/nothing").status, 404);
    assert_eq!(server.get("/embed").status, 405);
    // All of it left the server as it was.
    assert_eq!(server.post("/embed", &asking("inputs", &json!("a"))).status, 200);
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_request_that_finds_the_queue_full_is_told_when_to_come_again() {
    let bench = Workbench::new();
    let server = Server::ready(&bench, &[HANGING, &["--queue", "1"]].concat());
    let body = json!({ "inputs": "a" }).to_string();
    let first = server.post_meanwhile("/embed", &body);
    server.wait_for_metric("tailmark_serve_in_flight 1");
    let second = server.post_meanwhile("/embed", &body);
    server.wait_for_metric("tailmark_serve_queue_length 1");
    let third = server.post("/embed", &body);
    assert_eq!((third.status, &third.json()["error_type"]), (429, &json!("Overloaded")));
    let seconds = third.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(seconds >= Some(1), "{third:?}");
    server.wait_for_metric("tailmark_serve_failures_total{dialect=\"tei\",reason=\"queue_full\"} 1");
    // The one that the worker had goes with it, and the one that waited is the next worker's.
    server.signal(server.workers()[0], Signal::Kill);
    let lost = first.join().expect("an answer");
    assert_eq!((lost.status, lost.json()["error"].to_string().contains("was lost")), (503, true), "{lost:?}");
    server.wait_for_metric("tailmark_serve_worker_restarts_total 1");
    server.wait_for_metric("tailmark_serve_in_flight 1");
    server.signal(server.workers()[0], Signal::Kill);
    assert_eq!(second.join().expect("an answer").status, 503);
    server.wait_for_metric("tailmark_serve_ready 1");
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_worker_that_is_killed_is_replaced_and_the_next_request_is_answered() {
    let bench = Workbench::new();
    let server = Server::ready(&bench, NULL);
    let body = json!({ "inputs": "a" }).to_string();
    assert_eq!(server.post("/embed", &body).status, 200);
    let worker = server.workers()[0];
    server.signal(worker, Signal::Kill);
    server.wait_for_metric("tailmark_serve_worker_restarts_total 1");
    let reply = server.post("/embed", &body);
    assert_eq!((reply.status, reply.json()), (200, json!([[1.0, 0.0, 0.0]])));
    assert_ne!(server.workers(), [worker]);
    assert_eq!(server.end(), Some(0));
    let log = fs::read_to_string(bench.path().join("serve.log")).expect("a log");
    let lost: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let lost = lost.iter().find(|line| line["event"] == "worker_lost").expect("the loss has a line");
    assert!(lost["why"].as_str().expect("why").contains("SIGKILL"), "{lost}");
}

#[test]
fn it_is_alive_at_once_and_ready_only_once_the_model_is_there() {
    let bench = Workbench::new();
    let server = Server::start(&bench, &["simulated", "--set", "load=3600s"]);
    assert_eq!((server.get("/health").status, server.get("/ready").status), (200, 503));
    let reply = server.post("/v1/embeddings", &json!({ "input": "a" }).to_string());
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{reply:?}");
    assert_eq!(server.get("/v1/models").status, 503);
    let worker = server.workers()[0];
    assert_eq!(server.end(), Some(0), "it ends while it loads");
    wait_for("the worker to be gone", || (!is_alive(worker)).then_some(()));
}

#[test]
fn what_is_under_way_is_finished_before_it_ends() {
    let bench = Workbench::new();
    let slow =
        ["simulated", "--set", "distribution={ kind = \"constant\", time = \"700ms\" }", "--warm-up", "0"];
    let mut server = Server::ready(&bench, &slow);
    let body = json!({ "inputs": "a" }).to_string();
    let waiting = [(); 2].map(|()| server.post_meanwhile("/embed", &body));
    server.wait_for_metric("tailmark_serve_queue_length 1");
    let worker = server.workers()[0];
    server.signal(Pid::from_u32(server.process.id()), Signal::Interrupt);
    for one in waiting {
        assert_eq!(one.join().expect("an answer").status, 200);
    }
    let status = wait_for("the server to end", || server.process.try_wait().expect("its status"));
    assert_eq!(status.code(), Some(0));
    wait_for("the worker to be gone", || (!is_alive(worker)).then_some(()));
}

#[test]
fn a_server_that_is_killed_leaves_no_worker() {
    let bench = Workbench::new();
    let server = Server::ready(&bench, &[NULL, &["--replicas", "2"]].concat());
    let workers =
        wait_for("two workers", || Some(children(server.process.id())).filter(|found| found.len() == 2));
    server.signal(Pid::from_u32(server.process.id()), Signal::Kill);
    for worker in workers {
        wait_for("a worker to be gone", || (!is_alive(worker)).then_some(()));
    }
}

#[test]
fn a_slow_client_is_closed_and_others_are_not_harmed() {
    let bench = Workbench::new();
    let server = Server::ready(&bench, &[NULL, &["--read-timeout", "300ms"]].concat());
    let mut head = server.connect();
    head.write_all(b"POST /embed HTTP/1.1\r\nhost: a\r\n").expect("half a head is sent");
    let mut body = server.connect();
    let whole = posted("/embed", "", &json!({ "inputs": "a" }).to_string());
    body.write_all(&whole.as_bytes()[..whole.len() - 3]).expect("most of a body is sent");
    assert_eq!(server.post("/embed", &json!({ "inputs": "a" }).to_string()).status, 200);
    let cut = answer(head);
    assert!(cut.status != 200, "{cut:?}");
    let late = answer(body);
    assert_eq!((late.status, late.body.contains("--read-timeout")), (408, true), "{late:?}");
    assert_eq!(server.post("/embed", &json!({ "inputs": "a" }).to_string()).status, 200);
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_key_is_required_where_there_is_one_and_is_nowhere_to_be_read() {
    const KEY: &str = "a-key-that-is-nowhere-0815";
    let bench = Workbench::new();
    let arguments =
        [&["serve", "--address", "127.0.0.1:0", "-v", "--api-key-env", "SERVE_KEY"], NULL].concat();
    let server = Server::start_as(bench.tailmark(&arguments).env("SERVE_KEY", KEY), &bench);
    server.wait_until_ready();
    for (path, key) in PATHS {
        let body = asking(key, &json!("a"));
        for wrong in ["", "authorization: Bearer a-key-that-is-nowhere-0816\r\n", "authorization: a\r\n"] {
            let reply = server.post_with(path, wrong, &body);
            assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{reply:?}");
            assert!(message(&reply.json()).contains("brings no key"), "{reply:?}");
        }
        let right = server.post_with(path, &format!("authorization: Bearer {KEY}\r\n"), &body);
        assert_eq!(right.status, 200, "{right:?}");
        assert!(!format!("{right:?}").contains(KEY));
    }
    assert_eq!(
        [server.get("/metrics").status, server.get("/info").status, server.get("/health").status],
        [401, 401, 200]
    );
    assert_eq!(server.end(), Some(0));
    assert!(!fs::read_to_string(bench.path().join("serve.log")).expect("a log").contains(KEY));

    bench.write("empty", " \n");
    let refused = bench.run(&["serve", "null", "--api-key-file", "empty"]);
    assert_eq!(
        (refused.code, refused.stderr.contains("found no key")),
        (Some(2), true),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_is_typed_wrongly_is_named_with_the_remedy() {
    let bench = Workbench::new();
    let cases: [(&[&str], &str); 7] = [
        (&["onnxx"], "unknown kind `onnxx`; did you mean `onnx`?"),
        (&["null", "--set", "dimension=3"], "--set dimension: unknown option"),
        (&["null", "--set", "dimensions=0"], "--set dimensions: found 0"),
        (&["http", "--set", "url=http://127.0.0.1:1"], "http is not started by tailmark"),
        (&["null", "--read-timeout", "5"], "--read-timeout 5: `5` is not a length of time"),
        (&["null", "--max-body", "much"], "--max-body much: "),
        (&["null", "--address", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
    ];
    for (arguments, part) in cases {
        let refused = bench.run(&[&["serve"], arguments].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{}", refused.stderr);
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}

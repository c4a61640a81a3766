//! A server as a backend, from its address to what lies on disk after a run: measured if its vectors are the model's, not timed if
//! they are another's, and its key nowhere.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use serde_json::{Value, json};
use tailmark_providers::model::Recipe;
use tailmark_providers::model::manifest::{GraphForm, Manifest, ToPin};
use tailmark_providers::model::recipe::PoolingMode;

use super::workbench::{Finished, Workbench, backend, finish, outcome, phase};

/// The key of the server, and the variable that holds it.
const KEY: &str = "a-key-that-is-nowhere-4711";
const VARIABLE: &str = "TAILMARK_TEST_SERVER_KEY";

/// The words that the model can tell apart.
const WORDS: [&str; 4] = ["bread", "river", "garden", "winter"];

/// A vector of length one that says which letters a text has, and how many; the model `shift` letters further is another one.
pub(super) fn vector(text: &str, shift: usize) -> Vec<f32> {
    let mut vector = [0.1_f32; 8];
    for (at, byte) in text.bytes().enumerate() {
        vector[(usize::from(byte) + at + shift * at * at) % 8] += 1.0;
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.iter().map(|number| number / length).collect()
}

/// Writes a model with these vectors. Nothing runs it here, so its files are empty words, and its reference is what counts.
pub(super) fn write_model(folder: &Path, vector: impl Fn(&str) -> Vec<f32>) {
    fs::create_dir(folder).expect("a folder for the model");
    for name in ["config.json", "model.safetensors", "model.onnx"] {
        fs::write(folder.join(name), format!("{{\"{name}\": 1}}")).expect("a file of the model");
    }
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": { "[UNK]": 0 }, "unk_token": "[UNK]" }
    });
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).expect("a file of the model");
    let recipe = Recipe::pooling(PoolingMode::Mean, 8);
    let texts: Vec<String> = WORDS.iter().map(|word| format!("{word} and more of it")).collect();
    let base64 = |text: &String| {
        let bytes: Vec<u8> = vector(text).iter().flat_map(|number| number.to_le_bytes()).collect();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let files = ["config.json", "tokenizer.json", "model.safetensors"].map(str::to_owned);
    let to_pin = ToPin {
        folder,
        files: &files,
        weights: &files[2..],
        form: GraphForm::SelfContained,
        graph_folder: folder,
        graph: Some("model.onnx"),
        data: &[],
        reference_folder: folder,
    };
    fs::write(folder.join("reference.json"), "{}").expect("a file of the model");
    let unpinned = Manifest::pin("mine/letters", (8, &recipe), &to_pin).expect("files to pin");
    let weights = unpinned.files.iter().find(|file| file.name == "model.safetensors").expect("the weights");
    let reference = json!({
        "model": "mine/letters", "weights_sha256": weights.sha256, "made_with": { "torch": "2" }, "recipe": recipe,
        "dimensions": 8, "texts": texts, "token_counts": vec![7; texts.len()],
        "vectors": texts.iter().map(base64).collect::<Vec<_>>(),
    });
    fs::write(folder.join("reference.json"), reference.to_string()).expect("a file of the model");
    Manifest::pin("mine/letters", (8, &recipe), &to_pin)
        .expect("files to pin")
        .write(folder)
        .expect("a manifest");
}

/// A server of OpenAI's dialect on a thread of its own. It wants the key, and each `fails`-th request it repeats it in an error.
fn serve(shift: usize, fails: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let count = Arc::new(AtomicU64::new(1));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let count = Arc::clone(&count);
            std::thread::spawn(move || answer_all(stream, shift, fails, &count));
        }
    });
    url
}

fn answer_all(stream: TcpStream, shift: usize, fails: u64, count: &AtomicU64) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (mut length, mut has_key) = (0, false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            has_key |= line.trim_end() == format!("authorization: Bearer {KEY}");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let asked: Value = serde_json::from_slice(&body).ok()?;
        let fails_now = count.fetch_add(1, Ordering::Relaxed).is_multiple_of(fails);
        let (status, answer) = if !has_key || fails_now {
            ("500 Internal Server Error", json!({ "error": { "message": format!("no luck with {KEY}") } }))
        } else {
            let texts = asked["input"].as_array()?.iter().filter_map(Value::as_str);
            let data: Vec<Value> = texts
                .enumerate()
                .map(|(index, text)| json!({ "index": index, "embedding": vector(text, shift) }))
                .collect();
            let usage = json!({ "prompt_tokens": 7 * data.len(), "total_tokens": 7 * data.len() });
            ("200 OK", json!({ "data": data, "usage": usage }))
        };
        let answer = answer.to_string();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", answer.len());
        writer.write_all(&[head.as_bytes(), answer.as_bytes()].concat()).ok()?;
    }
}

fn scenario(url: &str) -> String {
    format!(
        "[model]\nfolder = \"letters\"\n[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 2\n\
         [phases.warm_up]\nmin_requests = 2\nmax_requests = 2\n\
         [phases.steady]\nmin_requests = 40\nmax_requests = 40\n\
         [[backend]]\nkind = \"http\"\nname = \"server\"\n\
         options = {{ url = {url:?}, model = \"letters\", api_key = {VARIABLE:?} }}\n"
    )
}

fn run(bench: &Workbench, url: &str) -> Finished {
    write_model(&bench.path().join("letters"), |text| vector(text, 0));
    bench.write("scenario.toml", &scenario(url));
    finish(bench.tailmark(&["scenario", "scenario.toml"]).env(VARIABLE, KEY))
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_server_is_measured_with_its_stages_and_its_key_is_nowhere() {
    let bench = Workbench::new();
    let ran = run(&bench, &serve(0, 30));
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let record = bench.record();
    assert_eq!(outcome(&record, "server"), ("measured", ""));
    let server = backend(&record, "server");
    assert_eq!((&server["placement"], &server["equivalence"]["accepted"]), (&json!("client"), &json!(true)));
    assert_eq!(server["equivalence"]["class"], "exact");
    let why = server["execution"]["why"].as_str().unwrap();
    assert!(why.starts_with("not known: a server executes the model"), "{why}");
    assert_eq!(server["options"]["api_key"], VARIABLE);
    assert_eq!(server["cold_starts"][0]["spawn_ns"], Value::Null);
    let steady = phase(server, "steady");
    assert_eq!(
        (&steady["requests"], steady["failures"].as_u64() > Some(0)),
        (&json!(40), true),
        "{steady:#}"
    );
    let reasons = steady["failure_reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 1, "{reasons:#?}");
    let reason = reasons[0]["why"].as_str().unwrap();
    assert!(
        reason.ends_with("500 Internal Server Error: no luck with [hidden]; look at the server's log"),
        "{reason}"
    );
    let stages = &steady["stages"];
    for part in ["connect_ns", "send_ns", "wait_ns", "receive_ns"] {
        assert!(stages["network"][part].is_number(), "{part}: {stages:#}");
    }
    assert!(ran.stdout.contains("not restarted by tailmark"), "{}", ran.stdout);

    let samples = fs::read_to_string(bench.run_folder().join("samples.csv")).unwrap();
    let cold = samples.lines().find(|line| line.contains(",cold_start,")).unwrap();
    let fields: Vec<&str> = cold.split(',').collect();
    assert_eq!((fields.len(), fields[5]), (21, "7"), "{cold}");
    assert!(fields[17].parse::<u64>().unwrap() > 0, "the first request connects: {cold}");

    let folder = bench.run_folder();
    let verified = finish(&mut bench.tailmark_in_brief(&["report", "--verify", &folder.to_string_lossy()]));
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);

    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(KEY));
    for file in files(bench.path()) {
        let content = fs::read(&file).unwrap();
        let there = content.windows(KEY.len()).any(|window| window == KEY.as_bytes());
        assert!(!there, "the key is in {}", file.display());
    }
}

#[test]
fn a_server_that_runs_another_model_is_not_timed() {
    let bench = Workbench::new();
    let ran = run(&bench, &serve(3, u64::MAX));
    assert_ne!(ran.code, Some(0), "{}", ran.stdout);
    let record = bench.record();
    let (state, why) = outcome(&record, "server");
    assert!(state == "wrong" && why.contains("it was not timed"), "{state}: {why}");
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_address_and_the_remedy() {
    let bench = Workbench::new();
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().unwrap();
    let ran = run(&bench, &format!("http://{gone}"));
    assert_ne!(ran.code, Some(0), "{}", ran.stdout);
    let record = bench.record();
    let (state, why) = outcome(&record, "server");
    assert_eq!(state, "broken");
    assert!(why.starts_with(&format!("POST http://{gone}/v1/embeddings: no connection to port ")), "{why}");
    assert!(why.ends_with("; is the server running?"), "{why}");
}

#[test]
fn a_key_in_the_scenario_is_refused_and_not_repeated() {
    let bench = Workbench::new();
    bench.write("scenario.toml", &scenario("http://127.0.0.1:1").replace(VARIABLE, KEY));
    let ran = bench.run(&["scenario", "scenario.toml"]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("options.api_key: found what is no name of an environment variable"),
        "{}",
        ran.stderr
    );
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(KEY), "{}", ran.stderr);
}

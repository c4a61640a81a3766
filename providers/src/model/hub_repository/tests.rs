//! A hub of the test's own on this machine, with the file layouts of five repositories and contents of a few bytes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::*;
use crate::progress::Silent;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the hub does wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Ends the answer in its middle.
    BreaksOff,
    /// Says nothing more after its middle.
    Stalls,
    /// Sends other bytes.
    Damages,
    /// Sends more than it said.
    TooLong,
    /// Begins at the first byte, whatever was asked for.
    IgnoresRanges,
}

/// A hub with one repository.
struct LocalHub {
    hub: Hub,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    faults: Mutex<BTreeMap<String, Fault>>,
    /// The status of the next answers, with the code and the seconds to wait in their headers.
    refusals: Mutex<Vec<(u16, &'static str, u64)>>,
    /// What was asked for: the path, and from which byte on.
    asked: Mutex<Vec<(String, Option<usize>)>>,
}

impl LocalHub {
    /// Files whose names end like weights or graphs are large ones, of which the hub tells the hash.
    fn with(files: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec()));
        let state = Arc::new(State { files: files.collect(), ..State::default() });
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || state.answer(&stream));
            }
        });
        let hub = Hub {
            endpoint: Some(endpoint),
            cache: Some("/nowhere".into()),
            silence: Some(Duration::from_millis(400)),
            offline: false,
        };
        Self { hub, state }
    }

    fn fault(&self, name: &str, fault: Option<Fault>) {
        let mut faults = self.state.faults.lock().unwrap();
        faults.remove(name);
        faults.extend(fault.map(|fault| (name.to_owned(), fault)));
    }

    fn fetch(&self, wish: &Wish, into: &Path) -> Result<Vec<String>, RepositoryError> {
        let listing = self.hub.list("someone/tiny", "main")?;
        let files = listing.select(wish)?;
        let fetched = self.hub.fetch_files(&listing, &files, &[], into, &Silent)?;
        Ok(fetched.into_iter().map(|file| file.name).collect())
    }
}

impl State {
    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let mut from = None;
        for line in lines.take_while(|line| !line.is_empty()) {
            let line = line.to_ascii_lowercase();
            if let Some(range) = line.strip_prefix("range: bytes=") {
                from = range.trim_end_matches('-').parse().ok();
            }
        }
        self.asked.lock().unwrap().push((path.clone(), from));
        let mut to = stream;
        if let Some((status, code, wait)) = self.refusals.lock().unwrap().pop() {
            let text = format!(
                "HTTP/1.1 {status} No\r\nX-Error-Code: {code}\r\nRetry-After: {wait}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return to.write_all(text.as_bytes()).ok();
        }
        if path == "/api/models/someone/tiny/revision/main?blobs=true" {
            return send(to, 200, self.listing().as_bytes());
        }
        let name = path.strip_prefix(&format!("/someone/tiny/resolve/{COMMIT}/")).unwrap_or_default();
        let Some(content) = self.files.get(name) else { return send(to, 404, b"") };
        let fault = self.faults.lock().unwrap().get(name).copied();
        let (half, mut sent) = (content.len() / 2, content.clone());
        match fault {
            Some(Fault::Damages) => sent[half] ^= 1,
            Some(Fault::TooLong) => sent.extend(b"and more"),
            Some(Fault::BreaksOff | Fault::Stalls) => {
                let start = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
                to.write_all(start.as_bytes()).ok()?;
                to.write_all(&sent[..half]).ok()?;
                to.flush().ok()?;
                if fault == Some(Fault::Stalls) {
                    std::thread::sleep(Duration::from_secs(3));
                }
                return Some(());
            }
            _ => {}
        }
        match from.filter(|_| fault != Some(Fault::IgnoresRanges)) {
            Some(from) if from >= sent.len() => send(to, 416, b""),
            Some(from) => send(to, 206, &sent[from..]),
            None => send(to, 200, &sent),
        }
    }

    fn listing(&self) -> String {
        let siblings: Vec<serde_json::Value> = self
            .files
            .iter()
            .map(|(name, content)| {
                let large = [".onnx", "_data", ".safetensors", ".bin"].iter().any(|end| name.ends_with(end));
                let lfs = large.then(
                    || serde_json::json!({"sha256": digest::sha256_of(content), "size": content.len()}),
                );
                serde_json::json!({"rfilename": name, "size": content.len(), "blobId": "x", "lfs": lfs})
            })
            .collect();
        serde_json::json!({"id": "someone/tiny", "sha": COMMIT, "siblings": siblings}).to_string()
    }
}

fn send(mut to: &TcpStream, status: u16, content: &[u8]) -> Option<()> {
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    to.write_all(head.as_bytes()).ok()?;
    to.write_all(content).ok()
}

/// What every repository here has beside its weights and graphs.
const COMMON: [(&str, &str); 6] = [
    (".gitattributes", "-"),
    ("README.md", "text"),
    ("config.json", "{}"),
    ("tokenizer.json", "{}"),
    ("tokenizer_config.json", "{}"),
    ("1_Pooling/config.json", "{}"),
];

fn layout(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    COMMON.iter().chain(more).copied().collect()
}

#[test]
fn of_each_layout_the_files_are_taken_that_a_model_is_made_of() {
    let sizes = Wish::default();
    let weights = Wish { weights: true, ..Wish::default() };
    let quantized = Wish { graphs: vec!["onnx/model_quantized.onnx".to_owned()], ..Wish::default() };
    for (what, files, wish, expected) in [
        (
            "MiniLM: many graphs beside weights in three forms",
            layout(&[
                ("model.safetensors", "weights"),
                ("pytorch_model.bin", "weights"),
                ("tf_model.h5", "weights"),
                ("onnx/model.onnx", "graph"),
                ("onnx/model_O4.onnx", "graph"),
                ("onnx/model_qint8_arm64.onnx", "graph"),
                ("openvino/openvino_model.bin", "weights"),
                ("modules.json", "[]"),
            ]),
            &sizes,
            &["onnx/model.onnx", "modules.json"][..],
        ),
        (
            "bge: one graph, and the weights are wanted too",
            layout(&[
                ("model.safetensors", "weights"),
                ("pytorch_model.bin", "weights"),
                ("onnx/model.onnx", "graph"),
            ]),
            &weights,
            &["model.safetensors", "onnx/model.onnx"],
        ),
        (
            "e5: shards and no graph",
            layout(&[
                ("model-00001-of-00002.safetensors", "a"),
                ("model-00002-of-00002.safetensors", "b"),
                ("model.safetensors.index.json", "{}"),
                ("2_Dense/config.json", "{}"),
                ("2_Dense/model.safetensors", "c"),
            ]),
            &sizes,
            &[
                "2_Dense/config.json",
                "2_Dense/model.safetensors",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "model.safetensors.index.json",
            ],
        ),
        (
            "onnx-community: graphs alone, one of them with data in two files",
            layout(&[
                ("onnx/model.onnx", "graph"),
                ("onnx/model.onnx_data", "data"),
                ("onnx/model.onnx_data_1", "data"),
                ("onnx/model_q4.onnx", "graph"),
                ("onnx/model_quantized.onnx", "graph"),
                ("onnx/model_quantized.onnx_data", "data"),
            ]),
            &quantized,
            &[
                "onnx/model.onnx",
                "onnx/model.onnx_data",
                "onnx/model.onnx_data_1",
                "onnx/model_quantized.onnx",
                "onnx/model_quantized.onnx_data",
            ],
        ),
        (
            "Qwen3: weights and the parts of a tokenizer",
            layout(&[("model.safetensors", "weights"), ("merges.txt", "a b"), ("vocab.json", "{}")]),
            &sizes,
            &["merges.txt", "model.safetensors", "vocab.json"],
        ),
    ] {
        let hub = LocalHub::with(&files);
        let folder = tempfile::tempdir().unwrap();
        let found = hub.fetch(wish, folder.path()).unwrap();
        let common = ["1_Pooling/config.json", "config.json", "tokenizer.json", "tokenizer_config.json"];
        let mut expected: Vec<&str> = common.iter().chain(expected).copied().collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{what}");
        for name in found {
            let content = files.iter().find(|(file, _)| *file == name).unwrap().1;
            assert_eq!(fs::read_to_string(folder.path().join(&name)).unwrap(), content, "{what}: {name}");
        }
    }
}

#[test]
fn what_is_there_already_is_not_fetched_again() {
    let hub = LocalHub::with(&layout(&[("model.safetensors", "weights")]));
    let folder = tempfile::tempdir().unwrap();
    hub.fetch(&Wish::default(), folder.path()).unwrap();
    let before = hub.state.asked.lock().unwrap().len();
    hub.fetch(&Wish::default(), folder.path()).unwrap();
    assert_eq!(hub.state.asked.lock().unwrap().len(), before + 1, "the listing alone");
}

const LARGE: (&str, &str) = ("model.safetensors", "0123456789 and so on, as weights are");

/// Files below a folder, their parts among them.
fn names(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.into_iter().map(|file| file.name).collect()
}

#[test]
fn a_large_file_that_broke_off_is_gone_on_with_and_a_hub_that_cannot_begins_anew() {
    for fault in [Fault::BreaksOff, Fault::Stalls] {
        for then in [None, Some(Fault::IgnoresRanges)] {
            let hub = LocalHub::with(&layout(&[LARGE]));
            let folder = tempfile::tempdir().unwrap();
            hub.fault(LARGE.0, Some(fault));
            let error = hub.fetch(&Wish::default(), folder.path()).unwrap_err().to_string();
            assert!(error.contains("model.safetensors it broke off after 18 "), "{error}");
            assert!(!names(folder.path()).contains(&LARGE.0.to_owned()), "nothing half-made has its name");
            hub.fault(LARGE.0, then);
            hub.fetch(&Wish::default(), folder.path()).unwrap();
            assert_eq!(fs::read_to_string(folder.path().join(LARGE.0)).unwrap(), LARGE.1);
            let asked = hub.state.asked.lock().unwrap();
            assert_eq!(asked.iter().rfind(|(path, _)| path.ends_with(LARGE.0)).unwrap().1, Some(18));
            assert!(!names(folder.path()).iter().any(|name| name.ends_with(PART)));
        }
    }
}

#[test]
fn a_file_that_is_not_what_it_must_be_is_refused_and_gone() {
    for (fault, part) in [
        (Fault::Damages, "model.safetensors has SHA-256 "),
        (Fault::TooLong, "model.safetensors is longer than 36 bytes"),
    ] {
        let hub = LocalHub::with(&layout(&[LARGE]));
        let folder = tempfile::tempdir().unwrap();
        hub.fault(LARGE.0, Some(fault));
        let error = hub.fetch(&Wish::default(), folder.path()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("\n\nhint: "), "{error}");
        assert!(
            !names(folder.path()).iter().any(|name| name.starts_with(LARGE.0)),
            "{:?}",
            names(folder.path())
        );
    }
}

#[test]
fn a_file_that_differs_from_what_is_pinned_is_refused_with_both_hashes() {
    let hub = LocalHub::with(&layout(&[LARGE]));
    let folder = tempfile::tempdir().unwrap();
    let listing = hub.hub.list("someone/tiny", "main").unwrap();
    let files = listing.select(&Wish::default()).unwrap();
    let pinned =
        PinnedFile { name: "config.json".to_owned(), bytes: 2, sha256: digest::sha256_of(b"another") };
    let fetched = hub.hub.fetch_files(&listing, &files, &[pinned], folder.path(), &Silent);
    let error = fetched.unwrap_err().to_string();
    assert!(error.contains("config.json has SHA-256 ") && error.contains("expected "), "{error}");
    assert!(error.contains("hint: tailmark.lock holds the run to what was measured before"), "{error}");
}

#[test]
fn a_refusal_says_what_to_do() {
    for (refusal, part, hint) in [
        ((404, "RevisionNotFound", 0), "there is no revision main", "check the name and the revision"),
        ((401, "RepoNotFound", 0), "there is no such repository, or it is private", "set HF_TOKEN"),
        ((403, "GatedRepo", 0), "the repository is gated", "set HF_TOKEN"),
        ((401, "", 0), "refused with status 401", "set HF_TOKEN"),
        ((429, "", 3600), "too many requests from this address", "try again in 3600 s"),
        ((500, "", 0), "refused with status 500", "try again later"),
    ] {
        let hub = LocalHub::with(&layout(&[LARGE]));
        hub.state.refusals.lock().unwrap().push(refusal);
        let error = hub.hub.list("someone/tiny", "main").unwrap_err().to_string();
        assert!(error.starts_with("the model hub's repository someone/tiny: "), "{error}");
        assert!(error.contains(part) && error.contains(hint), "{error}");
    }
}

#[test]
fn a_hub_that_asks_for_a_moment_is_given_it() {
    let hub = LocalHub::with(&layout(&[LARGE]));
    hub.state.refusals.lock().unwrap().push((429, "", 0));
    assert_eq!(hub.hub.list("someone/tiny", "main").unwrap().commit, COMMIT);
    assert_eq!(hub.state.asked.lock().unwrap().len(), 2);
}

#[test]
fn a_graph_that_is_not_there_is_named_with_those_that_are() {
    let hub = LocalHub::with(&layout(&[("onnx/model.onnx", "graph"), ("onnx/model_fp16.onnx", "graph")]));
    let wish = Wish { graphs: vec!["model_q8.onnx".to_owned()], ..Wish::default() };
    let error = hub.fetch(&wish, Path::new("/nowhere")).unwrap_err().to_string();
    assert!(error.contains("it has no graph `model_q8.onnx`"), "{error}");
    assert!(error.ends_with("its graphs are: onnx/model.onnx, onnx/model_fp16.onnx"), "{error}");
    let nothing = LocalHub::with(&layout(&[("adapter_model.safetensors", "x")]));
    let error = nothing.fetch(&Wish::default(), Path::new("/nowhere")).unwrap_err().to_string();
    assert!(error.contains("it has neither a graph (*.onnx) nor weights"), "{error}");
}

#[test]
fn offline_the_hubs_own_cache_is_the_hub() {
    let cache = tempfile::tempdir().unwrap();
    let repository = cache.path().join("models--someone--tiny");
    let snapshot = repository.join("snapshots").join(COMMIT);
    fs::create_dir_all(snapshot.join("onnx")).unwrap();
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), COMMIT).unwrap();
    for (name, content) in [("config.json", "{}"), ("tokenizer.json", "{}"), ("onnx/model.onnx", "graph")] {
        fs::write(snapshot.join(name), content).unwrap();
    }
    let hub = Hub { offline: true, cache: Some(cache.path().to_owned()), ..Hub::default() };
    let listing = hub.list("someone/tiny", "main").unwrap();
    let files = listing.select(&Wish::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let fetched = hub.fetch_files(&listing, &files, &[], folder.path(), &Silent).unwrap();
    assert_eq!(fetched.len(), 3);
    let error = hub.list("someone/other", "main").unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE is set"), "{error}");
}

#[test]
fn names_of_repositories_have_two_parts() {
    for name in ["BAAI/bge-small-en-v1.5", "onnx-community/Qwen3-Embedding-0.6B-ONNX", "a/b"] {
        assert!(is_name(name), "{name}");
    }
    for name in ["bge", "a/b/c", "/b", "a/", "../b", "a/..", "a b/c", "-a/b", "https://x/y"] {
        assert!(!is_name(name), "{name}");
    }
}

//! From the name of a repository of the model hub to a verdict, against a hub of the test's own: a small BERT of random weights whose
//! repository has its ONNX graph and no weights, so that nothing of torch is used. Making that graph takes Python with torch; without
//! it the test says so and ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::models::model;
use super::own_model::named;
use super::workbench::{DATA, Finished, Workbench, backend, finish, outcome};

/// As few requests as will do, whatever the machine is busy with.
const SHORT: &str = "[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 1\n\
                     [phases.warm_up]\nmin_requests = 2\nmax_requests = 2\n\
                     [phases.steady]\nmin_requests = 20\nmax_requests = 20\n";

const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Serves each folder in a folder as a repository `someone/NAME`, and gives the hub's address.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let folder = Arc::new(folder);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let folder = Arc::clone(&folder);
            std::thread::spawn(move || answer(&stream, &folder));
        }
    });
    address
}

fn answer(stream: &TcpStream, folder: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let content = if let Some(asked) = path.strip_prefix("/api/models/someone/") {
        let repository = folder.join(asked.split('/').next()?);
        repository.is_dir().then(|| listing(&repository).into_bytes())
    } else {
        let (repository, name) =
            path.strip_prefix("/someone/")?.split_once(&format!("/resolve/{COMMIT}/"))?;
        fs::read(folder.join(repository).join(name)).ok()
    };
    let status = if content.is_some() { "200 OK" } else { "404 Not Found" };
    let content = content.unwrap_or_default();
    let mut to = stream;
    write!(to, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len()).ok()?;
    to.write_all(&content).ok()
}

fn listing(folder: &Path) -> String {
    let mut siblings = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let content = fs::read(&entry).expect("a file");
            let hash = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let name = entry.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
            let lfs = is_large(&name).then(|| serde_json::json!({"sha256": hash, "size": content.len()}));
            siblings.push(serde_json::json!({"rfilename": name, "size": content.len(), "lfs": lfs}));
        }
    }
    serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string()
}

/// Whether the hub knows the hash of such a file.
fn is_large(name: &str) -> bool {
    [".onnx", ".onnx_data", ".safetensors", ".bin"].iter().any(|ending| name.ends_with(ending))
}

/// A repository `tiny` with settings and a graph, and no weights; gives the folder that it is in.
fn repository(bench: &Workbench, python: &Path) -> PathBuf {
    let made = Command::new(python)
        .arg(format!("{DATA}/tiny_model.py"))
        .arg(bench.path().join("tiny"))
        .stdin(Stdio::null())
        .output()
        .expect("the interpreter was started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let python = python.display().to_string();
    let arguments = ["export", "tiny", "--name", "me/tiny", "--form", "self-contained", "--python", &python];
    let exported = model(bench, &arguments);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let hub = bench.path().join("hub");
    let (from, to) = (bench.path().join("tiny"), hub.join("tiny"));
    for name in [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
    ] {
        let place = to.join(name);
        fs::create_dir_all(place.parent().expect("a folder")).expect("made");
        fs::copy(from.join(name), place).expect("copied");
    }
    fs::create_dir_all(to.join("onnx")).expect("made");
    fs::copy(from.join("model.onnx"), to.join("onnx/model.onnx")).expect("copied");
    hub
}

#[test]
fn a_name_of_the_hub_ends_in_a_verdict_and_is_pinned_for_every_later_run() {
    let (Some(python), Some(library)) =
        (named("TAILMARK_TEST_EXPORT_PYTHON"), named("TAILMARK_TEST_ONNXRUNTIME"))
    else {
        return;
    };
    let bench = Workbench::new();
    let address = serve(repository(&bench, &python));
    let library = library.display().to_string();
    fs::create_dir(bench.path().join("scenarios")).expect("a folder");
    bench.write(
        "scenarios/hub.toml",
        &format!(
            "[model]\nname = \"someone/tiny\"\n[workload]\nprompt = {{ text = \"the food: \" }}\n\
             {SHORT}\
             [[objective]]\nindicator = \"p95 response time\"\nbelow = \"60s\"\nconfidence = 0.6\n\
             [[backend]]\nkind = \"onnx\"\noptions = {{ library = {library:?} }}\n[[backend]]\nkind = \"rten\"\n"
        ),
    );
    let python = python.display().to_string();
    let run = |endpoint: &str, more: &[&str]| -> Finished {
        let arguments = [&["scenario", "scenarios/hub.toml", "--python", &python], more].concat();
        finish(bench.tailmark(&arguments).env("HF_ENDPOINT", endpoint).env("HF_HUB_CACHE", "/nowhere"))
    };
    let first = run(&address, &[]);
    assert!([Some(0), Some(3)].contains(&first.code), "{}\n{}", first.stdout, first.stderr);
    for part in [
        "model: someone/tiny, weights ",
        &format!("from the model hub: someone/tiny at commit {COMMIT}"),
        "compared with the fp32 graph onnx/model.onnx in onnxruntime",
        "before every text: a prompt, \"the food: \"",
    ] {
        let flat = first.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(part), "{part}: {}", first.stdout);
    }
    let record = bench.record();
    for name in ["onnx", "rten"] {
        assert_eq!(outcome(&record, name), ("measured", ""));
        assert_eq!(backend(&record, name)["equivalence"]["class"], "exact");
    }
    assert_eq!(record["workload"]["prompt"]["text"], "the food: ");

    let lock = bench.path().join("scenarios/tailmark.lock");
    let pinned = fs::read_to_string(&lock).expect("the lock");
    assert!(
        pinned.contains(&format!("revision = \"{COMMIT}\"")) && pinned.contains("onnx/model.onnx"),
        "{pinned}"
    );
    // Nobody is asked any more.
    let again = run("http://127.0.0.1:9", &[]);
    assert!([Some(0), Some(3)].contains(&again.code), "{}\n{}", again.stdout, again.stderr);
    assert_eq!(fs::read_to_string(&lock).expect("the lock"), pinned);

    let other = run(&address, &["--set", "model.revision=v2"]);
    assert_eq!(other.code, Some(2), "{}", other.stderr);
    assert!(other.stderr.contains("and the scenario asks for the revision `v2`"), "{}", other.stderr);
    let prompt = run(&address, &["--set", "workload.prompt=query"]);
    assert_eq!(prompt.code, Some(2), "{}", prompt.stderr);
    assert!(prompt.stderr.contains("has no prompt `query`. Its prompts are: none"), "{}", prompt.stderr);

    // A store that was emptied is filled again with what is pinned, and with nothing else.
    fs::remove_dir_all(bench.path().join("home/cache/tailmark/models/hub--someone--tiny")).expect("removed");
    let hash = pinned.split("sha256 = \"").nth(1).and_then(|rest| rest.get(..64)).expect("a hash");
    fs::write(&lock, pinned.replace(hash, &"0".repeat(64))).expect("written");
    let differs = run(&address, &[]);
    assert_eq!(differs.code, Some(4), "{}", differs.stderr);
    assert!(
        differs.stderr.contains(&format!("has SHA-256 {hash}, expected {}", "0".repeat(64))),
        "{}",
        differs.stderr
    );
}

#[test]
fn all_graphs_of_a_repository_are_rows_and_one_for_other_processors_says_so() {
    let (Some(python), Some(library)) =
        (named("TAILMARK_TEST_EXPORT_PYTHON"), named("TAILMARK_TEST_ONNXRUNTIME"))
    else {
        return;
    };
    let bench = Workbench::new();
    let hub = repository(&bench, &python);
    // One of the two is for other processors, whichever this is.
    for name in ["model_qint8_arm64", "model_quint8_avx2"] {
        let onnx = hub.join("tiny/onnx");
        fs::copy(onnx.join("model.onnx"), onnx.join(format!("{name}.onnx"))).expect("copied");
    }
    let address = serve(hub);
    let library = library.display().to_string();
    let scenario = |graphs: &str| {
        format!(
            "[model]\nname = \"someone/tiny\"\n{SHORT}\
             [[backend]]\nkind = \"onnx\"\ngraphs = {graphs}\noptions = {{ library = {library:?} }}\n"
        )
    };
    bench.write("all.toml", &scenario("\"all\""));
    let python = python.display().to_string();
    let run = |scenario: &str, endpoint: &str| -> Finished {
        let arguments = ["scenario", scenario, "--python", &python];
        finish(bench.tailmark(&arguments).env("HF_ENDPOINT", endpoint).env("HF_HUB_CACHE", "/nowhere"))
    };
    let first = run("all.toml", &address);
    assert_eq!(first.code, Some(0), "{}\n{}", first.stdout, first.stderr);
    let record = bench.record();
    let rows = ["onnx-model", "onnx-model_qint8_arm64", "onnx-model_quint8_avx2"];
    for name in rows {
        let row = backend(&record, name);
        assert_eq!(outcome(&record, name), ("measured", ""));
        assert_eq!(row["cell"]["of"], "onnx");
        assert_eq!(row["equivalence"]["class"], "exact");
        assert_eq!(row["cell"]["axes"][0]["value"], row["options"]["graph"]);
    }
    let other = match std::env::consts::ARCH {
        "aarch64" => ("onnx-model_quint8_avx2", "made for processors with AVX2"),
        _ => ("onnx-model_qint8_arm64", "made for ARM64 processors"),
    };
    assert_eq!(backend(&record, other.0)["label"], format!("{} ({})", other.0, other.1));
    let warned = record["warnings"].as_array().expect("a list").iter().any(|warning| {
        warning["backend"] == other.0 && warning["what"].as_str().is_some_and(|what| what.contains(other.1))
    });
    assert!(warned, "{}", record["warnings"]);
    let flat = first.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(other.1), "{}", first.stdout);

    // All that the repository had is pinned, so that nobody has to be asked which graphs there are.
    fs::remove_dir_all(bench.run_folder()).expect("removed");
    let again = run("all.toml", "http://127.0.0.1:9");
    assert_eq!(again.code, Some(0), "{}\n{}", again.stdout, again.stderr);
    assert_eq!(bench.record()["backends"].as_array().map(Vec::len), Some(rows.len()));

    bench.write("named.toml", &scenario("[\"onnx/model.onnx\", \"onnx/model_O9.onnx\"]"));
    let missing = run("named.toml", &address);
    assert_ne!(missing.code, Some(0), "{}\n{}", missing.stdout, missing.stderr);
    assert!(missing.stderr.contains("has no graph `onnx/model_O9.onnx`"), "{}", missing.stderr);
    for there in
        ["its graphs are: ", "onnx/model.onnx", "onnx/model_qint8_arm64.onnx", "onnx/model_quint8_avx2.onnx"]
    {
        assert!(missing.stderr.contains(there), "{there}: {}", missing.stderr);
    }
}

/// What a run says of a repository of this name, and whether torch may be there.
const LAYOUTS: [(&str, bool, &str); 5] = [
    ("minilm", false, "compared with the fp32 graph onnx/model.onnx in onnxruntime"),
    ("bge", false, "compared with the fp32 graph onnx/model.onnx in onnxruntime"),
    ("onnx_community", false, "compared with the fp32 graph onnx/model.onnx in onnxruntime"),
    ("e5", true, "compared with sentence-transformers"),
    ("qwen3", true, "compared with sentence-transformers"),
];

#[test]
fn five_layouts_of_the_hub_end_in_a_verdict_and_their_vectors_are_those_of_encode() {
    let (Some(with_torch), Some(without), Some(library)) = (
        named("TAILMARK_TEST_EXPORT_PYTHON"),
        named("TAILMARK_TEST_OPENVINO_PYTHON"),
        named("TAILMARK_TEST_ONNXRUNTIME"),
    ) else {
        return;
    };
    let torch = Command::new(&without).args(["-c", "import torch"]).output().expect("it was started");
    assert!(!torch.status.success(), "{} has torch, and this shows nothing", without.display());
    let bench = Workbench::new();
    let hub = bench.path().join("hub");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/models/hub.py");
    let made =
        Command::new(&with_torch).arg(script).arg(&hub).stdin(Stdio::null()).output().expect("started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let address = serve(hub.clone());
    let library = library.display().to_string();
    for (name, torch, said) in LAYOUTS {
        bench.write(
            "five.toml",
            &format!(
                "[model]\nname = \"someone/{name}\"\n{}\
                 [[objective]]\nindicator = \"p95 response time\"\nbelow = \"60s\"\nconfidence = 0.6\n\
                 [[backend]]\nkind = \"onnx\"\noptions = {{ library = {library:?} }}\n",
                SHORT.replace("requests = 20", "requests = 200")
            ),
        );
        let python = if torch { &with_torch } else { &without }.display().to_string();
        let run = finish(
            bench
                .tailmark(&["scenario", "five.toml", "--python", &python])
                .env("HF_ENDPOINT", &address)
                .env("HF_HUB_CACHE", "/nowhere"),
        );
        assert_eq!(run.code, Some(0), "{name}: {}\n{}", run.stdout, run.stderr);
        let flat = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(said), "{name}: {said}: {}", run.stdout);
        let record = bench.record();
        assert_eq!(backend(&record, "onnx")["equivalence"]["class"], "exact", "{name}");
        fs::remove_dir_all(bench.run_folder()).expect("removed");
    }
    let store = bench.path().join("home/cache/tailmark/models");
    // Of a repository's files only those come that a model is made of.
    for name in ["minilm", "bge", "e5"] {
        let folder = store.join(format!("hub--someone--{name}")).join(COMMIT);
        for other in ["tf_model.h5", "pytorch_model.bin", "train_script.py", "lora", "openvino"] {
            assert!(!folder.join(other).exists(), "{name}: {other}");
        }
    }
    let compared = Command::new(&without)
        .args([script, &hub.display().to_string(), "--compare", &store.display().to_string()])
        .output()
        .expect("it was started");
    let text = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert_eq!(text.lines().count(), LAYOUTS.len(), "{text}{}", String::from_utf8_lossy(&compared.stderr));
    for line in text.lines() {
        let cosine: f64 = line.split(' ').nth(1).and_then(|number| number.parse().ok()).expect("a cosine");
        assert!(cosine >= 0.9999, "{line}");
    }
}

#[test]
fn a_repository_is_fetched_verified_exported_elsewhere_and_removed_by_its_name() {
    let Some(python) = named("TAILMARK_TEST_EXPORT_PYTHON") else { return };
    let bench = Workbench::new();
    let hub = repository(&bench, &python);
    fs::copy(bench.path().join("tiny/model.safetensors"), hub.join("tiny/model.safetensors"))
        .expect("copied");
    let address = serve(hub.clone());
    let python = python.display().to_string();
    let command = |arguments: &[&str]| -> Finished {
        finish(
            bench
                .tailmark(&[&["model"], arguments].concat())
                .env("HF_ENDPOINT", &address)
                .env("HF_HUB_CACHE", "/nowhere"),
        )
    };
    let absent = command(&["verify", "someone/tiny"]);
    assert_eq!(absent.code, Some(2), "{}", absent.stderr);
    assert!(absent.stderr.contains("unknown model `someone/tiny`"), "{}", absent.stderr);
    let gone = command(&["fetch", "someone/other", "--python", &python]);
    assert_eq!(gone.code, Some(4), "{}", gone.stderr);
    assert!(gone.stderr.contains("repository someone/other"), "{}", gone.stderr);

    let fetched = command(&["fetch", "someone/tiny", "--revision", "v1", "--python", &python]);
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    for part in [
        format!("someone/tiny: from the model hub at commit {COMMIT}"),
        format!("--set model.name=someone/tiny --set model.revision={COMMIT}"),
        "  onnx/model.onnx\n".to_owned(),
    ] {
        assert!(fetched.stdout.contains(&part), "{part}: {}", fetched.stdout);
    }
    assert!(!fetched.stdout.contains("model.safetensors"), "{}", fetched.stdout);
    let listed = command(&["list"]);
    assert!(listed.stdout.contains("someone/tiny "), "{}", listed.stdout);
    let verified = command(&["verify", "someone/tiny"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert!(verified.stdout.contains("OK       onnx/model.onnx"), "{}", verified.stdout);

    let own_graph = command(&["export", "someone/tiny", "--python", &python]);
    assert_eq!(own_graph.code, Some(2), "{}", own_graph.stderr);
    assert!(own_graph.stderr.contains("has its own graph onnx/model.onnx"), "{}", own_graph.stderr);
    let exported = command(&["export", "someone/tiny", "--output", "made", "--python", &python]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    assert!(bench.path().join("made/model.onnx").is_file());
    assert!(exported.stdout.contains("made: graph-only"), "{}", exported.stdout);

    let damaged =
        bench.path().join(format!("home/cache/tailmark/models/hub--someone--tiny/{COMMIT}/onnx/model.onnx"));
    fs::write(&damaged, "flipped").expect("written");
    let found = command(&["verify", "--all"]);
    assert_eq!(found.code, Some(4), "{}", found.stderr);
    assert!(found.stderr.contains("`tailmark model fetch someone/tiny --revision"), "{}", found.stderr);
    let whole = command(&["fetch", "someone/tiny", "--python", &python]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    assert_eq!(command(&["verify", "someone/tiny"]).code, Some(0));

    let refused = command(&["remove", "someone/tiny"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let removed = command(&["remove", "someone/tiny", "--yes"]);
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(removed.stdout.contains("onnx/model.onnx") && !damaged.exists(), "{}", removed.stdout);
    // A known model is pinned; at a revision it is the hub's, and this hub does not have it.
    let other = command(&["fetch", "sentence-transformers/all-MiniLM-L6-v2", "--revision", "main"]);
    assert_eq!(other.code, Some(4), "{}", other.stderr);
    assert!(other.stderr.contains("repository sentence-transformers/all-MiniLM-L6-v2"), "{}", other.stderr);
}

#[test]
fn a_disk_that_takes_no_more_is_named_with_what_is_needed_and_leaves_no_model() {
    let bench = Workbench::new();
    let tiny = bench.path().join("hub/tiny");
    fs::create_dir_all(tiny.join("onnx")).expect("made");
    fs::write(tiny.join("config.json"), "{}").expect("written");
    fs::write(tiny.join("tokenizer.json"), "{}").expect("written");
    fs::write(tiny.join("onnx/model.onnx"), vec![1; 3_000_000]).expect("written");
    let address = serve(bench.path().join("hub"));
    // A file may grow to 512 kB here: what comes after is refused as by a disk that is full.
    let script = format!(
        "trap '' XFSZ; ulimit -f 1000; exec {} model fetch someone/tiny",
        env!("CARGO_BIN_EXE_tailmark")
    );
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &script])
        .current_dir(bench.path())
        .env("HOME", bench.path().join("home"))
        .env("XDG_CACHE_HOME", bench.path().join("home/cache"))
        .env("HF_ENDPOINT", &address)
        .env("HF_HUB_CACHE", "/nowhere")
        .env_remove("TAILMARK_MODEL_STORE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let full = finish(&mut shell);
    assert_eq!(full.code, Some(4), "{}", full.stderr);
    for part in [
        "onnx/model.onnx.part",
        "hint: make room for 4 MB, or name a folder on another disk with --model-store",
    ] {
        assert!(full.stderr.contains(part), "{part}: {}", full.stderr);
    }
    let folder = bench.path().join(format!("home/cache/tailmark/models/hub--someone--tiny/{COMMIT}"));
    assert!(!folder.join("onnx/model.onnx").exists() && !folder.join("tailmark-model.json").exists());
    let listed = finish(&mut bench.tailmark(&["model", "list"]));
    assert!(!listed.stdout.contains("someone/tiny"), "{}", listed.stdout);
}

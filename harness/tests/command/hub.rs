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

/// Serves the files below a folder as the repository `someone/tiny`, and gives the hub's address.
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
    let content = if path.starts_with("/api/models/someone/tiny/revision/") {
        Some(listing(folder).into_bytes())
    } else {
        let name = path.strip_prefix(&format!("/someone/tiny/resolve/{COMMIT}/"))?;
        fs::read(folder.join(name)).ok()
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
            let lfs =
                name.ends_with(".onnx").then(|| serde_json::json!({"sha256": hash, "size": content.len()}));
            siblings.push(serde_json::json!({"rfilename": name, "size": content.len(), "lfs": lfs}));
        }
    }
    serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string()
}

/// A repository with settings and a graph, and no weights.
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
    let (from, to) = (bench.path().join("tiny"), bench.path().join("repository"));
    for name in [
        "config.json",
        "tokenizer.json",
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
    to
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
    let repository = repository(&bench, &python);
    // One of the two is for other processors, whichever this is.
    for name in ["model_qint8_arm64", "model_quint8_avx2"] {
        fs::copy(repository.join("onnx/model.onnx"), repository.join(format!("onnx/{name}.onnx")))
            .expect("copied");
    }
    let address = serve(repository);
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

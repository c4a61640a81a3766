//! `tailmark model` on the store: what is listed, fetched, repaired and removed. It is filled from the real model's files
//! where this machine has them.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use super::models::{MINILM, exported, flip, model, model_with, names, write_own};
use super::workbench::{Workbench, real_model};

/// A store with the real model in it.
fn filled(bench: &Workbench) -> Option<PathBuf> {
    let real = real_model()?;
    let ended = model(bench, &["fetch", MINILM, "--from", &real.display().to_string()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    Some(bench.path().join("home/cache/tailmark/models/sentence-transformers--all-MiniLM-L6-v2"))
}

#[test]
fn an_empty_store_is_listed_and_not_made() {
    let bench = Workbench::new();
    let ended = model(&bench, &["list"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines: Vec<Vec<&str>> = ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let columns = vec!["model", "state", "size", "dim.", "tokens", "pooling", "prompts", "graphs"];
    assert_eq!(lines, [columns, vec![MINILM, "not", "there", "384", "256", "mean", "-"]]);
    assert!(!bench.path().join("home").exists());
    let verified = model(&bench, &["verify", "--all"]);
    assert_eq!((verified.code, verified.stdout.as_str()), (Some(0), ""), "{}", verified.stderr);
}

#[test]
fn a_model_of_ones_own_is_taken_off_the_list_and_its_folder_stays() {
    let bench = Workbench::new();
    let folder = exported(&bench);
    let before = names(&folder);
    let refused = model(&bench, &["remove", "tiny"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("hint: `tailmark model remove tiny --yes`"), "{}", refused.stderr);
    let variants = model(&bench, &["remove", "tiny", "--variants"]);
    assert_eq!(variants.code, Some(2));
    assert!(variants.stderr.contains("outside the model store: nothing was removed"), "{}", variants.stderr);
    let removed = model(&bench, &["remove", "tiny", "--yes"]);
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(removed.stdout.contains("0 bytes were removed"), "{}", removed.stdout);
    assert_eq!(names(&folder), before);
    assert_eq!(model(&bench, &["remove", "tiny", "--yes"]).code, Some(2));
}

#[test]
fn what_is_not_in_the_store_cannot_be_removed_and_no_store_is_made_for_it() {
    let bench = Workbench::new();
    for arguments in [&["remove", MINILM, "--yes"][..], &["remove", MINILM, "--variants"]] {
        let ended = model(&bench, arguments);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("is not in the model store")
                && ended.stderr.contains("nothing was removed"),
            "{}",
            ended.stderr
        );
    }
    assert!(!bench.path().join("home").exists());
}

#[test]
fn a_link_in_the_store_is_not_followed_when_something_is_removed() {
    let bench = Workbench::new();
    let elsewhere = write_own(&bench, "elsewhere");
    let store = bench.path().join("store");
    fs::create_dir(&store).expect("a folder");
    let link = store.join("sentence-transformers--all-MiniLM-L6-v2");
    std::os::unix::fs::symlink(&elsewhere, &link).expect("a link");
    let ended = model(&bench, &["remove", MINILM, "--yes", "--model-store", "store"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("is a link: tailmark removes only what lies in the model store"),
        "{}",
        ended.stderr
    );
    fs::remove_file(&link).expect("removed");

    // A link inside the model's folder goes, and what it leads to stays.
    fs::create_dir(&link).expect("a folder");
    std::os::unix::fs::symlink(&elsewhere, link.join("linked")).expect("a link");
    fs::write(link.join("config.json"), "12345").expect("written");
    let ended = model(&bench, &["remove", MINILM, "--yes", "--model-store", "store"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("removed  config.json: 5 bytes\nremoved  linked: "), "{}", ended.stdout);
    assert!(!link.exists() && names(&elsewhere).len() == 3);
}

#[test]
fn a_known_model_is_fetched_verified_repaired_and_removed() {
    let bench = Workbench::new();
    let Some(folder) = filled(&bench) else { return };
    assert_eq!(model(&bench, &["verify", MINILM]).code, Some(0));
    for file in ["tokenizer.json", "model.onnx"] {
        flip(&folder.join(file), 1000);
        let ended = model(&bench, &["verify", "--all"]);
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stdout.contains(&format!("DAMAGED  {file} has SHA-256 ")), "{}", ended.stdout);
        assert!(
            ended.stderr.contains(&format!("`tailmark model fetch {MINILM}` repairs it")),
            "{}",
            ended.stderr
        );
        filled(&bench).expect("repaired");
        assert_eq!(model(&bench, &["verify", MINILM]).code, Some(0));
    }
    for arguments in [&["quantize", MINILM][..], &["optimize", MINILM]] {
        assert_eq!(model_with(&bench, arguments, &[]).code, Some(0));
    }
    let variants = model(&bench, &["remove", MINILM, "--variants"]);
    assert_eq!(variants.code, Some(0), "{}", variants.stderr);
    let removed: Vec<&str> = variants
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("removed  ")?.split(':').next())
        .collect();
    assert_eq!(removed, ["model.fused.onnx", "model.int8.onnx", "variants.json"]);
    assert_eq!(model(&bench, &["verify", MINILM]).code, Some(0));
    let length = |name: &String| fs::metadata(folder.join(name)).expect("a file").len();
    let sizes: HashMap<String, u64> =
        names(&folder).into_iter().map(|name| (name.clone(), length(&name))).collect();
    let whole = model(&bench, &["remove", MINILM, "--yes"]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    // The weights have two names and take their space once.
    assert!(whole.stdout.contains("removed  model.onnx_data: 90,868,376 bytes\n"), "{}", whole.stdout);
    let bytes = ["config.json", "model.onnx", "model.safetensors", "tokenizer.json"].map(|name| sizes[name]);
    let free = tailmark_reports::units::count(bytes.iter().sum());
    assert!(whole.stdout.ends_with(&format!("{free} bytes are free again\n")), "{}", whole.stdout);
    assert!(!folder.exists());
}

#[test]
fn the_graph_of_a_known_model_is_compared_with_the_committed_one() {
    let bench = Workbench::new();
    let Some(folder) = filled(&bench) else { return };
    let before = names(&folder);
    let graph = concat!(env!("CARGO_MANIFEST_DIR"), "/../providers/models/all-MiniLM-L6-v2/model.onnx");
    let same = model_with(&bench, &["export", MINILM], &[("FAKE_GRAPH", graph)]);
    assert_eq!(same.code, Some(0), "{}", same.stderr);
    assert!(
        same.stdout.contains("identical to the committed graph, byte for byte (sha256 "),
        "{}",
        same.stdout
    );
    let other = model_with(&bench, &["export", MINILM, "--output", "made"], &[]);
    assert_eq!(other.code, Some(0), "{}", other.stderr);
    let committed = tailmark_reports::units::count(fs::metadata(graph).expect("the graph").len());
    let differs = format!("differs from the committed graph: 19 bytes, {committed} there; ");
    assert!(other.stdout.contains(&differs), "{}", other.stdout);
    assert!(other.stdout.contains("made with other versions: onnx 0.0.2 (there "), "{}", other.stdout);
    assert_eq!(names(&bench.path().join("made")), ["model.onnx", "model.onnx_data"]);
    assert_eq!(names(&folder), before);
    let again = model_with(&bench, &["export", MINILM, "--output", "made"], &[]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("made/model.onnx is there already"), "{}", again.stderr);
}

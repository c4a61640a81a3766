//! Folders of the user's own, with a made-up model in them.

use base64::Engine as _;

use super::*;
use crate::model::digest::sha256_of;
use crate::model::manifest::{GRAPH, GRAPH_DATA, GraphForm, ToPin, WEIGHTS};
use crate::model::recipe::{PoolingMode, Recipe};

/// Writes a whole model of the user's own, in the graph-only form, and gives its manifest.
pub(crate) fn write_model(folder: &Path) -> Manifest {
    let graph: &[u8] = b"a graph that reads model.onnx_data";
    for (name, content) in
        [("config.json", &b"{}"[..]), ("tokenizer.json", b"tokens"), (WEIGHTS, b"weights"), (GRAPH, graph)]
    {
        fs::write(folder.join(name), content).unwrap();
    }
    fs::hard_link(folder.join(WEIGHTS), folder.join(GRAPH_DATA)).unwrap();
    let vector = base64::engine::general_purpose::STANDARD.encode([0, 0, 128, 63, 0, 0, 0, 0]);
    let recipe = Recipe::pooling(PoolingMode::Cls, 8);
    let reference = serde_json::json!({
        "model": "mine/tiny", "weights_sha256": sha256_of(b"weights"), "made_with": {"torch": "2"}, "recipe": recipe,
        "dimensions": 2, "texts": ["a"], "token_counts": [3], "vectors": [vector],
    });
    fs::write(folder.join(REFERENCE), reference.to_string()).unwrap();
    let files = ["config.json", "tokenizer.json", WEIGHTS].map(str::to_owned);
    let to_pin = ToPin {
        folder,
        files: &files,
        weights: &files[2..],
        form: GraphForm::GraphOnly,
        graph_folder: folder,
        graph: Some(GRAPH),
        data: &[(GRAPH_DATA.to_owned(), Some(WEIGHTS.to_owned()))],
        reference_folder: folder,
    };
    let manifest = Manifest::pin("mine/tiny", (2, &recipe), &to_pin).unwrap();
    manifest.write(folder).unwrap();
    manifest
}

#[test]
fn a_folder_with_a_manifest_is_a_model_with_its_own_reference_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_model(folder.path());
    assert_eq!(read(folder.path()).unwrap(), manifest);
    let model = resolve(folder.path()).unwrap();
    assert_eq!(
        (model.manifest.name.as_str(), &model.manifest.recipe),
        ("mine/tiny", &Recipe::pooling(PoolingMode::Cls, 8))
    );
    assert_eq!(model.reference().vectors, [[1.0, 0.0]]);
    let names: Vec<&str> = model.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["config.json", "tokenizer.json", WEIGHTS, GRAPH, REFERENCE]);
}

#[test]
fn a_folder_without_a_manifest_is_told_which_command_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = resolve(folder.path()).unwrap_err();
    let at = folder.path().display();
    assert_eq!(
        error.to_string(),
        format!(
            "{at} has no tailmark-model.json, so tailmark cannot run it\n\nhint: run `tailmark model export {at}` to create \
             it, with the graph and the reference vectors"
        )
    );
}

#[test]
fn every_file_of_it_is_checked_before_it_is_used() {
    for name in ["config.json", "tokenizer.json", WEIGHTS, GRAPH, REFERENCE, GRAPH_DATA] {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path());
        let path = folder.path().join(name);
        let mut content = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        content[1] ^= 1;
        fs::write(&path, content).unwrap();
        let error = resolve(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("is damaged or was changed: {name} ")), "{error}");
        assert!(error.contains("hint: restore the file"), "{error}");
    }
}

#[test]
fn reference_vectors_of_another_model_do_not_pass_for_those_of_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_model(folder.path());
    let text = fs::read_to_string(folder.path().join(REFERENCE)).unwrap();
    for (from, to, what) in [
        ("mine/tiny", "mine/tinY", "name"),
        ("\"cls\"", "\"mean\"", "recipe"),
        ("\"max_tokens\":8", "\"max_tokens\":9", "recipe"),
    ] {
        assert!(text.contains(from), "{text}");
        let error = manifest.check_reference(&text.replace(from, to)).unwrap_err();
        assert!(error.starts_with(&format!("is of another model: its {what} is ")), "{error}");
    }
}

#[test]
fn a_manifest_that_leads_out_of_the_folder_or_lists_no_weights_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_model(folder.path());
    let path = folder.path().join(MANIFEST);
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, part) in [
        ("config.json", "../config.json", "`../config.json` is no file below the model's folder"),
        (WEIGHTS, "weights.bin", "it does not list model.safetensors"),
        ("\"name\"", "\"nam\"", "unknown field `nam`"),
        ("\"pooling\"", "\"normalize\"", "must begin with a module `pooling`"),
        ("\"max_tokens\": 8", "\"max_tokens\": 0", "`max_tokens` is 0"),
    ] {
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = read(folder.path()).unwrap_err();
        let OwnModelError::Manifest { why, .. } = &error else { panic!("{error}") };
        assert!(why.contains(part), "{why}");
    }
}

/// Turns manifest and reference vectors of a folder into what tailmark 0.1 wrote for the same model.
fn write_as_earlier(folder: &Path, max_tokens: u32) {
    let more = serde_json::json!({"max_tokens": max_tokens, "pooling": "cls", "normalize": false});
    let rewrite = |name: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut content: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        let members = content.as_object_mut().unwrap();
        for later in ["recipe", "weights", "data"] {
            members.remove(later);
        }
        members.extend(more.as_object().unwrap().clone());
        change(&mut content);
        fs::write(folder.join(name), content.to_string()).unwrap();
    };
    rewrite(REFERENCE, &|_| {});
    let pinned = digest::measure(REFERENCE, &folder.join(REFERENCE)).unwrap();
    rewrite(MANIFEST, &|manifest| manifest["reference"] = serde_json::to_value(&pinned).unwrap());
}

/// A whole model whose configuration can be read, with these files more.
fn write_described(folder: &Path, more: &[(&str, &str)]) {
    write_model(folder);
    let config = r#"{"model_type": "bert", "hidden_size": 2, "max_position_embeddings": 8}"#;
    let tokenizer = r#"{"padding": {"pad_id": 5}}"#;
    fs::create_dir(folder.join("1_Pooling")).unwrap();
    let files = [
        ("config.json", config),
        ("tokenizer.json", tokenizer),
        ("1_Pooling/config.json", r#"{"pooling_mode": "cls"}"#),
    ];
    for (name, content) in files.iter().chain(more) {
        fs::write(folder.join(name), content).unwrap();
    }
    // Its files are pinned as they are now.
    let mut manifest = read(folder).unwrap();
    for file in &mut manifest.files {
        *file = digest::measure(&file.name, &folder.join(&file.name)).unwrap();
    }
    manifest.write(folder).unwrap();
}

#[test]
fn a_manifest_of_an_earlier_tailmark_is_read_with_what_the_models_files_say_more_and_a_note() {
    let folder = tempfile::tempdir().unwrap();
    write_described(folder.path(), &[]);
    write_as_earlier(folder.path(), 8);
    let model = resolve(folder.path()).unwrap();
    let expected = Recipe { padding_id: 5, ..Recipe::pooling(PoolingMode::Cls, 8) };
    assert_eq!(model.manifest.recipe, expected);
    assert!(
        model.source.ends_with("did not compare it with sentence-transformers: export it again"),
        "{}",
        model.source
    );
}

#[test]
fn a_manifest_of_an_earlier_tailmark_that_read_the_model_otherwise_is_refused() {
    let lower_case = ("sentence_bert_config.json", r#"{"max_seq_length": 8, "do_lower_case": true}"#);
    for (more, max_tokens) in [(&[lower_case][..], 8), (&[], 7)] {
        let folder = tempfile::tempdir().unwrap();
        write_described(folder.path(), more);
        write_as_earlier(folder.path(), max_tokens);
        let error = resolve(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(
                "an earlier version of tailmark wrote it and ignored part of what the model's files say"
            ),
            "{error}"
        );
        assert!(error.contains("\n\nhint: run `tailmark model export "), "{error}");
    }
}

#[test]
fn a_byte_order_mark_before_a_manifest_is_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_model(folder.path());
    let path = folder.path().join(MANIFEST);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("\u{feff}{text}")).unwrap();
    assert_eq!(read(folder.path()).unwrap(), manifest);
}

//! Folders of the user's own, with a made-up model in them.

use base64::Engine as _;

use super::*;
use crate::model::digest::sha256_of;

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
    let reference = serde_json::json!({
        "model": "mine/tiny", "weights_sha256": sha256_of(b"weights"), "made_with": {"torch": "2"}, "max_tokens": 8,
        "pooling": "cls", "normalize": true, "dimensions": 2, "texts": ["a"], "token_counts": [3], "vectors": [vector],
    });
    fs::write(folder.join(REFERENCE), reference.to_string()).unwrap();
    let described = describe::Description {
        model_type: "bert".to_owned(),
        dimensions: 2,
        max_tokens: 8,
        pooling: Pooling::Cls,
        normalize: false,
        files: ["config.json", "tokenizer.json", WEIGHTS].map(str::to_owned).into(),
        notes: Vec::new(),
    };
    let manifest = Manifest::pin(folder, folder, &described, "mine/tiny", GraphForm::GraphOnly).unwrap();
    manifest.write(folder).unwrap();
    manifest
}

#[test]
fn a_folder_with_a_manifest_is_a_model_with_its_own_reference_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_model(folder.path());
    assert_eq!(Manifest::read(folder.path()).unwrap(), manifest);
    let model = resolve(folder.path()).unwrap();
    assert_eq!(
        (model.spec.name.as_str(), model.spec.pooling, model.spec.hub.clone()),
        ("mine/tiny", Pooling::Cls, None)
    );
    assert_eq!(model.spec.reference().vectors, [[1.0, 0.0]]);
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
            "{at} has no tailmark-model.json, so it is no model that tailmark can run\n\nhint: `tailmark model export {at}` makes it, \
             and the graph and the reference vectors with it"
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
        assert!(error.contains("hint: put the right file back"), "{error}");
    }
}

#[test]
fn reference_vectors_of_another_model_do_not_pass_for_those_of_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_model(folder.path());
    let text = fs::read_to_string(folder.path().join(REFERENCE)).unwrap();
    for (from, to, what) in [
        ("mine/tiny", "mine/tinY", "name"),
        ("\"cls\"", "\"mean\"", "pooling"),
        ("\"max_tokens\":8", "\"max_tokens\":9", "max_tokens"),
    ] {
        assert!(text.contains(from), "{text}");
        let error = manifest.spec(text.replace(from, to)).unwrap_err();
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
    ] {
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = Manifest::read(folder.path()).unwrap_err();
        let OwnModelError::Manifest { why, .. } = &error else { panic!("{error}") };
        assert!(why.contains(part), "{why}");
    }
}

//! The real runtime on the real model, where the environment names them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::provider::Options;
use crate::reference_check::{
    assert_reference_vectors, assert_short_reference_vectors, embed_request, linked_as_in_a_hubs_cache,
    load_request, model_folder, onnxruntime_library,
};

/// A request to load the real model with these options, or nothing where there is no model or no library.
fn request(options: Value) -> Option<LoadRequest> {
    let (folder, library) = (model_folder()?, onnxruntime_library()?);
    Some(load_request(folder, with_library(options, library)))
}

fn with_library(options: Value, library: PathBuf) -> Options {
    let mut options = options.as_object().expect("an object").clone();
    options.insert("library".to_owned(), library.to_string_lossy().into_owned().into());
    options
}

#[test]
fn the_real_model_gives_the_reference_vectors_and_says_what_runs() {
    let Some(request) = request(json!({})) else { return };
    let mut backend = OnnxBackend::default();
    let loaded = backend.load(&request).expect("loaded");
    let runs = &loaded.runs;
    assert_eq!(
        (runs.engine.as_deref(), runs.device.as_deref(), runs.dtype.as_deref()),
        (Some("onnxruntime"), Some("cpu"), Some("float32"))
    );
    assert_eq!(runs.execution_provider.as_deref(), Some("CPUExecutionProvider"));
    assert_eq!(runs.threads, Some(1));
    assert!(runs.engine_version.as_ref().is_some_and(|version| version.starts_with("1.")), "{runs:?}");
    assert_reference_vectors(&mut backend, &loaded);
}

#[test]
fn a_graph_that_is_a_link_takes_the_weights_beside_its_own_name() {
    let (Some(folder), Some(library)) = (model_folder(), onnxruntime_library()) else { return };
    let cache = linked_as_in_a_hubs_cache(&folder);
    let mut backend = OnnxBackend::default();
    let request = load_request(cache.path().join("snapshot"), with_library(json!({}), library));
    backend.load(&request).expect("loaded");
    assert_short_reference_vectors(&mut backend);
}

#[test]
fn options_that_change_the_speed_leave_the_vectors_alone() {
    for options in [
        json!({"threads": 2, "intra_op_spinning": false}),
        json!({"graph_optimization": "disable"}),
        json!({"graph_optimization": "basic"}),
        json!({"graph_optimization": "extended"}),
    ] {
        let Some(request) = request(options) else { return };
        let mut backend = OnnxBackend::default();
        backend.load(&request).expect("loaded");
        assert_short_reference_vectors(&mut backend);
    }
}

#[test]
fn an_execution_provider_that_is_not_there_is_an_error_in_the_runtimes_words_and_not_a_run_on_the_cpu() {
    // The library in use is the one for the CPU; on a Mac it has Core ML, and nowhere has it CUDA or OpenVINO.
    for (name, says) in [("cuda", "CUDA"), ("openvino", "OpenVINO")] {
        let Some(request) = request(json!({"execution_provider": name})) else { return };
        let error = OnnxBackend::default().load(&request).expect_err("not there");
        let ProviderError::NotAvailable { what, why } = &error else { panic!("{error}") };
        assert_eq!(what, &format!("execution provider `{name}`"));
        assert!(why.contains(says), "{why}");
    }
    let Some(request) = request(json!({"execution_provider": "coreml"})) else { return };
    match OnnxBackend::default().load(&request) {
        Ok(loaded) => assert_eq!(loaded.runs.execution_provider.as_deref(), Some("CoreMLExecutionProvider")),
        Err(error) => assert!(matches!(&error, ProviderError::NotAvailable { .. }), "{error}"),
    }
}

#[test]
fn a_damaged_graph_is_an_error_of_loading_in_the_runtimes_words() {
    let Some(mut request) = request(json!({})) else { return };
    let model = request.model.as_mut().expect("a model");
    let damaged = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(model.folder.join("tokenizer.json"), damaged.path().join("tokenizer.json"))
        .expect("a copy");
    std::fs::write(damaged.path().join("model.onnx"), "not a graph").expect("a file");
    model.folder = damaged.path().to_owned();
    let error = OnnxBackend::default().load(&request).expect_err("no graph");
    assert!(matches!(&error, ProviderError::Load(why) if why.contains("model.onnx")), "{error}");
}

#[test]
fn a_missing_graph_is_found_before_the_library_is_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let request = load_request(folder.path().to_owned(), Options::new());
    let error = OnnxBackend::default().load(&request).expect_err("no graph");
    assert!(
        matches!(&error, ProviderError::ModelFile { path, .. } if path.ends_with("model.onnx")),
        "{error}"
    );
}

#[test]
fn a_request_without_a_model_is_refused() {
    let error = OnnxBackend::default()
        .load(&LoadRequest { model: None, options: Options::new() })
        .expect_err("no model");
    assert_eq!(
        error.to_string(),
        "the model could not be loaded: this backend needs a model, but the request to load names none"
    );
}

#[test]
fn embedding_before_loading_is_an_error() {
    assert_eq!(OnnxBackend::default().embed(&embed_request(&["text".to_owned()])), Err(not_loaded()));
}

fn texts(count: usize) -> Vec<String> {
    let words = ["red", "a green hill", "blue and very far away indeed", "", "how do I plant garlic"];
    (0..count).map(|index| format!("{} {index}", words[index % words.len()].repeat(1 + index % 4))).collect()
}

#[test]
fn the_probe_says_that_every_node_ran_on_the_cpu() {
    let Some(fused) = request(json!({})) else { return };
    let mut backend = OnnxBackend::default();
    backend.load(&fused).expect("loaded");
    let probe = ProveRequest { texts: embed_request(&texts(1)).texts, runs: 2 };
    let evidence = backend.prove(&probe).expect("recorded");
    assert_eq!((evidence.runs, evidence.asked.as_deref()), (2, Some("CPUExecutionProvider")));
    assert!(evidence.kernels.len() > 20, "{} kernels", evidence.kernels.len());
    assert!(evidence.kernels.iter().all(|kernel| kernel.calls == 2), "each node ran in each recorded run");
    let executed = crate::execution::executed(&evidence).expect("recorded");
    assert_eq!(executed.parts.len(), 1);
    assert_eq!((executed.parts[0].on.as_str(), executed.parts[0].time_share), ("CPU", Some(1.0)));
    // The graph as it was exported has more nodes than what is left of it once they are fused.
    let unfused = request(json!({"graph_optimization": "disable"})).expect("as before");
    backend.load(&unfused).expect("loaded");
    let unfused = backend.prove(&probe).expect("recorded");
    assert!(unfused.kernels.len() > evidence.kernels.len(), "{}", unfused.kernels.len());
    assert_short_reference_vectors(&mut backend);
}

#[test]
fn fixed_shapes_give_the_vectors_of_free_ones() {
    let shapes = json!({"static_shapes": [[1, 16], [1, 256], [4, 32]]});
    let (Some(free), Some(fixed)) = (request(json!({})), request(shapes)) else { return };
    let (mut with_free, mut with_fixed) = (OnnxBackend::default(), OnnxBackend::default());
    with_free.load(&free).expect("loaded");
    let loaded = with_fixed.load(&fixed).expect("loaded");
    assert_reference_vectors(&mut with_fixed, &loaded);
    for count in [1, 3, 4, 9] {
        let request = embed_request(&texts(count));
        let (free, fixed) =
            (with_free.embed(&request).expect("embedded"), with_fixed.embed(&request).expect("embedded"));
        assert_eq!(fixed.check(count, loaded.dimensions), Ok(()));
        assert_eq!(free.token_counts, fixed.token_counts);
        let difference =
            free.vectors.iter().zip(&fixed.vectors).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-5, "{difference} with {count} texts");
    }
}

#[test]
fn fixed_shapes_that_do_not_hold_the_longest_text_are_refused() {
    let Some(request) = request(json!({"static_shapes": [[1, 16], [8, 128]]})) else { return };
    let error = OnnxBackend::default().load(&request).expect_err("too short");
    insta::assert_snapshot!(error, @"option `static_shapes`: the longest shape holds 128 tokens, and the model takes texts of up to 256; add a shape of [1, 256]");
}

#[test]
fn a_graph_that_is_not_there_says_what_makes_others() {
    let Some(request) = request(json!({"graph": "model.int8.onnx"})) else { return };
    let mut request = request;
    let folder = tempfile::tempdir().expect("a temporary folder");
    request.model.as_mut().expect("a model").folder = folder.path().to_owned();
    let error = OnnxBackend::default().load(&request).expect_err("no graph").to_string();
    assert!(error.contains("model.int8.onnx: there is no such file"), "{error}");
    assert!(error.contains("tailmark model quantize"), "{error}");
}

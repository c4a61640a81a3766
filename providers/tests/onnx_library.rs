//! Opening ONNX Runtime's library, in a process of its own: a process can have one library open and never closes it.

use std::path::Path;

use tailmark_providers::model::recipe::{PoolingMode, Recipe};
use tailmark_providers::onnx::OnnxBackend;
use tailmark_providers::provider::{Backend as _, LoadRequest, ModelFolder, Options, ProviderError};

/// Asks for this library and a model of an empty graph, which no runtime loads.
fn load(folder: &Path, library: &Path) -> ProviderError {
    std::fs::write(folder.join("model.onnx"), "").expect("a file");
    let model = ModelFolder { folder: folder.to_owned(), recipe: Recipe::pooling(PoolingMode::Mean, 256) };
    let options = Options::from_iter([("library".to_owned(), library.to_string_lossy().into())]);
    OnnxBackend::default().load(&LoadRequest { model: Some(model), options }).expect_err("an empty graph")
}

#[test]
fn a_file_that_is_no_library_is_refused_and_leaves_room_for_the_right_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wrong = folder.path().join("libonnxruntime.so");
    std::fs::write(&wrong, "not a library").expect("a file");
    let error = load(folder.path(), &wrong);
    let ProviderError::NotAvailable { what, why } = &error else { panic!("{error}") };
    assert_eq!(what, "the ONNX Runtime library");
    assert!(why.contains("libonnxruntime.so"), "{why}");

    let Some(library) = std::env::var_os("TAILMARK_TEST_ONNXRUNTIME") else {
        eprintln!("not tested further: TAILMARK_TEST_ONNXRUNTIME is not set");
        return;
    };
    let missing_tokenizer = load(folder.path(), Path::new(&library));
    assert!(
        matches!(&missing_tokenizer, ProviderError::ModelFile { path, .. } if path.ends_with("tokenizer.json")),
        "the library is open, and the next thing that lacks is the tokenizer: {missing_tokenizer}"
    );

    let second = load(folder.path(), &wrong);
    assert!(
        matches!(&second, ProviderError::Load(why) if why.contains("cannot open") && why.contains("worker processes")),
        "{second}"
    );
}

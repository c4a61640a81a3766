//! For tests: whether a backend that runs the real model gives the committed reference vectors. The weights and the
//! library are too large for the repository; their places come from the environment, and without them a test says so and
//! ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model;
use crate::provider::{Backend, EmbedRequest, Embeddings, LoadRequest, Loaded, ModelFolder, Options};

/// What two computations in 32 bits of one vector agree to, with room for another order of summation.
const SMALLEST_COSINE: f64 = 0.999_99;

/// The folder that TAILMARK_TEST_MODEL names.
pub(crate) fn model_folder() -> Option<PathBuf> {
    from_environment("TAILMARK_TEST_MODEL")
}

/// The library that TAILMARK_TEST_ONNXRUNTIME names.
pub(crate) fn onnxruntime_library() -> Option<PathBuf> {
    from_environment("TAILMARK_TEST_ONNXRUNTIME")
}

fn from_environment(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os(name).map(PathBuf::from);
    if path.is_none() {
        eprintln!("not tested: {name} is not set");
    }
    path
}

/// A request to load the real model, cut where the reference was cut.
pub(crate) fn load_request(folder: PathBuf, options: Options) -> LoadRequest {
    let model = ModelFolder { folder, recipe: known_model().manifest.recipe.clone() };
    LoadRequest { model: Some(model), options }
}

/// The files of the real model as a hub keeps them: in the folder `snapshot` are links, and in `blobs` the files that they
/// lead to, under other names.
pub(crate) fn linked_as_in_a_hubs_cache(model: &Path) -> tempfile::TempDir {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let (snapshot, blobs) = (cache.path().join("snapshot"), cache.path().join("blobs"));
    for folder in [&snapshot, &blobs] {
        std::fs::create_dir(folder).expect("a folder");
    }
    for (number, name) in ["model.onnx", "model.onnx_data", "tokenizer.json"].iter().enumerate() {
        let blob = format!("{number:040}");
        let (from, to) = (model.join(name), blobs.join(&blob));
        // The weights are large, so they get another name if that is possible. A symbolic link would lead back to the model.
        std::fs::hard_link(&from, &to).or_else(|_| std::fs::copy(&from, &to).map(drop)).expect("a blob");
        std::os::unix::fs::symlink(format!("../blobs/{blob}"), snapshot.join(name)).expect("a link");
    }
    cache
}

/// A request for these texts.
pub(crate) fn embed_request(texts: &[String]) -> EmbedRequest {
    EmbedRequest { texts: texts.iter().map(|text| Arc::from(text.as_str())).collect(), normalize: true }
}

fn known_model() -> &'static model::KnownModel {
    model::find("sentence-transformers/all-MiniLM-L6-v2").expect("in the catalogue")
}

fn reference() -> model::Reference {
    known_model().reference()
}

/// Embeds some short reference texts alone: enough to see that an option does not change the vectors.
pub(crate) fn assert_short_reference_vectors(backend: &mut dyn Backend) {
    let reference = reference();
    for index in 0..5 {
        let answer = backend.embed(&embed_request(&reference.texts[index..=index])).expect("embedded");
        assert_row(&answer, 0, &reference, index);
    }
}

/// Embeds every reference text alone and all of them in one batch, and compares vectors, token counts and cuts.
pub(crate) fn assert_reference_vectors(backend: &mut dyn Backend, loaded: &Loaded) {
    let reference = reference();
    assert_eq!(loaded.dimensions, reference.dimensions);
    let mut alone_truncated = 0;
    for index in 0..reference.texts.len() {
        let request = embed_request(&reference.texts[index..=index]);
        let answer = backend.embed(&request).expect("embedded");
        assert_eq!(answer.check(1, loaded.dimensions), Ok(()));
        assert_row(&answer, 0, &reference, index);
        alone_truncated += answer.truncated.unwrap();
    }
    let answer = backend.embed(&embed_request(&reference.texts)).expect("embedded");
    assert_eq!(answer.check(reference.texts.len(), loaded.dimensions), Ok(()));
    for index in 0..reference.texts.len() {
        assert_row(&answer, index, &reference, index);
    }
    assert_eq!((alone_truncated, answer.truncated), (2, Some(2)), "two of the reference texts are too long");
    let stages = answer.stages;
    let within = [stages.tokenize_ns, stages.infer_ns, stages.pool_ns];
    assert!(within.iter().all(|stage| *stage > Some(0)), "{stages:?}");
    assert!(stages.worker_ns >= within.into_iter().sum(), "{stages:?}");
}

fn assert_row(answer: &Embeddings, row: usize, reference: &model::Reference, index: usize) {
    let found = answer.row(row).expect("a row for each text");
    let expected = &reference.vectors[index];
    let text = &reference.texts[index];
    let length = dot(found, found).sqrt();
    assert!((length - 1.0).abs() < 1e-5, "length {length} of {text:?}");
    let cosine = dot(found, expected) / (length * dot(expected, expected).sqrt());
    assert!(cosine >= SMALLEST_COSINE, "cosine {cosine} of {text:?}");
    assert_eq!(answer.token_counts.as_ref().unwrap()[row], reference.token_counts[index], "{text:?}");
}

fn dot(left: &[f32], right: &[f32]) -> f64 {
    left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
}

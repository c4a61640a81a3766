//! The backend that answers at once: every text has the unit vector `[1, 0, 0, ...]`. It measures the wire and the
//! harness. Knows no model, and has no opinion about texts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, ProveRequest};
use crate::option_values::Dimensions;
use crate::options::{self, OptionSet};
use crate::provider::{
    Backend, BoxFuture, EmbedRequest, Embeddings, LoadRequest, Loaded, Provider, ProviderError, Runs,
    StageTimes,
};

/// Options of `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NullOptions {
    /// Length of every vector.
    pub dimensions: Dimensions,
}

impl Default for NullOptions {
    fn default() -> Self {
        Self { dimensions: Dimensions::fixed(384) }
    }
}

impl OptionSet for NullOptions {}

/// Why a backend without a model has no execution to record.
pub(crate) const WITHOUT_MODEL: &str = "it answers without a model";

/// `null` behind a worker.
#[derive(Debug, Default)]
pub struct NullBackend {
    dimensions: Option<u32>,
}

impl Backend for NullBackend {
    fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError> {
        let dimensions = options::parse::<NullOptions>(&request.options)?.dimensions.get();
        self.dimensions = Some(dimensions);
        Ok(loaded(dimensions))
    }

    fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let started = Instant::now();
        let dimensions = self.dimensions.ok_or_else(not_loaded)?;
        Ok(answer(request.texts.len(), dimensions, started))
    }

    fn prove(&mut self, _: &ProveRequest) -> Result<Evidence, ProviderError> {
        Ok(Evidence::none(WITHOUT_MODEL))
    }
}

/// `null` in the caller's own process: no thread, no wire, and three allocations a request (the vectors, the token
/// counts, the future), so that what is measured around it is the caller.
#[derive(Debug, Default)]
pub struct NullProvider {
    /// Zero until it is loaded.
    dimensions: AtomicU32,
}

impl Provider for NullProvider {
    fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
        Box::pin(async move {
            let dimensions = options::parse::<NullOptions>(&request.options)?.dimensions.get();
            self.dimensions.store(dimensions, Ordering::Relaxed);
            Ok(loaded(dimensions))
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
        Box::pin(async move {
            let started = Instant::now();
            match self.dimensions.load(Ordering::Relaxed) {
                0 => Err(not_loaded()),
                dimensions => Ok(answer(request.texts.len(), dimensions, started)),
            }
        })
    }

    fn prove<'a>(&'a self, _: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
        Box::pin(async { Ok(Evidence::none(WITHOUT_MODEL)) })
    }
}

/// A unit vector of `dimensions` numbers for each of `texts` texts: what the backends without a model answer.
pub(crate) fn unit_vectors(texts: usize, dimensions: u32) -> Vec<f32> {
    let dimensions = dimensions as usize;
    let mut vectors = vec![0.0; texts * dimensions];
    vectors.iter_mut().step_by(dimensions).for_each(|first| *first = 1.0);
    vectors
}

/// What a backend of this crate without a model says of itself.
pub(crate) fn loaded_without_model(engine: &str, dimensions: u32, concurrency: u32, load_ns: u64) -> Loaded {
    let runs = Runs {
        engine: Some(engine.to_owned()),
        engine_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        device: Some("cpu".to_owned()),
        execution_provider: None,
        threads: None,
        dtype: Some("float32".to_owned()),
        versions: BTreeMap::new(),
    };
    Loaded { dimensions, concurrency, runs, import_ns: Some(0), load_ns: Some(load_ns) }
}

/// The error of a backend that was asked to embed before it was told to load.
pub(crate) fn not_loaded() -> ProviderError {
    ProviderError::Embed("`embed` was called before `load`".to_owned())
}

fn loaded(dimensions: u32) -> Loaded {
    loaded_without_model("null", dimensions, 1, 0)
}

fn answer(texts: usize, dimensions: u32, started: Instant) -> Embeddings {
    let vectors = unit_vectors(texts, dimensions);
    let worker_ns = started.elapsed().as_nanos() as u64;
    let stages = StageTimes { worker_ns: Some(worker_ns), ..StageTimes::ZERO };
    Embeddings {
        vectors,
        dimensions,
        token_counts: Some(vec![0; texts]),
        tokens_in_all: None,
        truncated: Some(0),
        stages,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn load_request(options: serde_json::Value) -> LoadRequest {
        LoadRequest { model: None, options: options.as_object().expect("an object").clone() }
    }

    fn embed_request(texts: &[&str]) -> EmbedRequest {
        EmbedRequest { texts: texts.iter().map(|text| Arc::from(*text)).collect(), normalize: true }
    }

    #[test]
    fn every_text_has_the_unit_vector() {
        let mut backend = NullBackend::default();
        let loaded = backend.load(&load_request(json!({"dimensions": 3}))).expect("loaded");
        assert_eq!((loaded.dimensions, loaded.concurrency), (3, 1));
        let answer = backend.embed(&embed_request(&["a", "b"])).expect("embedded");
        assert_eq!(answer.vectors, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(answer.token_counts, Some(vec![0, 0]));
        assert_eq!(answer.check(2, 3), Ok(()));
        let zero_but_worker = StageTimes { worker_ns: answer.stages.worker_ns, ..StageTimes::ZERO };
        assert_eq!(answer.stages, zero_but_worker);
    }

    #[tokio::test]
    async fn the_provider_answers_as_the_backend_does() {
        let provider = NullProvider::default();
        assert_eq!(provider.load(&load_request(json!({}))).await.expect("loaded").dimensions, 384);
        let answer = provider.embed(&embed_request(&["a"])).await.expect("embedded");
        assert_eq!(answer.check(1, 384), Ok(()));
        assert_eq!(answer.row(0).map(|row| row[0]), Some(1.0));
    }

    #[tokio::test]
    async fn embedding_before_loading_is_an_error() {
        let request = embed_request(&["a"]);
        assert_eq!(NullBackend::default().embed(&request), Err(not_loaded()));
        assert_eq!(NullProvider::default().embed(&request).await, Err(not_loaded()));
    }

    #[test]
    fn a_wrong_option_is_refused_by_its_key() {
        let error =
            NullBackend::default().load(&load_request(json!({"dimensions": 0}))).expect_err("no vectors");
        assert_eq!(
            error.to_string(),
            "option `dimensions`: found 0: allowed are whole numbers from 1 to 65536"
        );
    }
}

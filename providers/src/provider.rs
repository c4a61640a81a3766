//! What a backend is: the data that goes in and comes out, the two traits, and the ways it can fail.
//!
//! A [`Backend`] computes and blocks; it is written once per model runtime. A [`Provider`] can be asked from async
//! code and is all that a driver sees: a worker process, a backend on a thread of its own, or a client of a server.
//! Nothing here knows of scenarios, phases or objectives.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, ProveRequest};
use crate::model::recipe::Recipe;
pub use crate::stage_times::{NetworkTimes, StageTimes};

/// A boxed future, so that providers can be used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Options of a backend as they were written: only the backend that owns them reads them.
pub type Options = serde_json::Map<String, serde_json::Value>;

/// A model runtime that blocks while it computes: one request at a time, on the caller's thread.
pub trait Backend: Send {
    /// Loads the model so that [`embed`](Backend::embed) can be called; says what will really run.
    ///
    /// # Errors
    /// [`ProviderError::NotAvailable`] when this machine lacks what the options ask for (an execution provider, a
    /// device); [`ProviderError::ModelFile`] when the model folder lacks the file this backend runs.
    fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError>;

    /// Embeds the texts, in their order.
    ///
    /// # Errors
    /// [`ProviderError::Embed`] when the runtime fails.
    fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError>;

    /// Runs the model with the runtime's own recording on, apart from what [`embed`](Backend::embed) uses, and gives what
    /// was recorded. A runtime that records nothing says so in [`Evidence::none`].
    ///
    /// # Errors
    /// [`ProviderError::Embed`] when the runtime fails or its record cannot be read.
    fn prove(&mut self, request: &ProveRequest) -> Result<Evidence, ProviderError>;
}

/// A backend as the driver sees it: something that answers later, perhaps several requests at once.
pub trait Provider: Send + Sync {
    /// Loads the model; see [`Backend::load`].
    fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>>;

    /// Embeds the texts, in their order; see [`Backend::embed`]. Every implementation keeps its own deadline.
    fn embed<'a>(&'a self, request: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>>;

    /// Has the runtime record a probe; see [`Backend::prove`]. It may take as long as loading.
    fn prove<'a>(&'a self, request: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>>;
}

/// The model a backend is to load: a folder, and the recipe that makes two backends comparable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFolder {
    /// Holds `model.safetensors`, `tokenizer.json`, `config.json` and, unless it was never exported, `model.onnx`.
    pub folder: PathBuf,
    /// How texts become vectors.
    pub recipe: Recipe,
}

/// Everything [`Backend::load`] may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadRequest {
    /// `None` for backends that need no model (`null`, `simulated`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelFolder>,
    /// The backend's own options, as the scenario has them.
    #[serde(default)]
    pub options: Options,
}

/// What a backend says of itself once it is loaded. `None` is what it cannot tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// Length of every vector it will answer with.
    pub dimensions: u32,
    /// How many requests it works on at once; more may be sent, and wait.
    pub concurrency: u32,
    /// What really runs, in the backend's own words.
    #[serde(default)]
    pub runs: Runs,
    /// Nanoseconds spent importing or opening libraries before the model was touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_ns: Option<u64>,
    /// Nanoseconds spent on the tokenizer, the weights and the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_ns: Option<u64>,
}

/// What really runs: filled in from what the runtime reports, never from what was asked for. `None` if it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// The runtime, for example `onnxruntime`, `rten` or `torch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The runtime's version as it reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// `cpu`, `mps`, `cuda`, or an execution provider's device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// ONNX Runtime's name of the execution provider; `None` for other runtimes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_provider: Option<String>,
    /// Intra-op threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Element type of the weights, for example `float32`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Versions of the other libraries that matter, name and version.
    #[serde(default)]
    pub versions: std::collections::BTreeMap<String, String>,
}

/// Texts to embed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedRequest {
    /// At least one text. Shared, because the same batch is sent many times.
    pub texts: Vec<Arc<str>>,
    /// Whether each vector is scaled to length one.
    pub normalize: bool,
}

/// The answer to an [`EmbedRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// Row-major, `texts * dimensions` numbers, rows in the order of the texts.
    pub vectors: Vec<f32>,
    /// Length of one row.
    pub dimensions: u32,
    /// Tokens per text after truncation, special tokens included; `None` when the backend does not count them.
    pub token_counts: Option<Vec<u32>>,
    /// Tokens of all texts together, from a backend that counts them in no other way; see [`Embeddings::tokens`].
    pub tokens_in_all: Option<u32>,
    /// How many of the texts were longer than the model takes and were cut; `None` when the backend does not say.
    pub truncated: Option<u32>,
    /// Where the time went.
    pub stages: StageTimes,
}

/// The most tokens of an answer, as many as the samples of a run have room for.
const MOST_TOKENS: u64 = i32::MAX as u64;

/// The longest stage of an answer: a hundred days. Figures add several of them up.
const MOST_NANOSECONDS: u64 = 1 << 53;

impl Embeddings {
    /// The vector of the `index`-th text, or `None` when there are fewer.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<&[f32]> {
        let width = self.dimensions as usize;
        self.vectors.get(index.checked_mul(width)?..(index + 1).checked_mul(width)?)
    }

    /// The vectors, in the order of the texts.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.vectors.chunks((self.dimensions as usize).max(1))
    }

    /// Tokens of all texts together; `None` when the backend does not count them.
    #[must_use]
    pub fn tokens(&self) -> Option<u32> {
        self.token_counts.as_ref().map(|counts| counts.iter().sum()).or(self.tokens_in_all)
    }

    /// Whether this can be the answer to `texts` texts from a backend of `dimensions` dimensions.
    ///
    /// # Errors
    /// [`ProviderError::Answer`] naming the count, the dimension or the number that is wrong.
    pub fn check(&self, texts: usize, dimensions: u32) -> Result<(), ProviderError> {
        let answer = |found: String, expected: String| Err(ProviderError::Answer { found, expected });
        if self.dimensions != dimensions {
            return answer(
                format!("vectors of {} numbers", self.dimensions),
                format!("{dimensions}, as `load` said"),
            );
        }
        let expected = texts * dimensions as usize;
        if self.vectors.len() != expected {
            return answer(
                format!("{} numbers for {texts} texts", self.vectors.len()),
                format!("{expected}: one vector of {dimensions} for each text"),
            );
        }
        if let Some(counts) = self.token_counts.as_ref().filter(|counts| counts.len() != texts) {
            return answer(format!("{} token counts", counts.len()), format!("{texts}: one for each text"));
        }
        let counted = self.token_counts.as_deref().unwrap_or(self.tokens_in_all.as_slice());
        let tokens: u64 = counted.iter().map(|count| u64::from(*count)).sum();
        if tokens > MOST_TOKENS {
            return answer(format!("{tokens} tokens in {texts} texts"), format!("at most {MOST_TOKENS}"));
        }
        let StageTimes { tokenize_ns, infer_ns, pool_ns, worker_ns, .. } = self.stages;
        let stages = [tokenize_ns, infer_ns, pool_ns, worker_ns];
        if let Some(ns) = stages.into_iter().flatten().find(|ns| *ns > MOST_NANOSECONDS) {
            return answer(format!("a stage of {ns} ns"), format!("at most {MOST_NANOSECONDS}"));
        }
        match self.vectors.iter().position(|number| !number.is_finite()) {
            Some(at) => answer(
                format!("{} in the vector of text {}", self.vectors[at], at / dimensions as usize),
                "finite numbers".to_owned(),
            ),
            None => Ok(()),
        }
    }
}

/// The ways a provider can fail. A failed request is an outcome and is counted; it is not the end of a run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// This machine does not have what was asked for.
    #[error("{what} is not available here: {why}")]
    NotAvailable {
        /// What was asked for, for example ``execution provider `coreml` ``.
        what: String,
        /// The reason, in the runtime's own words if it gives one.
        why: String,
    },
    /// The model folder lacks a file, or it cannot be read. A missing ONNX file is what a fallback answers to.
    #[error("model file {}: {why}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An option's value is not acceptable.
    #[error("option `{key}`: {why}")]
    Option {
        /// The key as written.
        key: String,
        /// The value found and what is allowed.
        why: String,
    },
    /// The runtime could not load the model.
    #[error("the model could not be loaded: {0}")]
    Load(String),
    /// A server could not be asked, or its answer was none.
    #[error("{request}: {why}")]
    Server {
        /// The request, for example `POST http://127.0.0.1:8080/embed`.
        request: String,
        /// What happened, and the remedy if there is one; one line.
        why: String,
        /// Whether the connection failed, as it does when the server is gone.
        disconnected: bool,
    },
    /// A server that tailmark started is gone: it ended, did not get ready, or was killed.
    #[error("the server {how}{}", tail_of(stderr_tail))]
    ServerGone {
        /// What became of it, to go on with "the server".
        how: String,
        /// The last lines of its output.
        stderr_tail: String,
    },
    /// The runtime failed on a request.
    #[error("embedding failed: {0}")]
    Embed(String),
    /// The process could not be started.
    #[error("could not start `{program}`: {why}")]
    Start {
        /// The program.
        program: String,
        /// The cause.
        why: String,
    },
    /// No answer within the deadline.
    #[error("no answer to `{method}` within {after:?}")]
    Timeout {
        /// The method that was called.
        method: String,
        /// The deadline.
        after: Duration,
    },
    /// The process ended while it was needed.
    #[error("the worker ended ({status}){}", tail_of(stderr_tail))]
    Exited {
        /// How it ended, for example `exit status: 1`.
        status: String,
        /// The last lines of its standard error.
        stderr_tail: String,
    },
    /// Too many requests in a row had no answer: the process was taken to hang, and was killed.
    #[error(
        "no answer to {requests} requests in a row within {after:?}; the worker hung and was killed{}",
        tail_of(stderr_tail)
    )]
    Hung {
        /// Requests without an answer.
        requests: u32,
        /// The deadline of each.
        after: Duration,
        /// The last lines of its standard error.
        stderr_tail: String,
    },
    /// The process was killed by whoever started it.
    #[error("the worker was killed: {why}{}", tail_of(stderr_tail))]
    Killed {
        /// Why it could not go on.
        why: String,
        /// The last lines of its standard error.
        stderr_tail: String,
    },
    /// The other end does not keep to the protocol.
    #[error("the worker broke the protocol: {found}, expected {expected}")]
    Protocol {
        /// What was read.
        found: String,
        /// What should have been there.
        expected: String,
    },
    /// The answer keeps to the protocol and is wrong.
    #[error("the backend answered {found}, expected {expected}")]
    Answer {
        /// What was answered.
        found: String,
        /// What should have been.
        expected: String,
    },
}

fn tail_of(stderr: &str) -> String {
    if stderr.trim().is_empty() {
        ", and wrote nothing to stderr".to_owned()
    } else {
        format!("; its last words:\n{}", stderr.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Embeddings {
        Embeddings {
            vectors: vec![1.0, 0.0, 0.0, 1.0],
            dimensions: 2,
            token_counts: Some(vec![3, 4]),
            tokens_in_all: None,
            truncated: None,
            stages: StageTimes { infer_ns: Some(5), ..StageTimes::default() },
        }
    }

    #[test]
    fn an_answer_whose_numbers_no_figure_can_hold_is_none() {
        assert_eq!(answer().check(2, 2), Ok(()));
        let long = StageTimes { infer_ns: Some(u64::MAX), ..StageTimes::default() };
        let faults = [
            Embeddings { token_counts: Some(vec![u32::MAX; 2]), ..answer() }.check(2, 2),
            Embeddings { stages: long, ..answer() }.check(2, 2),
        ];
        let told = faults.map(|fault| fault.unwrap_err().to_string());
        assert!(told[0].contains("8589934590 tokens in 2 texts"), "{}", told[0]);
        assert!(told[1].contains("a stage of 18446744073709551615 ns"), "{}", told[1]);
    }
}

//! Why a run could not be carried out.

use std::io;

use tailmark_providers::provider::ProviderError;
use tailmark_providers::start::ModelError;

use crate::making::MakingError;

/// What kept a run from measuring.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system refused what the run needs of it.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done.
        doing: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The user has no home folder, so there is nowhere to keep models and environments.
    #[error("no cache folder: the user has no home folder\n\nhint: set HOME or XDG_CACHE_HOME")]
    NoCache,
    /// The model is not there and could not be fetched.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model of the hub cannot be had, or none can be made of it.
    #[error(transparent)]
    Making(#[from] MakingError),
    /// The scenario asks for a prompt that the model does not have.
    #[error(
        "the model {model} has no prompt `{name}`{} Its prompts are: {}\n\nhint: a prompt of your own is written out: \
         prompt = {{ text = \"...\" }}",
        if meant.is_empty() { "." } else { meant },
        if known.is_empty() { "none".to_owned() } else { known.join(", ") }
    )]
    NoPrompt {
        /// The model.
        model: String,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
        /// The one that was perhaps meant, as the end of a sentence; empty if none was.
        meant: String,
    },
    /// The model's tokenizer cannot count the corpus's tokens.
    #[error(transparent)]
    Tokenizer(#[from] ProviderError),
}

/// An error of the system as one that ends the run, with what was being done.
pub(super) fn cannot(doing: impl Into<String>) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::System { doing: doing.into(), source }
}

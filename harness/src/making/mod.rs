//! Makes a model of a folder: graph, reference vectors and manifest, checked against what people call. What is in the folder is
//! said by `describe`; where it comes from is not known here.

mod folder;
mod hub;
mod lock;
pub(crate) mod tool;

use std::io;
use std::path::PathBuf;

use tailmark_providers::model::hub_repository::RepositoryError;
use tailmark_providers::model::own::describe::DescribeError;
use tailmark_providers::python_environment::PythonError;

pub(crate) use folder::{MadeModel, Wanted, link_weights, make};
pub(crate) use hub::{HubModel, bring, obtain};
use lock::LockError;
pub(crate) use lock::LockFile;

/// Why no model was made.
#[derive(Debug, thiserror::Error)]
pub enum MakingError {
    /// The folder is no model that can be measured.
    #[error(transparent)]
    Describe(#[from] DescribeError),
    /// There is no Python environment for the tools.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// A Python tool failed, or made something else than it should.
    #[error("the Python tool `{tool}` {what}")]
    Tool {
        /// The tool, for example `export`.
        tool: String,
        /// What it did.
        what: String,
    },
    /// The system refused.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// Files of the user's are where files would be written.
    #[error(
        "{} has files that tailmark did not make and does not write over: {}\n\nhint: name an empty folder with --output, or take a graph that is there with --graph",
        folder.display(),
        names.join(", ")
    )]
    InTheWay {
        /// The folder.
        folder: PathBuf,
        /// The files.
        names: Vec<String>,
    },
    /// A repository of the model hub cannot be had.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// `tailmark.lock` cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What was asked for is not in the folder.
    #[error("{0}")]
    NotThere(String),
}

impl MakingError {
    /// Whether something else has to be typed or written, and nothing failed.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Describe(_) | Self::InTheWay { .. } | Self::NotThere(_) | Self::Lock(_))
    }
}

/// An error of the system, with what was being done.
pub(crate) fn cannot(doing: impl Into<String>) -> impl FnOnce(io::Error) -> MakingError {
    let doing = doing.into();
    move |source| MakingError::System { doing, source }
}

//! Why a backend cannot be started: the machine lacks something, or something broke.

use crate::provider::ProviderError;
use crate::python_environment::PythonError;

/// Why a backend cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// This machine does not have what the backend needs; not an error.
    #[error("{0}")]
    NotAvailable(String),
    /// It should have worked.
    #[error("{0}")]
    Broken(String),
}

impl From<ProviderError> for Lacking {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::NotAvailable { what, why } => Self::NotAvailable(format!("{what}: {why}")),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<PythonError> for Lacking {
    fn from(error: PythonError) -> Self {
        if matches!(error, PythonError::NoPython { .. }) {
            Self::NotAvailable(error.to_string())
        } else {
            Self::Broken(error.to_string())
        }
    }
}

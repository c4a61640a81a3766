//! Why a command could not do its work: what was being done, where, and the cause. The exit code follows from which it is.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use tailmark_providers::model::StoreError;
use tailmark_providers::model::own::OwnModelError;
use tailmark_providers::model::own::registry::RegistryError;
use tailmark_providers::model::remove::RemoveError;
use tailmark_providers::model::variants::VariantsError;
use tailmark_reports::record::ReadError;
use tailmark_reports::units::counted;

use crate::bundle::BundleError;
use crate::driver::ColumnarError;
use crate::making::MakingError;
use crate::run::{AloneError, RunError, VerifyError};
use crate::scenario::OpenError;
use crate::serve::ServeError;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The file of the scenario cannot be had.
    #[error(transparent)]
    NoScenario(#[from] OpenError),
    /// The scenario cannot be carried out.
    #[error(
        "{}{} has {}{}\n\nhint: scenarios/README.md has the format, `tailmark schema` prints it for editors",
        file.display(),
        if *changed { ", as changed by --set," } else { "" },
        counted(faults.len() as u64, "fault"),
        faults.iter().map(|fault| format!("\n  {fault}")).collect::<String>()
    )]
    Scenario {
        /// The file.
        file: PathBuf,
        /// Whether keys of it were changed on the command line.
        changed: bool,
        /// Everything that is wrong with it, each with its place.
        faults: Vec<String>,
    },
    /// There is no such kind of backend.
    #[error("unknown kind `{kind}`; kinds served here are {}", served.join(", "))]
    UnknownKind {
        /// What was asked for.
        kind: String,
        /// What there is.
        served: Vec<&'static str>,
    },
    /// That kind has a worker of its own in Python.
    #[error("`{kind}` is served by Python: python -m tailmark_worker {kind}; kinds served here are {}", served.join(", "))]
    ServedByPython {
        /// What was asked for.
        kind: &'static str,
        /// What there is.
        served: Vec<&'static str>,
    },
    /// The run could not be carried out.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The backend cannot be got ready.
    #[error(transparent)]
    Alone(#[from] AloneError),
    /// Nothing is served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The record of a run cannot be read.
    #[error(transparent)]
    Record(#[from] ReadError),
    /// The samples of a run cannot be read.
    #[error(transparent)]
    Samples(#[from] ColumnarError),
    /// A bundle cannot be made, or is none.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The figures of a run cannot be computed again.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The system refused what the command needs of it.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The model store cannot be used, or no source has the model.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The list of the user's own models cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A model of the user's own cannot be used.
    #[error(transparent)]
    OwnModel(#[from] OwnModelError),
    /// No model was made of a folder.
    #[error(transparent)]
    Making(#[from] MakingError),
    /// The list of a model's variants cannot be used.
    #[error(transparent)]
    Variants(#[from] VariantsError),
    /// A model cannot be removed.
    #[error(transparent)]
    Remove(#[from] RemoveError),
    /// The user has no home folder, so there is nowhere to keep environments.
    #[error("no cache folder: the user has no home folder\n\nhint: set HOME or XDG_CACHE_HOME")]
    NoCache,
    /// Arguments that cannot be carried out: what was found, what is allowed, and a hint where there is one.
    #[error("{0}")]
    Usage(String),
}

impl CommandError {
    /// 2 when something else must be typed or written, 4 when the world or tailmark failed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Making(error) | Self::Run(RunError::Making(error)) if error.is_usage() => 2,
            Self::Run(RunError::NoPrompt { .. })
            | Self::Alone(AloneError::Elsewhere(_) | AloneError::Run(RunError::NoPrompt { .. })) => 2,
            Self::NoScenario(_)
            | Self::Scenario { .. }
            | Self::UnknownKind { .. }
            | Self::ServedByPython { .. }
            | Self::Record(_)
            | Self::Bundle(_)
            | Self::Verify(_)
            | Self::OwnModel(OwnModelError::NoManifest { .. })
            | Self::Remove(RemoveError::NotThere { .. } | RemoveError::Link { .. })
            | Self::Serve(ServeError::NotTheSame(_) | ServeError::Address { .. })
            | Self::Usage(_) => 2,
            Self::Run(_)
            | Self::Alone(_)
            | Self::Serve(_)
            | Self::Samples(_)
            | Self::System { .. }
            | Self::Store(_)
            | Self::Registry(_)
            | Self::OwnModel(_)
            | Self::Variants(_)
            | Self::Remove(_)
            | Self::Making(_)
            | Self::NoCache => 4,
        }
    }

    /// Prints the error to stderr and gives its exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        // The exit code says it too, to whoever does not listen.
        let _ = writeln!(io::stderr(), "error: {self}");
        ExitCode::from(self.exit_code())
    }
}

/// An error of the system as one that ends the command, with what was being done.
pub(super) fn cannot(doing: impl Into<String>) -> impl FnOnce(io::Error) -> CommandError {
    move |source| CommandError::System { doing: doing.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_says_what_was_being_done_and_why_it_failed() {
        let error = cannot("print the table")(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(error.to_string(), "cannot print the table: no storage space");
        assert_eq!(error.exit_code(), 4);
    }

    #[test]
    fn a_scenario_with_faults_lists_them_and_can_be_mended_by_whoever_wrote_it() {
        let error = CommandError::Scenario {
            file: "a.toml".into(),
            changed: true,
            faults: vec!["line 1, name: found 7".to_owned(), "line 3, load.kind: found `open`".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "a.toml, as changed by --set, has 2 faults\n  line 1, name: found 7\n  line 3, load.kind: found `open`\n\n\
             hint: scenarios/README.md has the format, `tailmark schema` prints it for editors"
        );
        assert_eq!(error.exit_code(), 2);
    }
}

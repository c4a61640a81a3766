//! The scenarios and corpora that are compiled in, and how a name on the command line finds its file.

use std::path::{Path, PathBuf};

use tailmark_providers::text_file::{self, TextFileError};

/// A file that is compiled into tailmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name, without folder: `steady_state.toml`, `short_queries`.
    pub name: &'static str,
    /// Its content.
    pub text: &'static str,
}

macro_rules! shipped {
    ($folder:literal, $($name:literal => $file:literal),* $(,)?) => {
        &[$(Shipped { name: $name, text: include_str!(concat!("../../../scenarios/", $folder, $file)) }),*]
    };
}

/// The shipped scenarios.
pub const SCENARIOS: &[Shipped] = shipped!("",
    "steady_state.toml" => "steady_state.toml",
    "first_benchmark.toml" => "first_benchmark.toml",
    "cold_start.toml" => "cold_start.toml",
    "passages_128.toml" => "passages_128.toml",
    "poisson_30rps.toml" => "poisson_30rps.toml",
    "capacity.toml" => "capacity.toml",
    "idle_gaps.toml" => "idle_gaps.toml",
    "concurrency.toml" => "concurrency.toml",
    "paired.toml" => "paired.toml",
    "servers.toml" => "servers.toml",
    "batch_sizes.toml" => "batch_sizes.toml",
    "soak.toml" => "soak.toml",
    "smoke.toml" => "smoke.toml",
);

/// The shipped corpora.
pub const CORPORA: &[Shipped] = shipped!("corpora/",
    "short_queries" => "short_queries.txt",
    "passages_128" => "passages_128.txt",
    "documents_256" => "documents_256.txt",
    "mixed_lengths" => "mixed_lengths.txt",
);

/// The shipped corpus of that name.
#[must_use]
pub fn corpus(name: &str) -> Option<Shipped> {
    CORPORA.iter().find(|corpus| corpus.name == name).copied()
}

/// Why the file of a scenario cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is there and cannot be read.
    #[error(transparent)]
    Unreadable(#[from] TextFileError),
    /// It is not there.
    #[error(
        "no scenario `{}`: looked for {}, and among the shipped ones\n\nhint: the shipped scenarios are {}",
        name.display(),
        places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(" and "),
        SCENARIOS.iter().map(|shipped| shipped.name).collect::<Vec<_>>().join(", ")
    )]
    Nowhere {
        /// What was asked for.
        name: PathBuf,
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
}

/// Finds and reads a scenario: as a path, then in `scenarios/` below the working directory, then among the shipped
/// ones. Answers with the text and where it was found: a path, or `None` for a shipped one.
///
/// # Errors
/// When it is in none of these places, or cannot be read.
pub fn open(name: &Path) -> Result<(String, Option<PathBuf>), OpenError> {
    let bare = name.parent().is_none_or(|parent| parent.as_os_str().is_empty());
    let mut places = vec![name.to_path_buf()];
    if bare {
        places.push(Path::new("scenarios").join(name));
    }
    for place in &places {
        match text_file::read(place) {
            Ok(text) => return Ok((text, Some(place.clone()))),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if bare {
        let name = name.to_string_lossy();
        let file = if name.ends_with(".toml") { name.to_string() } else { format!("{name}.toml") };
        if let Some(shipped) = SCENARIOS.iter().find(|shipped| shipped.name == file) {
            return Ok((shipped.text.to_owned(), None));
        }
    }
    Err(OpenError::Nowhere { name: name.to_path_buf(), places })
}

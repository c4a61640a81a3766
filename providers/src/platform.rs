//! Which machine this is, as far as that decides which backends there can be. It starts and opens nothing.

use crate::provider::ProviderError;

/// The machine, as far as it decides which backends there can be. Data, so that every machine's answers can be tested on
/// any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// As [`std::env::consts::OS`] has it.
    pub os: String,
    /// As [`std::env::consts::ARCH`] has it.
    pub arch: String,
}

impl Platform {
    /// The machine this runs on.
    #[must_use]
    pub fn here() -> Self {
        Self { os: std::env::consts::OS.to_owned(), arch: std::env::consts::ARCH.to_owned() }
    }

    /// Fails unless this is one of `systems`, and one of `processors` if there are any.
    pub(crate) fn must_be(
        &self,
        what: impl FnOnce() -> String,
        systems: &[&str],
        processors: &[&str],
    ) -> Result<(), ProviderError> {
        let right_processor = processors.is_empty() || processors.contains(&self.arch.as_str());
        if systems.contains(&self.os.as_str()) && right_processor {
            return Ok(());
        }
        let mut needed = systems.iter().map(|os| system_name(os)).collect::<Vec<_>>().join(" or ");
        if !processors.is_empty() {
            needed = format!("{needed} on {}", processors.join(" or "));
        }
        let here = format!("{} on {}", system_name(&self.os), self.arch);
        Err(ProviderError::NotAvailable { what: what(), why: format!("it needs {needed}; this is {here}") })
    }
}

fn system_name(os: &str) -> &str {
    match os {
        "linux" => "Linux",
        "macos" => "macOS",
        "windows" => "Windows",
        other => other,
    }
}

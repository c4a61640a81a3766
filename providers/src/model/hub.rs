//! The model hub as a source: the hub's own cache on this machine first, then the network. It gives up within seconds when
//! there is no network, because the next source may need none.

use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use hf_hub::{HFClient, HFError, split_id};

use super::catalogue::{HubSpec, ModelSpec, PinnedFile};
use super::digest;
use super::sources::{FetchError, copy_file, create, not_written};
use crate::progress::Progress;

/// How long the hub may take to begin sending the first, small file: this decides how soon a machine without a network
/// goes on to the next source.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// How long it may keep silent after that. Large files are opened by way of several servers.
const SILENCE: Duration = Duration::from_secs(30);

/// How the hub is reached.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    /// Look only into the hub's cache on this machine.
    pub offline: bool,
    /// Another server than the usual one; `None` leaves it to the hub's own variables.
    pub endpoint: Option<String>,
    /// Another cache folder than the usual one; `None` leaves it to the hub's own variables.
    pub cache: Option<PathBuf>,
}

impl Hub {
    /// As the hub's own tools are set up for this user: offline when `HF_HUB_OFFLINE` says so.
    #[must_use]
    pub fn from_environment() -> Self {
        let offline = std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| means_yes(&value));
        Self { offline, ..Self::default() }
    }

    pub(crate) fn fetch(
        &self,
        place: &HubSpec,
        spec: &ModelSpec,
        wanted: &[&PinnedFile],
        into: &Path,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| FetchError::Source(error.to_string()))?;
            let fetched = runtime.block_on(self.fetch_all(place, spec, wanted, into, progress));
            // A name lookup that hangs has a thread of its own, which must not be waited for.
            runtime.shutdown_background();
            fetched
        };
        // On a thread of its own, because the caller may be inside a runtime, where another cannot be started.
        std::thread::scope(|scope| scope.spawn(work).join())
            .unwrap_or_else(|_| Err(FetchError::Source("the hub's client panicked".to_owned())))
    }

    async fn fetch_all(
        &self,
        place: &HubSpec,
        spec: &ModelSpec,
        wanted: &[&PinnedFile],
        into: &Path,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let client = self.client().map_err(|error| FetchError::Source(describe(&error)))?;
        let mut fetch = Fetch {
            client,
            place,
            spec,
            progress,
            total: wanted.iter().map(|file| file.bytes).sum(),
            done: 0,
        };
        let mut patience = FIRST_ANSWER;
        for file in wanted {
            let target = into.join(&file.name);
            if !fetch.copy_cached(file, &target).await? {
                if self.offline {
                    let name = &file.name;
                    let why =
                        format!("HF_HUB_OFFLINE is set, and its cache on this machine has no fitting {name}");
                    return Err(FetchError::Source(why));
                }
                fetch.download(file, &target, patience).await?;
                patience = SILENCE;
            }
            fetch.done += file.bytes;
        }
        Ok(())
    }

    fn client(&self) -> Result<HFClient, HFError> {
        let mut builder = HFClient::builder()
            .user_agent(concat!("tailmark/", env!("CARGO_PKG_VERSION")))
            .retry_max_attempts(1)
            .retry_base_delay(Duration::from_millis(100));
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if let Some(cache) = &self.cache {
            builder = builder.cache_dir(cache);
        }
        builder.build()
    }
}

struct Fetch<'a> {
    client: HFClient,
    place: &'a HubSpec,
    spec: &'a ModelSpec,
    progress: &'a dyn Progress,
    total: u64,
    done: u64,
}

impl Fetch<'_> {
    /// Copies the file if the hub's own tools fetched it before; says whether they had.
    async fn copy_cached(&self, file: &PinnedFile, target: &Path) -> Result<bool, FetchError> {
        let (owner, name) = split_id(&self.place.repository);
        let repository = self.client.model(owner, name);
        let lookup = repository.download_file().filename(&file.name).revision(&self.place.revision);
        match lookup.local_files_only(true).send().await {
            // An outdated copy is no reason to give up: the network may have the right one.
            Ok(path) if digest::check(&path, file).is_ok() => {
                copy_file(&path, target, self.spec, &mut |done| {
                    self.progress.bytes(self.done + done, self.total)
                })?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn download(&self, file: &PinnedFile, target: &Path, patience: Duration) -> Result<(), FetchError> {
        let (owner, name) = split_id(&self.place.repository);
        let repository = self.client.model(owner, name);
        let stream =
            repository.download_file_stream().filename(&file.name).revision(&self.place.revision).send();
        let (_, mut stream) =
            self.within(patience, stream).await?.map_err(|error| self.failed(file, &error))?;
        let mut output: File = create(target, self.spec)?;
        let mut written = 0;
        while let Some(part) = self.within(SILENCE, stream.next()).await? {
            let part = part.map_err(|error| self.failed(file, &error))?;
            written += part.len() as u64;
            if written > file.bytes {
                // Whatever this is, it is not the file; it must not fill the disk.
                let why = format!("{} is longer than {} bytes", file.name, file.bytes);
                return Err(FetchError::Source(why));
            }
            output.write_all(&part).map_err(|error| not_written(target, self.spec, error))?;
            self.progress.bytes(self.done + written, self.total);
        }
        Ok(())
    }

    async fn within<T>(&self, patience: Duration, work: impl Future<Output = T>) -> Result<T, FetchError> {
        tokio::time::timeout(patience, work)
            .await
            .map_err(|_| FetchError::Source(format!("no answer within {patience:?}")))
    }

    fn failed(&self, file: &PinnedFile, error: &HFError) -> FetchError {
        FetchError::Source(format!("{}: {}", file.name, describe(error)))
    }
}

/// What went wrong in one line, without addresses: they say nothing that the reader could act on.
fn describe(error: &HFError) -> String {
    match error {
        HFError::Request { source, .. } => {
            let mut cause: &dyn std::error::Error = source;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            format!("no connection ({})", without_addresses(&cause.to_string()))
        }
        HFError::Http { context } | HFError::AuthRequired { context } | HFError::Forbidden { context } => {
            format!("refused with status {}", context.status)
        }
        HFError::RateLimited { .. } => "too many requests from this address".to_owned(),
        HFError::RepoNotFound { .. } => "there is no such repository".to_owned(),
        HFError::RevisionNotFound { revision, .. } => format!("there is no revision {revision}"),
        HFError::EntryNotFound { .. } => "there is no such file".to_owned(),
        other => without_addresses(&other.to_string()),
    }
}

fn without_addresses(text: &str) -> String {
    text.split_whitespace().filter(|word| !word.contains("://")).collect::<Vec<_>>().join(" ")
}

fn means_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_means_what_it_means_to_the_hub_s_own_tools() {
        assert!(["1", "true", "YES", "On"].iter().all(|value| means_yes(value)));
        assert!(!["", "0", "false", "no"].iter().any(|value| means_yes(value)));
    }

    #[test]
    fn addresses_are_left_out_of_messages() {
        assert_eq!(without_addresses("failed for (http://127.0.0.1:1/x) twice"), "failed for twice");
    }
}

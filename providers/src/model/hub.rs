//! The model hub as a source: the hub's own cache on this machine first, then the network. It gives up within seconds when
//! there is no network, because the next source may need none.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::header::AUTHORIZATION;
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::catalogue::{HubPlace, KnownModel};
use super::delivery::{FetchError, copy_file, create, not_written};
use super::digest::{self, PinnedFile};
use super::hub_cache;
use crate::progress::Progress;

/// The hub, unless a variable of its own tools names another.
const ENDPOINT: &str = "https://huggingface.co";
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
    /// Another server than the usual one; `None` leaves it to the hub's own variable, `HF_ENDPOINT`.
    pub endpoint: Option<String>,
    /// Another cache folder than the usual one; `None` leaves it to the hub's own variables.
    pub cache: Option<PathBuf>,
    /// How long the hub may keep silent, instead of the usual time.
    pub silence: Option<Duration>,
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
        place: &HubPlace,
        model: &KnownModel,
        wanted: &[&PinnedFile],
        into: &Path,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let total = wanted.iter().map(|file| file.bytes).sum();
        let mut fetch = Fetch { hub: self, place, model, progress, total, done: 0 };
        let mut patience = FIRST_ANSWER;
        for file in wanted {
            let target = into.join(&file.name);
            if !fetch.copy_cached(file, &target)? {
                if self.offline {
                    let name = &file.name;
                    let why =
                        format!("HF_HUB_OFFLINE is set, and its cache on this machine has no fitting {name}");
                    return Err(FetchError::Source(why));
                }
                fetch.download(file, &target, patience)?;
                patience = SILENCE;
            }
            fetch.done += file.bytes;
        }
        Ok(())
    }

    pub(super) fn cache_folder(&self) -> Option<PathBuf> {
        self.cache.clone().or_else(hub_cache::folder)
    }

    /// How long it may keep silent.
    pub(super) fn patience(&self) -> Duration {
        self.silence.unwrap_or(SILENCE)
    }

    /// The hub's address, without a slash at its end.
    pub(super) fn endpoint(&self) -> String {
        let endpoint = self.endpoint.clone().or_else(|| std::env::var("HF_ENDPOINT").ok());
        let endpoint = endpoint.filter(|endpoint| !endpoint.is_empty());
        endpoint.map_or_else(|| ENDPOINT.to_owned(), |endpoint| endpoint.trim_end_matches('/').to_owned())
    }

    fn address_of(&self, place: &HubPlace, file: &str) -> String {
        // A branch may contain a slash, which is not one of the path here.
        let revision = place.revision.replace('/', "%2F");
        format!("{}/{}/resolve/{revision}/{file}", self.endpoint(), place.repository)
    }
}

/// A client that waits this long for each step, and trusts the certificates that the machine trusts: a company's proxy has
/// one of its own.
pub(super) fn client(patience: Duration) -> Agent {
    client_with(patience, patience)
}

/// The same, with another patience for each piece of a file.
fn client_with(patience: Duration, silence: Duration) -> Agent {
    // Ring is the only provider that is compiled in. Whoever installed one before has done the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .user_agent(concat!("tailmark/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_resolve(Some(patience))
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(silence))
        .build()
        .into()
}

struct Fetch<'a> {
    hub: &'a Hub,
    place: &'a HubPlace,
    model: &'a KnownModel,
    progress: &'a dyn Progress,
    total: u64,
    done: u64,
}

impl Fetch<'_> {
    /// Copies the file if the hub's own tools fetched it before; says whether they had.
    fn copy_cached(&self, file: &PinnedFile, target: &Path) -> Result<bool, FetchError> {
        let HubPlace { repository, revision } = self.place;
        let cached = self
            .hub
            .cache_folder()
            .and_then(|cache| hub_cache::find(&cache, repository, revision, &file.name));
        // An outdated copy is no reason to give up: the network may have the right one.
        let Some(path) = cached.filter(|path| digest::check(path, file).is_ok()) else {
            return Ok(false);
        };
        copy_file(&path, target, self.model, &mut |done| self.progress.bytes(self.done + done, self.total))?;
        Ok(true)
    }

    fn download(&self, file: &PinnedFile, target: &Path, patience: Duration) -> Result<(), FetchError> {
        let mut request = client_with(patience, SILENCE).get(self.hub.address_of(self.place, &file.name));
        if let Some(token) = hub_cache::token() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut response = request.call().map_err(|error| failed(file, &describe(&error)))?;
        if let Some(why) = refusal(&response, &self.place.revision) {
            return Err(failed(file, &why));
        }
        let mut body = response.body_mut().as_reader();
        let mut output = create(target, self.model)?;
        let mut part = vec![0; 1 << 17];
        let mut written = 0;
        loop {
            let length =
                body.read(&mut part).map_err(|error| failed(file, &describe(&ureq::Error::from(error))))?;
            if length == 0 {
                break;
            }
            written += length as u64;
            if written > file.bytes {
                // Whatever this is, it is not the file; it must not fill the disk.
                let why = format!("{} is longer than {} bytes", file.name, file.bytes);
                return Err(FetchError::Source(why));
            }
            output.write_all(&part[..length]).map_err(|error| not_written(target, self.model, error))?;
            self.progress.bytes(self.done + written, self.total);
        }
        Ok(())
    }
}

fn failed(file: &PinnedFile, why: &str) -> FetchError {
    FetchError::Source(format!("{}: {why}", file.name))
}

/// Why the hub does not send the file; `None` when it does. The hub names the reason in a header, because the same status
/// stands for a file, a revision and a repository that are not there.
pub(super) fn refusal(response: &Response<Body>, revision: &str) -> Option<String> {
    let status = response.status();
    if status.is_success() {
        return None;
    }
    let code = response.headers().get("x-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default();
    Some(match (code, status) {
        ("RepoNotFound", _) => "there is no such repository, or it is private".to_owned(),
        ("RevisionNotFound", _) => format!("there is no revision {revision}"),
        ("GatedRepo", _) => {
            "the repository is gated: accept its terms on the hub's page, then set HF_TOKEN".to_owned()
        }
        ("EntryNotFound", _) | (_, StatusCode::NOT_FOUND) => "there is no such file".to_owned(),
        (_, StatusCode::TOO_MANY_REQUESTS) => "too many requests from this address".to_owned(),
        (_, StatusCode::UNAUTHORIZED) => {
            format!("refused with status {status}; HF_TOKEN holds the token to log in with")
        }
        _ => format!("refused with status {status}"),
    })
}

/// What went wrong in one line, without addresses: they say nothing that the reader could act on.
pub(super) fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "no connection (the name of its server is not known)".to_owned(),
        other => {
            // The client's own prefix for what the system says would only be in the way.
            let mut cause: &dyn std::error::Error = match other {
                ureq::Error::Io(error) => error,
                other => other,
            };
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            format!("no connection ({})", without_addresses(&cause.to_string()))
        }
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
    fn a_fault_of_the_system_is_told_in_its_own_words() {
        let error = ureq::Error::from(std::io::Error::other("Name or service not known"));
        assert_eq!(describe(&error), "no connection (Name or service not known)");
    }

    #[test]
    fn addresses_are_left_out_of_messages() {
        assert_eq!(without_addresses("failed for (http://127.0.0.1:1/x) twice"), "failed for twice");
    }

    #[test]
    fn a_branch_with_a_slash_stays_one_part_of_the_address() {
        let hub = Hub { endpoint: Some("http://hub.test/".to_owned()), ..Hub::default() };
        let place = HubPlace { repository: "someone/tiny".to_owned(), revision: "refs/pr/1".to_owned() };
        assert_eq!(
            hub.address_of(&place, "onnx/model.onnx"),
            "http://hub.test/someone/tiny/resolve/refs%2Fpr%2F1/onnx/model.onnx"
        );
    }

    #[test]
    fn a_refusal_says_what_the_hub_lacks() {
        let answer = |status: u16, code: Option<&str>| {
            let mut response = Response::builder().status(status);
            if let Some(code) = code {
                response = response.header("X-Error-Code", code);
            }
            refusal(&response.body(Body::builder().data("")).unwrap(), "v9")
        };
        assert_eq!(answer(200, None), None);
        assert_eq!(answer(404, None).unwrap(), "there is no such file");
        assert_eq!(answer(404, Some("RevisionNotFound")).unwrap(), "there is no revision v9");
        assert_eq!(
            answer(401, Some("RepoNotFound")).unwrap(),
            "there is no such repository, or it is private"
        );
        assert!(answer(403, Some("GatedRepo")).unwrap().ends_with("set HF_TOKEN"));
        assert_eq!(answer(429, None).unwrap(), "too many requests from this address");
        assert_eq!(answer(500, None).unwrap(), "refused with status 500 Internal Server Error");
    }
}

//! A client of an embedding server, over HTTP/1.1. A request ends when its vectors are numbers in memory and were checked; whatever
//! else comes back is a failed request, and nothing is sent twice. Knows no model.
//!
//! Read in this order: [`settings`] is what it can be told, `dialect` how servers are asked, `connection` one connection,
//! `client` the request from its texts to its vectors, `fault` what is said when there are none;
//! [`hosted`] starts the server first, and `ready` says when it can be asked.

mod address;
mod client;
mod connection;
mod dialect;
mod fault;
pub mod hosted;
mod ready;
mod secrets;
pub mod settings;
#[cfg(test)]
mod tests;
mod timed;

use std::sync::OnceLock;

use client::Client;
use settings::HttpOptions;

use crate::evidence::{Evidence, ProveRequest};
use crate::null::not_loaded;
use crate::options;
use crate::provider::{
    BoxFuture, EmbedRequest, Embeddings, LoadRequest, Loaded, Options, Provider, ProviderError, Runs,
};
use crate::worker::Deadlines;

/// What is known of what executes the model.
const NOT_KNOWN: &str = "not known: a server executes the model, and there is only its word for how";

/// A server, as it is seen through its address.
pub struct HttpProvider {
    /// Length of the model's vectors.
    dimensions: u32,
    deadlines: Deadlines,
    client: OnceLock<Client>,
}

impl HttpProvider {
    /// A client that expects vectors of this length. Until a first answer has come, requests may take as long as loading: the
    /// server may load its model for them.
    #[must_use]
    pub fn new(dimensions: u32, deadlines: Deadlines) -> Self {
        Self { dimensions, deadlines, client: OnceLock::new() }
    }
}

/// Whether this machine has what the options name: variables, and certificates that can be read. Asks no server.
///
/// # Errors
/// [`ProviderError::Option`] naming what it lacks.
pub fn fits_here(options: &Options) -> Result<(), ProviderError> {
    client::fits_here(&options::parse::<HttpOptions>(options)?)
}

impl Provider for HttpProvider {
    /// Connects to nothing: the first request does, so that what it waits for is counted.
    fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
        Box::pin(async move {
            let settings = options::parse(&request.options)?;
            let prompt = request.model.as_ref().map_or("", |model| model.recipe.prompt());
            let client = Client::new(settings, prompt, self.dimensions, self.deadlines)?;
            let (dimensions, concurrency) = (client.dimensions(), client.connections());
            // A second load changes nothing, as there is nothing that it could load.
            let _ = self.client.set(client);
            Ok(Loaded { dimensions, concurrency, runs: Runs::default(), import_ns: None, load_ns: None })
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
        Box::pin(async move { self.client.get().ok_or_else(not_loaded)?.embed(request).await })
    }

    fn prove<'a>(&'a self, _: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
        Box::pin(async { Ok(Evidence::none(NOT_KNOWN)) })
    }
}

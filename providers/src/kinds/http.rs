//! `http`: an embedding server, asked in one of several dialects.

use super::kind::{Kind, Started, placed_anywhere};
use crate::http::hosted::HostedServer;
use crate::http::settings::HttpOptions;
use crate::http::{HttpProvider, fits_here};
use crate::options::OptionRules;
use crate::start::{Lacking, MakeClient, Opening, Placement};

pub(super) const KIND: Kind = Kind {
    name: "http",
    summary: "a server that is asked over HTTP: OpenAI's API, Ollama, Text Embeddings Inference, akidb",
    placements: &[Placement::Client],
    options: OptionRules::of::<HttpOptions>(),
    check_placed: placed_anywhere,
    available: |options, _| fits_here(options),
    needs_model: true,
    needs_weights: false,
    own: None,
    start: |ask, provision| {
        let load = provision.load_model(ask.options.clone())?;
        let manifest = provision.model().map(|model| &model.manifest);
        let dimensions = manifest.map(|manifest| manifest.dimensions).ok_or_else(|| {
            Lacking::Broken(
                "the model was not fetched before a server was asked for its vectors: this is a bug"
                    .to_owned(),
            )
        })?;
        let opening = match HostedServer::of(ask.options, dimensions)? {
            Some(server) => Opening::Server(Box::new(server)),
            None => Opening::Client(MakeClient::new(move |deadlines| {
                Box::new(HttpProvider::new(dimensions, deadlines))
            })),
        };
        Ok(Started { opening, load })
    },
};

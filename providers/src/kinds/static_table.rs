//! `static`: a model that is a table with a vector for each token, and no transformer.

use super::kind::{Kind, OwnBackend, Started, WORKER_OR_HERE, placed_anywhere, threaded};
use crate::options::{self, OptionRules};
use crate::static_table::{StaticBackend, StaticOptions};

pub(super) const KIND: Kind = Kind {
    name: NAME,
    summary: "A table with a vector for each token (model2vec, StaticEmbedding): no transformer, no runtime",
    placements: WORKER_OR_HERE,
    options: OptionRules::of::<StaticOptions>(),
    check_placed: placed_anywhere,
    available: |options, _| options::parse::<StaticOptions>(options).map(|_| ()),
    needs_model: true,
    needs_weights: true,
    own: Some(OWN),
    start: |ask, provision| {
        let opening = provision.open_own(NAME, ask.placement, OWN.in_process);
        Ok(Started { opening, load: provision.load_table(ask.options.clone())? })
    },
};

const NAME: &str = "static";
const OWN: OwnBackend = OwnBackend {
    serve: || Box::new(StaticBackend::default()),
    in_process: |deadlines| threaded(Box::new(StaticBackend::default()), deadlines),
};

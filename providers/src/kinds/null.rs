//! `null`: answers at once, and so measures tailmark itself.

use super::kind::{Kind, OwnBackend, Started, WORKER_OR_HERE, placed_anywhere};
use crate::null::{NullBackend, NullOptions, NullProvider};
use crate::options::{self, OptionRules};
use crate::provider::LoadRequest;

pub(super) const KIND: Kind = Kind {
    name: NAME,
    summary: "answers at once without a model: measures tailmark itself",
    placements: WORKER_OR_HERE,
    options: OptionRules::of::<NullOptions>(),
    check_placed: placed_anywhere,
    available: |options, _| options::parse::<NullOptions>(options).map(|_| ()),
    needs_model: false,
    needs_weights: false,
    own: Some(OWN),
    start: |ask, provision| {
        let opening = provision.open_own(NAME, ask.placement, OWN.in_process);
        Ok(Started { opening, load: LoadRequest { model: None, options: ask.options.clone() } })
    },
};

const NAME: &str = "null";
const OWN: OwnBackend = OwnBackend {
    serve: || Box::new(NullBackend::default()),
    in_process: |_| Box::new(NullProvider::default()),
};

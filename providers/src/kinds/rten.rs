//! `rten`: an ONNX runtime in pure Rust.

use super::kind::{Kind, OwnBackend, Started, WORKER_OR_HERE, placed_anywhere, threaded};
use crate::options::{self, OptionRules};
use crate::rten::{RtenBackend, RtenOptions};

pub(super) const KIND: Kind = Kind {
    name: NAME,
    summary: "RTen, an ONNX runtime in pure Rust: needs the model and nothing else",
    placements: WORKER_OR_HERE,
    options: OptionRules::of::<RtenOptions>(),
    check_placed: placed_anywhere,
    available: |options, _| options::parse::<RtenOptions>(options).map(|_| ()),
    needs_model: true,
    needs_weights: false,
    own: Some(OWN),
    start: |ask, provision| {
        let opening = provision.open_own(NAME, ask.placement, OWN.in_process);
        Ok(Started { opening, load: provision.load_graph(ask.options.clone())? })
    },
};

const NAME: &str = "rten";
const OWN: OwnBackend = OwnBackend {
    serve: || Box::new(RtenBackend::default()),
    in_process: |deadlines| threaded(Box::new(RtenBackend::default()), deadlines),
};

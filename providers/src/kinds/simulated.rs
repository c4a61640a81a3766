//! `simulated`: answers as seeded settings say, and so proves the statistics.

use super::kind::{Kind, OwnBackend, Started, WORKER_OR_HERE};
use crate::options::{self, OptionRules};
use crate::provider::LoadRequest;
use crate::simulated::settings::SimulatedOptions;
use crate::simulated::{SimulatedBackend, SimulatedProvider, check_in_worker};
use crate::start::Placement;

pub(super) const KIND: Kind = Kind {
    name: NAME,
    summary: "answers after seeded delays, stalls and failures without a model: proves the statistics",
    placements: WORKER_OR_HERE,
    options: OptionRules::of::<SimulatedOptions>(),
    check_placed: |options, placement| match placement {
        Placement::Worker => check_in_worker(options),
        Placement::InProcess | Placement::Client => Vec::new(),
    },
    available: |options, _| options::parse::<SimulatedOptions>(options).map(|_| ()),
    needs_model: false,
    needs_weights: false,
    own: Some(OWN),
    start: |ask, provision| {
        let opening = provision.open_own(NAME, ask.placement, OWN.in_process);
        Ok(Started { opening, load: LoadRequest { model: None, options: ask.options.clone() } })
    },
};

const NAME: &str = "simulated";
const OWN: OwnBackend = OwnBackend {
    serve: || Box::new(SimulatedBackend::default()),
    in_process: |deadlines| Box::new(SimulatedProvider::with_deadline(deadlines.request)),
};

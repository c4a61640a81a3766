//! `onnx`: ONNX Runtime, called from Rust. Its library comes from the Python package unless the options name one.

use super::kind::{Ask, Kind, OwnBackend, Started, WORKER_OR_HERE, placed_anywhere, threaded};
use crate::onnx::OnnxBackend;
use crate::onnx::settings::OnnxOptions;
use crate::options::{self, OptionRules};
use crate::start::{Lacking, Provision};

pub(super) const KIND: Kind = Kind {
    name: NAME,
    summary: "ONNX Runtime, called from Rust",
    placements: WORKER_OR_HERE,
    options: OptionRules::of::<OnnxOptions>(),
    check_placed: placed_anywhere,
    available: |options, platform| {
        options::parse::<OnnxOptions>(options)?.execution_provider.check_platform(platform)
    },
    needs_model: true,
    needs_weights: false,
    own: Some(OWN),
    start,
};

const NAME: &str = "onnx";
/// The option that names the library.
const LIBRARY: &str = "library";
const OWN: OwnBackend = OwnBackend {
    serve: || Box::new(OnnxBackend::default()),
    in_process: |deadlines| threaded(Box::new(OnnxBackend::default()), deadlines),
};

fn start(ask: Ask<'_>, provision: &mut Provision<'_>) -> Result<Started, Lacking> {
    let mut options = ask.options.clone();
    if options.get(LIBRARY).is_none_or(serde_json::Value::is_null) {
        let library = provision.onnxruntime_library()?;
        options.insert(LIBRARY.to_owned(), library.to_string_lossy().into());
    }
    let opening = provision.open_own(NAME, ask.placement, OWN.in_process);
    Ok(Started { opening, load: provision.load_graph(options)? })
}

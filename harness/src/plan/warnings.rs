//! What is right in a scenario and still worth a word before anything starts: keys under their old names, servers that
//! are not started here, and a load that is too slow for what is asked of it. Refuses nothing.

use tailmark_providers::start::Placement;
use tailmark_reports::record::Warning;
use tailmark_reports::units;

use super::BackendPlan;
use crate::scenario::OldKey;

/// The option of a client that says how tailmark starts its server.
const STARTED_BY: &str = "server";

/// The key has another name now.
pub(super) fn old_key(OldKey { key, new, gone_in }: &OldKey) -> Warning {
    Warning {
        backend: None,
        what: format!("the key `{key}` is called `{new}` now"),
        remedy: format!("write `{new}`; version {gone_in} will not read the old name any more"),
    }
}

/// The backend is a server that somebody else started.
pub(super) fn not_restarted(backend: &BackendPlan) -> Option<Warning> {
    // An option that says how it is started makes it a fresh process for each restart.
    let is_elsewhere = backend.placement == Placement::Client && !backend.options.contains_key(STARTED_BY);
    is_elsewhere.then(|| Warning {
        backend: Some(backend.name.clone()),
        what: "not restarted by tailmark: nothing is known about a fresh process; a restart is a fresh connection to a server \
               that may be warm, and its memory and processor are not measured"
            .to_owned(),
        remedy: "take its cold start for that of a connection, and restart the server before a run if that matters".to_owned(),
    })
}

/// The load of a backend makes too few requests due in its budget for anything to be decided.
pub(super) fn too_slow(backend: &BackendPlan) -> Option<Warning> {
    let steady = backend.phases.steady;
    // Without a horizon the least count is not waited for, as long as something is decided.
    if steady.quick {
        return None;
    }
    let restarts = backend.phases.restarts;
    let due = backend.load.due_within(steady.max_time / restarts) * f64::from(restarts);
    let (least, budget) = (steady.min_requests as f64, steady.max_time.as_secs_f64());
    (due < least).then(|| Warning {
        backend: Some(backend.name.clone()),
        what: format!(
            "the load ({}) makes about {} due in the {} of phases.steady.max_seconds, and phases.steady.min_requests is {}: no \
             objective on requests will be decided",
            backend.load.text(),
            units::counted(due.floor() as u64, "request"),
            units::duration(budget * 1e9),
            units::count(steady.min_requests),
        ),
        remedy: format!(
            "set max_seconds to about {}, or min_requests to at most {}",
            (budget * least / due.max(1.0)).ceil(),
            (due.floor() as u64).max(1)
        ),
    })
}

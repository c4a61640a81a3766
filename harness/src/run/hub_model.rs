//! Makes a model of the hub be there before a run needs it: with the files that the plan's backends read.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;
use tailmark_providers::model::hub_repository::Wish;
use tailmark_providers::model::manifest::GRAPH;
use tailmark_providers::model::{Hub, ModelStore};
use tailmark_providers::start::{Provision, WantedModel};

use super::error::RunError;
use super::places::Places;
use crate::making::{HubModel, LockFile, obtain};
use crate::plan::{GRAPH_OPTION, GraphRows, Plan};
use crate::screen::Screen;

/// The plan with the folder of its model, if that is one of the hub and a backend runs it.
pub(super) fn with_folder<'a>(
    plan: &'a Plan,
    places: &Places<'_>,
    cache: &Path,
    screen: &Screen,
) -> Result<Cow<'a, Plan>, RunError> {
    let wants = |backend: &&crate::plan::BackendPlan| backend.kind.wants_model(&backend.options);
    if !plan.model.hub || plan.backends.iter().find(wants).is_none() {
        return Ok(Cow::Borrowed(plan));
    }
    let store = places.model_store.map_or_else(|| cache.join("models"), Path::to_path_buf);
    let mut own = plan.clone();
    own.model.in_place = true;
    own.model.own = true;
    // A model of the user's own may have a name of that form, and is nearer.
    let registered = ModelStore::at(&store).registered().unwrap_or_default();
    if let Some(mine) = registered.into_iter().find(|entry| entry.name == plan.model.name) {
        screen.say(&format!("model {}: your own, in {}", mine.name, mine.folder.display()));
        own.model.folder = Some(mine.folder);
        return Ok(Cow::Owned(own));
    }
    let running = || plan.backends.iter().filter(wants);
    let named = |backend: &crate::plan::BackendPlan| {
        backend.options.get(GRAPH_OPTION).and_then(Value::as_str).map(str::to_owned)
    };
    let trusted = |backend: &crate::plan::BackendPlan| {
        backend.options.get("trust_remote_code").and_then(Value::as_bool) == Some(true)
    };
    let lock = places.scenario.map(LockFile::beside);
    if lock.is_none() {
        screen.say(&format!(
            "note: {} is not pinned: there is no scenario file of yours beside which it could be",
            plan.model.name
        ));
    }
    let wanted = HubModel {
        name: &plan.model.name,
        revision: plan.model.revision.as_deref(),
        wish: Wish {
            graphs: running().filter_map(named).filter(|name| name != GRAPH).collect(),
            all_graphs: running().any(|backend| backend.graphs == GraphRows::All),
            weights: running().any(|backend| backend.kind.needs_weights),
        },
        lock: lock.as_deref(),
        trust_remote_code: running().any(trusted),
        store: &store,
        python: places.python,
        cache,
    };
    own.model.folder = Some(obtain(&wanted, &Hub::from_environment(), screen)?);
    Ok(Cow::Owned(own))
}

/// Makes the model be there, unless it is already.
pub(super) fn fetch_model(
    plan: &Plan,
    provision: &mut Provision<'_>,
    model_store: Option<&Path>,
) -> Result<(), RunError> {
    if provision.model().is_some() {
        return Ok(());
    }
    Ok(provision.fetch_model(&WantedModel {
        name: &plan.model.name,
        folder: plan.model.folder.as_deref(),
        in_place: plan.model.in_place,
        own: plan.model.own,
        store: model_store,
    })?)
}

//! Gets a plan's one backend ready to be started, without measuring it.

use std::path::Path;

use tailmark_providers::cache;
use tailmark_providers::start::{Lacking, Launch, Placement, Provision};
use tailmark_reports::record::Model;

use super::error::RunError;
use super::hub_model::{fetch_model, with_folder};
use super::own_server;
use super::places::Places;
use super::provide::{asked, prompt_of, recorded};
use crate::plan::Plan;
use crate::screen::Screen;

/// A backend that only has to be started.
#[derive(Clone, Debug)]
pub struct Alone {
    /// How.
    pub launch: Launch,
    /// Its model; `None` if it runs none.
    pub model: Option<Model>,
    /// How the tokens of the model are pooled.
    pub pooling: Option<String>,
}

/// Why a backend cannot be got ready.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// The model, or something else that any run needs.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What the backend itself needs.
    #[error("{kind} cannot be started: {source}")]
    Lacking {
        /// Its kind.
        kind: &'static str,
        /// What is lacking, or what broke.
        source: Lacking,
    },
    /// It is no backend that tailmark starts.
    #[error(
        "{0} is not started by tailmark, which is only its client; `tailmark backends` lists the kinds that it starts"
    )]
    Elsewhere(&'static str),
}

/// Gets what the plan's first backend needs.
///
/// # Errors
/// What is lacking.
pub fn prepare(
    plan: &Plan,
    python: Option<&Path>,
    model_store: Option<&Path>,
    screen: &Screen,
) -> Result<Alone, AloneError> {
    let places = Places { runs: Path::new("."), python, model_store, scenario: None };
    let cache = cache::default_folder().ok_or(RunError::NoCache)?;
    let plan = &*with_folder(plan, &places, &cache, screen)?;
    let mut provision = Provision::new(cache, own_server()?, python, screen);
    let backend = plan.backends.first().expect("a plan has a backend: this is a bug");
    let kind = backend.kind;
    if backend.placement == Placement::Client {
        return Err(AloneError::Elsewhere(kind.name));
    }
    if kind.wants_model(&backend.options) {
        fetch_model(plan, &mut provision, model_store)?;
    }
    provision.put_prompt(prompt_of(plan, provision.model())?);
    let lacking = |source| AloneError::Lacking { kind: kind.name, source };
    let mut launch = kind.start(asked(backend), &mut provision).map_err(lacking)?;
    if let (Some(model), Some(recipe)) = (launch.load.model.as_mut(), provision.recipe()) {
        model.recipe = recipe.clone();
    }
    let pooling = launch.load.model.as_ref().map(|model| model.recipe.pooling_in_short());
    let model = provision.model().map(|model| recorded(model, plan));
    Ok(Alone { launch, model, pooling })
}

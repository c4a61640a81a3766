//! The graphs that a run's backends run: those of `graphs = "all"` as rows, one that the model does not have, and one that was made
//! for other processors than this one.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tailmark_providers::graph_options::InstructionSet;
use tailmark_providers::model::manifest::GRAPH;
use tailmark_providers::model::{ResolvedModel, variants};
use tailmark_providers::start::Provision;
use tailmark_reports::record::{BackendOutcome, Warning};

use super::backend_run::BackendRun;
use super::error::RunError;
use super::hub_model::fetch_model;
use crate::environment;
use crate::plan::{GRAPH_OPTION, GraphRows, Plan, with_all_graphs};
use crate::scenario::did_you_mean;

/// The plan with a backend for each graph of the model in place of those that ask for all of them.
pub(super) fn in_rows<'a>(
    plan: &'a Plan,
    provision: &mut Provision<'_>,
    model_store: Option<&Path>,
) -> Result<Cow<'a, Plan>, RunError> {
    if plan.backends.iter().all(|backend| backend.graphs != GraphRows::All) {
        return Ok(Cow::Borrowed(plan));
    }
    fetch_model(plan, provision, model_store)?;
    let graphs = provision.model().map(of_model).unwrap_or_default();
    let mut own = plan.clone();
    own.backends = with_all_graphs(&plan.backends, &graphs);
    Ok(Cow::Owned(own))
}

/// Every graph of a model: its own, those that it came with, and those that tailmark made of it.
fn of_model(model: &ResolvedModel) -> Vec<String> {
    let mut graphs: Vec<String> = model.manifest.all_graphs().map(|graph| graph.name.clone()).collect();
    // A list that was damaged is said by `tailmark model verify`.
    let made = variants::read(&model.folder).unwrap_or_default();
    graphs.extend(made.into_iter().map(|variant| variant.file.name));
    let mut seen = BTreeSet::new();
    graphs.retain(|graph| seen.insert(graph.clone()));
    graphs
}

/// Looks at the graph that a backend is to run, before it is started: is it there, and was it made for this processor?
pub(super) fn look_at(track: &mut BackendRun, model: Option<&ResolvedModel>, warnings: &mut Vec<Warning>) {
    let Some(model) = model.filter(|_| track.plan.kind.wants_model(&track.plan.options)) else { return };
    let Some(graph) = track.plan.options.get(GRAPH_OPTION).and_then(Value::as_str) else { return };
    // The usual name stands for whatever the model's own graph is called, and what has a fallback needs none.
    let is_usual = graph == GRAPH;
    if !is_usual && track.plan.fallback.is_none() && !model.folder.join(graph).is_file() {
        track.found.has_graph = false;
        track.outcome = BackendOutcome::NotAvailable { why: not_there(graph, model) };
        return;
    }
    let Some(set) = InstructionSet::named_in(graph) else { return };
    let (processors, name) = (set.processors(), &track.plan.name);
    let what = match environment::has(set) {
        Some(true) => return,
        Some(false) => {
            track.found.made_for_others = Some(format!("made for {processors}"));
            format!("its graph {graph} was made for {processors}, and this one is no such processor")
        }
        None => {
            format!(
                "its graph {graph} was made for {processors}, and this one does not say whether it is one"
            )
        }
    };
    warnings.push(Warning {
        backend: Some(name.clone()),
        what: format!("{what}: its times and its vectors may be others than there"),
        remedy: "judge it on the processor that it is to be deployed on".to_owned(),
    });
}

fn not_there(graph: &str, model: &ResolvedModel) -> String {
    let graphs = of_model(model);
    let meant = did_you_mean(graph, graphs.iter().map(String::as_str));
    let there = if graphs.is_empty() { "none".to_owned() } else { graphs.join(", ") };
    let name = &model.manifest.name;
    let mut why = format!("the model {name} has no graph {graph}{meant} (its graphs: {there})");
    // Of a known model tailmark fetches what it needs, and not everything that its repository has.
    if tailmark_providers::model::find(name).is_ok() && model.manifest.source.is_none() {
        why.push_str(
            "; `[model] revision = \"main\"` takes the repository of the model hub with all of its graphs",
        );
    }
    why
}

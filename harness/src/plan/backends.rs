//! The backends of a plan, as they stand in the scenario: kinds looked up, options checked, defaults filled in.

use std::sync::Arc;

use tailmark_providers::kinds::{self, KINDS, Kind, Runtime};

use super::phases::phases;
use super::wrong::{Wrong, key, unfit_name};
use super::{BackendPlan, Placement};
use crate::load::LoadModel;
use crate::requirement::Requirement;
use crate::scenario::{BackendSection, Scenario, Step, did_you_mean};
use crate::workload::Corpus;

/// Workers of one backend at most.
pub(super) const MOST_REPLICAS: u32 = 64;

/// What the backends have in common.
#[derive(Clone, Copy)]
pub(super) struct Common<'a> {
    pub(super) corpus: &'a Arc<Corpus>,
    pub(super) load: &'a LoadModel,
    pub(super) quick: bool,
}

/// The backends, whether each is optional, and everything that is wrong with them.
pub(super) fn backends(scenario: &Scenario, common: Common<'_>) -> (Vec<(BackendPlan, bool)>, Wrong) {
    let mut wrong = Wrong::default();
    if scenario.backend.is_empty() {
        wrong.add(&[key("backend")], "no backend; write at least one [[backend]] with a `kind`");
    }
    let mut found: Vec<(BackendPlan, bool)> = Vec::new();
    for (index, section) in scenario.backend.iter().enumerate() {
        let at = [key("backend"), Step::Index(index)];
        let within = |name: &str| [at[0].clone(), at[1].clone(), key(name)];
        let Some(kind) = kind_named(section.kind.as_deref(), &within("kind"), &mut wrong) else { continue };
        let name = section.name.clone().unwrap_or_else(|| kind.name.to_owned());
        if found.iter().any(|(other, _)| other.name == name) {
            wrong.add(&within("name"), format!("two backends are named `{name}`; give each its own `name`"));
        }
        if let Some(why) = unfit_name(&name) {
            wrong.add(&within("name"), why);
        }
        let placement = placement(section, kind, &within("placement"), &mut wrong);
        let fallback = section
            .fallback
            .as_deref()
            .and_then(|fallback| kind_named(Some(fallback), &within("fallback"), &mut wrong));
        let batch_size = section.batch_size.or(scenario.workload.batch_size).unwrap_or(1);
        if section.batch_size.is_some()
            && let Some(why) = common.corpus.refuses(batch_size)
        {
            wrong.add(&within("batch_size"), why);
        }
        let replicas = section.replicas.unwrap_or(1);
        if !(1..=MOST_REPLICAS).contains(&replicas) {
            wrong.add(
                &within("replicas"),
                format!("{replicas} replicas; must be between 1 and {MOST_REPLICAS}"),
            );
        }
        let backend = BackendPlan {
            name,
            kind,
            placement,
            require: requirement(section, &at, &mut wrong),
            fallback,
            options: options(section, kind, placement, &at, &mut wrong),
            replicas,
            corpus: Arc::clone(common.corpus),
            batch_size: batch_size as usize,
            load: Arc::clone(common.load),
            cell: None,
            phases: phases(scenario, section, &at, common.quick, &mut wrong),
        };
        check_placement(&backend, &within("replicas"), &mut wrong);
        found.push((backend, section.optional.unwrap_or(false)));
    }
    (found, wrong)
}

fn requirement(section: &BackendSection, at: &[Step; 2], wrong: &mut Wrong) -> Option<Requirement> {
    let read = Requirement::read(section.require.as_ref()?);
    read.map_err(|faults| wrong.add_all(&[at[0].clone(), at[1].clone(), key("require")], faults)).ok()
}

/// Replicas are processes; in the harness's own there is one.
pub(super) fn check_placement(backend: &BackendPlan, path: &[Step], wrong: &mut Wrong) {
    if backend.replicas > 1 && backend.placement == Placement::InProcess {
        let why = format!(
            "{} replicas of `{}`, which runs in-process; replicas are workers, so remove `placement`",
            backend.replicas, backend.name
        );
        wrong.add(path, why);
    }
}

fn kind_named(name: Option<&str>, path: &[Step], wrong: &mut Wrong) -> Option<&'static Kind> {
    let known = || KINDS.iter().map(|kind| kind.name);
    let Some(name) = name else {
        wrong.add(path, format!("missing; write one of {}", known().collect::<Vec<_>>().join(", ")));
        return None;
    };
    let found = kinds::find(name);
    if found.is_none() {
        let (guess, known) = (did_you_mean(name, known()), known().collect::<Vec<_>>().join(", "));
        wrong.add(path, format!("unknown kind `{name}`{guess} (known: {known})"));
    }
    found
}

fn placement(section: &BackendSection, kind: &Kind, path: &[Step], wrong: &mut Wrong) -> Placement {
    match section.placement.as_deref() {
        None | Some("worker") => Placement::Worker,
        Some("in-process") => {
            if matches!(kind.runtime, Runtime::Python) {
                wrong.add(
                    path,
                    format!(
                        "`in-process` is for Rust backends, and `{}` is served by Python; write `worker`",
                        kind.name
                    ),
                );
            }
            Placement::InProcess
        }
        Some(other) => {
            wrong.add(path, format!("unknown placement `{other}`; write `worker` or `in-process`"));
            Placement::Worker
        }
    }
}

fn options(
    section: &BackendSection,
    kind: &Kind,
    placement: Placement,
    at: &[Step; 2],
    wrong: &mut Wrong,
) -> tailmark_providers::provider::Options {
    let table = section.options.clone().unwrap_or_default();
    let written = match serde_json::to_value(table) {
        Ok(serde_json::Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    };
    let mut faults = (kind.check_options)(&written);
    if faults.is_empty() && placement == Placement::Worker {
        faults = (kind.check_worker_options)(&written);
    }
    if faults.is_empty() {
        return (kind.resolve_options)(&written);
    }
    for fault in faults {
        let path = [at[0].clone(), at[1].clone(), key("options"), key(&fault.key)];
        // A remedy is a paragraph of its own where it stands alone; here it is part of a line among others.
        wrong.add(&path, fault.why.replace("\n\nhint: ", "; "));
    }
    written
}

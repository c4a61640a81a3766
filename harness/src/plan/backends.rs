//! The backends of a plan, as they stand in the scenario: kinds looked up, options checked, defaults filled in.

use std::sync::Arc;

use tailmark_providers::kinds::{self, KINDS, Kind};
use tailmark_providers::start::Placement;

use super::BackendPlan;
use super::graphs::graph_rows;
use super::phases::phases;
use super::wrong::{Wrong, key, unfit_name};
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
        let options = options(section, kind, placement, &at, &mut wrong);
        if let Some(to) = fallback {
            // A fallback has no options of its own, so it can only be one that needs none but those that are there.
            for needed in to.options.mandatory().iter().filter(|needed| !options.contains_key(&needed.key)) {
                let why =
                    format!("`{}` needs the option `{}`, and `{}` has none", to.name, needed.key, kind.name);
                wrong.add(&within("fallback"), why);
            }
        }
        let graphs =
            graph_rows(section, kind).map_err(|why| wrong.add(&within("graphs"), why)).unwrap_or_default();
        let backend = BackendPlan {
            name,
            kind,
            placement,
            require: requirement(section, &at, &mut wrong),
            fallback,
            price_per_hour: section.price_per_hour.or(scenario.decision.price_per_hour),
            options,
            graphs,
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

/// Replicas are worker processes, and nothing else has any.
pub(super) fn check_placement(backend: &BackendPlan, path: &[Step], wrong: &mut Wrong) {
    let why = match backend.placement {
        Placement::InProcess => "runs in-process; replicas are workers, so remove `placement`",
        Placement::Client => "is not started by tailmark; replicas are workers, so remove `replicas`",
        Placement::Worker => return,
    };
    if backend.replicas > 1 {
        wrong.add(path, format!("{} replicas of `{}`, which {why}", backend.replicas, backend.name));
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
    let usual = kind.placements[0];
    let Some(written) = section.placement.as_deref() else { return usual };
    let placement = Placement::find(written);
    if let Some(placement) = placement.filter(|placement| kind.placements.contains(placement)) {
        return placement;
    }
    let known = kind.placements.iter().map(|placement| format!("`{}`", placement.name()));
    let known = known.collect::<Vec<_>>().join(" or ");
    wrong.add(
        path,
        match placement {
            Some(_) => format!("`{}` cannot be placed `{written}`; write {known}", kind.name),
            None => format!("unknown placement `{written}`; write {known}"),
        },
    );
    usual
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
    let mut faults = kind.options.check(&written);
    if faults.is_empty() {
        faults = (kind.check_placed)(&written, placement);
    }
    if faults.is_empty() {
        return kind.options.resolve(&written);
    }
    for fault in faults {
        let path = [at[0].clone(), at[1].clone(), key("options"), key(&fault.key)];
        // A remedy is a paragraph of its own where it stands alone; here it is part of a line among others.
        wrong.add(&path, fault.why.replace("\n\nhint: ", "; "));
    }
    written
}

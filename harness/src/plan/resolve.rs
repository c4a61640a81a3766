//! From a [`Scenario`] to a [`Plan`]: looks every name up, fills every default in, and collects all faults.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailmark_providers::worker::Deadlines;
use tailmark_reports::record::EquivalenceClass;

use super::backends::{Common, backends};
use super::capacity::capacity;
use super::decision::SAME_WITHIN;
use super::graphs::GRAPH_OPTION;
use super::model::model_plan;
use super::pairing::{self, pairing};
use super::workers::workers;
use super::wrong::{Wrong, fitting_name, key, unfit_name};
use super::{BackendPlan, Mode, Plan, cells, graphs, warnings};
use crate::load::{self, Limits, LoadModel, Rule};
use crate::objective::Objective;
use crate::scenario;
use crate::scenario::{Fault, LoadSection, Parsed, Scenario, Step, TimeSpan};
use crate::workload::Corpus;

/// Which of the scenario's backends to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Optional backends to run as well.
    pub also: Vec<String>,
    /// When not empty: run these and no others.
    pub only: Vec<String>,
    /// Decide as early as the evidence allows, in one process.
    pub quick: bool,
}

/// Turns a scenario into a plan.
///
/// # Errors
/// Every fault of the scenario, those of reading it included.
pub fn resolve(
    parsed: &Parsed,
    default_name: &str,
    folder: Option<&Path>,
    selection: &Selection,
) -> Result<Plan, Vec<Fault>> {
    let mut faults = Faults { parsed, list: parsed.faults.clone() };
    let scenario = filled_in(&parsed.scenario, default_name);
    if let Some(why) = unfit_name(scenario.name.as_deref().unwrap_or_default()) {
        faults.add(&[key("name")], why);
    }
    let corpus = Arc::new(corpus(&scenario, folder, &mut faults));
    let model = faults.take(&[key("model")], model_plan(&scenario.model));
    let capacity = faults.take(&[], capacity(&scenario, &parsed.scenario.load));
    let load = load_model(&scenario, folder, &mut faults);
    let common = Common { corpus: &corpus, load: &load, quick: selection.quick };
    let (backends, wrong) = backends(&scenario, common);
    faults.add_all(&[], wrong);
    let (all, wrong) = cells::expand(&scenario, backends.clone(), folder);
    faults.add_all(&[], wrong);
    let all = faults.take(&[key("backend")], graphs::expand(all, cells::MOST_CELLS)).unwrap_or_default();
    let wish = faults.take(&[], super::decision::decision(&scenario, &all));
    let objectives = objectives(&scenario, &mut faults);
    let paired = faults.take(&[], pairing(&scenario, &all, &objectives));
    check_selection(&scenario, selection, &all, &mut faults);
    let names = paired.iter().flatten().flat_map(|paired| &paired.backends);
    let needed = names.filter(|name| !selection.only.is_empty() && !selection.only.contains(name));
    for name in needed.collect::<std::collections::BTreeSet<_>>() {
        let message =
            format!("leaves out `{name}`, which [pairing] compares; add --only {name}, or leave --only out");
        faults.list.push(Fault { line: None, key: "--only".to_owned(), message });
    }
    let deadline = |span: Option<TimeSpan>| span.map_or(Duration::ZERO, |span| span.0);
    let deadlines = Deadlines {
        start: deadline(scenario.deadlines.start),
        load: deadline(scenario.deadlines.load),
        request: deadline(scenario.deadlines.request),
        shutdown: deadline(scenario.deadlines.shutdown),
    };
    let workers = faults.take(&[key("workers")], workers(&scenario.workers));
    let doubts_turn_verdicts = match scenario.validity.on_doubt.as_deref() {
        None | Some("inconclusive") => true,
        Some("note") => false,
        Some(other) => {
            let message = format!("unknown `{other}`; write `inconclusive` or `note`");
            faults.add(&[key("validity"), key("on_doubt")], message);
            true
        }
    };
    let accepts = accepted_class(&scenario, &mut faults);
    let (Some(model), Some(capacity), Some(paired), Some(workers), Some(wish), true) =
        (model, capacity, paired, workers, wish, faults.list.is_empty())
    else {
        faults.list.sort_by_key(|fault| fault.line);
        return Err(faults.list);
    };
    let resolved = toml::to_string(&written_out(&scenario, &backends, &*load))
        .expect("a scenario that was read can be written: this is a bug");
    // A variation is chosen by its own name and by that of what it varies.
    let is_one_of = |backend: &BackendPlan, names: &[String]| {
        names.iter().any(|name| *name == backend.name || name == backend.base())
    };
    let chosen = |backend: &BackendPlan, optional: bool| match (&paired, selection.only.is_empty()) {
        (Some(paired), _) => paired.backends.contains(&backend.name),
        (None, true) => !optional || is_one_of(backend, &selection.also),
        (None, false) => is_one_of(backend, &selection.only) || is_one_of(backend, &selection.also),
    };
    let (backends, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(backend, optional)| chosen(backend, *optional));
    let mut backends: Vec<BackendPlan> = backends.into_iter().map(|(backend, _)| backend).collect();
    let mut warnings: Vec<_> = parsed.old_keys.iter().map(warnings::old_key).collect();
    warnings.extend(backends.iter().filter_map(warnings::not_restarted));
    // With [capacity] each rate has a load of its own, and the search finds out which ones are worth it.
    if capacity.is_none() && paired.is_none() {
        warnings.extend(backends.iter().filter_map(warnings::too_slow));
    }
    if let (Some(section), Some(paired)) = (&scenario.pairing, &paired) {
        backends.iter_mut().for_each(|backend| backend.phases = pairing::phases(section, backend.phases));
        warnings.extend(pairing::not_used(&parsed.scenario, paired));
    }
    let mode = match (capacity, paired) {
        (Some(wanted), _) => Mode::Capacity(Box::new(wanted)),
        (None, Some(paired)) => Mode::Paired(Box::new(paired)),
        (None, None) => Mode::Rounds,
    };
    Ok(Plan {
        name: scenario.name.clone().unwrap_or_default(),
        title: scenario.title.clone().unwrap_or_default(),
        model,
        corpus,
        prompt: scenario.workload.prompt.clone(),
        batch_size: scenario.workload.batch_size.unwrap_or(1) as usize,
        seed: scenario.workload.seed.unwrap_or(1),
        load,
        mode,
        deadlines,
        accepts,
        workers,
        wish,
        doubts_turn_verdicts,
        objectives,
        backends,
        not_asked_for: others.into_iter().map(|(backend, _)| backend.name).collect(),
        warnings,
        resolved,
    })
}

/// The faults found so far.
struct Faults<'a> {
    parsed: &'a Parsed,
    list: Vec<Fault>,
}

impl Faults<'_> {
    /// Adds a fault at a place, unless the entry there could not even be read.
    fn add(&mut self, path: &[Step], message: impl Into<String>) {
        // An entry that could not be read is missing from the scenario too: say so once.
        let key = scenario::dotted(path);
        if self.list.iter().any(|fault| fault.key == key || key.starts_with(&format!("{}.", fault.key))) {
            return;
        }
        self.list.push(Fault { line: self.parsed.line_of(path), key, message: message.into() });
    }

    /// Adds what is wrong with the part that begins at a place.
    fn add_all(&mut self, path: &[Step], part: impl Into<Wrong>) {
        for (within, why) in part.into().into_list() {
            self.add(&[path, &within].concat(), why);
        }
    }

    /// What was read of the part at a place, or nothing but its faults.
    fn take<T>(&mut self, path: &[Step], read: Result<T, impl Into<Wrong>>) -> Option<T> {
        read.map_err(|wrong| self.add_all(path, wrong)).ok()
    }
}

pub(super) fn filled_in(scenario: &Scenario, default_name: &str) -> Scenario {
    let mut all = scenario.clone();
    let span = |seconds| Some(TimeSpan(Duration::from_secs(seconds)));
    all.name.get_or_insert_with(|| fitting_name(default_name));
    all.title.get_or_insert_with(|| format!("scenario {default_name}"));
    super::model::fill_in(&mut all.model);
    all.workload.corpus.get_or_insert_with(|| "short_queries".to_owned());
    all.workload.batch_size.get_or_insert(1);
    all.workload.seed.get_or_insert(1);
    match &mut all.capacity {
        Some(capacity) => {
            capacity.load.get_or_insert_with(|| "poisson".to_owned());
            capacity.probe.get_or_insert(TimeSpan(Duration::from_secs(5)));
            if capacity.rates.is_none() {
                capacity.levels.get_or_insert(3);
            }
        }
        None => fill_in_load(&mut all.load),
    }
    all.phases.restarts.get_or_insert(if all.pairing.is_some() { pairing::RESTARTS } else { 3 });
    if let Some(section) = &mut all.pairing {
        pairing::fill_in(section);
    }
    let fewest = *all.phases.warm_up.min_requests.get_or_insert(50);
    all.phases.warm_up.max_requests.get_or_insert(fewest.max(1000));
    let least = *all.phases.steady.min_requests.get_or_insert(2000);
    all.phases.steady.max_requests.get_or_insert(least.max(20_000));
    all.phases.steady.min_seconds.get_or_insert(0.0);
    all.phases.steady.max_seconds.get_or_insert(120.0);
    all.deadlines.start = all.deadlines.start.or(span(30));
    all.deadlines.load = all.deadlines.load.or(span(120));
    all.deadlines.request = all.deadlines.request.or(span(10));
    all.deadlines.shutdown = all.deadlines.shutdown.or(span(5));
    all.equivalence.accept.get_or_insert_with(|| "int8".to_owned());
    for require in all.backend.iter_mut().filter_map(|backend| backend.require.as_mut()) {
        require.min_time_share.get_or_insert(0.9);
        require.min_node_share.get_or_insert(0.0);
        require.when_partial.get_or_insert_with(|| "refuse".to_owned());
    }
    all.workers.max_replacements.get_or_insert(2);
    all.validity.on_doubt.get_or_insert_with(|| "inconclusive".to_owned());
    all.decision.prefer.get_or_insert_with(|| "latency".to_owned());
    all.decision.same_within.get_or_insert_with(|| SAME_WITHIN.to_owned());
    for objective in &mut all.objective {
        objective.confidence.get_or_insert(0.99);
    }
    all
}

/// The least class of vectors that is timed.
fn accepted_class(scenario: &Scenario, faults: &mut Faults<'_>) -> EquivalenceClass {
    match scenario.equivalence.accept.as_deref() {
        Some("exact") => EquivalenceClass::Exact,
        Some("fp16") => EquivalenceClass::Fp16,
        None | Some("int8") => EquivalenceClass::Int8,
        Some(other) => {
            let message = format!("unknown class `{other}`; write `exact`, `fp16` or `int8`");
            faults.add(&[key("equivalence"), key("accept")], message);
            EquivalenceClass::Exact
        }
    }
}

/// The defaults of the load's own kind: a key of another kind would be a fault.
fn fill_in_load(section: &mut LoadSection) {
    if let Some(kind) = load::find(section.kind.get_or_insert_with(|| "closed".to_owned())) {
        (kind.fill_in)(section);
    }
}

/// The scenario with what only the plan knows put back in: backends' names and whole options.
fn written_out(scenario: &Scenario, backends: &[(BackendPlan, bool)], load: &dyn Rule) -> Scenario {
    let mut all = scenario.clone();
    if let Limits::Queue { max_queue, .. } = load.limits() {
        all.load.max_queue = Some(max_queue);
    }
    if all.pairing.is_some() {
        // What the blocks decide: whoever reads this must not take it for something that has an effect.
        let steady = &mut all.phases.steady;
        (steady.min_requests, steady.max_requests, steady.min_seconds) = (None, None, None);
    }
    for (section, (backend, optional)) in all.backend.iter_mut().zip(backends) {
        section.name = Some(backend.name.clone());
        section.placement = Some(backend.placement.name().to_owned());
        section.optional = Some(*optional);
        section.replicas = Some(backend.replicas);
        // With several graphs the option is that of each row.
        let is_of_rows = |name: &str| name == GRAPH_OPTION && section.graphs.is_some();
        let set = backend.options.iter().filter(|(name, value)| !value.is_null() && !is_of_rows(name));
        let set: BTreeMap<_, _> = set.collect();
        section.options = toml::Table::try_from(set).ok();
    }
    all
}

/// The texts; none at all when they could not be read, which is a fault.
fn corpus(scenario: &Scenario, folder: Option<&Path>, faults: &mut Faults<'_>) -> Corpus {
    let workload = &scenario.workload;
    match Corpus::open(workload.corpus.as_deref().unwrap_or_default(), folder) {
        Ok(corpus) => {
            if let Some(why) = corpus.refuses(workload.batch_size.unwrap_or(1)) {
                faults.add(&[key("workload"), key("batch_size")], why);
            }
            corpus
        }
        Err(why) => {
            faults.add(&[key("workload"), key("corpus")], why);
            Corpus { name: String::new(), texts: Vec::new() }
        }
    }
}

/// The load; one caller when it could not be read, which is a fault, or when the scenario asks for the capacity.
fn load_model(scenario: &Scenario, folder: Option<&Path>, faults: &mut Faults<'_>) -> LoadModel {
    let section = &scenario.load;
    if scenario.capacity.is_some() {
        return load::one_caller();
    }
    let kind = section.kind.as_deref().unwrap_or_default();
    let Some(kind) = load::find(kind) else {
        let known: Vec<&str> = load::KINDS.iter().map(|kind| kind.name).collect();
        faults.add(
            &[key("load"), key("kind")],
            format!("unknown load model `{kind}`; known are {}", known.join(", ")),
        );
        return load::one_caller();
    };
    let model = faults.take(&[key("load")], kind.read(section, folder)).unwrap_or_else(load::one_caller);
    if model.texts().is_some() && scenario.workload.batch_size.is_some_and(|size| size != 1) {
        let why = "the trace brings a text for each request, so each request has one text; remove batch_size";
        faults.add(&[key("workload"), key("batch_size")], why);
    }
    model
}

fn objectives(scenario: &Scenario, faults: &mut Faults<'_>) -> Vec<Objective> {
    let mut objectives = Vec::new();
    for (index, section) in scenario.objective.iter().enumerate() {
        let within = |name: &str| [key("objective"), Step::Index(index), key(name)];
        for name in section.backends.iter().flatten() {
            if !backend_names(scenario).any(|known| known == name) {
                faults.add(&within("backends"), format!("no backend is named `{name}`"));
            }
        }
        let place = [key("objective"), Step::Index(index)];
        objectives.extend(faults.take(&place, Objective::read(section)));
    }
    objectives
}

/// The backends' names, those of backends with other faults included.
fn backend_names(scenario: &Scenario) -> impl Iterator<Item = &str> {
    scenario.backend.iter().filter_map(|section| section.name.as_deref().or(section.kind.as_deref()))
}

fn check_selection(
    scenario: &Scenario,
    selection: &Selection,
    all: &[(BackendPlan, bool)],
    faults: &mut Faults<'_>,
) {
    let names: Vec<&str> = backend_names(scenario).collect();
    let is_known = |name: &str| names.contains(&name) || all.iter().any(|(backend, _)| backend.name == name);
    for (flag, asked) in [("--backend", &selection.also), ("--only", &selection.only)] {
        for name in asked.iter().filter(|name| !is_known(name)) {
            let message = format!("no backend is named `{name}`; the scenario has {}", names.join(", "));
            faults.list.push(Fault { line: None, key: flag.to_owned(), message });
        }
    }
}

//! Starts every backend once, compares its vectors with the reference and has it prove what executes the model, falling
//! back where that was allowed.

use tailmark_providers::evidence::Evidence;
use tailmark_providers::kinds::{Ask, Kind};
use tailmark_providers::model::{Recipe, ResolvedModel};
use tailmark_providers::provider::{Loaded, Provider, ProviderError};
use tailmark_providers::start::{Lacking, Provision};
use tailmark_reports::record::{
    BackendOutcome, Equivalence, EquivalenceClass, Execution, ExecutionPart, Fallback, Operator, RepeatProbe,
};
use tailmark_reports::{execution, units};

use super::backend_run::BackendRun;
use super::gate;
use super::int8;
use super::provide::{asked, outcome_of};
use super::session::Session;
use super::under_way::{Run, Stopped};
use crate::equivalence::{self, Int8Graph};

impl Run<'_> {
    /// Starts every backend once and compares its vectors with the reference, falling back where that was allowed.
    pub(super) async fn check(&mut self, provision: &mut Provision<'_>) -> Result<(), Stopped> {
        for index in 0..self.backends.len() {
            if self.backends[index].found.launch.is_none() {
                continue;
            }
            let name = self.backends[index].plan.name.clone();
            self.screen.phase(&format!("{name}: checking its vectors"), None);
            let during = format!("the check of {name}'s vectors");
            let mut checked = self.or_stopped(&during, check_one(self, index, provision.model())).await?;
            if let Err(ProviderError::ModelFile { path, why }) = &checked
                && let Some(to) = self.backends[index].plan.fallback
            {
                let file =
                    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
                let why = format!("{file}: {why}");
                self.fall_back(index, to, why, provision);
                if self.backends[index].found.launch.is_none() {
                    continue;
                }
                checked = self.or_stopped(&during, check_one(self, index, provision.model())).await?;
            }
            take_in(&mut self.backends[index], checked);
        }
        Ok(())
    }

    /// Has every backend load this recipe from now on.
    pub(super) fn put_recipe(&mut self, recipe: &Recipe) {
        let launches = self.backends.iter_mut().filter_map(|backend| backend.found.launch.as_mut());
        for model in launches.filter_map(|launch| launch.load.model.as_mut()) {
            model.recipe = recipe.clone();
        }
    }

    fn fall_back(&mut self, index: usize, to: &'static Kind, why: String, provision: &mut Provision<'_>) {
        let backend = &mut self.backends[index];
        let from = backend.plan.kind.name.to_owned();
        self.screen.say(&format!("{}: falling back from {from} to {}: {why}", backend.plan.name, to.name));
        backend.found.fallback = Some(Fallback { from, to: to.name.to_owned(), why });
        let options = to.options_from(&backend.plan.options);
        match to.start(Ask { options: &options, ..asked(&backend.plan) }, provision) {
            Ok(launch) => backend.found.launch = Some(launch),
            Err(lacking) => {
                backend.found.launch = None;
                backend.outcome = outcome_of(lacking);
            }
        }
    }
}

/// What was found out about a backend before it is timed.
struct Checked {
    loaded: Loaded,
    equivalence: Equivalence,
    execution: Execution,
    repeat_probe: Option<RepeatProbe>,
}

/// Takes in what was found, and what follows from it for the outcome.
fn take_in(backend: &mut BackendRun, checked: Result<Checked, ProviderError>) {
    let Checked { loaded, equivalence, execution, repeat_probe } = match checked {
        Ok(checked) => checked,
        Err(error @ ProviderError::Answer { .. }) => {
            backend.outcome = BackendOutcome::Wrong { why: format!("{error}; it was not timed") };
            return;
        }
        Err(ProviderError::NotAvailable { why, .. }) if backend.refused.is_some() => {
            let refused = backend.refused.take().unwrap_or_default();
            backend.outcome =
                BackendOutcome::NotAvailable { why: format!("{refused}; the runtime reports: {why}") };
            return;
        }
        Err(error) => {
            backend.outcome = outcome_of(Lacking::from(error));
            return;
        }
    };
    let required = backend.plan.require.as_ref();
    let found = &mut backend.found;
    found.requirement = required.map(|required| required.judge(&execution));
    if let Some(why) = found.requirement.as_ref().and_then(|requirement| requirement.why.clone()) {
        if required.is_some_and(|required| required.labels) {
            found.partial = Some(match &execution {
                Execution::NotMeasured { .. } => "execution not measured".to_owned(),
                Execution::Measured { .. } => execution::in_short(&execution),
            });
        } else {
            backend.outcome = BackendOutcome::NotAsRequired { why };
        }
    }
    if let Some(why) = not_accepted(&equivalence) {
        backend.outcome = BackendOutcome::Wrong { why };
    }
    found.loaded = Some(loaded);
    found.equivalence = equivalence;
    found.execution = execution;
    found.repeat_probe = repeat_probe;
}

/// Why vectors keep a backend from being timed.
fn not_accepted(equivalence: &Equivalence) -> Option<String> {
    let Equivalence::Checked { class, accepts, accepted: false, min_cosine, lowest, findings, .. } =
        equivalence
    else {
        return None;
    };
    let least = equivalence::least_cosine(*accepts).unwrap_or_default();
    let what = match class {
        EquivalenceClass::Wrong => "not the model's".to_owned(),
        class => execution::class_name(*class).to_owned(),
    };
    // What is wrong for another reason than its cosine says that reason; the others stand beside the vectors' figures.
    let why = if *min_cosine < least {
        format!(
            "cosine similarity to the reference falls to {min_cosine:.4} (at {lowest}), and {least} is the least accepted"
        )
    } else {
        findings.join("; ")
    };
    Some(format!("its vectors are {what}: {why}; it was not timed"))
}

async fn check_one(
    run: &Run<'_>,
    index: usize,
    model: Option<&ResolvedModel>,
) -> Result<Checked, ProviderError> {
    let backend = &run.backends[index];
    let Some(launch) = &backend.found.launch else {
        unreachable!("only what can be started is checked: this is a bug")
    };
    let session =
        Session::open(launch, run.plan.deadlines, &run.folder.stderr_of(&backend.plan.name)).await?;
    let loaded = session.loaded.clone();
    let model = model.filter(|_| launch.load.model.is_some());
    let int8 = int8::graph_of(&launch.load);
    let checked = look_at(session.provider(), &loaded, model, run.plan.accepts, int8.as_ref()).await;
    session.close().await;
    checked.map(|(equivalence, repeat_probe, execution)| Checked {
        loaded,
        equivalence,
        execution,
        repeat_probe,
    })
}

async fn look_at(
    provider: &dyn Provider,
    loaded: &Loaded,
    model: Option<&ResolvedModel>,
    accepts: EquivalenceClass,
    int8: Option<&Int8Graph>,
) -> Result<(Equivalence, Option<RepeatProbe>, Execution), ProviderError> {
    let Some(model) = model else {
        let why = "it answers without a model".to_owned();
        let execution = executed(gate::prove(provider).await);
        return Ok((Equivalence::NotChecked { why }, None, execution));
    };
    let equivalence = gate::compare(provider, &model.reference(), accepts, int8).await?;
    let repeat_probe = gate::repeat(provider, loaded.dimensions).await?;
    // Last, because it leaves the runtime's recorder behind in the process.
    let execution = executed(gate::prove(provider).await);
    Ok((equivalence, repeat_probe, execution))
}

/// What the evidence comes to, as the record has it. A backend that fails at this, or a worker that does not know the
/// question, is timed all the same: nothing is claimed of it.
fn executed(evidence: Result<Evidence, ProviderError>) -> Execution {
    let evidence = match evidence {
        Ok(evidence) => evidence,
        Err(error) => return Execution::NotMeasured { why: error.to_string() },
    };
    let Some(found) = tailmark_providers::execution::executed(&evidence) else {
        return Execution::NotMeasured { why: evidence.source };
    };
    let weights = evidence.weights.iter().map(|weights| {
        let tensors = units::counted(weights.tensors, "tensor");
        format!(
            "{} on {} ({tensors}, {} numbers)",
            weights.dtype,
            weights.device,
            units::count(weights.numbers)
        )
    });
    Execution::Measured {
        source: evidence.source,
        runs: evidence.runs,
        asked: found.asked,
        nodes: found.nodes,
        parts: found
            .parts
            .into_iter()
            .map(|part| ExecutionPart {
                on: part.on,
                nodes: part.nodes,
                node_share: part.node_share,
                partitions: part.partitions,
                kernel_ns_per_run: part.ns_per_run,
                time_share: part.time_share,
            })
            .collect(),
        elsewhere: found
            .elsewhere
            .into_iter()
            .map(|one| Operator { name: one.op, on: one.on, nodes: one.count, time_share: one.time_share })
            .collect(),
        weights: weights.collect(),
        output: evidence.output.map(|output| format!("{} on {}", output.dtype, output.device)),
        attention: evidence.attention,
        cpu_fallback: evidence.cpu_fallback,
        notes: evidence.notes,
    }
}

//! Gets what a run needs before any backend is started: the model, the counts of its tokens, the ways to start backends.

use std::path::Path;

use tailmark_providers::kinds::Ask;
use tailmark_providers::model::Recipe;
use tailmark_providers::start::{Lacking, Provision, WantedModel};
use tailmark_providers::tokenize::{TokenBatch, Tokenizer};
use tailmark_reports::record::{BackendOutcome, Model, ModelFile, RunRecord, TokenCounts, Warning};

use super::backend_run::BackendRun;
use super::error::RunError;
use crate::plan::{BackendPlan, Plan};

/// Gets the model and everything else the backends need; what a backend lacks is its outcome.
pub(super) fn provide(
    plan: &Plan,
    tracks: &mut [BackendRun],
    provision: &mut Provision<'_>,
    model_store: Option<&Path>,
    record: &mut RunRecord,
) -> Result<(), RunError> {
    if tracks.iter().any(|track| track.plan.kind.wants_model(&track.plan.options)) {
        let wanted = WantedModel {
            name: &plan.model.name,
            folder: plan.model.folder.as_deref(),
            in_place: plan.model.in_place,
            own: plan.model.own,
            store: model_store,
        };
        provision.fetch_model(&wanted)?;
    }
    if let Some(model) = provision.model() {
        record.model = Some(Model {
            name: model.manifest.name.clone(),
            source: model.source.clone(),
            folder: model.folder.display().to_string(),
            files: model
                .files
                .iter()
                .map(|file| ModelFile {
                    name: file.name.clone(),
                    bytes: file.bytes,
                    sha256: file.sha256.clone(),
                })
                .collect(),
            dimensions: model.manifest.dimensions,
            max_tokens: model.manifest.recipe.max_tokens,
        });
        count_tokens(plan, &model.folder, &model.manifest.recipe, record)?;
    }
    for track in &mut *tracks {
        match track.plan.kind.start(asked(&track.plan), provision) {
            Ok(launch) => track.found.launch = Some(launch),
            Err(lacking) => track.outcome = outcome_of(lacking),
        }
    }
    // Only now is it known what the others had to have anyway.
    for track in tracks {
        if let BackendOutcome::NotAvailable { why } = &track.outcome
            && let Some(launch) = track.plan.kind.start_to_be_refused(asked(&track.plan), provision)
        {
            track.refused = Some(why.clone());
            track.outcome = BackendOutcome::Pending;
            track.found.launch = Some(launch);
        }
    }
    Ok(())
}

/// Counts the corpus's tokens, and warns once of texts that will be cut.
fn count_tokens(plan: &Plan, model: &Path, recipe: &Recipe, record: &mut RunRecord) -> Result<(), RunError> {
    let tokenizer = Tokenizer::from_folder(model, recipe)?;
    let mut batch = TokenBatch::<i64>::default();
    let mut counts = Vec::with_capacity(plan.corpus.texts.len());
    for text in &plan.corpus.texts {
        tokenizer.encode(std::slice::from_ref(text), &mut batch)?;
        counts.extend(&batch.token_counts);
        record.workload.truncated += u64::from(batch.truncated);
    }
    counts.sort_unstable();
    if let (Some(min), Some(max)) = (counts.first(), counts.last()) {
        record.workload.tokens =
            Some(TokenCounts { min: *min, median: counts[(counts.len() - 1) / 2], max: *max });
    }
    if record.workload.truncated > 0 {
        record.warnings.push(Warning {
            backend: None,
            what: format!(
                "{} of {} texts are longer than the {} tokens the model takes; every backend cut them",
                record.workload.truncated, record.workload.texts, recipe.max_tokens
            ),
            remedy: "split these texts, or read the figures as those of texts of the model's full length"
                .to_owned(),
        });
    }
    Ok(())
}

/// How a backend is to be run.
pub(super) fn asked(plan: &BackendPlan) -> Ask<'_> {
    Ask { options: &plan.options, placement: plan.placement, replicas: plan.replicas }
}

pub(super) fn outcome_of(lacking: Lacking) -> BackendOutcome {
    match lacking {
        Lacking::NotAvailable(why) => BackendOutcome::NotAvailable { why },
        Lacking::Broken(why) => BackendOutcome::Broken { why },
    }
}

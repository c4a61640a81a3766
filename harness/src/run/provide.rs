//! Gets what a run needs before any backend is started: the model, the counts of its tokens, the ways to start backends.

use std::path::Path;

use tailmark_providers::kinds::Ask;
use tailmark_providers::model::manifest::CheckedAgainst;
use tailmark_providers::model::{Recipe, ResolvedModel};
use tailmark_providers::start::{Lacking, Provision};
use tailmark_providers::tokenize::{TokenBatch, Tokenizer};
use tailmark_reports::record::{BackendOutcome, Model, ModelFile, Prompt, RunRecord, TokenCounts, Warning};

use super::backend_run::BackendRun;
use super::error::RunError;
use super::graphs;
use super::hub_model::fetch_model;
use crate::plan::{BackendPlan, Plan};
use crate::scenario::{PromptSetting, did_you_mean};

/// What a scenario writes for no prompt at all.
const NO_PROMPT: &str = "none";
/// What a prompt is called that the scenario writes out.
const WRITTEN_OUT: &str = "written out";

/// Gets the model and everything else the backends need; what a backend lacks is its outcome.
pub(super) fn provide(
    plan: &Plan,
    tracks: &mut [BackendRun],
    provision: &mut Provision<'_>,
    model_store: Option<&Path>,
    record: &mut RunRecord,
) -> Result<(), RunError> {
    if tracks.iter().any(|track| track.plan.kind.wants_model(&track.plan.options)) {
        fetch_model(plan, provision, model_store)?;
    }
    provision.put_prompt(prompt_of(plan, provision.model())?);
    if let Some(model) = provision.model() {
        record.model = Some(recorded(model, plan));
        let recipe = provision.recipe().unwrap_or(&model.manifest.recipe).clone();
        let folder = model.folder.clone();
        count_tokens(plan, &folder, &recipe, record)?;
    }
    for track in &mut *tracks {
        graphs::look_at(track, provision.model(), &mut record.warnings);
        if track.outcome != BackendOutcome::Pending {
            continue;
        }
        match track.plan.kind.start(asked(&track.plan), provision) {
            Ok(launch) => track.found.launch = Some(launch),
            Err(lacking) => track.outcome = outcome_of(lacking),
        }
    }
    // Only now is it known what the others had to have anyway.
    for track in tracks.iter_mut().filter(|track| track.found.has_graph) {
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

/// The model as the record has it.
pub(super) fn recorded(model: &ResolvedModel, plan: &Plan) -> Model {
    let files = model.files.iter().map(|file| ModelFile {
        name: file.name.clone(),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    });
    Model {
        about: about(model, plan),
        name: model.manifest.name.clone(),
        source: model.source.clone(),
        folder: model.folder.display().to_string(),
        files: files.collect(),
        dimensions: model.manifest.dimensions,
        max_tokens: model.manifest.recipe.max_tokens,
    }
}

/// The recipe with the prompt that the scenario chooses; `None` if it leaves it to the model.
pub(super) fn prompt_of(plan: &Plan, model: Option<&ResolvedModel>) -> Result<Option<Recipe>, RunError> {
    let (Some(setting), Some(model)) = (&plan.prompt, model) else { return Ok(None) };
    with_prompt(model.manifest.recipe.clone(), setting, &model.manifest.name).map(Some)
}

fn with_prompt(mut recipe: Recipe, setting: &PromptSetting, model: &str) -> Result<Recipe, RunError> {
    recipe.default_prompt = match setting {
        PromptSetting::Name(name) if name.is_empty() || name == NO_PROMPT => None,
        PromptSetting::Name(name) if recipe.prompts.contains_key(name) => Some(name.clone()),
        PromptSetting::Name(name) => {
            let known: Vec<String> = recipe.prompts.keys().cloned().collect();
            return Err(RunError::NoPrompt {
                model: model.to_owned(),
                meant: did_you_mean(name, known.iter().map(String::as_str)),
                name: name.clone(),
                known,
            });
        }
        PromptSetting::Text { text } => {
            recipe.prompts.insert(WRITTEN_OUT.to_owned(), text.clone());
            Some(WRITTEN_OUT.to_owned())
        }
    };
    Ok(recipe)
}

/// What a reader should know of a model, one sentence each.
fn about(model: &ResolvedModel, plan: &Plan) -> Vec<String> {
    let manifest = &model.manifest;
    let mut said = Vec::new();
    if let Some(source) = &manifest.source {
        said.push(format!("from the model hub: {} at commit {}", source.repository, source.revision));
    }
    match &manifest.checked_against {
        Some(CheckedAgainst { graph: Some(graph), library, version, .. }) => said.push(format!(
            "compared with the fp32 graph {graph} in {library} {version}, not with torch"
        )),
        Some(CheckedAgainst { library, version, smallest_cosine: Some(cosine), .. }) => said.push(format!(
            "its recipe was compared with {library} {version}: cosine >= {cosine:.7} over all texts and prompts"
        )),
        Some(CheckedAgainst { library, version, .. }) => {
            said.push(format!("its reference vectors were made by {library} {version}"));
        }
        None => {}
    }
    for name in &manifest.custom_code {
        let hash = manifest.files.iter().find(|file| file.name == *name).map(|file| file.sha256.as_str());
        said.push(format!("it runs Python code of its own: {name}, SHA-256 {}", hash.unwrap_or_default()));
    }
    if !manifest.recipe.prompts.is_empty()
        && manifest.recipe.default_prompt.is_none()
        && plan.prompt.is_none()
    {
        let names: Vec<&str> = manifest.recipe.prompts.keys().map(String::as_str).collect();
        said.push(format!(
            "it has the prompts {}, and none is put before the texts: `[workload] prompt` chooses one",
            names.join(", ")
        ));
    }
    // Those on prompts speak of what the model does by itself.
    said.extend(manifest.notes.iter().filter(|note| !note.contains("prompt")).cloned());
    said
}

/// Counts the corpus's tokens, and warns once of texts that will be cut.
fn count_tokens(plan: &Plan, model: &Path, recipe: &Recipe, record: &mut RunRecord) -> Result<(), RunError> {
    let tokenizer = Tokenizer::from_folder(model, recipe)?;
    if let Some(name) = recipe.default_prompt.as_ref().filter(|_| !recipe.prompt().is_empty()) {
        record.workload.prompt = Some(Prompt {
            name: (name != WRITTEN_OUT).then(|| name.clone()),
            text: recipe.prompt().to_owned(),
            tokens: tokenizer.prompt_tokens()?,
        });
    }
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

#[cfg(test)]
mod tests {
    use tailmark_providers::model::recipe::PoolingMode;

    use super::*;

    fn chosen(setting: PromptSetting) -> Result<Recipe, RunError> {
        let mut recipe = Recipe::pooling(PoolingMode::Mean, 8);
        recipe.prompts.insert("query".to_owned(), "query: ".to_owned());
        recipe.prompts.insert("passage".to_owned(), "passage: ".to_owned());
        recipe.default_prompt = Some("passage".to_owned());
        with_prompt(recipe, &setting, "mine/tiny")
    }

    fn named(name: &str) -> PromptSetting {
        PromptSetting::Name(name.to_owned())
    }

    #[test]
    fn a_prompt_is_chosen_by_its_name_written_out_or_left_out() {
        assert_eq!(chosen(named("query")).unwrap().prompt(), "query: ");
        for none in ["none", ""] {
            assert_eq!(chosen(named(none)).unwrap().prompt(), "");
        }
        let written = PromptSetting::Text { text: "Instruct: find\nQuery: ".to_owned() };
        assert_eq!(chosen(written).unwrap().prompt(), "Instruct: find\nQuery: ");
    }

    #[test]
    fn a_prompt_that_is_not_there_is_named_with_those_that_are() {
        let error = chosen(named("quer")).unwrap_err().to_string();
        assert_eq!(
            error,
            "the model mine/tiny has no prompt `quer`; did you mean `query`? Its prompts are: passage, query\n\n\
             hint: a prompt of your own is written out: prompt = { text = \"...\" }"
        );
    }
}

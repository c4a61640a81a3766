//! A backend as a run judged it: what has to be the same for a server to be what the figures are of, and everything in which it is
//! not.

use std::path::{Path, PathBuf};

use serde_json::json;
use tailmark_providers::kinds;
use tailmark_providers::provider::{Loaded, Options};
use tailmark_reports::record::{self, BackendOutcome, BackendRecord, Prompt, RunRecord, Runs};
use toml::Table;

use super::wanted;
use crate::commands::{CommandError, ServeArguments};
use crate::comparison::{changed_model, changed_of};
use crate::plan::Plan;
use crate::run::Alone;

/// What a scenario writes for no prompt at all.
const NO_PROMPT: &str = "none";

/// What a run has of a backend.
pub(super) struct Judged {
    folder: PathBuf,
    run: RunRecord,
    /// As it ran: after a fallback, the kind and the options that ran.
    backend: BackendRecord,
}

impl Judged {
    /// Reads the record, and takes a backend that was measured.
    pub(super) fn read(folder: &Path, name: &str) -> Result<Self, CommandError> {
        let run = record::read(folder)?;
        let usage = |text: String| Err(CommandError::Usage(text));
        let Some(backend) = run.backends.iter().find(|backend| backend.name == name) else {
            let names: Vec<&str> = run.backends.iter().map(|backend| backend.name.as_str()).collect();
            return usage(format!("--backend {name}: the run {} has {}", run.id, names.join(", ")));
        };
        if backend.outcome != BackendOutcome::Measured {
            return usage(format!(
                "--backend {name}: the run {} did not measure it, so nothing is known that a server could be held to\n\n\
                 hint: `tailmark report {}` says why",
                run.id,
                folder.display()
            ));
        }
        let mut backend = backend.clone();
        if let Some(to) = backend.fallback.as_ref().and_then(|fallback| kinds::find(&fallback.to)) {
            backend.options = to.options_from(&backend.options);
            backend.kind = to.name.to_owned();
        }
        Ok(Self { folder: folder.to_owned(), run, backend })
    }

    /// The scenario of it alone.
    pub(super) fn scenario(&self, arguments: &ServeArguments) -> Result<Table, CommandError> {
        let mut model = Table::new();
        if let Some(recorded) = &self.run.model {
            // Its files are compared with the record's, wherever they are.
            if Path::new(&recorded.folder).is_dir() {
                model.insert("folder".to_owned(), recorded.folder.clone().into());
                model.insert("in_place".to_owned(), true.into());
            }
            model.insert("name".to_owned(), recorded.name.clone().into());
        }
        let mut workload = Table::new();
        let prompt = match &self.run.workload.prompt {
            None => NO_PROMPT.into(),
            Some(Prompt { name: Some(name), .. }) => name.clone().into(),
            Some(Prompt { text, .. }) => {
                toml::Value::Table([("text".to_owned(), text.clone().into())].into_iter().collect())
            }
        };
        workload.insert("prompt".to_owned(), prompt);
        let set: Options =
            self.backend.options.iter().filter(|(_, value)| !value.is_null()).map(both).collect();
        let options = Table::try_from(set).map_err(|error| {
            CommandError::Usage(format!("the options in the run {} are none: {error}", self.run.id))
        })?;
        let replicas = arguments.replicas.unwrap_or(self.backend.replicas);
        Ok(wanted::of_one(&self.backend.kind, options, replicas, model, workload, arguments))
    }

    /// Requests after which its slowest restart was steady; `None` where the run did not look.
    pub(super) fn warm_up(&self) -> Option<u64> {
        self.backend.warm_up.iter().filter(|warm_up| warm_up.steady).map(|warm_up| warm_up.requests).max()
    }

    /// What the run said of it.
    pub(super) fn about(&self) -> serde_json::Value {
        let verdicts: Vec<_> = self.backend.verdicts.iter().map(|verdict| verdict.verdict).collect();
        json!({
            "run": self.run.id, "backend": self.backend.name, "verdicts": verdicts,
            "measured_by": self.run.tool.version, "served_by": env!("CARGO_PKG_VERSION"),
        })
    }

    /// What can be compared before anything is started: kind, options, replicas, model and prompt.
    pub(super) fn check_before(&self, plan: &Plan, alone: &Alone) -> Result<(), CommandError> {
        let mut changed = changed_model(self.run.model.as_ref(), alone.model.as_ref());
        if self.run.model.is_some() && alone.model.is_none() {
            // A run has a model if any of its backends needs one.
            changed.clear();
        }
        changed.extend(changed_of(&self.backend, &self.now(plan, self.backend.runs.clone())));
        let before = self.run.workload.prompt.as_ref().map_or("", |prompt| prompt.text.as_str());
        if let Some(model) = &alone.launch.load.model
            && model.recipe.prompt() != before
        {
            changed.push(format!("the prompt: {before:?} before, {:?} after", model.recipe.prompt()));
        }
        self.refuse(&changed).map_err(CommandError::Usage)
    }

    /// What only a loaded backend tells: engine, device and versions.
    pub(super) fn check_loaded(&self, plan: &Plan, loaded: &Loaded) -> Result<(), String> {
        let runs = loaded.runs.clone();
        let runs = Runs {
            engine: runs.engine,
            engine_version: runs.engine_version,
            device: runs.device,
            execution_provider: runs.execution_provider,
            threads: runs.threads,
            dtype: runs.dtype,
            versions: runs.versions,
        };
        self.refuse(&changed_of(&self.backend, &self.now(plan, Some(runs))))
    }

    /// The record of it as it would be now.
    fn now(&self, plan: &Plan, runs: Option<Runs>) -> BackendRecord {
        let planned = plan.backends.first().expect("a plan has a backend: this is a bug");
        BackendRecord {
            kind: planned.kind.name.to_owned(),
            options: planned.options.clone(),
            replicas: planned.replicas,
            runs,
            ..self.backend.clone()
        }
    }

    fn refuse(&self, changed: &[String]) -> Result<(), String> {
        if changed.is_empty() {
            return Ok(());
        }
        let list: String = changed.iter().map(|change| format!("\n  {change}")).collect();
        let (name, run) = (&self.backend.name, self.folder.display());
        Err(format!(
            "{name} is not what {run} judged:{list}\n\nhint: restore what changed, or measure it again; \
             `tailmark serve {}` serves it without a run to answer for it",
            self.backend.kind
        ))
    }
}

fn both((key, value): (&String, &serde_json::Value)) -> (String, serde_json::Value) {
    (key.clone(), value.clone())
}

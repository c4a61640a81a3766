//! What a backend needs before it can be started: the model, a Python environment, ONNX Runtime's library.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tailmark_providers::kinds::{Kind, Need, Runtime};
use tailmark_providers::model::{Hub, ModelStore, ResolvedModel, Sources, own};
use tailmark_providers::platform::Platform;
use tailmark_providers::progress::Progress;
use tailmark_providers::provider::{LoadRequest, ModelFolder, Options, ProviderError};
use tailmark_providers::python_environment::{
    EnvironmentRequest, Extra, PackageTool, PythonEnvironment, PythonError, Tools,
};
use tailmark_providers::worker_command::WorkerCommand;

use super::session::Launch;
use crate::plan::{BackendPlan, ModelPlan, Placement};

/// Why a backend cannot be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    /// This machine does not have what it needs; not an error.
    NotAvailable(String),
    /// It should have worked.
    Broken(String),
}

/// Provides what backends need, each thing once.
pub(super) struct Provision<'a> {
    cache: PathBuf,
    python: Option<&'a Path>,
    progress: &'a dyn Progress,
    tools: Tools,
    environments: HashMap<Extra, Result<PythonEnvironment, Lacking>>,
    model: Option<ResolvedModel>,
    max_memory: Option<u64>,
}

impl<'a> Provision<'a> {
    pub(super) fn new(cache: PathBuf, python: Option<&'a Path>, progress: &'a dyn Progress) -> Self {
        Self {
            cache,
            python,
            progress,
            tools: Tools::from_environment(),
            environments: HashMap::new(),
            model: None,
            max_memory: None,
        }
    }

    /// Lets no worker take more resident memory than this, in bytes.
    pub(super) fn with_max_memory(self, max_memory: Option<u64>) -> Self {
        Self { max_memory, ..self }
    }

    /// The model, once [`Self::fetch_model`] has got it.
    pub(super) fn model(&self) -> Option<&ResolvedModel> {
        self.model.as_ref()
    }

    /// Finds the model, fetching it at need.
    pub(super) fn fetch_model(&mut self, plan: &ModelPlan, store: Option<&Path>) -> Result<(), String> {
        if let (Some(folder), true) = (&plan.folder, plan.own) {
            self.progress.step(&format!("checking the model in {}", folder.display()));
            self.model = Some(own::resolve(folder).map_err(|error| error.to_string())?);
            return Ok(());
        }
        let spec = tailmark_providers::model::find(&plan.name).map_err(|error| error.to_string())?;
        let packages = PackageTool::new(self.tools.clone(), &self.cache);
        let sources = Sources { hub: Hub::from_environment(), packages: &packages };
        let resolved = match (&plan.folder, plan.in_place) {
            (Some(folder), true) => ResolvedModel::in_place(spec, folder),
            (folder, _) => {
                let root = store.map_or_else(|| self.cache.join("models"), Path::to_path_buf);
                ModelStore::at(root).resolve(spec, folder.as_deref(), &sources, self.progress)
            }
        };
        self.model = Some(resolved.map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Everything needed to start this kind with the backend's options.
    pub(super) fn launch(&mut self, backend: &BackendPlan, kind: &'static Kind) -> Result<Launch, Lacking> {
        let options = options_of(backend, kind);
        (kind.available)(&options, &Platform::here()).map_err(lacking)?;
        self.assemble(backend, kind, options)
    }

    /// The same for a backend that this machine cannot have, if all it takes to ask its runtime is there already: so that
    /// the runtime says it itself. Nothing is fetched for it.
    pub(super) fn launch_to_be_refused(&mut self, backend: &BackendPlan) -> Option<Launch> {
        let kind = backend.kind;
        let is_there = |need: &Need| match need {
            Need::Model => self.model.is_some(),
            Need::OnnxRuntimeLibrary => self.has_environment(Extra::Base),
            Need::Python(extra) => self.has_environment(*extra),
        };
        if !kind.needs.iter().all(is_there) {
            return None;
        }
        self.assemble(backend, kind, options_of(backend, kind)).ok()
    }

    fn has_environment(&self, extra: Extra) -> bool {
        self.environments.get(&extra).is_some_and(Result::is_ok)
    }

    fn assemble(
        &mut self,
        backend: &BackendPlan,
        kind: &'static Kind,
        mut options: Options,
    ) -> Result<Launch, Lacking> {
        let mut model = None;
        let mut environment = None;
        for need in kind.needs {
            match need {
                Need::Model => model = self.model.as_ref().map(folder),
                Need::Python(extra) => environment = Some(self.environment(*extra)?),
                Need::OnnxRuntimeLibrary
                    if options.get("library").is_some_and(|library| !library.is_null()) => {}
                Need::OnnxRuntimeLibrary => {
                    let library =
                        self.environment(Extra::Base)?.onnxruntime_library().map_err(python_lacking)?;
                    options.insert("library".to_owned(), library.to_string_lossy().into());
                }
            }
        }
        let command = match (kind.runtime, backend.placement) {
            (Runtime::Python, _) => environment.map(|environment| environment.worker_command(kind.name)),
            (Runtime::Rust { .. }, Placement::Worker) => Some(own_worker(kind.name)?),
            (Runtime::Rust { .. }, Placement::InProcess) => None,
        };
        let load = LoadRequest { model, options };
        Ok(Launch { kind, command, load, replicas: backend.replicas, max_memory: self.max_memory })
    }

    fn environment(&mut self, extra: Extra) -> Result<PythonEnvironment, Lacking> {
        let request = EnvironmentRequest {
            extra,
            cache_root: &self.cache,
            user_python: self.python,
            tools: &self.tools,
        };
        self.environments
            .entry(extra)
            .or_insert_with(|| PythonEnvironment::ensure(&request, self.progress).map_err(python_lacking))
            .clone()
    }
}

/// The backend's options for this kind.
fn options_of(backend: &BackendPlan, kind: &Kind) -> Options {
    if kind.name == backend.kind.name {
        return backend.options.clone();
    }
    // A fallback has options of its own; those that both kinds know are carried over.
    let known = (kind.resolve_options)(&Options::new());
    let shared = backend.options.iter().filter(|(key, _)| known.contains_key(*key));
    (kind.resolve_options)(&shared.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// Whether a provider's error says that the machine lacks something, or that something broke.
pub(super) fn lacking(error: ProviderError) -> Lacking {
    match error {
        ProviderError::NotAvailable { what, why } => Lacking::NotAvailable(format!("{what}: {why}")),
        other => Lacking::Broken(other.to_string()),
    }
}

fn python_lacking(error: PythonError) -> Lacking {
    if matches!(error, PythonError::NoPython { .. }) {
        Lacking::NotAvailable(error.to_string())
    } else {
        Lacking::Broken(error.to_string())
    }
}

fn folder(model: &ResolvedModel) -> ModelFolder {
    ModelFolder {
        folder: model.folder.clone(),
        max_tokens: model.spec.max_tokens,
        pooling: model.spec.pooling,
    }
}

fn own_worker(kind: &str) -> Result<WorkerCommand, Lacking> {
    let program = std::env::current_exe()
        .map_err(|error| Lacking::Broken(format!("tailmark cannot find its own program: {error}")))?;
    Ok(WorkerCommand {
        program,
        args: vec![OsString::from("worker"), OsString::from(kind)],
        envs: Vec::new(),
    })
}

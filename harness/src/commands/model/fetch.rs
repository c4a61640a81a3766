//! `tailmark model fetch`, and how every other command gets at a store and at a known model.

use std::borrow::Cow;
use std::path::Path;

use tailmark_providers::model::hub_repository::Wish;
use tailmark_providers::model::{Hub, KnownModel, ModelStore, PinnedFile, ResolvedModel, Sources, own};
use tailmark_providers::python_environment::{PackageTool, Tools};

use super::arguments::{FetchArguments, StoreOption};
use super::output::print;
use super::subject::Subject;
use crate::commands::{CommandError, Exit};
use crate::making::{HubModel, obtain};
use crate::screen::Screen;

/// `tailmark model fetch`.
pub(super) fn run(arguments: &FetchArguments, screen: &Screen) -> Result<Exit, CommandError> {
    let store = arguments.tools.store.open()?;
    match Subject::named_or_of_the_hub(&store, &arguments.name)? {
        // A known model is pinned: what else its repository has is the hub's.
        Subject::Known(model) if arguments.of_the_hub.is_given() => {
            fetch_from_hub(arguments, model.name(), &store, screen)
        }
        Subject::Known(model) => fetch_known(arguments, model, &store, screen),
        Subject::Own(folder) => Err(CommandError::Usage(format!(
            "`{}` is your own model, in {}: it is used in place and cannot be fetched",
            arguments.name,
            folder.display()
        ))),
        Subject::Hub { repository, .. } => fetch_from_hub(arguments, &repository, &store, screen),
    }
}

fn fetch_known(
    arguments: &FetchArguments,
    known: &'static KnownModel,
    store: &ModelStore,
    screen: &Screen,
) -> Result<Exit, CommandError> {
    if let Some(folder) = arguments.from.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(CommandError::Usage(format!("--from: {} is not a folder", folder.display())));
    }
    let model = resolve(store, known, arguments.from.as_deref(), screen)?;
    screen.clear();
    show(&format!("{}: from {}", known.name(), model.source), &model.files, &model.folder, "")
}

/// Fetches a repository and makes a model of it. Nothing is pinned: that is done beside the scenario that names it.
fn fetch_from_hub(
    arguments: &FetchArguments,
    repository: &str,
    store: &ModelStore,
    screen: &Screen,
) -> Result<Exit, CommandError> {
    if arguments.from.is_some() {
        return Err(CommandError::Usage(format!(
            "--from is for a known model as it is pinned, and {repository} would come from the model hub\n\nhint: `tailmark model export FOLDER` makes a \
             model of a folder"
        )));
    }
    let of = &arguments.of_the_hub;
    let wanted = HubModel {
        name: repository,
        revision: of.revision.as_deref(),
        wish: Wish { graphs: of.graphs.clone(), all_graphs: of.all_graphs, weights: of.weights },
        lock: None,
        trust_remote_code: of.trust_remote_code,
        store: store.root(),
        python: arguments.tools.python.as_deref(),
        cache: &cache()?,
    };
    let folder = obtain(&wanted, &Hub::from_environment(), screen)?;
    screen.clear();
    let manifest = own::read(&folder)?;
    let files: Vec<PinnedFile> = manifest.all_files().map(Cow::into_owned).collect();
    let commit = manifest.source.as_ref().map_or("", |source| source.revision.as_str());
    show(
        &format!("{repository}: from the model hub at commit {commit}"),
        &files,
        &folder,
        &format!("a scenario takes it with --set model.name={repository} --set model.revision={commit}\n"),
    )
}

fn show(head: &str, files: &[PinnedFile], folder: &Path, last: &str) -> Result<Exit, CommandError> {
    let mut text = format!("{head}\n");
    for file in files {
        text.push_str(&format!(
            "  {}  {}  {}\n",
            file.sha256,
            tailmark_reports::units::count(file.bytes),
            file.name
        ));
    }
    text.push_str(&format!("in {}\n{last}", folder.display()));
    print(&text)?;
    Ok(Exit::Pass)
}

/// A known model, checked, and fetched where it is not in the store.
pub(super) fn resolve(
    store: &ModelStore,
    model: &KnownModel,
    from: Option<&Path>,
    screen: &Screen,
) -> Result<ResolvedModel, CommandError> {
    let packages = PackageTool::new(Tools::from_environment(), &cache()?);
    let sources = Sources { hub: Hub::from_environment(), packages: &packages };
    Ok(store.resolve(model, from, &sources, screen)?)
}

/// tailmark's folder in the user's cache folder.
pub(super) fn cache() -> Result<std::path::PathBuf, CommandError> {
    tailmark_providers::cache::default_folder().ok_or(CommandError::NoCache)
}

impl StoreOption {
    /// The store that is meant.
    pub(super) fn open(&self) -> Result<ModelStore, CommandError> {
        let root = match &self.model_store {
            Some(folder) => folder.clone(),
            None => ModelStore::default_root()?,
        };
        Ok(ModelStore::at(root))
    }
}

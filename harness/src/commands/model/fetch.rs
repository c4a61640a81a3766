//! `tailmark model fetch`, and how every other command gets at a store and at a known model.

use tailmark_providers::model::{Hub, KnownModel, ModelStore, ResolvedModel, Sources};
use tailmark_providers::python_environment::{PackageTool, Tools};

use super::arguments::{FetchArguments, StoreOption};
use super::output::print;
use super::subject::Subject;
use crate::commands::{CommandError, Exit};
use crate::screen::Screen;

/// `tailmark model fetch`.
pub(super) fn run(arguments: &FetchArguments, screen: &Screen) -> Result<Exit, CommandError> {
    let store = arguments.store.open()?;
    let known = match Subject::named(&store, &arguments.name)? {
        Subject::Known(model) => model,
        Subject::Own(folder) => {
            let message = format!(
                "`{}` is your own model, in {}: it is used in place and cannot be fetched",
                arguments.name,
                folder.display()
            );
            return Err(CommandError::Usage(message));
        }
    };
    if let Some(folder) = arguments.from.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(CommandError::Usage(format!("--from: {} is not a folder", folder.display())));
    }
    let model = resolve(&store, known, arguments.from.as_deref(), screen)?;
    screen.clear();
    let mut text = format!("{}: from {}\n", known.name(), model.source);
    for file in &model.files {
        text.push_str(&format!(
            "  {}  {}  {}\n",
            file.sha256,
            tailmark_reports::units::count(file.bytes),
            file.name
        ));
    }
    text.push_str(&format!("in {}\n", model.folder.display()));
    print(&text)?;
    Ok(Exit::Pass)
}

/// A known model, checked, and fetched where it is not in the store.
pub(super) fn resolve(
    store: &ModelStore,
    model: &KnownModel,
    from: Option<&std::path::Path>,
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

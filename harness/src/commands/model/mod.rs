//! `tailmark model`: models in the store and the user's own, and their graphs. It finds out which model is meant; what is done
//! with it is one module for each command.

mod arguments;
mod export;
mod list;
mod own_export;
mod remove;
mod subject;
mod tool;
mod variant;
mod verify;

use std::io::Write as _;

use tailmark_providers::model::{Hub, ModelSpec, ModelStore, ResolvedModel, Sources};
use tailmark_providers::python_environment::{PackageTool, Tools};

pub use self::arguments::{
    ExportArguments, FetchArguments, Form, ModelArguments, ModelCommand, OptimizeArguments,
    QuantizeArguments, RemoveArguments, StoreOption, ToolOptions, VerifyArguments,
};
use self::subject::Subject;
use super::error::cannot;
use super::{CommandError, Exit};
use crate::screen::Screen;

/// Carries out a command on models.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &ModelArguments) -> Result<Exit, CommandError> {
    let screen = Screen::new();
    let done = match &arguments.command {
        ModelCommand::List(store) => list::run(&store.open()?),
        ModelCommand::Fetch(arguments) => fetch(arguments, &screen),
        ModelCommand::Verify(arguments) => verify::run(arguments, &screen),
        ModelCommand::Export(arguments) => export::run(arguments, &screen),
        ModelCommand::Optimize(arguments) => variant::optimize(arguments, &screen),
        ModelCommand::Quantize(arguments) => variant::quantize(arguments, &screen),
        ModelCommand::Remove(arguments) => remove::run(arguments, &screen),
    };
    screen.clear();
    done
}

impl StoreOption {
    /// The store that is meant.
    fn open(&self) -> Result<ModelStore, CommandError> {
        let root = match &self.model_store {
            Some(folder) => folder.clone(),
            None => ModelStore::default_root()?,
        };
        Ok(ModelStore::at(root))
    }
}

/// `tailmark model fetch`.
fn fetch(arguments: &FetchArguments, screen: &Screen) -> Result<Exit, CommandError> {
    let store = arguments.store.open()?;
    let spec = match Subject::named(&store, &arguments.name)? {
        Subject::Known(spec) => spec,
        Subject::Own(folder) => {
            let message = format!(
                "`{}` is a model of your own, in {}: it is used where it is, and there is nowhere to fetch it from",
                arguments.name,
                folder.display()
            );
            return Err(CommandError::Usage(message));
        }
    };
    if let Some(folder) = arguments.from.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(CommandError::Usage(format!("--from: {} is not a folder", folder.display())));
    }
    let model = resolve(&store, spec, arguments.from.as_deref(), screen)?;
    screen.clear();
    let mut text = format!("{}: from {}\n", spec.name, model.source);
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
fn resolve(
    store: &ModelStore,
    spec: &ModelSpec,
    from: Option<&std::path::Path>,
    screen: &Screen,
) -> Result<ResolvedModel, CommandError> {
    let packages = PackageTool::new(Tools::from_environment(), &cache()?);
    let sources = Sources { hub: Hub::from_environment(), packages: &packages };
    Ok(store.resolve(spec, from, &sources, screen)?)
}

/// tailmark's folder in the user's cache folder.
fn cache() -> Result<std::path::PathBuf, CommandError> {
    tailmark_providers::cache::default_folder().ok_or(CommandError::NoCache)
}

fn print(text: &str) -> Result<(), CommandError> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(cannot("print"))
}

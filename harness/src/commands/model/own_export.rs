//! `tailmark model export FOLDER`: makes a model of a folder of the user's own, and puts it on the list.

use std::fs;
use std::path::{Path, PathBuf};

use tailmark_providers::model::hub_repository::Wish;
use tailmark_providers::model::manifest::{GraphForm, HubRevision, MANIFEST, Manifest, REFERENCE};
use tailmark_providers::model::own;
use tailmark_providers::model::{self, Hub, ModelStore};
use tailmark_reports::units;

use super::ExportArguments;
use super::fetch::cache;
use super::output::print;
use super::subject::absolute;
use crate::commands::error::cannot;
use crate::commands::{CommandError, Exit};
use crate::making::tool::in_words;
use crate::making::{HubModel, MadeModel, Wanted, bring, make};
use crate::screen::Screen;

/// Makes the graph, the reference vectors and the manifest of the model in `source`.
pub(super) fn run(
    arguments: &ExportArguments,
    source: &Path,
    store: &ModelStore,
    screen: &Screen,
) -> Result<Exit, CommandError> {
    let name = name_of(arguments, source)?;
    let target = target(arguments, source)?;
    let made = make(&wanted(arguments, source, &target, &name, None, &cache()?), screen)?;
    // The model can be used by its folder all the same, so this is no failure of the export.
    if let Err(error) = store.register(&name, &target) {
        screen.say(&format!("note: {name} is not listed: {error}"));
    }
    finish(&name, &target, &made)
}

/// Fetches a repository with its weights and exports these: into the store where the repository has no graph, else elsewhere, so
/// that its own graph stays what a scenario takes.
pub(super) fn of_the_hub(
    arguments: &ExportArguments,
    repository: &str,
    store: &ModelStore,
    screen: &Screen,
) -> Result<Exit, CommandError> {
    let cache = cache()?;
    let hub_model = HubModel {
        name: repository,
        revision: arguments.revision.as_deref(),
        wish: Wish { graphs: arguments.graph.iter().cloned().collect(), all_graphs: false, weights: true },
        lock: None,
        trust_remote_code: arguments.trust_remote_code,
        store: store.root(),
        python: arguments.tools.python.as_deref(),
        cache: &cache,
    };
    if arguments.output.is_none() && arguments.name.is_some() {
        let message = format!("--name needs --output: in the model store it is called {repository}");
        return Err(CommandError::Usage(message));
    }
    let brought = bring(&hub_model, None, &Hub::from_environment(), screen)?;
    let Some(output) = &arguments.output else {
        let graph = brought.files.iter().find(|file| file.name.ends_with(".onnx"));
        if let Some(graph) = graph {
            return Err(CommandError::Usage(format!(
                "{repository} has its own graph {}, which scenarios take: none was made\n\nhint: --output FOLDER makes a model of \
                 its weights elsewhere",
                graph.name
            )));
        }
        let wanted =
            wanted(arguments, &brought.folder, &brought.folder, repository, Some(&brought.source), &cache);
        return finish(repository, &brought.folder, &make(&wanted, screen)?);
    };
    let target = target(arguments, output)?;
    let name = name_of(arguments, &target)?;
    let made =
        make(&wanted(arguments, &brought.folder, &target, &name, Some(&brought.source), &cache), screen)?;
    if let Err(error) = store.register(&name, &target) {
        screen.say(&format!("note: {name} is not listed: {error}"));
    }
    finish(&name, &target, &made)
}

fn wanted<'a>(
    arguments: &'a ExportArguments,
    source: &'a Path,
    target: &'a Path,
    name: &'a str,
    hub: Option<&'a HubRevision>,
    cache: &'a Path,
) -> Wanted<'a> {
    Wanted {
        source,
        target,
        name,
        form: arguments.form.name(),
        graph: arguments.graph.as_deref(),
        prefer_graph: false,
        trust_remote_code: arguments.trust_remote_code,
        hub,
        python: arguments.tools.python.as_deref(),
        cache,
    }
}

fn finish(name: &str, target: &Path, made: &MadeModel) -> Result<Exit, CommandError> {
    let manifest = &made.manifest;
    let mut text = format!("{name}: {}", manifest.form.name());
    if let Some(graph) = &manifest.graph {
        text.push_str(&format!(", {}", units::bytes(graph.bytes)));
    }
    match (&made.figures, &manifest.checked_against) {
        (Some(figures), _) => text.push_str(&format!(", {}", in_words(figures))),
        (None, Some(against)) if against.graph.is_some() => text.push_str(
            "; its reference vectors are those of this graph in onnxruntime: compared with the graph, not with torch",
        ),
        (None, _) => text.push_str("; its reference vectors were made by numpy"),
    }
    text.push_str(&format!("\nwritten to {}: {}\n", target.display(), written(manifest)));
    for variant in &made.outdated {
        text.push_str(&format!("{variant} was made from another graph: make it anew\n"));
    }
    text.push_str(&format!("a scenario takes it with --set model.folder={}\n", target.display()));
    print(&text)?;
    Ok(Exit::Pass)
}

/// The files that were made, in words.
fn written(manifest: &Manifest) -> String {
    let graph = match manifest.form {
        GraphForm::GraphOnly | GraphForm::SelfContained if !manifest.graph.as_ref().is_some_and(is_own) => {
            String::new()
        }
        GraphForm::Table => String::new(),
        _ => {
            let mut names: Vec<String> = manifest.graph.iter().map(|graph| graph.name.clone()).collect();
            names.extend(manifest.data.iter().map(|data| match &data.of {
                Some(_) => format!("{} (the weights under another name)", data.name),
                None => data.name.clone(),
            }));
            format!("{}, ", names.join(", "))
        }
    };
    format!("{graph}{REFERENCE}, {MANIFEST}")
}

/// Whether tailmark made the graph: others are where they were.
fn is_own(graph: &model::PinnedFile) -> bool {
    graph.name == model::manifest::GRAPH
}

/// What the model is called: as asked for, as before, or as its folder.
fn name_of(arguments: &ExportArguments, source: &Path) -> Result<String, CommandError> {
    let before = own::read(source).ok().map(|manifest| manifest.name);
    let folder = || source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = arguments.name.clone().or(before).unwrap_or_else(folder);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(plain) || name.starts_with(['.', '/', '-']) {
        return Err(CommandError::Usage(format!(
            "`{name}` is not a valid model name; give one with --name: 1 to 100 letters, digits, `.`, `_`, `-` or `/`, beginning \
             with a letter, a digit or `_`"
        )));
    }
    if model::find(&name).is_ok() {
        return Err(CommandError::Usage(format!(
            "`{name}` is the name of a known model\n\nhint: give yours another one with --name"
        )));
    }
    Ok(name)
}

/// The folder to write to, which is made if it is not there.
fn target(arguments: &ExportArguments, source: &Path) -> Result<PathBuf, CommandError> {
    let Some(folder) = &arguments.output else { return Ok(source.to_owned()) };
    fs::create_dir_all(folder).map_err(cannot(format!("make the folder {}", folder.display())))?;
    absolute(folder)
}

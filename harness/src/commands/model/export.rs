//! `tailmark model export`: the graph of a known model, compared with the committed one. Folders of the user's own are in
//! `own_export`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tailmark_providers::model::aside::Aside;
use tailmark_providers::model::graph_difference::{self, GraphDifference};
use tailmark_providers::model::manifest::{GRAPH, GRAPH_DATA, GraphForm, WEIGHTS};
use tailmark_providers::model::{KnownModel, ModelStore};
use tailmark_providers::python_environment::pinned_for_tools;
use tailmark_reports::units;

use super::fetch::{cache, resolve};
use super::output::print;
use super::subject::{Subject, absolute};
use super::{ExportArguments, own_export};
use crate::commands::error::cannot;
use crate::commands::{CommandError, Exit};
use crate::making::link_weights;
use crate::making::tool::{Made, ToolRunner, in_words, recipe_flag};
use crate::screen::Screen;

/// Exports what is meant.
pub(super) fn run(arguments: &ExportArguments, screen: &Screen) -> Result<Exit, CommandError> {
    let store = arguments.tools.store.open()?;
    let subject = Subject::wherever_it_is(&store, &arguments.model)?;
    match subject {
        Subject::Known(model) if arguments.revision.is_some() => {
            own_export::of_the_hub(arguments, model.name(), &store, screen)
        }
        Subject::Own(folder) if arguments.revision.is_some() => Err(CommandError::Usage(format!(
            "--revision is for a repository of the model hub, and the model is in {}",
            folder.display()
        ))),
        Subject::Known(model) => export_known(arguments, model, &store, screen),
        Subject::Own(folder) => own_export::run(arguments, &folder, &store, screen),
        Subject::Hub { repository, .. } => own_export::of_the_hub(arguments, &repository, &store, screen),
    }
}

fn export_known(
    arguments: &ExportArguments,
    known: &'static KnownModel,
    store: &ModelStore,
    screen: &Screen,
) -> Result<Exit, CommandError> {
    if arguments.name.is_some() {
        let message = format!("--name is for a folder of your own, and `{}` has its name", known.name());
        return Err(CommandError::Usage(message));
    }
    let output = arguments.output.as_deref().map(empty_of_graphs).transpose()?;
    let model = resolve(store, known, None, screen)?;
    let python = ToolRunner::new(&cache()?, arguments.tools.python.as_deref(), screen)?;
    let target = output.as_deref().unwrap_or(&model.folder);
    let aside = Aside::within(target).map_err(cannot("write the graph"))?;
    let folder = absolute(&model.folder)?;
    let file = absolute(aside.path())?.join(GRAPH);
    let recipe = recipe_flag(&model.manifest.recipe);
    let flags: [&OsStr; 8] = [
        "--model".as_ref(),
        folder.as_ref(),
        "--recipe".as_ref(),
        recipe.as_ref(),
        "--output".as_ref(),
        file.as_ref(),
        "--form".as_ref(),
        arguments.form.name().as_ref(),
    ];
    let made: Made = python.make("export", &flags, (file.parent().unwrap_or(target), target))?;
    let found = fs::read(&file).map_err(cannot("read the graph that was made"))?;
    let mut text = compared(known, &found, &made);
    if let Some(output) = &output {
        if made.form == GraphForm::GraphOnly.name() {
            link_weights(&folder.join(WEIGHTS), &aside, &output.join(GRAPH_DATA))?;
        }
        aside.put(GRAPH, &output.join(GRAPH)).map_err(cannot("put the graph in its place"))?;
        let _ = writeln!(text, "written to {}", output.join(GRAPH).display());
    }
    print(&text)?;
    Ok(Exit::Pass)
}

/// The folder, made if it is not there, and without a graph that would be lost.
fn empty_of_graphs(folder: &Path) -> Result<std::path::PathBuf, CommandError> {
    for name in [GRAPH, GRAPH_DATA] {
        if folder.join(name).exists() {
            let message =
                format!("{} is there already, and nothing is written over it", folder.join(name).display());
            return Err(CommandError::Usage(format!("{message}\n\nhint: name another folder with --output")));
        }
    }
    fs::create_dir_all(folder).map_err(cannot(format!("make the folder {}", folder.display())))?;
    absolute(folder)
}

/// What came of it beside the committed graph.
fn compared(model: &KnownModel, found: &[u8], made: &Made) -> String {
    let mut text = format!(
        "{}: {}, {}, {}\n",
        model.name(),
        made.form,
        units::bytes(found.len() as u64),
        in_words(&made.figures())
    );
    let _ = match graph_difference::compare(found, model.graph) {
        None => writeln!(
            text,
            "identical to the committed graph, byte for byte (sha256 {})",
            model.manifest.graph.as_ref().map_or("", |graph| graph.sha256.as_str())
        ),
        Some(_) if made.form != GraphForm::GraphOnly.name() => {
            writeln!(text, "not compared with the committed graph, which is graph-only")
        }
        Some(difference) => write!(text, "{}", explained(&difference, made)),
    };
    text
}

/// In what the graph differs from the committed one, and which versions may be why.
fn explained(difference: &GraphDifference, made: &Made) -> String {
    let (found, committed) = difference.bytes;
    let mut text = format!(
        "differs from the committed graph: {} bytes, {} there; {} from byte {} on\n",
        units::count(found as u64),
        units::count(committed as u64),
        units::counted(difference.differing_bytes as u64, "differing byte"),
        units::count(difference.first_byte as u64)
    );
    if let Some(contents) = &difference.contents {
        let _ = writeln!(
            text,
            "  {} nodes, {} there; {} initializers, {} there, {} of them unlike",
            units::count(contents.nodes.0 as u64),
            units::count(contents.nodes.1 as u64),
            units::count(contents.initializers.0 as u64),
            units::count(contents.initializers.1 as u64),
            units::count(contents.differing_initializers as u64),
        );
    }
    let others: Vec<String> = made
        .made_with
        .iter()
        .filter_map(|(library, version)| {
            let pinned = pinned_for_tools(library)?;
            // What follows a plus sign says for which hardware it was built.
            (version.split('+').next() != Some(&pinned))
                .then(|| format!("{library} {version} (there {pinned})"))
        })
        .collect();
    let _ = if others.is_empty() {
        writeln!(
            text,
            "  made with the versions the committed graph was made with: the difference is the machine's or ours"
        )
    } else {
        writeln!(text, "  made with other versions: {}", others.join(", "))
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(versions: &[(&str, &str)]) -> Made {
        let made_with: serde_json::Map<String, serde_json::Value> =
            versions.iter().map(|(library, version)| ((*library).to_owned(), (*version).into())).collect();
        serde_json::from_value(serde_json::json!({ "form": "graph-only", "made_with": made_with })).unwrap()
    }

    #[test]
    fn the_committed_graph_is_identical_to_itself() {
        let model = &tailmark_providers::model::known()[0];
        let text = compared(model, model.graph, &made(&[]));
        assert!(text.contains("identical to the committed graph, byte for byte (sha256 "), "{text}");
    }

    #[test]
    fn another_graph_is_explained_by_its_bytes_its_parts_and_the_versions() {
        let model = &tailmark_providers::model::known()[0];
        let mut other = model.graph.to_vec();
        let last = other.len() - 1;
        other[last] ^= 1;
        let text = compared(model, &other, &made(&[("torch", "1.2.3+cpu"), ("not-pinned", "1")]));
        let size = units::count(other.len() as u64);
        assert!(
            text.contains(&format!(
                "differs from the committed graph: {size} bytes, {size} there; 1 differing byte from byte"
            )),
            "{text}"
        );
        assert!(text.contains(" of them unlike"), "{text}");
        assert!(text.contains("made with other versions: torch 1.2.3+cpu (there "), "{text}");
        let same = made(&[("torch", &format!("{}+cpu", pinned_for_tools("torch").unwrap()))]);
        assert!(
            compared(model, &other, &same)
                .contains("made with the versions the committed graph was made with")
        );
    }
}

//! A folder becomes a model: the files that are missing are made aside, by tools, and everything is put in place at the end or
//! not at all.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tailmark_providers::model::aside::Aside;
use tailmark_providers::model::manifest::{
    CheckedAgainst, GRAPH, GRAPH_DATA, GraphForm, HubRevision, MANIFEST, Manifest, OtherGraph, REFERENCE,
    ToPin,
};
use tailmark_providers::model::own;
use tailmark_providers::model::own::describe::{
    self, Description, FoundGraph, TOKENIZER, is_reduced, usual_graph,
};
use tailmark_providers::model::variants::{self, Figures};

use super::tool::{Made, MadeReference, ToolRunner, recipe_flag};
use super::{MakingError, cannot};
use crate::screen::Screen;

/// The model that is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The folder that has the model's files.
    pub(crate) source: &'a Path,
    /// The folder that is to be the model, which is there.
    pub(crate) target: &'a Path,
    /// What to call it.
    pub(crate) name: &'a str,
    /// Where an exported graph is to have its weights, as the tool takes it.
    pub(crate) form: &'a str,
    /// Take this graph of the folder, and make none.
    pub(crate) graph: Option<&'a str>,
    /// Take the usual graph of the folder, if it has one.
    pub(crate) prefer_graph: bool,
    /// Run the Python code that the folder brings.
    pub(crate) trust_remote_code: bool,
    /// Where on the model hub the files come from.
    pub(crate) hub: Option<&'a HubRevision>,
    /// The user's own Python interpreter.
    pub(crate) python: Option<&'a Path>,
    /// Where Python environments are.
    pub(crate) cache: &'a Path,
}

/// A model that was made.
#[derive(Debug)]
pub(crate) struct MadeModel {
    /// What it is made of.
    pub(crate) manifest: Manifest,
    /// How close a graph that was exported is to the library's vectors.
    pub(crate) figures: Option<Figures>,
    /// The variants of an earlier graph, by their names.
    pub(crate) outdated: Vec<String>,
}

/// Where the graph comes from.
enum Way {
    /// It is exported.
    Export,
    /// It is one of those that are there.
    Take(FoundGraph),
    /// There is none: the model is a table.
    Table,
}

/// What the tools made, aside.
struct Parts {
    form: GraphForm,
    data: Vec<(String, Option<String>)>,
    checked: Option<CheckedAgainst>,
    figures: Option<Figures>,
}

/// Makes it. What is there stays as it was until everything is made.
pub(crate) fn make(wanted: &Wanted<'_>, screen: &Screen) -> Result<MadeModel, MakingError> {
    let Wanted { source, target, name, .. } = *wanted;
    let described = describe::describe(source)?;
    screen.say(&format!("{name}: {}", in_words(&described)));
    described.notes.iter().for_each(|note| screen.say(&format!("note: {note}")));
    if wanted.trust_remote_code {
        for name in &described.custom_code {
            let file = variants::measure(source, name).map_err(cannot(format!("read {name}")))?;
            screen.say(&format!("runs Python code of the model: {name}, SHA-256 {}", file.sha256));
        }
    }
    way_of(wanted, &described)?.refuse_to_write_over(wanted, &described)?;

    let aside = Aside::within(target).map_err(cannot(format!("write into {}", target.display())))?;
    let staged = stage(wanted, &described, &aside, screen)?;
    let place = staged.as_deref().unwrap_or(source);
    // With everything in the form that is read, the description is complete.
    let mut described = if staged.is_some() { describe::describe(place)? } else { described };
    let way = way_of(wanted, &described)?;
    if let Way::Take(graph) = &way {
        describe::choose_output(place, graph, &mut described);
        if is_reduced(&graph.name) {
            described.notes.push(format!(
                "the folder has no graph in single precision: its reference vectors are those of {}, and say nothing of how far this \
                 graph is from the model",
                graph.name
            ));
        }
    }
    let parts = match &way {
        Way::Export => export(wanted, place, &described, &aside, screen)?,
        Way::Take(graph) => take(wanted, place, &described, graph, &aside, screen)?,
        Way::Table => table(wanted, place, &described, &aside, screen)?,
    };
    let mut manifest = pin(wanted, place, &described, &way, &parts, &aside)?;
    manifest.checked_against = parts.checked.clone();
    manifest.source = wanted.hub.cloned();
    if wanted.trust_remote_code {
        manifest.custom_code = described.custom_code.clone();
    }
    manifest.notes = described.notes.clone();
    let reference =
        fs::read_to_string(aside.path().join(REFERENCE)).map_err(cannot("read the reference vectors"))?;
    manifest.check_reference(&reference).map_err(|why| MakingError::Tool {
        tool: if matches!(way, Way::Export) { "export" } else { "reference" }.to_owned(),
        what: format!("made what was not asked for: {REFERENCE} {why}"),
    })?;
    put_in_place(wanted, place, &described, &way, &parts, &aside)?;
    manifest.write(target).map_err(cannot(format!("write {MANIFEST}")))?;
    let older = variants::read(target).unwrap_or_default().into_iter();
    let own = manifest.graph.as_ref().map(|graph| graph.sha256.clone()).unwrap_or_default();
    let outdated =
        older.filter(|variant| variant.made_from != own).map(|variant| variant.file.name).collect();
    Ok(MadeModel { manifest, figures: parts.figures, outdated })
}

fn way_of(wanted: &Wanted<'_>, described: &Description) -> Result<Way, MakingError> {
    if described.is_table {
        return Ok(Way::Table);
    }
    if let Some(name) = wanted.graph {
        let found = described.graphs.iter().find(|graph| graph.name == name);
        return found.cloned().map(Way::Take).ok_or_else(|| {
            let names: Vec<&str> = described.graphs.iter().map(|graph| graph.name.as_str()).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            MakingError::NotThere(format!(
                "{} has no graph `{name}`; its graphs are: {there}",
                wanted.source.display()
            ))
        });
    }
    let usual = usual_graph(&described.graphs);
    Ok(match usual {
        Some(graph) if described.weights.is_empty() || wanted.prefer_graph => Way::Take(graph.clone()),
        _ => Way::Export,
    })
}

impl Way {
    /// Refuses a target with files that would be lost.
    fn refuse_to_write_over(&self, wanted: &Wanted<'_>, described: &Description) -> Result<(), MakingError> {
        let Wanted { source, target, .. } = *wanted;
        let is_theirs = |name: &str| described.graphs.iter().any(|graph| graph.name == name);
        if own::is_in(target) && !(matches!(self, Self::Export) && target == source && is_theirs(GRAPH)) {
            return Ok(());
        }
        let made: &[&str] = match self {
            Self::Export => &[GRAPH, GRAPH_DATA, REFERENCE],
            Self::Take(_) | Self::Table => &[REFERENCE],
        };
        let copied = if target == source { &[][..] } else { &described.files };
        let names: Vec<String> = made
            .iter()
            .map(|name| (*name).to_owned())
            .chain(copied.iter().cloned())
            .filter(|name| target.join(name).exists())
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(MakingError::InTheWay { folder: target.to_owned(), names })
    }
}

/// A folder with links to the model's files and, beside them, those that had to be made in another form; `None` where none had.
fn stage(
    wanted: &Wanted<'_>,
    described: &Description,
    aside: &Aside,
    screen: &Screen,
) -> Result<Option<PathBuf>, MakingError> {
    if described.converted.is_empty() && !described.makes_tokenizer {
        return Ok(None);
    }
    let staged = aside.path().join("model");
    let graphs = described.graphs.iter().flat_map(|graph| graph.data.iter().chain([&graph.name]));
    for name in described.files.iter().chain(graphs) {
        let place = staged.join(name);
        fs::create_dir_all(place.parent().unwrap_or(&staged)).map_err(cannot("make a folder"))?;
        symlink(wanted.source.join(name), &place).map_err(cannot(format!("link {name}")))?;
    }
    let mut arguments: Vec<OsString> = vec!["--model".into(), wanted.source.into()];
    for file in &described.converted {
        let to = staged.join(&file.to);
        fs::create_dir_all(to.parent().unwrap_or(&staged)).map_err(cannot("make a folder"))?;
        arguments.extend(["--numbers".into(), (&file.from).into(), to.into()]);
    }
    if described.makes_tokenizer {
        arguments.extend(["--tokenizer".into(), staged.join(TOKENIZER).into()]);
    }
    let python = ToolRunner::new(wanted.cache, wanted.python, screen)?;
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    python.run("convert", &arguments, (aside.path(), wanted.target))?;
    Ok(Some(staged))
}

/// A new graph, and the vectors that people get who call sentence-transformers, with which the graph's are compared.
fn export(
    wanted: &Wanted<'_>,
    place: &Path,
    described: &Description,
    aside: &Aside,
    screen: &Screen,
) -> Result<Parts, MakingError> {
    let python = ToolRunner::new(wanted.cache, wanted.python, screen)?;
    let recipe = recipe_flag(&described.recipe);
    let (graph, reference) = (aside.path().join(GRAPH), aside.path().join(REFERENCE));
    let mut arguments: Vec<&OsStr> = vec![
        "--model".as_ref(),
        place.as_ref(),
        "--recipe".as_ref(),
        recipe.as_ref(),
        "--output".as_ref(),
        graph.as_ref(),
        "--form".as_ref(),
        wanted.form.as_ref(),
        "--encoded".as_ref(),
        reference.as_ref(),
        "--name".as_ref(),
        wanted.name.as_ref(),
    ];
    if wanted.trust_remote_code {
        arguments.push("--trust-remote-code".as_ref());
    }
    let made: Made = python.make("export", &arguments, (aside.path(), wanted.target))?;
    let form = GraphForm::find(&made.form).ok_or_else(|| MakingError::Tool {
        tool: "export".to_owned(),
        what: format!("made an unknown form `{}`", made.form),
    })?;
    Ok(Parts {
        form,
        data: made.data.iter().map(|data| (data.name.clone(), data.of.clone())).collect(),
        checked: made.checked_against.clone(),
        figures: Some(made.figures()),
    })
}

/// A graph that is there, with the vectors that it gives itself: there is nothing else to compare with.
fn take(
    wanted: &Wanted<'_>,
    place: &Path,
    described: &Description,
    graph: &FoundGraph,
    aside: &Aside,
    screen: &Screen,
) -> Result<Parts, MakingError> {
    let file = place.join(&graph.name);
    let mut more: Vec<&OsStr> = vec!["--by-graph".as_ref(), file.as_ref()];
    for data in &graph.data {
        more.extend::<[&OsStr; 2]>(["--data".as_ref(), data.as_ref()]);
    }
    let made = reference(wanted, place, described, &more, aside, screen)?;
    let version = made.made_with.get("onnxruntime").cloned().unwrap_or_default();
    Ok(Parts {
        form: if graph.data.is_empty() { GraphForm::SelfContained } else { GraphForm::DataFiles },
        data: graph.data.iter().map(|data| (data.clone(), None)).collect(),
        checked: Some(CheckedAgainst {
            library: "onnxruntime".to_owned(),
            version,
            smallest_cosine: None,
            graph: Some(graph.name.clone()),
        }),
        figures: None,
    })
}

/// A table, with the vectors that another program gets from it.
fn table(
    wanted: &Wanted<'_>,
    place: &Path,
    described: &Description,
    aside: &Aside,
    screen: &Screen,
) -> Result<Parts, MakingError> {
    let made = reference(wanted, place, described, &["--by-table".as_ref()], aside, screen)?;
    let version = made.made_with.get("numpy").cloned().unwrap_or_default();
    let checked = CheckedAgainst { library: "numpy".to_owned(), version, smallest_cosine: None, graph: None };
    Ok(Parts { form: GraphForm::Table, data: Vec::new(), checked: Some(checked), figures: None })
}

fn reference(
    wanted: &Wanted<'_>,
    place: &Path,
    described: &Description,
    more: &[&OsStr],
    aside: &Aside,
    screen: &Screen,
) -> Result<MadeReference, MakingError> {
    let python = ToolRunner::of_graphs(wanted.cache, wanted.python, screen)?;
    let recipe = recipe_flag(&described.recipe);
    let output = aside.path().join(REFERENCE);
    let arguments: [&OsStr; 8] = [
        "--model".as_ref(),
        place.as_ref(),
        "--recipe".as_ref(),
        recipe.as_ref(),
        "--output".as_ref(),
        output.as_ref(),
        "--name".as_ref(),
        wanted.name.as_ref(),
    ];
    python.make("reference", &[&arguments, more].concat(), (aside.path(), wanted.target))
}

fn pin(
    wanted: &Wanted<'_>,
    place: &Path,
    described: &Description,
    way: &Way,
    parts: &Parts,
    aside: &Aside,
) -> Result<Manifest, MakingError> {
    let (graph_folder, graph) = match way {
        Way::Export => (aside.path(), Some(GRAPH)),
        Way::Take(graph) => (place, Some(graph.name.as_str())),
        Way::Table => (place, None),
    };
    let to_pin = ToPin {
        folder: place,
        files: &described.files,
        weights: &described.weights,
        form: parts.form,
        graph_folder,
        graph,
        data: &parts.data,
        reference_folder: aside.path(),
    };
    let mut manifest = Manifest::pin(wanted.name, (described.dimensions, &described.recipe), &to_pin)
        .map_err(cannot("read the files of the model"))?;
    let measured = |name: &String| variants::measure(place, name).map_err(cannot(format!("read {name}")));
    for other in described.graphs.iter().filter(|other| Some(other.name.as_str()) != graph) {
        manifest.graphs.push(OtherGraph {
            graph: measured(&other.name)?,
            data: other.data.iter().map(measured).collect::<Result<_, _>>()?,
        });
    }
    Ok(manifest)
}

fn put_in_place(
    wanted: &Wanted<'_>,
    place: &Path,
    described: &Description,
    way: &Way,
    parts: &Parts,
    aside: &Aside,
) -> Result<(), MakingError> {
    let Wanted { source, target, .. } = *wanted;
    let put = |file: &str| aside.put(file, &target.join(file)).map_err(cannot(format!("write {file}")));
    let graphs = described.graphs.iter().flat_map(|graph| graph.data.iter().chain([&graph.name]));
    for file in described.files.iter().chain(graphs) {
        if target == source && source.join(file).exists() {
            continue;
        }
        let there = target.join(file);
        fs::create_dir_all(there.parent().unwrap_or(target)).map_err(cannot("make a folder"))?;
        // A copy and no link: what is done to the user's folder later must not reach into this one.
        fs::copy(place.join(file), aside.path().join("copied")).map_err(cannot(format!("copy {file}")))?;
        aside.put("copied", &there).map_err(cannot(format!("write {file}")))?;
    }
    if matches!(way, Way::Export) {
        // What is there was made for an earlier graph, which read it.
        if parts.data.iter().all(|(name, _)| name != GRAPH_DATA) {
            let _ = fs::remove_file(target.join(GRAPH_DATA));
        }
        for (name, of) in &parts.data {
            match of {
                Some(of) => link_weights(&target.join(of), aside, &target.join(name))?,
                None => put(name)?,
            }
        }
        put(GRAPH)?;
    }
    put(REFERENCE)
}

/// Gives the weights the name under which the graph looks for them; a copy where the file system has no hard links.
pub(crate) fn link_weights(weights: &Path, aside: &Aside, data: &Path) -> Result<(), MakingError> {
    let made = aside.path().join("data");
    if fs::hard_link(weights, &made).is_err() {
        fs::copy(weights, &made).map_err(cannot("copy the weights"))?;
    }
    // Renaming one name of a file onto another of the same file does nothing and leaves both.
    let _ = fs::remove_file(data);
    aside.put("data", data).map_err(cannot("give the weights their second name"))
}

/// What a model is, in a line for a person.
fn in_words(described: &Description) -> String {
    let length = if described.is_table {
        "texts of any length".to_owned()
    } else {
        format!("texts up to {} tokens", described.recipe.max_tokens)
    };
    format!(
        "{}, {} dimensions, {length}, {}",
        described.model_type,
        described.dimensions,
        described.recipe.in_steps()
    )
}

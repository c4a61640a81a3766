//! `tailmark model export FOLDER`: makes a model of a folder of the user's own. It writes a graph, reference vectors and a
//! manifest, and never over a file that tailmark did not make.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tailmark_providers::model::aside::Aside;
use tailmark_providers::model::manifest::{
    GRAPH, GRAPH_DATA, GraphForm, MANIFEST, Manifest, REFERENCE, WEIGHTS,
};
use tailmark_providers::model::own;
use tailmark_providers::model::own::describe::{self, Description};
use tailmark_providers::model::recipe::{Recipe, Side};
use tailmark_providers::model::{self, ModelStore};
use tailmark_reports::units;

use super::ExportArguments;
use super::output::print;
use super::subject::absolute;
use super::tool::{Made, ToolRunner, in_words, recipe_flag};
use crate::commands::error::cannot;
use crate::commands::{CommandError, Exit};
use crate::screen::Screen;

/// Makes the graph, the reference vectors and the manifest of the model in `source`.
pub(super) fn run(
    arguments: &ExportArguments,
    source: &Path,
    store: &ModelStore,
    screen: &Screen,
) -> Result<Exit, CommandError> {
    let described = describe::describe(source)?;
    let name = name_of(arguments, source)?;
    let target = target(arguments, source, &described)?;
    screen.say(&format!(
        "{name}: {}, {} dimensions, texts up to {} tokens, {}",
        described.model_type,
        described.dimensions,
        described.recipe.max_tokens,
        in_steps(&described.recipe)
    ));
    described.notes.iter().for_each(|note| screen.say(&format!("note: {note}")));
    let python = ToolRunner::new(arguments.tools.python.as_deref(), screen)?;
    let aside = Aside::within(&target).map_err(cannot(format!("write into {}", target.display())))?;
    let made = make(&python, arguments, source, &described, &name, &aside, &target)?;
    let form = GraphForm::find(&made.form).ok_or_else(|| CommandError::PythonTool {
        tool: "export".to_owned(),
        what: format!("made an unknown form `{}`", made.form),
    })?;
    let manifest = Manifest::pin(
        &name,
        (described.dimensions, &described.recipe),
        (source, &described.files),
        (aside.path(), form),
    )
    .map_err(cannot("read the files of the model"))?;
    let reference =
        fs::read_to_string(aside.path().join(REFERENCE)).map_err(cannot("read the reference vectors"))?;
    manifest.check_reference(&reference).map_err(|why| CommandError::PythonTool {
        tool: "reference".to_owned(),
        what: format!("made what was not asked for: {REFERENCE} {why}"),
    })?;
    let put = |file: &str| aside.put(file, &target.join(file)).map_err(cannot(format!("write {file}")));
    if target != source {
        for file in &described.files {
            let place = target.join(file);
            fs::create_dir_all(place.parent().unwrap_or(&target)).map_err(cannot("make a folder"))?;
            // A copy and no link: what is done to the user's folder later must not reach into this one.
            fs::copy(source.join(file), aside.path().join("copied"))
                .map_err(cannot(format!("copy {file}")))?;
            aside.put("copied", &place).map_err(cannot(format!("write {file}")))?;
        }
    }
    match form {
        GraphForm::GraphOnly => link_weights(&target.join(WEIGHTS), &aside, &target.join(GRAPH_DATA))?,
        // What is there was made for an earlier graph, which read it.
        GraphForm::SelfContained => {
            let _ = fs::remove_file(target.join(GRAPH_DATA));
        }
    }
    put(GRAPH)?;
    put(REFERENCE)?;
    manifest.write(&target).map_err(cannot(format!("write {MANIFEST}")))?;
    drop(aside);
    // The model can be used by its folder all the same, so this is no failure of the export.
    if let Err(error) = store.register(&name, &target) {
        screen.say(&format!("note: {name} is not listed: {error}"));
    }
    finish(&name, &target, &manifest, &made)
}

fn finish(name: &str, target: &Path, manifest: &Manifest, made: &Made) -> Result<Exit, CommandError> {
    let data = match manifest.form {
        GraphForm::GraphOnly => format!(", {GRAPH_DATA} (the weights under another name)"),
        GraphForm::SelfContained => String::new(),
    };
    let mut text = format!(
        "{name}: {}, {}, {}\nwritten to {}: {GRAPH}{data}, {REFERENCE}, {MANIFEST}\n",
        made.form,
        units::bytes(manifest.graph.bytes),
        in_words(&made.figures()),
        target.display()
    );
    let older = model::variants::read(target).unwrap_or_default();
    for variant in older.iter().filter(|variant| variant.made_from != manifest.graph.sha256) {
        text.push_str(&format!("{} was made from another graph: make it anew\n", variant.file.name));
    }
    text.push_str(&format!("a scenario takes it with --set model.folder={}\n", target.display()));
    print(&text)?;
    Ok(Exit::Pass)
}

/// Runs the two tools, so that graph and reference vectors lie aside.
fn make(
    python: &ToolRunner<'_>,
    arguments: &ExportArguments,
    source: &Path,
    described: &Description,
    name: &str,
    aside: &Aside,
    target: &Path,
) -> Result<Made, CommandError> {
    let (graph, reference) = (aside.path().join(GRAPH), aside.path().join(REFERENCE));
    let shown = (aside.path(), target);
    let recipe = recipe_flag(&described.recipe);
    let model: [&OsStr; 4] = ["--model".as_ref(), source.as_ref(), "--recipe".as_ref(), recipe.as_ref()];
    let export: [&OsStr; 4] =
        ["--output".as_ref(), graph.as_ref(), "--form".as_ref(), arguments.form.name().as_ref()];
    let made = python.make("export", &[model, export].concat(), shown)?;
    // The vectors are those that people get who call sentence-transformers, and the graph's are compared with them.
    let vectors: [&OsStr; 7] = [
        "--output".as_ref(),
        reference.as_ref(),
        "--name".as_ref(),
        name.as_ref(),
        "--graph".as_ref(),
        graph.as_ref(),
        "--encode".as_ref(),
    ];
    python.run("reference", &[&model[..], &vectors].concat(), shown)?;
    Ok(made)
}

/// What is done to texts and vectors, for a person.
fn in_steps(recipe: &Recipe) -> String {
    let prompt = recipe.default_prompt.as_ref().map(|name| format!("prompt `{name}`"));
    let case = recipe.lower_case.then(|| "lower case".to_owned());
    let side = (recipe.truncation_side == Side::Left).then(|| "cut at the beginning".to_owned());
    let head = recipe.head.iter().map(ToString::to_string);
    prompt.into_iter().chain(case).chain(side).chain(head).collect::<Vec<_>>().join(", ")
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

/// The folder to write to, where nothing but what tailmark made is in the way.
fn target(
    arguments: &ExportArguments,
    source: &Path,
    described: &Description,
) -> Result<PathBuf, CommandError> {
    let target = match &arguments.output {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(cannot(format!("make the folder {}", folder.display())))?;
            absolute(folder)?
        }
        None => source.to_owned(),
    };
    if own::is_in(&target) {
        return Ok(target);
    }
    let made = [GRAPH, GRAPH_DATA, REFERENCE].map(str::to_owned);
    let copied = if target == source { &[][..] } else { &described.files };
    let in_the_way: Vec<&str> =
        made.iter().chain(copied).map(String::as_str).filter(|name| target.join(name).exists()).collect();
    if in_the_way.is_empty() {
        return Ok(target);
    }
    Err(CommandError::Usage(format!(
        "{} has files that tailmark did not make and does not write over: {}\n\nhint: name an empty folder with --output",
        target.display(),
        in_the_way.join(", ")
    )))
}

/// Gives the weights the name under which the graph looks for them; a copy where the file system has no hard links.
pub(super) fn link_weights(weights: &Path, aside: &Aside, data: &Path) -> Result<(), CommandError> {
    let made = aside.path().join("data");
    if fs::hard_link(weights, &made).is_err() {
        fs::copy(weights, &made).map_err(cannot("copy the weights"))?;
    }
    // Renaming one name of a file onto another of the same file does nothing and leaves both.
    let _ = fs::remove_file(data);
    aside.put("data", data).map_err(cannot("give the weights their second name"))
}

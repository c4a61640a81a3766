//! `tailmark model optimize` and `quantize`: other graphs of a model, beside its own and recorded there.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use tailmark_providers::model::aside::Aside;
use tailmark_providers::model::own;
use tailmark_providers::model::variants::{self, Variant};
use tailmark_providers::model::{ModelStore, ResolvedModel};
use tailmark_reports::units;

use super::fetch::{cache, resolve};
use super::output::print;
use super::subject::{Subject, only_commit};
use super::{OptimizeArguments, QuantizeArguments, ToolOptions};
use crate::commands::error::cannot;
use crate::commands::{CommandError, Exit};
use crate::environment;
use crate::making::tool::{Made, ToolRunner, in_words, recipe_flag};
use crate::screen::Screen;

/// A graph to be made.
struct Wanted {
    tool: &'static str,
    flags: Vec<&'static str>,
    file: &'static str,
}

/// `tailmark model optimize`.
pub(super) fn optimize(arguments: &OptimizeArguments, screen: &Screen) -> Result<Exit, CommandError> {
    let wanted = if arguments.half {
        Wanted { tool: "optimize", flags: vec!["--half"], file: "model.fp16.onnx" }
    } else {
        Wanted { tool: "optimize", flags: Vec::new(), file: "model.fused.onnx" }
    };
    make(&arguments.model, &arguments.tools, &wanted, screen)
}

/// `tailmark model quantize`.
pub(super) fn quantize(arguments: &QuantizeArguments, screen: &Screen) -> Result<Exit, CommandError> {
    let range = arguments.reduce_range.name();
    let wanted = if arguments.per_tensor {
        let flags = vec!["--per-tensor", "--reduce-range", range];
        Wanted { tool: "quantize", flags, file: "model.int8-per-tensor.onnx" }
    } else {
        Wanted { tool: "quantize", flags: vec!["--reduce-range", range], file: "model.int8.onnx" }
    };
    make(&arguments.model, &arguments.tools, &wanted, screen)
}

/// Makes a graph, moves it to its place when it is whole, and records what it is.
fn make(model: &str, options: &ToolOptions, wanted: &Wanted, screen: &Screen) -> Result<Exit, CommandError> {
    let store = options.store.open()?;
    let subject = Subject::named_or_in(&store, model)?;
    let model = whole(&store, &subject, screen)?;
    // A list that cannot be added to is found out before the work, not after it.
    variants::read(&model.folder)?;
    let python = ToolRunner::new(&cache()?, options.python.as_deref(), screen)?;
    let folder = &model.folder;
    let aside = Aside::within(folder).map_err(cannot("write into the model's folder"))?;
    let made_from = model.manifest.graph.as_ref().ok_or_else(|| {
        CommandError::Usage(format!("{} is a table of vectors: it has no graph", model.manifest.name))
    })?;
    let (graph, output) = (folder.join(&made_from.name), aside.path().join(wanted.file));
    let recipe = recipe_flag(&model.manifest.recipe);
    let flags: [&OsStr; 8] = [
        "--model".as_ref(),
        folder.as_ref(),
        "--recipe".as_ref(),
        recipe.as_ref(),
        "--graph".as_ref(),
        graph.as_ref(),
        "--output".as_ref(),
        output.as_ref(),
    ];
    let flags: Vec<&OsStr> = flags.into_iter().chain(wanted.flags.iter().map(OsStr::new)).collect();
    let made: Made = python.make(wanted.tool, &flags, (aside.path(), folder))?;
    let file =
        variants::measure(aside.path(), wanted.file).map_err(cannot("read the graph that was made"))?;
    let variant = Variant {
        file,
        form: made.form.clone(),
        made_from: made_from.sha256.clone(),
        figures: made.figures(),
        made_with: made.made_with.clone(),
        int8: made.int8(environment::machine().cpu),
    };
    aside
        .put(wanted.file, &folder.join(wanted.file))
        .map_err(cannot("put the graph into the model's folder"))?;
    let bytes = variant.file.bytes;
    variants::record(folder, variant)?;
    print(&format!(
        "{}: {}, {}, {}\na backend takes it with the option graph = \"{}\"\n",
        folder.join(wanted.file).display(),
        made.form,
        units::bytes(bytes),
        in_words(&made.figures()),
        wanted.file
    ))?;
    Ok(Exit::Pass)
}

/// The model with all of its files checked: nothing is made from a damaged graph.
fn whole(store: &ModelStore, subject: &Subject, screen: &Screen) -> Result<ResolvedModel, CommandError> {
    let model = match subject {
        Subject::Known(model) => resolve(store, model, None, screen)?,
        Subject::Own(folder) => own::resolve(folder)?,
        Subject::Hub { repository, commits } => own::resolve(only_commit(repository, commits)?)?,
    };
    let folder: PathBuf = fs::canonicalize(&model.folder).map_err(cannot("find the model's folder"))?;
    Ok(ResolvedModel { folder, ..model })
}

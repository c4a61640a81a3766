//! Graphs of one model as rows: a backend with `graphs` becomes one backend for each, in its place, as variations of it.

use std::collections::BTreeSet;

use tailmark_providers::kinds::Kind;
use tailmark_reports::record::{Axis, Cell};

use super::wrong::{Wrong, fitting_name, unfit_name};
use super::{BackendPlan, GraphRows};
use crate::scenario::{BackendSection, GraphsSetting};

/// The option that names the graph to run.
pub const GRAPH_OPTION: &str = "graph";

/// What stands for every graph that there is.
const ALL: &str = "all";

/// What a scenario says of a backend's graphs.
pub(super) fn graph_rows(section: &BackendSection, kind: &Kind) -> Result<GraphRows, String> {
    let Some(setting) = &section.graphs else { return Ok(GraphRows::One) };
    if !kind.options.keys().iter().any(|key| key == GRAPH_OPTION) {
        return Err(format!("`{}` runs no graph of the model; remove `graphs`", kind.name));
    }
    if section.options.as_ref().is_some_and(|options| options.contains_key(GRAPH_OPTION)) {
        return Err("the option `graph` names one, too; write one of the two".to_owned());
    }
    match setting {
        GraphsSetting::Word(word) if word == ALL => Ok(GraphRows::All),
        GraphsSetting::Word(word) => {
            Err(format!("`{word}`; write \"{ALL}\", or a list of names: graphs = [\"{word}\"]"))
        }
        GraphsSetting::Names(names) if names.is_empty() => {
            Err("an empty list; name at least one graph, or remove the key".to_owned())
        }
        GraphsSetting::Names(names) => {
            if let Some((_, twice)) =
                names.iter().enumerate().find(|(index, name)| names[..*index].contains(name))
            {
                return Err(format!("`{twice}` would be measured twice; name each graph once"));
            }
            let options = |name: &String| {
                let mut options = kind.options.example();
                options.insert(GRAPH_OPTION.to_owned(), name.clone().into());
                options
            };
            let faults = names.iter().flat_map(|name| kind.options.check(&options(name)));
            match faults.map(|fault| fault.why).next() {
                Some(why) => Err(why),
                None => Ok(GraphRows::Named(names.clone())),
            }
        }
    }
}

/// The backends with those of several named graphs replaced by their rows, at most so many in all.
pub(super) fn expand(
    backends: Vec<(BackendPlan, bool)>,
    most: usize,
) -> Result<Vec<(BackendPlan, bool)>, Wrong> {
    let mut all: Vec<(BackendPlan, bool)> = Vec::new();
    let mut varied = false;
    for (backend, optional) in backends {
        match &backend.graphs {
            GraphRows::Named(names) => {
                varied = true;
                all.extend(rows_of_graphs(&backend, names).into_iter().map(|row| (row, optional)));
            }
            GraphRows::One | GraphRows::All => all.push((backend, optional)),
        }
    }
    let mut wrong = Wrong::default();
    if varied && all.len() > most {
        wrong.add(&[], format!("{} backends; there can be at most {most}", all.len()));
    }
    for (index, (backend, _)) in all.iter().enumerate() {
        if varied && all[..index].iter().any(|(other, _)| other.name == backend.name) {
            wrong.add(&[], format!("two backends are named `{}`; give one another `name`", backend.name));
        }
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}

/// The backends with those of all graphs replaced by a row for each of these; without any graph they stay, and say themselves that
/// there is none. A row whose name is taken has a number after it, because samples are told apart by name.
#[must_use]
pub fn with_all_graphs(backends: &[BackendPlan], graphs: &[String]) -> Vec<BackendPlan> {
    let is_whole = |backend: &BackendPlan| backend.graphs != GraphRows::All || graphs.is_empty();
    let mut taken: BTreeSet<String> =
        backends.iter().filter(|backend| is_whole(backend)).map(|backend| backend.name.clone()).collect();
    let mut all = Vec::new();
    for backend in backends {
        if is_whole(backend) {
            all.push(backend.clone());
            continue;
        }
        for mut row in rows_of_graphs(backend, graphs) {
            let name = row.name.clone();
            let mut number = 1;
            while !taken.insert(row.name.clone()) {
                number += 1;
                row.name = format!("{name}-{number}");
            }
            all.push(row);
        }
    }
    all
}

/// A backend for each of these graphs, named after it.
fn rows_of_graphs(backend: &BackendPlan, graphs: &[String]) -> Vec<BackendPlan> {
    let stems: Vec<String> = graphs.iter().map(|graph| fitting_name(stem(graph))).collect();
    let row = |(index, graph): (usize, &String)| {
        // Graphs of two folders may have one name; then their folders tell them apart.
        let is_unique = stems.iter().filter(|stem| **stem == stems[index]).count() == 1;
        let suffix =
            if is_unique { stems[index].clone() } else { fitting_name(graph.trim_end_matches(".onnx")) };
        let mut row = backend.clone();
        row.name = format!("{}-{suffix}", backend.name);
        if unfit_name(&row.name).is_some() {
            row.name = format!("{}-graph{}", backend.name, index + 1);
        }
        row.graphs = GraphRows::One;
        row.options.insert(GRAPH_OPTION.to_owned(), graph.clone().into());
        let mut axes = backend.cell.as_ref().map(|cell| cell.axes.clone()).unwrap_or_default();
        axes.push(Axis { name: GRAPH_OPTION.to_owned(), value: graph.clone() });
        row.cell = Some(Cell { of: backend.base().to_owned(), axes });
        row
    };
    graphs.iter().enumerate().map(row).collect()
}

/// The name of a graph without its folder and its ending.
fn stem(graph: &str) -> &str {
    graph.rsplit('/').next().unwrap_or(graph).trim_end_matches(".onnx")
}

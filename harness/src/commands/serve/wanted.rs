//! What is typed, as a scenario of one backend: so that names, options and values are looked up, refused and filled in as they are for
//! a run.

use std::path::Path;

use tailmark_providers::kinds;
use toml::{Table, Value};

use crate::commands::error::cannot;
use crate::commands::{CommandError, ServeArguments};
use crate::plan::{self, Plan, Selection};
use crate::scenario;

/// What the scenario is called in what is said of it.
const NAME: &str = "serve";

/// The scenario of what is typed.
pub(super) fn scenario(arguments: &ServeArguments) -> Result<Table, CommandError> {
    let kind = arguments.kind.clone().unwrap_or_default();
    let mut model = Table::new();
    if let Some(named) = &arguments.model {
        let path = Path::new(named);
        match path.is_dir() {
            true => model.insert("folder".to_owned(), absolute(path)?.into()),
            false => model.insert("name".to_owned(), named.clone().into()),
        };
    }
    if let Some(revision) = &arguments.revision {
        model.insert("revision".to_owned(), revision.clone().into());
    }
    let mut workload = Table::new();
    if let Some(prompt) = &arguments.prompt {
        workload.insert("prompt".to_owned(), prompt.clone().into());
    }
    Ok(of_one(&kind, Table::new(), arguments.replicas.unwrap_or(1), model, workload, arguments))
}

/// A scenario of one backend that is called as its kind is.
pub(super) fn of_one(
    kind: &str,
    options: Table,
    replicas: u32,
    model: Table,
    workload: Table,
    arguments: &ServeArguments,
) -> Table {
    let mut backend = Table::new();
    backend.insert("kind".to_owned(), kind.into());
    backend.insert("name".to_owned(), kind.into());
    if replicas > 1 {
        backend.insert("replicas".to_owned(), i64::from(replicas).into());
    }
    backend.insert("options".to_owned(), Value::Table(options));
    let mut deadlines = Table::new();
    deadlines.insert("request".to_owned(), arguments.request_timeout.clone().into());
    let mut all = Table::new();
    all.insert("model".to_owned(), Value::Table(model));
    all.insert("workload".to_owned(), Value::Table(workload));
    all.insert("deadlines".to_owned(), Value::Table(deadlines));
    all.insert("backend".to_owned(), Value::Array(vec![Value::Table(backend)]));
    all
}

/// The plan of it, with the options that are typed.
pub(super) fn plan(scenario: &Table, arguments: &ServeArguments) -> Result<Plan, CommandError> {
    let kind = scenario["backend"][0]["kind"].as_str().unwrap_or_default();
    if kinds::find(kind).is_none() {
        let known: Vec<&str> = kinds::KINDS.iter().map(|kind| kind.name).collect();
        let meant = scenario::did_you_mean(kind, known.iter().copied());
        let known = known.join(", ");
        return Err(CommandError::Usage(format!("unknown kind `{kind}`{meant} (known: {known})")));
    }
    let text = toml::to_string(scenario).map_err(|error| {
        CommandError::Usage(format!("what is typed cannot be written as a scenario: {error}"))
    })?;
    let set: Vec<String> =
        arguments.set.iter().map(|option| format!("backend.{kind}.options.{option}")).collect();
    let parsed = scenario::parse_with(&text, &set);
    plan::resolve(&parsed, NAME, None, &Selection::default()).map_err(|faults| {
        let place = format!("backend.{kind}.options.");
        let said = faults.iter().map(|fault| match parsed.describe(fault).replace(&place, "") {
            // Lines are those of a text that nobody wrote.
            _ if fault.line.is_some() => format!("{}: {}", fault.key, fault.message),
            said => said,
        });
        CommandError::Usage(said.collect::<Vec<_>>().join("\n"))
    })
}

/// A path that stays right in a process with another working folder.
fn absolute(path: &Path) -> Result<String, CommandError> {
    let path = std::path::absolute(path).map_err(cannot("find the working folder"))?;
    Ok(path.to_string_lossy().into_owned())
}

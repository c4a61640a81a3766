//! What the figures were taken on: what really ran, the workload, the machine, the model, the command, the scenario.

use super::text::{Column, block, code, inline, table};
use super::{equivalence, execution, losses};
use crate::record::{BackendRecord, Condition, Model, RunRecord, Runs};
use crate::units::{self, ABSENT, NOT_KNOWN};
use crate::variations::reached;

pub(super) fn write(page: &mut String, record: &RunRecord) {
    ran(page, record);
    execution::write(page, record);
    equivalence::write(page, record);
    losses::write(page, record);
    workload(page, record);
    machine(page, record);
    conditions(page, record);
    if let Some(model) = &record.model {
        model_files(page, model);
    }
    origin(page, record);
    page.push_str("## Scenario\n\nEvery setting, defaults included.\n\n");
    block(page, "toml", &record.scenario.resolved);
    page.truncate(page.trim_end().len());
    page.push('\n');
}

fn ran(page: &mut String, record: &RunRecord) {
    page.push_str("## What really ran\n\nAs the runtimes report it.\n\n");
    let columns = [
        Column::Left("backend"),
        Column::Left("engine"),
        Column::Left("device"),
        Column::Left("execution provider"),
        Column::Right("threads"),
        Column::Left("dtype"),
        Column::Left("placement"),
        Column::Right("replicas"),
        Column::Left("corpus"),
        Column::Right("texts per request"),
        Column::Left("load"),
        Column::Left("other versions"),
        Column::Left("options"),
    ];
    let rows: Vec<Vec<String>> = reached(record).map(ran_row).collect();
    table(page, &columns, &rows);
    for backend in &record.backends {
        if let Some(fallback) = &backend.fallback {
            page.push_str(&format!(
                "- **{}** is a fallback: {} was asked for and {} ran, because: {}\n\n",
                inline(&backend.name),
                code(&fallback.from),
                code(&fallback.to),
                inline(&fallback.why)
            ));
        }
    }
}

fn ran_row(backend: &BackendRecord) -> Vec<String> {
    let absent = || ABSENT.to_owned();
    let of = |read: &dyn Fn(&Runs) -> Option<String>| {
        backend
            .runs
            .as_ref()
            .and_then(read)
            .filter(|text| !text.is_empty())
            .map_or_else(absent, |text| inline(&text))
    };
    let versions = |runs: &Runs| {
        let each: Vec<String> =
            runs.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        Some(each.join(", "))
    };
    let options = match backend.options.is_empty() {
        true => absent(),
        false => code(&serde_json::Value::Object(backend.options.clone()).to_string()),
    };
    vec![
        inline(&backend.label),
        of(&|runs| Some(engine(runs))),
        of(&|runs| Some(told(&runs.device))),
        of(&|runs| runs.execution_provider.clone()),
        of(&|runs| runs.threads.map(|threads| threads.to_string())),
        of(&|runs| Some(told(&runs.dtype))),
        inline(&backend.placement),
        backend.replicas.to_string(),
        inline(&backend.corpus),
        backend.batch_size.to_string(),
        inline(&backend.load.text),
        of(&versions),
        options,
    ]
}

/// What a runtime says, or that it does not.
fn told(said: &Option<String>) -> String {
    said.clone().unwrap_or_else(|| NOT_KNOWN.to_owned())
}

fn engine(runs: &Runs) -> String {
    match &runs.engine_version {
        Some(version) => format!("{} {version}", told(&runs.engine)),
        None => told(&runs.engine),
    }
}

/// A table of names and values; rows without a value are left out.
fn facts(page: &mut String, heading: &str, rows: Vec<(&str, Option<String>)>) {
    page.push_str(&format!("## {heading}\n\n"));
    let rows: Vec<Vec<String>> =
        rows.into_iter().filter_map(|(name, value)| Some(vec![name.to_owned(), value?])).collect();
    table(page, &[Column::Left(""), Column::Left("value")], &rows);
}

fn workload(page: &mut String, record: &RunRecord) {
    let (workload, load) = (&record.workload, &record.load);
    let tokens = workload
        .tokens
        .as_ref()
        .map(|tokens| format!("{} to {}, median {} per text", tokens.min, tokens.max, tokens.median));
    let rows = vec![
        ("corpus", Some(format!("{}, {}", inline(&workload.corpus), units::counted(workload.texts, "text")))),
        ("texts per request", Some(workload.batch_size.to_string())),
        ("tokens", tokens),
        ("cut to the model's length", Some(units::counted(workload.truncated, "text"))),
        ("seed", Some(workload.seed.to_string())),
        ("load model", Some(inline(&load.text))),
        ("requests in flight at most", load.max_in_flight.map(|most| units::count(u64::from(most)))),
        ("which means", Some(inline(&load.note)).filter(|note| !note.is_empty())),
    ];
    facts(page, "Workload", rows);
}

fn machine(page: &mut String, record: &RunRecord) {
    let machine = &record.machine;
    let system = [machine.os_version.as_deref(), machine.kernel.as_deref()].into_iter().flatten();
    let system = std::iter::once(machine.os.as_str()).chain(system).collect::<Vec<_>>().join(", ");
    let physical =
        machine.physical_cores.map(|cores| format!("{} physical, ", units::count(u64::from(cores))));
    let cores =
        format!("{}{} logical", physical.unwrap_or_default(), units::count(u64::from(machine.logical_cores)));
    let rows = vec![
        ("processor", Some(inline(machine.cpu.as_deref().unwrap_or("unknown")))),
        ("architecture", Some(inline(&machine.arch))),
        ("cores", Some(cores)),
        ("memory", Some(units::bytes(machine.memory_bytes))),
        ("system", Some(inline(&system))),
        ("load average at the start", machine.load_average.map(|load| format!("{load:.2}"))),
    ];
    facts(page, "Machine", rows);
}

fn conditions(page: &mut String, record: &RunRecord) {
    if record.conditions.is_empty() {
        return;
    }
    page.push_str("## Conditions\n\nThe machine while it measured.\n\n");
    let columns = [Column::Left("condition"), Column::Right("value"), Column::Left("note")];
    let row = |condition: &Condition| {
        let note = condition.note.as_deref().map(inline).unwrap_or_default();
        vec![inline(&condition.name), inline(&condition.value), note]
    };
    table(page, &columns, &record.conditions.iter().map(row).collect::<Vec<_>>());
}

fn model_files(page: &mut String, model: &Model) {
    let rows = vec![
        ("name", Some(inline(&model.name))),
        ("source", Some(inline(&model.source))),
        ("folder", Some(code(&model.folder))),
        ("dimensions", Some(model.dimensions.to_string())),
        ("texts are cut to", Some(units::counted(u64::from(model.max_tokens), "token"))),
    ];
    facts(page, "Model", rows);
    let columns = [Column::Left("file"), Column::Right("size"), Column::Left("SHA-256")];
    let row = |file: &crate::record::ModelFile| {
        vec![inline(&file.name), units::bytes(file.bytes), code(&file.sha256)]
    };
    table(page, &columns, &model.files.iter().map(row).collect::<Vec<_>>());
}

fn origin(page: &mut String, record: &RunRecord) {
    let commit = record.git.as_ref().map(|git| {
        let differing = if git.dirty { ", with changes that are not in it" } else { "" };
        format!("{}{differing}", code(&git.commit))
    });
    let overrides = record.scenario.overrides.join(" ");
    let rows = vec![
        ("command", Some(code(&record.command_line.join(" ")))),
        ("tailmark", Some(inline(&format!("{} ({} build)", record.tool.version, record.tool.profile)))),
        ("git commit", commit),
        ("scenario", Some(inline(&record.scenario.source))),
        ("scenario SHA-256", Some(code(&record.scenario.sha256))),
        (
            "changed by --set",
            Some(overrides).filter(|changed| !changed.is_empty()).map(|changed| code(&changed)),
        ),
        ("mode", Some(inline(&record.mode))),
        ("record version", Some(record.record_version.to_string())),
    ];
    facts(page, "Origin", rows);
}

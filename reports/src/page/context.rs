//! What the figures were taken on: what really ran, the workload, the machine, the model, the command, the scenario.

use super::block::{Page, left, right};
use super::text::{Text, code, strong};
use super::{equivalence, execution, losses};
use crate::record::{BackendRecord, Condition, Model, RunRecord, Runs};
use crate::sentences;
use crate::units::{self, ABSENT, NOT_KNOWN};
use crate::variations::reached;

pub(super) fn write(page: &mut Page, record: &RunRecord) {
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
    page.heading(2, "Scenario");
    page.paragraph("Every setting, defaults included.");
    page.code("toml", &record.scenario.resolved);
}

fn ran(page: &mut Page, record: &RunRecord) {
    page.heading(2, "What really ran");
    page.paragraph("As reported by the runtimes.");
    let columns = [
        left("backend"),
        left("engine"),
        left("device"),
        left("execution provider"),
        right("threads"),
        left("dtype"),
        left("placement"),
        right("replicas"),
        left("corpus"),
        right("texts per request"),
        left("load"),
        left("other versions"),
        left("options"),
    ];
    page.table(columns, reached(record).map(ran_row));
    page.list(record.backends.iter().filter_map(|backend| {
        let fallback = backend.fallback.as_ref()?;
        let asked = strong(&backend.name).then(" is a fallback: ").code(&fallback.from);
        let ran = asked.then(" was requested, and ").code(&fallback.to);
        Some(ran.then(format!(" ran instead, because: {}", fallback.why)))
    }));
}

fn ran_row(backend: &BackendRecord) -> Vec<Text> {
    let absent = || ABSENT.to_owned();
    let of = |read: &dyn Fn(&Runs) -> Option<String>| {
        backend.runs.as_ref().and_then(read).filter(|text| !text.is_empty()).unwrap_or_else(absent)
    };
    let versions = |runs: &Runs| {
        let each: Vec<String> =
            runs.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        Some(each.join(", "))
    };
    let options = match backend.options.is_empty() {
        true => absent().into(),
        false => code(serde_json::Value::Object(backend.options.clone()).to_string()),
    };
    let facts = [
        backend.label.clone(),
        of(&|runs| Some(engine(runs))),
        of(&|runs| Some(told(&runs.device))),
        of(&|runs| runs.execution_provider.clone()),
        of(&|runs| runs.threads.map(|threads| threads.to_string())),
        of(&|runs| Some(told(&runs.dtype))),
        backend.placement.clone(),
        backend.replicas.to_string(),
        backend.corpus.clone(),
        backend.batch_size.to_string(),
        backend.load.text.clone(),
        of(&versions),
    ];
    facts.into_iter().map(Text::from).chain([options]).collect()
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
fn facts<Value: Into<Text>>(page: &mut Page, heading: &str, rows: Vec<(&str, Option<Value>)>) {
    page.heading(2, heading);
    let row = |(name, value): (&str, Option<Value>)| Some(vec![Text::from(name), value?.into()]);
    page.table([left(""), left("value")], rows.into_iter().filter_map(row));
}

fn workload(page: &mut Page, record: &RunRecord) {
    let (workload, load) = (&record.workload, &record.load);
    let tokens = workload
        .tokens
        .as_ref()
        .map(|tokens| format!("{} to {}, median {} per text", tokens.min, tokens.max, tokens.median));
    let rows = vec![
        ("corpus", Some(format!("{}, {}", workload.corpus, units::counted(workload.texts, "text")))),
        ("texts per request", Some(workload.batch_size.to_string())),
        ("tokens", tokens),
        ("cut to the model's maximum length", Some(units::counted(workload.truncated, "text"))),
        ("seed", Some(workload.seed.to_string())),
        ("load model", Some(load.text.clone())),
        ("most requests in flight", load.max_in_flight.map(|most| units::count(u64::from(most)))),
        ("meaning", Some(load.note.clone()).filter(|note| !note.is_empty())),
    ];
    facts(page, "Workload", rows);
}

fn machine(page: &mut Page, record: &RunRecord) {
    let machine = &record.machine;
    let system = [machine.os_version.as_deref(), machine.kernel.as_deref()].into_iter().flatten();
    let system = std::iter::once(machine.os.as_str()).chain(system).collect::<Vec<_>>().join(", ");
    let physical =
        machine.physical_cores.map(|cores| format!("{} physical, ", units::count(u64::from(cores))));
    let cores =
        format!("{}{} logical", physical.unwrap_or_default(), units::count(u64::from(machine.logical_cores)));
    // The conditions have it too where they were watched: read a moment later, so that two figures would stand for one.
    let is_watched = record.conditions.iter().any(|condition| condition.name.starts_with("load average"));
    let load_average = machine.load_average.filter(|_| !is_watched).map(|load| format!("{load:.2}"));
    let rows = vec![
        ("processor", Some(machine.cpu.as_deref().unwrap_or("unknown").to_owned())),
        ("architecture", Some(machine.arch.clone())),
        ("cores", Some(cores)),
        ("memory", Some(units::bytes(machine.memory_bytes))),
        ("system", Some(system)),
        ("load average at the start", load_average),
    ];
    facts(page, "Machine", rows);
}

fn conditions(page: &mut Page, record: &RunRecord) {
    if record.conditions.is_empty() {
        return;
    }
    page.heading(2, "Conditions");
    page.paragraph("The machine during the run.");
    let columns = [left("condition"), right("value"), left("note")];
    let row = |condition: &Condition| {
        let note = condition.note.clone().unwrap_or_default();
        vec![condition.name.clone(), condition.value.clone(), note]
    };
    page.table(columns, record.conditions.iter().map(row));
}

fn model_files(page: &mut Page, model: &Model) {
    let rows = vec![
        ("name", Some(Text::from(model.name.as_str()))),
        ("source", Some(model.source.as_str().into())),
        ("folder", Some(code(&model.folder))),
        ("dimensions", Some(model.dimensions.to_string().into())),
        ("texts are cut to", Some(units::counted(u64::from(model.max_tokens), "token").into())),
    ];
    facts(page, "Model", rows);
    let columns = [left("file"), right("size"), left("SHA-256")];
    let row = |file: &crate::record::ModelFile| {
        vec![Text::from(file.name.as_str()), units::bytes(file.bytes).into(), code(&file.sha256)]
    };
    page.table(columns, model.files.iter().map(row));
    if let Some(said) = sentences::model::graph_without_weights(model) {
        page.paragraph(said);
    }
}

fn origin(page: &mut Page, record: &RunRecord) {
    let commit = record.git.as_ref().map(|git| {
        let differing = if git.dirty { ", with uncommitted changes" } else { "" };
        code(&git.commit).then(differing)
    });
    let overrides = record.scenario.overrides.join(" ");
    let rows = vec![
        ("command", Some(code(record.command_line.join(" ")))),
        ("tailmark", Some(format!("{} ({} build)", record.tool.version, record.tool.profile).into())),
        ("git commit", commit),
        ("scenario", Some(record.scenario.source.as_str().into())),
        ("scenario SHA-256", Some(code(&record.scenario.sha256))),
        ("changed by --set", Some(overrides).filter(|changed| !changed.is_empty()).map(code)),
        ("mode", Some(record.mode.as_str().into())),
        ("record version", Some(record.record_version.to_string().into())),
    ];
    facts(page, "Origin", rows);
}

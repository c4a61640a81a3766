//! Variations of backends: every combination of the values of a matrix, and of several think times, is a separate backend.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailmark_reports::record::{Axis, Cell};

use super::BackendPlan;
use super::backends::MOST_REPLICAS;
use super::wrong::{Wrong, key, unfit_name};
use crate::load;
use crate::scenario::{self, MatrixSection, Scenario, Step};
use crate::workload::Corpus;

/// More cells than this are more likely a mistake than intended: each is measured over several restarts.
pub(super) const MOST_CELLS: usize = 64;

/// One value of one axis.
#[derive(Clone, Debug)]
struct Value {
    axis: &'static str,
    text: String,
    /// What it adds to the backend's name.
    suffix: String,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Corpus(Arc<Corpus>),
    BatchSize(u32),
    Threads(u32),
    Replicas(u32),
    Callers(u32),
    ThinkTime(Duration),
}

/// The backends with those that are varied replaced by their variations, in their place, and everything that is wrong with
/// what is varied.
pub(super) fn expand(
    scenario: &Scenario,
    backends: Vec<(BackendPlan, bool)>,
    folder: Option<&Path>,
) -> (Vec<(BackendPlan, bool)>, Wrong) {
    let mut wrong = Wrong::default();
    let think_times = think_times(scenario, &mut wrong);
    let matrices: Vec<(usize, &MatrixSection, Vec<Vec<Value>>)> = scenario
        .matrix
        .iter()
        .enumerate()
        .map(|(index, section)| (index, section, axes(scenario, section, index, folder, &mut wrong)))
        .collect();
    check_names(scenario, &backends, &mut wrong);
    let mut all: Vec<(BackendPlan, bool)> = Vec::new();
    let (mut cells, mut as_written) = (0_usize, 0_usize);
    for (base, optional) in backends {
        let applies = |section: &MatrixSection| {
            section.backends.as_ref().is_none_or(|names| names.contains(&base.name))
        };
        let mut varied = matrices.iter().filter(|(_, section, _)| applies(section)).peekable();
        if varied.peek().is_none() && think_times.is_empty() {
            as_written += 1;
            all.push((base, optional));
            continue;
        }
        let mut sets: Vec<(Vec<Step>, Vec<Vec<Value>>)> =
            varied.map(|(index, _, axes)| (vec![key("matrix"), Step::Index(*index)], axes.clone())).collect();
        if sets.is_empty() {
            sets.push((vec![key("load"), key("think_time")], Vec::new()));
        }
        for (at, mut axes) in sets {
            if !think_times.is_empty() {
                axes.push(think_times.clone());
            }
            // Only counted where they are too many: their number may be more than any memory holds.
            cells = cells.saturating_add(axes.iter().fold(1, |cells, axis| cells.saturating_mul(axis.len())));
            if cells > MOST_CELLS {
                continue;
            }
            for values in combinations(&axes) {
                let cell = cell(scenario, &base, &values, &at, &mut wrong);
                if all.iter().any(|(other, _)| other.name == cell.name) {
                    wrong.add(&at, format!("`{}` would be measured twice; write each value once", cell.name));
                }
                all.push((cell, optional));
            }
        }
    }
    if cells > 0 && cells.saturating_add(as_written) > MOST_CELLS {
        let count = cells.saturating_add(as_written);
        wrong.add(&[key("matrix")], format!("{count} backends; there can be at most {MOST_CELLS}"));
    }
    (all, wrong)
}

fn check_names(scenario: &Scenario, backends: &[(BackendPlan, bool)], wrong: &mut Wrong) {
    for (index, section) in scenario.matrix.iter().enumerate() {
        for name in section.backends.iter().flatten() {
            if !backends.iter().any(|(backend, _)| backend.name == *name) {
                let path = [key("matrix"), Step::Index(index), key("backends")];
                wrong.add(&path, format!("no backend is named `{name}`"));
            }
        }
    }
}

/// Several think times are an axis of every backend; one is simply the load.
fn think_times(scenario: &Scenario, wrong: &mut Wrong) -> Vec<Value> {
    let written = scenario.load.think_time.as_deref().unwrap_or_default();
    if written.len() < 2 {
        return Vec::new();
    }
    let mut values = Vec::new();
    for text in written {
        match scenario::gap(text) {
            Ok(gap) => values.push(Value {
                axis: "think_time",
                text: text.clone(),
                suffix: format!("gap{}", text.replace([' ', 'µ'], "")),
                change: Change::ThinkTime(gap),
            }),
            Err(why) => wrong.add(&[key("load"), key("think_time")], why),
        }
    }
    values
}

fn axes(
    scenario: &Scenario,
    section: &MatrixSection,
    index: usize,
    folder: Option<&Path>,
    wrong: &mut Wrong,
) -> Vec<Vec<Value>> {
    let MatrixSection { backends: _, corpus, batch_size, threads, replicas, concurrency } = section;
    let at = |name: &str| [key("matrix"), Step::Index(index), key(name)];
    let mut axes: Vec<Vec<Value>> = Vec::new();
    if let Some(names) = corpus {
        let mut values = Vec::new();
        for name in names {
            match Corpus::open(name, folder) {
                Ok(corpus) => values.push(Value {
                    axis: "corpus",
                    text: name.clone(),
                    suffix: plain(name),
                    change: Change::Corpus(Arc::new(corpus)),
                }),
                Err(why) => wrong.add(&at("corpus"), why),
            }
        }
        axes.push(values);
    }
    type Numbers<'a> = (&'static str, &'static str, &'a Option<Vec<u32>>, u32, fn(u32) -> Change);
    let numbers: [Numbers<'_>; 4] = [
        ("batch_size", "batch", batch_size, u32::MAX, Change::BatchSize),
        ("threads", "threads", threads, 1_024, Change::Threads),
        ("replicas", "replicas", replicas, MOST_REPLICAS, Change::Replicas),
        ("concurrency", "callers", concurrency, 1_000, Change::Callers),
    ];
    for (axis, short, written, most, change) in numbers {
        let Some(numbers) = written else { continue };
        if numbers.is_empty() {
            wrong.add(&at(axis), "an empty list; write at least one value, or remove the key");
        }
        for number in numbers.iter().filter(|number| !(1..=most).contains(*number)) {
            wrong.add(&at(axis), format!("{number}; must be between 1 and {most}"));
        }
        let value = |number: &u32| Value {
            axis,
            text: number.to_string(),
            suffix: format!("{short}{number}"),
            change: change(*number),
        };
        axes.push(numbers.iter().map(value).collect());
    }
    let kind = scenario.load.kind.as_deref().unwrap_or_default();
    if concurrency.is_some() && kind != "closed" {
        let load =
            if scenario.capacity.is_some() { "set by [capacity]".to_owned() } else { format!("`{kind}`") };
        let why = format!("the load is {load}, which has no callers to count; remove this axis");
        wrong.add(&at("concurrency"), why);
    }
    if axes.is_empty() {
        let why = "nothing to vary; write at least one of corpus, batch_size, threads, replicas, concurrency";
        wrong.add(&[key("matrix"), Step::Index(index)], why);
    }
    axes
}

/// What of a name can stand in another.
fn plain(name: &str) -> String {
    let stem = Path::new(name).file_stem().map_or_else(|| name.into(), |stem| stem.to_string_lossy());
    stem.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }).collect()
}

fn combinations(axes: &[Vec<Value>]) -> Vec<Vec<Value>> {
    axes.iter().fold(vec![Vec::new()], |so_far, axis| {
        so_far
            .iter()
            .flat_map(|values| {
                axis.iter().map(|value| values.iter().chain([value]).cloned().collect::<Vec<_>>())
            })
            .collect()
    })
}

fn cell(
    scenario: &Scenario,
    base: &BackendPlan,
    values: &[Value],
    at: &[Step],
    wrong: &mut Wrong,
) -> BackendPlan {
    let mut cell = base.clone();
    let place = |axis: &str| if axis == "think_time" { at.to_vec() } else { [at, &[key(axis)]].concat() };
    let mut callers = scenario.load.concurrency.unwrap_or(1);
    let first_gap = scenario.load.think_time.iter().flatten().next();
    let mut think_time = first_gap.and_then(|gap| scenario::gap(gap).ok()).unwrap_or_default();
    for value in values {
        cell.name = format!("{}-{}", cell.name, value.suffix);
        match &value.change {
            Change::Corpus(corpus) => cell.corpus = Arc::clone(corpus),
            Change::BatchSize(size) => cell.batch_size = *size as usize,
            Change::Replicas(replicas) => cell.replicas = *replicas,
            Change::Callers(number) => callers = *number,
            Change::ThinkTime(gap) => think_time = *gap,
            Change::Threads(threads) => {
                cell.options.insert("threads".to_owned(), (*threads).into());
                let faults = cell.kind.options.check(&cell.options);
                if faults.is_empty() {
                    cell.options = cell.kind.options.resolve(&cell.options);
                }
                for fault in faults {
                    wrong.add(&place("threads"), format!("backend {}: {}", base.name, fault.why));
                }
            }
        }
    }
    if values.iter().any(|value| matches!(value.change, Change::Callers(_) | Change::ThinkTime(_))) {
        cell.load = load::callers(callers, think_time);
    }
    super::backends::check_placement(&cell, &place("replicas"), wrong);
    if let Some(why) = cell.corpus.refuses(cell.batch_size as u32) {
        wrong.add(&place("batch_size"), why);
    }
    if let Some(why) = unfit_name(&cell.name) {
        wrong.add(at, why);
    }
    cell.cell = Some(Cell {
        of: base.name.clone(),
        axes: values
            .iter()
            .map(|value| Axis { name: value.axis.to_owned(), value: value.text.clone() })
            .collect(),
    });
    cell
}

//! From what a runtime recorded to what it comes to: how much of the model ran where, in how many pieces, and which
//! operators did not run on what was asked for. A function of the evidence alone; knows no runtime but by the names in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Evidence, Kernel, Ungrouped};

/// The ending of ONNX Runtime's names of its execution providers.
const PROVIDER: &str = "ExecutionProvider";
/// What is not taken by anything else runs here, under ONNX Runtime's name and under torch's.
const CPU: [&str; 2] = ["CPUExecutionProvider", "cpu"];

/// Where a model ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Executed {
    /// What was asked for, as the parts are named.
    pub asked: String,
    /// Nodes of the graph, counted where they are handed out; `None` if there is no graph.
    pub nodes: Option<u32>,
    /// Where it ran, what was asked for first and even if nothing ran there. Shares add up to 1.
    pub parts: Vec<Part>,
    /// Operators that did not run on what was asked for, most time (else most calls) first.
    pub elsewhere: Vec<Elsewhere>,
}

/// What ran on one execution provider or device.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// For example `CoreML`, `CPU`, `mps`.
    pub on: String,
    /// Nodes of the graph; `None` if there is no graph.
    pub nodes: Option<u32>,
    /// Share of the nodes, or of the operator calls.
    pub node_share: f64,
    /// Stretches of the graph that ran there in one piece; `None` if there is no graph.
    pub partitions: Option<u32>,
    /// Nanoseconds per run; `None` if no times are recorded.
    pub ns_per_run: Option<f64>,
    /// Share of all kernel time; `None` if any part has no times.
    pub time_share: Option<f64>,
}

/// Operators of one type that ran elsewhere than asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Elsewhere {
    /// The type.
    pub op: String,
    /// Where.
    pub on: String,
    /// Nodes, or calls per run if there is no graph.
    pub count: u32,
    /// Share of all kernel time; `None` if there are no times.
    pub time_share: Option<f64>,
}

/// What the evidence comes to; `None` when nothing was recorded.
#[must_use]
pub fn executed(evidence: &Evidence) -> Option<Executed> {
    let asked = evidence.asked.as_deref()?;
    if evidence.kernels.is_empty() || evidence.runs == 0 {
        return None;
    }
    let kernels: Vec<Kernel> = evidence.kernels.iter().map(|kernel| moved(kernel, evidence)).collect();
    let is_graph = asked.ends_with(PROVIDER);
    let counts = if is_graph {
        nodes_by_place(asked, &kernels, evidence.ungrouped.as_ref())
    } else {
        calls_by_place(&kernels)
    };
    // Numbers are what a worker wrote, so none is too large to come.
    let total = counts.values().fold(0_u64, |sum, count| sum.saturating_add(count.units));
    let times = times_by_place(&kernels);
    let all_ns = times.values().try_fold(0_u64, |sum, ns| Some(sum.saturating_add((*ns)?)));
    let mut places: BTreeSet<&str> = kernels.iter().map(|kernel| kernel.on.as_str()).collect();
    places.extend(counts.keys().copied());
    places.insert(asked);
    let share = |part: u64, all: u64| if all > 0 { part as f64 / all as f64 } else { 0.0 };
    let mut parts: Vec<(&str, Part)> = places
        .into_iter()
        .map(|on| {
            let count = counts.get(on).copied().unwrap_or_default();
            let ns = times.get(on).copied().unwrap_or(Some(0));
            let part = Part {
                on: short_name(on),
                nodes: is_graph.then(|| narrow(count.units)),
                node_share: share(count.units, total),
                partitions: is_graph.then(|| narrow(count.pieces)),
                ns_per_run: ns.map(|ns| ns as f64 / f64::from(evidence.runs)),
                time_share: all_ns.and_then(|all| Some(share(ns?, all))),
            };
            (on, part)
        })
        .collect();
    parts.sort_by(|a, b| (b.0 == asked).cmp(&(a.0 == asked)).then(b.1.node_share.total_cmp(&a.1.node_share)));
    Some(Executed {
        asked: short_name(asked),
        nodes: is_graph.then(|| narrow(total)),
        parts: parts.into_iter().map(|(_, part)| part).collect(),
        elsewhere: elsewhere(asked, &kernels, evidence.runs, is_graph, all_ns),
    })
}

/// A short name for the runtime's own: `CoreML` for `CoreMLExecutionProvider`.
#[must_use]
pub fn short_name(on: &str) -> String {
    on.strip_suffix(PROVIDER).filter(|name| !name.is_empty()).unwrap_or(on).to_owned()
}

/// A kernel at the place where it ran: one that the runtime says it moved to the CPU has its result moved back, and is
/// recorded as if it had never left.
fn moved(kernel: &Kernel, evidence: &Evidence) -> Kernel {
    let mut kernel = kernel.clone();
    if evidence.fell_back.contains(&kernel.op) {
        CPU[1].clone_into(&mut kernel.on);
    }
    kernel
}

/// How much ran at one place.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Nodes, or calls.
    units: u64,
    /// Stretches without a change of place.
    pieces: u64,
}

/// Nodes of the graph by place. A kernel that no node of the graph has the name of holds several of them: what is left of
/// the graph when all others are counted.
fn nodes_by_place<'a>(
    asked: &'a str,
    kernels: &'a [Kernel],
    ungrouped: Option<&'a Ungrouped>,
) -> BTreeMap<&'a str, Count> {
    let (kernels, graph) = match ungrouped {
        Some(ungrouped) => (&ungrouped.asked[..], Some(&ungrouped.cpu[..])),
        None => (kernels, None),
    };
    let names: Option<BTreeSet<&str>> =
        graph.map(|graph| graph.iter().map(|kernel| kernel.name.as_str()).collect());
    let is_node = |kernel: &Kernel| names.as_ref().is_none_or(|names| names.contains(kernel.name.as_str()));
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut before: Option<&str> = None;
    for kernel in kernels {
        let count = counts.entry(&kernel.on).or_default();
        if is_node(kernel) {
            count.units += 1;
            count.pieces += u64::from(before != Some(&kernel.on));
            before = Some(&kernel.on);
        } else if kernel.on == asked {
            // A piece of its own, also beside another one: each is handed over by itself.
            count.pieces += 1;
            before = None;
        }
        // What is left are copies and casts that the runtime put between the pieces: they are no nodes of the graph.
    }
    if let Some(names) = &names {
        let counted: u64 = counts.values().map(|count| count.units).sum();
        let swallowed = (names.len() as u64).saturating_sub(counted);
        counts.entry(asked).or_default().units += swallowed;
    }
    counts
}

fn calls_by_place(kernels: &[Kernel]) -> BTreeMap<&str, Count> {
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for kernel in kernels {
        let units = &mut counts.entry(&kernel.on).or_default().units;
        *units = units.saturating_add(kernel.calls);
    }
    counts
}

/// Nanoseconds by place; `None` for a place of which any kernel has no time.
fn times_by_place(kernels: &[Kernel]) -> BTreeMap<&str, Option<u64>> {
    let mut times: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    for kernel in kernels {
        let sum = times.entry(&kernel.on).or_insert(Some(0));
        *sum = sum.and_then(|sum| Some(sum.saturating_add(kernel.ns?)));
    }
    times
}

fn elsewhere(
    asked: &str,
    kernels: &[Kernel],
    runs: u32,
    is_graph: bool,
    all_ns: Option<u64>,
) -> Vec<Elsewhere> {
    #[derive(Default)]
    struct Sum {
        nodes: u64,
        calls: u64,
        ns: Option<u64>,
    }
    let mut sums: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    for kernel in kernels.iter().filter(|kernel| kernel.on != asked) {
        let first = Sum { ns: Some(0), ..Sum::default() };
        let sum = sums.entry((&kernel.op, &kernel.on)).or_insert(first);
        sum.nodes += 1;
        sum.calls = sum.calls.saturating_add(kernel.calls);
        sum.ns = sum.ns.and_then(|ns| Some(ns.saturating_add(kernel.ns?)));
    }
    let mut all: Vec<(u64, Elsewhere)> = sums
        .into_iter()
        .map(|((op, on), sum)| {
            let count = if is_graph { sum.nodes } else { sum.calls.div_ceil(u64::from(runs)) };
            let time_share = all_ns.filter(|all| *all > 0).and_then(|all| Some(sum.ns? as f64 / all as f64));
            let by = sum.ns.unwrap_or(sum.calls);
            (by, Elsewhere { op: op.to_owned(), on: short_name(on), count: narrow(count), time_share })
        })
        .collect();
    all.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.op.cmp(&b.1.op)));
    all.into_iter().map(|(_, one)| one).collect()
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

//! What executed the models, by the runtimes' own account: before the figures where it is not what a backend's name says,
//! and in full after them.

use super::block::{Item, Page, left, right};
use super::text::{capitalized, sentence, strong};
use crate::execution::{notes, percent, requirement, residence};
use crate::record::{BackendRecord, Execution, ExecutionPart, Operator, RunRecord};
use crate::sentences::headlines::headlines;
use crate::units::{self, ABSENT};
use crate::variations::reached;

/// What stands before the figures.
pub(super) fn headline(page: &mut Page, record: &RunRecord) {
    let headlines = headlines(record);
    if headlines.is_empty() {
        return;
    }
    page.heading(2, "Not what the name suggests");
    page.list(headlines.iter().map(|headline| {
        let of = strong(format!("{}: {}", capitalized(headline.kind), headline.of));
        let under = headline.under.iter().map(|said| sentence(&capitalized(said)).into());
        Item { text: of.then(format!(": {}", sentence(&headline.what))), under: under.collect() }
    }));
}

/// The whole of it.
pub(super) fn write(page: &mut Page, record: &RunRecord) {
    page.heading(2, "Execution");
    page.paragraph(
        "Where the model ran, as recorded by the runtime in probe runs separate from the timed ones. Nodes are counted as \
         they are assigned to execution providers (if there is only the CPU, as it runs them); without a graph, operator \
         calls are counted. A partition is a part of the graph that runs in one piece. Recording slows a run down, so the \
         kernel time can be more than a whole timed request takes.",
    );
    let columns = [
        left("backend"),
        left("requested"),
        left("ran on"),
        right("nodes"),
        right("share of nodes or calls"),
        right("partitions"),
        right("kernel time per run"),
        right("share of the time"),
        left("recorded by"),
    ];
    page.table(columns, reached(record).flat_map(rows));
    elsewhere(page, record);
    page.list(reached(record).flat_map(|backend| {
        let required = backend.requirement.as_ref().map(|required| requirement(required, true));
        let said = residence(&backend.execution).into_iter().chain(notes(&backend.execution).iter().cloned());
        let of = |said: String| strong(&backend.label).then(format!(": {}", sentence(&said)));
        said.chain(required).map(of)
    }));
}

/// A row for each part, or one that says why there is none.
fn rows(backend: &BackendRecord) -> Vec<Vec<String>> {
    let label = backend.label.clone();
    match &backend.execution {
        Execution::NotMeasured { why } => {
            let absent = std::iter::repeat_n(ABSENT.to_owned(), 6);
            let cells = [label, ABSENT.to_owned(), format!("not measured: {why}")];
            vec![cells.into_iter().chain(absent).collect()]
        }
        Execution::Measured { source, runs, asked, nodes, parts, .. } => {
            let recorded = format!("{source}, {}", units::counted((*runs).into(), "run"));
            let row = |part: &ExecutionPart| {
                let own = part.nodes.zip(*nodes).map(|(own, all)| {
                    format!("{} of {}", units::count(own.into()), units::count(all.into()))
                });
                vec![
                    label.clone(),
                    asked.clone(),
                    part.on.clone(),
                    or_absent(own),
                    percent(part.node_share),
                    or_absent(part.partitions.map(|partitions| units::count(partitions.into()))),
                    or_absent(part.kernel_ns_per_run.map(units::duration)),
                    or_absent(part.time_share.map(percent)),
                    recorded.clone(),
                ]
            };
            parts.iter().map(row).collect()
        }
    }
}

/// The operators that did not run where they were asked to.
fn elsewhere(page: &mut Page, record: &RunRecord) {
    let rows: Vec<Vec<String>> = reached(record)
        .flat_map(|backend| {
            let operators = match &backend.execution {
                Execution::Measured { elsewhere, .. } => elsewhere.as_slice(),
                Execution::NotMeasured { .. } => &[],
            };
            operators.iter().map(|operator| operator_row(backend, operator))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.paragraph("Operators that ran somewhere else than requested, most time first.");
    let columns = [
        left("backend"),
        left("operator"),
        left("ran on"),
        right("nodes, or calls per run"),
        right("share of the time"),
    ];
    page.table(columns, rows);
}

fn operator_row(backend: &BackendRecord, operator: &Operator) -> Vec<String> {
    vec![
        backend.label.clone(),
        operator.name.clone(),
        operator.on.clone(),
        units::count(operator.nodes.into()),
        or_absent(operator.time_share.map(percent)),
    ]
}

fn or_absent(text: Option<String>) -> String {
    text.unwrap_or_else(|| ABSENT.to_owned())
}

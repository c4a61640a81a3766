//! What executed the models, by the runtimes' own account: before the figures where it is not what a backend's name says,
//! and in full after them.

use super::text::{Column, capitalised, inline, sentence, table};
use crate::execution::{notes, percent, requirement, residence};
use crate::record::{BackendRecord, Execution, ExecutionPart, Operator, RunRecord};
use crate::sentences::headlines::headlines;
use crate::units::{self, ABSENT};
use crate::variations::reached;

/// What stands before the figures.
pub(super) fn headline(page: &mut String, record: &RunRecord) {
    let headlines = headlines(record);
    if headlines.is_empty() {
        return;
    }
    page.push_str("## Not what the name says\n\n");
    for headline in headlines {
        let kind = capitalised(headline.kind);
        page.push_str(&format!("- **{kind}: {}**: {}\n", inline(&headline.of), sentence(&headline.what)));
        for said in &headline.under {
            page.push_str(&format!("  - {}\n", sentence(&capitalised(said))));
        }
    }
    page.push('\n');
}

/// The whole of it.
pub(super) fn write(page: &mut String, record: &RunRecord) {
    page.push_str(
        "## Execution\n\nWhere the model ran, recorded by the runtime in probe runs apart from the timed ones. Nodes are \
         counted where they are handed to execution providers (for the CPU alone, as it runs them), or operator calls \
         where there is no graph; a partition is a stretch of the graph that runs in one piece.\n\n",
    );
    let columns = [
        Column::Left("backend"),
        Column::Left("asked for"),
        Column::Left("ran on"),
        Column::Right("nodes"),
        Column::Right("share of nodes or calls"),
        Column::Right("partitions"),
        Column::Right("kernel time per run"),
        Column::Right("share of the time"),
        Column::Left("recorded by"),
    ];
    let rows: Vec<Vec<String>> = reached(record).flat_map(rows).collect();
    table(page, &columns, &rows);
    elsewhere(page, record);
    let mut remarks = false;
    for backend in reached(record) {
        let required = backend.requirement.as_ref().map(|required| requirement(required, true));
        let said = residence(&backend.execution).into_iter().chain(notes(&backend.execution).iter().cloned());
        for said in said.chain(required) {
            remarks = true;
            page.push_str(&format!("- **{}**: {}\n", inline(&backend.label), sentence(&said)));
        }
    }
    if remarks {
        page.push('\n');
    }
}

/// A row for each part, or one that says why there is none.
fn rows(backend: &BackendRecord) -> Vec<Vec<String>> {
    let label = inline(&backend.label);
    match &backend.execution {
        Execution::NotMeasured { why } => {
            let absent = std::iter::repeat_n(ABSENT.to_owned(), 6);
            let cells = [label, ABSENT.to_owned(), format!("not measured: {}", inline(why))];
            vec![cells.into_iter().chain(absent).collect()]
        }
        Execution::Measured { source, runs, asked, nodes, parts, .. } => {
            let recorded = format!("{}, {}", inline(source), units::counted((*runs).into(), "run"));
            let row = |part: &ExecutionPart| {
                let own = part.nodes.zip(*nodes).map(|(own, all)| {
                    format!("{} of {}", units::count(own.into()), units::count(all.into()))
                });
                vec![
                    label.clone(),
                    inline(asked),
                    inline(&part.on),
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
fn elsewhere(page: &mut String, record: &RunRecord) {
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
    page.push_str("Operators that did not run on what was asked for, most time first.\n\n");
    let columns = [
        Column::Left("backend"),
        Column::Left("operator"),
        Column::Left("ran on"),
        Column::Right("nodes, or calls per run"),
        Column::Right("share of the time"),
    ];
    table(page, &columns, &rows);
}

fn operator_row(backend: &BackendRecord, operator: &Operator) -> Vec<String> {
    vec![
        inline(&backend.label),
        inline(&operator.name),
        inline(&operator.on),
        units::count(operator.nodes.into()),
        or_absent(operator.time_share.map(percent)),
    ]
}

fn or_absent(text: Option<String>) -> String {
    text.unwrap_or_else(|| ABSENT.to_owned())
}

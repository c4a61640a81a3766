//! What the workers used, and what it costs to have them.

use super::text::{Column, inline, table};
use crate::record::{BackendRecord, Phase};
use crate::units::{self, ABSENT};
use crate::view::{latency, percentile};

pub(super) fn write(page: &mut String, timed: &[&BackendRecord]) {
    used(page, timed);
    bridge(page, timed);
}

fn used(page: &mut String, timed: &[&BackendRecord]) {
    let rows: Vec<Vec<String>> = timed
        .iter()
        .filter_map(|backend| {
            if backend.placement == "client" {
                let nothing = || "no process".to_owned();
                return Some(vec![inline(&backend.label), nothing(), nothing(), nothing()]);
            }
            let used = backend.resources.as_ref()?;
            let bytes = |size: Option<u64>| size.map_or_else(|| ABSENT.to_owned(), units::bytes);
            let cores = used.cpu_cores.map_or_else(|| ABSENT.to_owned(), |cores| format!("{cores:.2}"));
            Some(vec![
                inline(&backend.label),
                bytes(used.peak_rss_bytes),
                bytes(used.steady_rss_bytes),
                cores,
            ])
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str("## Resources\n\nOf the workers, replicas together; 1.00 core is one core kept busy.\n\n");
    let columns = [
        Column::Left("backend"),
        Column::Right("peak RSS"),
        Column::Right("RSS in steady state"),
        Column::Right("cores"),
    ];
    table(page, &columns, &rows);
}

/// What the worker process costs, where a backend ran both in one and in the harness.
fn bridge(page: &mut String, timed: &[&BackendRecord]) {
    let placed = |placement: &'static str| timed.iter().filter(move |backend| backend.placement == placement);
    let median = |backend: &BackendRecord| percentile(latency(backend, Phase::Steady)?, 0.5)?.value_ns;
    let mut lines = String::new();
    for worker in placed("worker") {
        let same = |other: &&&BackendRecord| {
            let asked = |backend: &BackendRecord| {
                let load =
                    (backend.batch_size, backend.replicas, backend.load.text.clone(), backend.corpus.clone());
                (backend.kind.clone(), backend.options.clone(), backend.fallback.clone(), load)
            };
            asked(worker) == asked(other)
        };
        for embedded in placed("in-process").filter(same) {
            let (Some(over), Some(within)) = (median(worker), median(embedded)) else { continue };
            lines.push_str(&format!(
                "- {}: P50 {} in a worker, {} in-process ({}), difference {}\n",
                inline(&worker.label),
                units::duration(over as f64),
                units::duration(within as f64),
                inline(&embedded.label),
                units::duration(over as f64 - within as f64),
            ));
        }
    }
    if !lines.is_empty() {
        page.push_str(&format!(
            "## Bridge price\n\nThe same backend in a process of its own and inside the harness.\n\n{lines}\n"
        ));
    }
}

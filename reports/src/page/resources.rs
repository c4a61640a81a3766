//! What the workers used, and what it costs to have them.

use super::block::{Page, left, right};
use crate::record::{BackendRecord, Phase};
use crate::units::{self, ABSENT};
use crate::view::{latency, percentile};

pub(super) fn write(page: &mut Page, timed: &[&BackendRecord]) {
    used(page, timed);
    bridge(page, timed);
}

fn used(page: &mut Page, timed: &[&BackendRecord]) {
    let rows: Vec<Vec<String>> = timed
        .iter()
        .filter_map(|backend| {
            if backend.placement == "client" {
                let nothing = || "no process".to_owned();
                return Some(vec![backend.label.clone(), nothing(), nothing(), nothing()]);
            }
            let used = backend.resources.as_ref()?;
            let bytes = |size: Option<u64>| size.map_or_else(|| ABSENT.to_owned(), units::bytes);
            let cores = used.cpu_cores.map_or_else(|| ABSENT.to_owned(), |cores| format!("{cores:.2}"));
            Some(vec![backend.label.clone(), bytes(used.peak_rss_bytes), bytes(used.steady_rss_bytes), cores])
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.heading(2, "Resources");
    page.paragraph("Of the workers, replicas together; 1.00 core is one core kept busy.");
    let columns = [left("backend"), right("peak RSS"), right("RSS in steady state"), right("cores")];
    page.table(columns, rows);
}

/// What the worker process costs, where a backend ran both in one and in the harness.
fn bridge(page: &mut Page, timed: &[&BackendRecord]) {
    let placed = |placement: &'static str| timed.iter().filter(move |backend| backend.placement == placement);
    let median = |backend: &BackendRecord| percentile(latency(backend, Phase::Steady)?, 0.5)?.value_ns;
    let mut lines = Vec::new();
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
            lines.push(format!(
                "{}: P50 {} in a worker, {} in-process ({}), difference {}",
                worker.label,
                units::duration(over as f64),
                units::duration(within as f64),
                embedded.label,
                units::duration(over as f64 - within as f64),
            ));
        }
    }
    if !lines.is_empty() {
        page.heading(2, "Bridge price");
        page.paragraph("The same backend in a process of its own and inside the harness.");
        page.list(lines);
    }
}

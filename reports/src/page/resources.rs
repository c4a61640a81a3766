//! What the workers used, and what it costs to have them.

use super::block::{Page, left, right};
use crate::record::{BackendRecord, RunRecord};
use crate::units::{self, ABSENT};

pub(super) fn write(page: &mut Page, record: &RunRecord, timed: &[&BackendRecord]) {
    used(page, timed);
    bridges(page, record);
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
    page.paragraph("What each backend's workers used, all replicas together. 1.00 means one core kept busy.");
    let columns = [left("backend"), right("peak RSS"), right("RSS in steady state"), right("cores")];
    page.table(columns, rows);
}

/// What the worker process costs.
fn bridges(page: &mut Page, record: &RunRecord) {
    if record.bridges.is_empty() {
        return;
    }
    let label = |name: &str| {
        let found = record.backends.iter().find(|backend| backend.name == name);
        found.map_or(name, |backend| backend.label.as_str()).to_owned()
    };
    page.heading(2, "Bridge price");
    page.paragraph(
        "What the worker process costs: the same backend in a process of its own and inside tailmark.",
    );
    page.list(record.bridges.iter().map(|bridge| {
        format!(
            "{}: P50 {} in a worker, {} in-process ({}), difference {}",
            label(&bridge.worker),
            units::duration(bridge.worker_p50_ns as f64),
            units::duration(bridge.in_process_p50_ns as f64),
            label(&bridge.in_process),
            units::duration(bridge.difference_ns as f64),
        )
    }));
}

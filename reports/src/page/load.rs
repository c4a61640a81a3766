//! The load: what was offered to whom, before any figure; and what became of it, among the figures.

use super::text::{Column, capitalised, code, inline, sentence, table};
use crate::record::{Arrivals, BackendRecord, Latency, Phase, RunRecord};
use crate::sentences::load::loads;
use crate::units::{self, ABSENT};
use crate::view::{percentile_text, phase};

/// The loads, and what was changed on the command line.
pub(super) fn write(page: &mut String, record: &RunRecord) {
    let loads = loads(record);
    let item = if loads.len() > 1 { "- " } else { "" };
    for said in loads {
        let line = sentence(&capitalised(&said.line));
        let note = said.note.map(|note| format!(" {}", sentence(&capitalised(&note))));
        page.push_str(&format!("{item}{line}{}\n", note.unwrap_or_default()));
    }
    page.push('\n');
    let overrides: Vec<String> = record.scenario.overrides.iter().map(|changed| code(changed)).collect();
    if !overrides.is_empty() {
        page.push_str(&format!("Changed on the command line: {}.\n\n", overrides.join(", ")));
    }
}

/// What became of the load in each phase that has a row for it.
pub(super) fn arrivals(page: &mut String, timed: &[&BackendRecord]) {
    let rows: Vec<Vec<String>> = timed
        .iter()
        .flat_map(|backend| {
            let phases = [Phase::WarmUp, Phase::Steady].into_iter();
            phases.filter_map(|of| Some(row(backend, of, phase(backend, of)?.arrivals.as_ref()?)))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.push_str(
        "## Arrivals\n\nWhat became of the load that was offered. A closed model offers no rate. Lag is started - \
         scheduled, waiting for a slot included; lateness is the generator's own part of it. Requests that were given \
         up were due when the queue was full, and count as failed. In the system is waiting or in flight, a mean over \
         time.\n\n",
    );
    let columns = [
        Column::Left("backend"),
        Column::Left("phase"),
        Column::Left("load"),
        Column::Right("offered"),
        Column::Right("achieved"),
        Column::Right("lag P50"),
        Column::Right("lag P99"),
        Column::Right("lag max"),
        Column::Right("lateness P99"),
        Column::Right("lateness max"),
        Column::Right("most in flight"),
        Column::Right("most waiting"),
        Column::Right("given up"),
        Column::Right("in the system"),
    ];
    table(page, &columns, &rows);
}

fn row(backend: &BackendRecord, of: Phase, arrivals: &Arrivals) -> Vec<String> {
    let rate = |value: Option<f64>| value.map_or_else(|| ABSENT.to_owned(), units::rate);
    let most = |latency: Option<&Latency>| {
        latency.map_or_else(|| ABSENT.to_owned(), |latency| units::duration(latency.max_ns as f64))
    };
    let (lag, lateness) = (arrivals.lag.as_ref(), arrivals.lateness.as_ref());
    vec![
        inline(&backend.label),
        of.name().to_owned(),
        inline(&backend.load.text),
        rate(arrivals.offered_per_second),
        rate(arrivals.achieved_per_second),
        percentile_text(lag, 0.5),
        percentile_text(lag, 0.99),
        most(lag),
        percentile_text(lateness, 0.99),
        most(lateness),
        units::count(arrivals.most_in_flight),
        units::count(arrivals.most_waiting),
        units::count(arrivals.given_up),
        arrivals.mean_in_system.map_or_else(|| ABSENT.to_owned(), units::figure),
    ]
}

//! How much load each backend takes: the answer, the rates it rests on, and the search that chose them.

use super::text::{Column, inline, sentence, table};
use crate::record::{BackendRecord, Capacity, Level, Phase, Probe, RunRecord};
use crate::sentences::capacity::{difference, expected_in_system, headline, untested};
use crate::units::{self, ABSENT};
use crate::variations::{is_untested, levels};
use crate::view::{interval_text, latency, percentile_text, phase, verdict_name, verdict_or_state};

pub(super) fn write(page: &mut String, record: &RunRecord) {
    if record.capacities.is_empty() {
        return;
    }
    page.push_str(
        "## Capacity\n\nThe highest rate at which every objective holds. Rates between those that were tested are not \
         known.\n\n",
    );
    for capacity in &record.capacities {
        page.push_str(&format!("- **{}**\n", sentence(&headline(record, capacity))));
    }
    page.push('\n');
    for capacity in &record.capacities {
        page.push_str(&format!(
            "### Capacity of {}, {}\n\n",
            inline(&capacity.backend),
            inline(&capacity.load)
        ));
        certified(page, record, capacity);
        search(page, capacity);
    }
}

fn certified(page: &mut String, record: &RunRecord, capacity: &Capacity) {
    if capacity.levels.is_empty() {
        page.push_str("No rate was certified.\n\n");
        return;
    }
    page.push_str("Rates that were declared before any of their data was taken.");
    let tested = capacity.levels.iter().any(|level| level.littles_law.is_some());
    if tested {
        page.push_str(
            " L is the mean number of requests in the system, lambda the arrivals per second and W the mean response \
             time; Little's law says that L = lambda \\* W.",
        );
    }
    page.push_str("\n\n");
    let columns = [
        Column::Right("offered"),
        Column::Left("verdict"),
        Column::Right("achieved"),
        Column::Right("P50"),
        Column::Right("P95"),
        Column::Right("P95 interval"),
        Column::Right("P99"),
        Column::Right("L"),
        Column::Right("lambda"),
        Column::Right("W"),
        Column::Right(r"lambda \* W"),
        Column::Right("difference"),
    ];
    let rows: Vec<Vec<String>> =
        levels(record, capacity).map(|(level, backend)| level_row(level, backend)).collect();
    table(page, &columns, &rows);
    if let Some(untested) = untested(record, capacity) {
        page.push_str(&format!("{}\n\n", sentence(&untested)));
    }
}

fn level_row(level: &Level, backend: Option<&BackendRecord>) -> Vec<String> {
    let steady = backend.and_then(|backend| latency(backend, Phase::Steady));
    let arrivals = backend.and_then(|backend| phase(backend, Phase::Steady)?.arrivals.as_ref());
    let law = level.littles_law.as_ref();
    let or_absent = |text: Option<String>| text.unwrap_or_else(|| ABSENT.to_owned());
    let state = match backend {
        Some(backend) if !is_untested(level, Some(backend)) => verdict_or_state(backend),
        _ => "not tested",
    };
    vec![
        units::rate(level.offered_per_second),
        level.verdict.map_or_else(|| state.to_owned(), |verdict| format!("**{}**", verdict_name(verdict))),
        or_absent(arrivals.and_then(|arrivals| arrivals.achieved_per_second).map(units::rate)),
        percentile_text(steady, 0.5),
        percentile_text(steady, 0.95),
        or_absent(interval_text(steady, 0.95)),
        percentile_text(steady, 0.99),
        or_absent(law.map(|law| units::figure(law.in_system))),
        or_absent(law.map(|law| units::rate(law.arrivals_per_second))),
        or_absent(law.map(|law| units::duration(law.response_seconds * 1e9))),
        or_absent(law.map(|law| units::figure(expected_in_system(law)))),
        or_absent(law.map(|law| difference(law.difference))),
    ]
}

fn search(page: &mut String, capacity: &Capacity) {
    if capacity.search.is_empty() {
        return;
    }
    page.push_str(
        "The search, in the order of the tries. These are throw-away data: they decided nothing but which rates were \
         certified.\n\n",
    );
    let columns = [
        Column::Right("try"),
        Column::Right("offered"),
        Column::Right("achieved"),
        Column::Right("requests"),
        Column::Right("P50"),
        Column::Right("P95"),
        Column::Right("P99"),
        Column::Left("estimates within the limits"),
        Column::Left("overloaded"),
    ];
    let rows: Vec<Vec<String>> =
        (1_u64..).zip(&capacity.search).map(|(index, probe)| probe_row(index, probe)).collect();
    table(page, &columns, &rows);
}

fn probe_row(index: u64, probe: &Probe) -> Vec<String> {
    let times = probe.response_time.as_ref();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    vec![
        units::count(index),
        units::rate(probe.offered_per_second),
        units::rate(probe.achieved_per_second),
        units::count(probe.requests),
        percentile_text(times, 0.5),
        percentile_text(times, 0.95),
        percentile_text(times, 0.99),
        yes(probe.met),
        yes(probe.overloaded),
    ]
}

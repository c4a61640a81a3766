//! How much load each backend takes: the answer, the rates it rests on, and the search that chose them.

use super::block::{Page, left, right};
use super::text::{Text, sentence, strong};
use crate::record::{BackendRecord, Capacity, Level, Phase, Probe, RunRecord};
use crate::sentences::capacity::{difference, expected_in_system, headline, untested};
use crate::units::{self, ABSENT};
use crate::variations::{is_untested, levels};
use crate::view::{interval_text, latency, percentile_text, phase, verdict_name, verdict_or_state};

pub(super) fn write(page: &mut Page, record: &RunRecord) {
    if record.capacities.is_empty() {
        return;
    }
    page.heading(2, "Capacity");
    page.paragraph(
        "The highest rate at which every objective is met. Nothing is known about the rates between those that were tested.",
    );
    page.list(record.capacities.iter().map(|capacity| strong(sentence(&headline(record, capacity)))));
    for capacity in &record.capacities {
        page.heading(3, format!("Capacity of {}, {}", capacity.backend, capacity.load));
        certified(page, record, capacity);
        search(page, capacity);
    }
}

fn certified(page: &mut Page, record: &RunRecord, capacity: &Capacity) {
    if capacity.levels.is_empty() {
        page.paragraph("No rate was certified.");
        return;
    }
    let mut about = "These rates were fixed before any data was taken at them.".to_owned();
    if capacity.levels.iter().any(|level| level.littles_law.is_some()) {
        about.push_str(
            " L is the average number of requests in the system, lambda the arrivals per second and W the mean \
             response time; according to Little's law, L = lambda * W.",
        );
    }
    page.paragraph(about);
    let columns = [
        right("offered"),
        left("verdict"),
        right("achieved"),
        right("P50"),
        right("P95"),
        right("P95 interval"),
        right("P99"),
        right("L"),
        right("lambda"),
        right("W"),
        right("lambda * W"),
        right("difference"),
    ];
    page.table(columns, levels(record, capacity).map(|(level, backend)| level_row(level, backend)));
    if let Some(untested) = untested(record, capacity) {
        page.paragraph(sentence(&untested));
    }
}

fn level_row(level: &Level, backend: Option<&BackendRecord>) -> Vec<Text> {
    let steady = backend.and_then(|backend| latency(backend, Phase::Steady));
    let arrivals = backend.and_then(|backend| phase(backend, Phase::Steady)?.arrivals.as_ref());
    let law = level.littles_law.as_ref();
    let or_absent = |text: Option<String>| text.unwrap_or_else(|| ABSENT.to_owned());
    let verdict = |verdict| strong(verdict_name(verdict));
    let state = match backend {
        Some(backend) if !is_untested(level, Some(backend)) => verdict_or_state(backend),
        _ => "not tested",
    };
    let figures = [
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
    ];
    [units::rate(level.offered_per_second).into(), level.verdict.map_or_else(|| state.into(), verdict)]
        .into_iter()
        .chain(figures.map(Into::into))
        .collect()
}

fn search(page: &mut Page, capacity: &Capacity) {
    if capacity.search.is_empty() {
        return;
    }
    page.paragraph("The search, in order. Its data was thrown away: it only chose which rates to certify.");
    let columns = [
        right("try"),
        right("offered"),
        right("achieved"),
        right("requests"),
        right("P50"),
        right("P95"),
        right("P99"),
        left("within the limits"),
        left("overloaded"),
    ];
    page.table(columns, (1_u64..).zip(&capacity.search).map(|(index, probe)| probe_row(index, probe)));
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

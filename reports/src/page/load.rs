//! The load: what was offered to whom, before any figure; and what became of it, among the figures.

use super::block::{Page, left, right};
use super::text::{Text, capitalized, sentence};
use crate::record::{Arrivals, BackendRecord, Latency, Phase, RunRecord};
use crate::sentences::load::{Said, loads};
use crate::units::{self, ABSENT};
use crate::view::{percentile_text, phase};

/// The loads, and what was changed on the command line.
pub(super) fn write(page: &mut Page, record: &RunRecord) {
    let in_words = |said: &Said| {
        let note = said.note.as_ref().map(|note| format!(" {}", sentence(&capitalized(note))));
        format!("{}{}", sentence(&capitalized(&said.line)), note.unwrap_or_default())
    };
    match loads(record).as_slice() {
        [only] => page.paragraph(in_words(only)),
        several => page.list(several.iter().map(in_words)),
    }
    let overrides = &record.scenario.overrides;
    if !overrides.is_empty() {
        let said = overrides
            .iter()
            .enumerate()
            .fold(Text::from("Changed on the command line: "), |said, (index, changed)| {
                said.then(if index > 0 { ", " } else { "" }).code(changed)
            });
        page.paragraph(said.then("."));
    }
}

/// What became of the load in each phase that has a row for it.
pub(super) fn arrivals(page: &mut Page, timed: &[&BackendRecord]) {
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
    page.heading(2, "Arrivals");
    page.paragraph(
        "How the offered load was carried out. A closed model offers no rate. Lag is the time from when a request was due \
         to when it was started, including the wait for a slot; lateness is the part of it that the load generator caused. A \
         request that is due when the queue is full is given up, and counts as failed. \"In the system\" is the average \
         number of requests that were waiting or in flight.",
    );
    let columns = [
        left("backend"),
        left("phase"),
        left("load"),
        right("offered"),
        right("achieved"),
        right("lag P50"),
        right("lag P99"),
        right("lag max"),
        right("lateness P99"),
        right("lateness max"),
        right("most in flight"),
        right("most waiting"),
        right("given up"),
        right("in the system"),
    ];
    page.table(columns, rows);
}

fn row(backend: &BackendRecord, of: Phase, arrivals: &Arrivals) -> Vec<String> {
    let rate = |value: Option<f64>| value.map_or_else(|| ABSENT.to_owned(), units::rate);
    let most = |latency: Option<&Latency>| {
        latency.map_or_else(|| ABSENT.to_owned(), |latency| units::duration(latency.max_ns as f64))
    };
    let (lag, lateness) = (arrivals.lag.as_ref(), arrivals.lateness.as_ref());
    vec![
        backend.label.clone(),
        of.name().to_owned(),
        backend.load.text.clone(),
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

//! How much load each backend takes: the answer in a sentence, the rates that were certified, and a line for each.

use std::io;

use super::grid::{Grid, Row};
use super::printer::Printer;
use super::table::{Lines, ran_cells};
use super::words::marked;
use crate::record::{BackendRecord, Capacity, Level, Phase, RunRecord};
use crate::sentences::capacity::{difference, expected_in_system, headline, untested};
use crate::sentences::ran::Among;
use crate::units;
use crate::variations::{is_untested, levels};
use crate::view::{latency, percentile_text, phase, verdict_or_state};

const HEAD: [&str; 7] = ["achieved", "P50", "P95", "P99", "L", "lambda\n* W", "differ-\nence"];
const LAW: &str = "L: average number of requests in the system; lambda * W: the same by Little's law, from the arrivals per \
                   second and the mean response time";

impl Printer<'_> {
    pub(super) fn capacities(&mut self, record: &RunRecord, columns: usize) -> io::Result<()> {
        if record.capacities.is_empty() {
            return Ok(());
        }
        self.line("")?;
        self.line("capacity: the highest rate at which every objective is met")?;
        let mut levels = record.capacities.iter().flat_map(|capacity| &capacity.levels);
        if levels.any(|level| level.littles_law.is_some()) {
            self.paragraph("  ", LAW)?;
        }
        for capacity in &record.capacities {
            self.line("")?;
            self.paragraph("", &headline(record, capacity))?;
            if let Some(untested) = untested(record, capacity) {
                self.paragraph("  ", &untested)?;
            }
            self.levels(record, capacity, columns)?;
        }
        Ok(())
    }

    fn levels(&mut self, record: &RunRecord, capacity: &Capacity, columns: usize) -> io::Result<()> {
        let tested: Vec<(&Level, Option<&BackendRecord>)> =
            levels(record, capacity).filter(|(level, backend)| !is_untested(level, *backend)).collect();
        if tested.is_empty() {
            return Ok(());
        }
        let ran = Among::of(tested.iter().filter_map(|(_, backend)| *backend));
        if let Some(common) = ran.common() {
            self.paragraph("  ", &common)?;
        }
        let grid = Grid {
            about: ["rate", "verdict"].into_iter().chain(ran.heads()).map(Into::into).collect(),
            head: HEAD.map(Into::into).into(),
            rows: tested.iter().map(|(level, backend)| row(level, *backend, &ran)).collect(),
        };
        self.line("")?;
        self.table(Lines::of(&grid, grid.laid_out(columns)))?;
        self.line("")?;
        for backend in tested.iter().filter_map(|(_, backend)| *backend) {
            self.in_short(&ran, backend)?;
        }
        Ok(())
    }
}

fn row(level: &Level, backend: Option<&BackendRecord>, ran: &Among<'_>) -> Row {
    let steady = backend.and_then(|backend| latency(backend, Phase::Steady));
    let arrivals = backend.and_then(|backend| phase(backend, Phase::Steady)?.arrivals.as_ref());
    let achieved = arrivals.and_then(|arrivals| arrivals.achieved_per_second);
    let law = level.littles_law.as_ref();
    let absent = || units::ABSENT.to_owned();
    let offered = units::rate(level.offered_per_second);
    let state = || backend.map_or("not tested", verdict_or_state).to_owned();
    let verdict = level.verdict.map_or_else(state, marked);
    let untold = || vec![units::ABSENT.to_owned(); ran.heads().len()];
    let cells = backend.map_or_else(untold, |backend| ran_cells(ran, backend));
    Row {
        above: format!("{offered}: {verdict}{}", backend.map(|of| ran.after(of)).unwrap_or_default()),
        about: [offered, verdict].into_iter().chain(cells).collect(),
        figures: vec![
            achieved.map_or_else(absent, units::rate),
            percentile_text(steady, 0.5),
            percentile_text(steady, 0.95),
            percentile_text(steady, 0.99),
            law.map_or_else(absent, |law| units::figure(law.in_system)),
            law.map_or_else(absent, |law| units::figure(expected_in_system(law))),
            law.map_or_else(absent, |law| difference(law.difference)),
        ],
    }
}

//! The variations of each backend: a table with what was varied, and a line for each.

use std::io;

use super::grid::{Grid, Row};
use super::printer::Printer;
use super::table::{Lines, ran_cells, verdict_or_state_marked};
use crate::record::{BackendRecord, Phase, RunRecord};
use crate::sentences::ran::Among;
use crate::units;
use crate::variations::{Rate, Varied, varied};
use crate::view::{latency, one_line, percentile_text, phase, trouble};

impl Printer<'_> {
    pub(super) fn variations(&mut self, record: &RunRecord, columns: usize) -> io::Result<()> {
        for varied in varied(record) {
            let ran = self.variation_table(&varied, columns)?;
            // Where nothing was judged the table has said it all, but for what went wrong and how far vectors are off.
            let told = |backend: &&&BackendRecord| {
                let remarked = trouble(backend).is_some() || ran.vectors_apart(backend).is_some();
                !record.objectives.is_empty() || remarked
            };
            for (number, backend) in varied.cells.iter().filter(told).enumerate() {
                if number == 0 {
                    self.line("")?;
                }
                self.in_short(&ran, backend)?;
            }
        }
        Ok(())
    }

    /// The tables alone.
    pub(super) fn variation_tables(&mut self, record: &RunRecord, columns: usize) -> io::Result<()> {
        varied(record).iter().try_for_each(|varied| self.variation_table(varied, columns).map(drop))
    }

    /// A table with what was varied, under what is the same in all of them.
    fn variation_table<'a>(&mut self, varied: &Varied<'a>, columns: usize) -> io::Result<Among<'a>> {
        self.line("")?;
        self.paragraph("", &varied.title())?;
        let ran = Among::of(varied.cells.iter().copied());
        if let Some(common) = ran.common() {
            self.paragraph("  ", &common)?;
        }
        let grid = grid(varied, &ran);
        self.line("")?;
        self.table(Lines::of(&grid, grid.laid_out(columns)))?;
        Ok(ran)
    }
}

fn grid(varied: &Varied<'_>, ran: &Among<'_>) -> Grid {
    let rate = varied.rate();
    let axes = varied.axes.iter().map(|axis| one_line(axis));
    Grid {
        about: axes.chain(["verdict".to_owned()]).chain(ran.heads().into_iter().map(Into::into)).collect(),
        head: ["P50", "P95", "P99", rate.0, "peak\nRSS"].map(Into::into).into(),
        rows: varied.cells.iter().map(|backend| row(varied, backend, rate, ran)).collect(),
    }
}

fn row(varied: &Varied<'_>, backend: &BackendRecord, (_, rate): Rate, ran: &Among<'_>) -> Row {
    let steady = latency(backend, Phase::Steady);
    let rate = phase(backend, Phase::Steady).and_then(rate);
    let peak = backend.resources.as_ref().and_then(|used| used.peak_rss_bytes);
    let absent = || units::ABSENT.to_owned();
    let values: Vec<String> = Varied::values(backend).map(|value| one_line(&value)).collect();
    let named = varied.axes.iter().zip(&values).map(|(axis, value)| format!("{axis} {value}"));
    let verdict = verdict_or_state_marked(backend);
    Row {
        above: format!("{}: {verdict}{}", named.collect::<Vec<_>>().join(", "), ran.after(backend)),
        about: values.into_iter().chain([verdict]).chain(ran_cells(ran, backend)).collect(),
        figures: vec![
            percentile_text(steady, 0.5),
            percentile_text(steady, 0.95),
            percentile_text(steady, 0.99),
            rate.map_or_else(absent, units::figure),
            peak.map_or_else(absent, units::bytes),
        ],
    }
}

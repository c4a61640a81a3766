//! The report on one screen: the answer, a table, and each thing that stands against believing it once. The reasons are in the whole
//! report.

use std::io;

use super::printer::Printer;
use super::{table, words::marked};
use crate::record::RunRecord;
use crate::sentences::decision;
use crate::sentences::headlines::headlines;
use crate::sentences::pairing;
use crate::variations::{Place, placed};
use crate::view::{self, one_line, trouble};
use crate::{sentences, units};

/// Loads that are shown.
const MOST_LOADS: usize = 2;
/// Lines of remarks that are shown; the rest are counted.
const MOST_REMARKS: usize = 4;

/// Writes it, after the head.
pub(super) fn write(printer: &mut Printer<'_>, record: &RunRecord, columns: usize) -> io::Result<()> {
    let loads = sentences::load::loads(record);
    // More of them are what was varied, and stand in its table.
    if loads.len() <= MOST_LOADS {
        loads.iter().try_for_each(|said| printer.paragraph("", &said.line))?;
    }
    let quick = sentences::mode(record).filter(|_| record.mode == "quick");
    for said in [sentences::load::overrides(record), quick].into_iter().flatten() {
        printer.paragraph("", &said)?;
    }
    let said = decision::decision(record);
    if !said.is_empty() {
        printer.line("")?;
    }
    for sentence in &said {
        printer.paragraph("", sentence)?;
    }
    let paired = pairing::pairing(record);
    if !paired.is_empty() {
        printer.line("")?;
    }
    for sentence in &paired {
        printer.paragraph("", sentence)?;
    }
    if let Some(table) = table::of(placed(record, Place::Plain), columns) {
        printer.line("")?;
        printer.table(table)?;
    }
    if record.decision.is_none() {
        troubles(printer, record)?;
    }
    printer.variation_tables(record, columns)?;
    printer.capacities(record, columns)?;
    remarks(printer, record)?;
    printer.line("")?;
    match record.overall {
        Some(verdict) => printer.line(&format!("verdict: {}", marked(verdict)))?,
        None => printer.line(&format!("verdict: {}", view::no_verdict(record)))?,
    }
    if let Some(scope) = sentences::scope(record) {
        printer.paragraph("  ", &scope)?;
    }
    printer.paragraph("", "report.html has the reasons and the conditions, as does --verbose here.")
}

/// Backends without figures, where no decision names them.
fn troubles(printer: &mut Printer<'_>, record: &RunRecord) -> io::Result<()> {
    for backend in &record.backends {
        if let Some((what, why)) = trouble(backend) {
            let why = why.lines().next().unwrap_or_default();
            printer.paragraph("", &format!("{}: {what}: {why}", backend.label))?;
        }
    }
    Ok(())
}

/// A remark, and the backends that it is about.
struct Remark {
    kind: &'static str,
    of: Vec<String>,
    what: String,
}

/// Partial executions, doubts and warnings, the same one of several backends once, serious ones first.
fn remarks(printer: &mut Printer<'_>, record: &RunRecord) -> io::Result<()> {
    let mut all: Vec<Remark> = Vec::new();
    let mut add = |kind: &'static str, of: Option<&str>, what: &str| {
        let of = of.map(str::to_owned);
        match all.iter_mut().find(|remark| remark.kind == kind && remark.what == what) {
            Some(remark) => remark.of.extend(of),
            None => all.push(Remark { kind, of: of.into_iter().collect(), what: what.to_owned() }),
        }
    };
    for headline in headlines(record) {
        add(headline.kind, Some(&headline.of), &headline.what);
    }
    for doubt in sentences::doubts(record).filter(|doubt| doubt.serious) {
        add("serious doubt", doubt.backend.as_deref(), &doubt.what);
    }
    for warning in &record.warnings {
        add("warning", warning.backend.as_deref(), &warning.what);
    }
    for doubt in sentences::doubts(record).filter(|doubt| !doubt.serious) {
        add("doubt", doubt.backend.as_deref(), &doubt.what);
    }
    if !all.is_empty() {
        printer.line("")?;
    }
    for remark in all.iter().take(MOST_REMARKS) {
        let of = if remark.of.is_empty() { String::new() } else { format!("{}: ", remark.of.join(", ")) };
        printer.paragraph("", &format!("{}: {of}{}", remark.kind, one_line(&remark.what)))?;
    }
    match all.len().saturating_sub(MOST_REMARKS) {
        0 => Ok(()),
        more => printer.paragraph("", &format!("and {}", units::counted(more as u64, "more remark"))),
    }
}

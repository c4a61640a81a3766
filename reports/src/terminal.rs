//! The report for a terminal. `brief` fits one screen. The whole of it is one table of the backends that were timed, then the
//! reasons, then what was varied and how much load each takes, then the verdict.
//!
//! Where a backend has many variations, each has a row of a table and one line; the whole of their reasons is in the
//! report in Markdown. It takes the sheet it writes on as given; it does not know whether that is a terminal.

mod backend;
mod brief;
mod capacity;
pub(crate) mod comparison;
mod grid;
mod printer;
mod table;
mod variations;
mod words;

use std::io::{self, Write};

use self::printer::Printer;
use self::words::{WIDEST_TEXT, marked};
use crate::record::RunRecord;
use crate::sentences::headlines::headlines;
use crate::variations::{Place, placed};
use crate::{sentences, view};

/// What a report is shown on.
#[derive(Clone, Copy, Debug)]
pub struct Sheet {
    /// Characters in a line.
    pub columns: usize,
    /// Whether verdicts are in color.
    pub color: bool,
    /// Whether all reasons are shown, and not only what fits one screen.
    pub verbose: bool,
}

impl Default for Sheet {
    /// A file, or a terminal of which nothing is known.
    fn default() -> Self {
        Self { columns: 80, color: false, verbose: false }
    }
}

/// Narrower than this nothing can be laid out.
const LEAST_COLUMNS: usize = 60;

/// Writes the run in lines no wider than the sheet, but for one narrower than 60 characters.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write(record: &RunRecord, sheet: Sheet, out: &mut dyn Write) -> io::Result<()> {
    let columns = sheet.columns.max(LEAST_COLUMNS);
    let mut printer = Printer { out, columns: columns.min(WIDEST_TEXT), color: sheet.color };
    printer.head(record)?;
    if !sheet.verbose {
        return brief::write(&mut printer, record, columns);
    }
    let said = sentences::decision::decision(record);
    if !said.is_empty() {
        printer.line("")?;
        said.iter().try_for_each(|sentence| printer.paragraph("", sentence))?;
        printer.line("")?;
    }
    let paired = sentences::pairing::pairing(record);
    paired.iter().try_for_each(|sentence| printer.paragraph("", sentence))?;
    printer.load(record)?;
    if let Some(mode) = sentences::mode(record) {
        printer.paragraph("", &mode)?;
    }
    printer.headlines(record)?;
    printer.doubts(record)?;
    if let Some(table) = table::of(placed(record, Place::Plain), columns) {
        printer.line("")?;
        printer.table(table)?;
    }
    for backend in placed(record, Place::Plain) {
        printer.backend(record, backend)?;
    }
    printer.variations(record, columns)?;
    printer.capacities(record, columns)?;
    // A variation has one line here, so that twenty of them do not bury the verdict.
    if record.backends.iter().any(|backend| backend.cell.is_some() && !backend.verdicts.is_empty()) {
        printer.line("")?;
        printer.paragraph("", "report.md has the full reasons.")?;
    }
    printer.conditions(record)?;
    if !record.warnings.is_empty() {
        printer.line("")?;
    }
    for warning in &record.warnings {
        printer.remark("warning", warning.backend.as_deref(), &warning.what, &warning.remedy)?;
    }
    printer.line("")?;
    match record.overall {
        Some(verdict) => printer.line(&format!("verdict: {}", marked(verdict)))?,
        None => printer.line(&format!("verdict: {}", view::no_verdict(record)))?,
    }
    sentences::scope(record).map_or(Ok(()), |scope| printer.paragraph("  ", &scope))
}

impl Printer<'_> {
    /// What was asked, how the run ended, and of which model.
    fn head(&mut self, record: &RunRecord) -> io::Result<()> {
        self.paragraph("", &format!("{}: {}", record.scenario.name, record.scenario.title))?;
        let said = [view::status_sentence(&record.status), sentences::model::model(record)];
        said.iter().flatten().try_for_each(|sentence| self.paragraph("", sentence))?;
        sentences::model::about(record).iter().try_for_each(|about| self.paragraph("  ", about))
    }

    /// What was offered to the backends, and what of it was not the scenario's own wish.
    fn load(&mut self, record: &RunRecord) -> io::Result<()> {
        for said in sentences::load::loads(record) {
            self.paragraph("", &said.line)?;
            if let Some(note) = &said.note {
                self.paragraph("  ", note)?;
            }
        }
        match sentences::load::overrides(record) {
            Some(overrides) => self.paragraph("", &overrides),
            None => Ok(()),
        }
    }

    /// What a figure's name does not say of it, before any figure.
    fn headlines(&mut self, record: &RunRecord) -> io::Result<()> {
        let headlines = headlines(record);
        if !headlines.is_empty() {
            self.line("")?;
        }
        for headline in headlines {
            self.paragraph("", &format!("{}: {}: {}", headline.kind, headline.of, headline.what))?;
            for said in &headline.under {
                self.paragraph("  ", said)?;
            }
        }
        Ok(())
    }

    /// What stands against believing the figures, before any of them.
    fn doubts(&mut self, record: &RunRecord) -> io::Result<()> {
        if !record.doubts.is_empty() {
            self.line("")?;
        }
        for doubt in sentences::doubts(record) {
            let kind = if doubt.serious { "serious doubt" } else { "doubt" };
            self.remark(kind, doubt.backend.as_deref(), &doubt.what, &doubt.remedy)?;
        }
        Ok(())
    }

    /// The machine while it measured.
    fn conditions(&mut self, record: &RunRecord) -> io::Result<()> {
        if record.conditions.is_empty() {
            return Ok(());
        }
        self.line("")?;
        self.line("conditions")?;
        for condition in &record.conditions {
            let note = condition.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            self.paragraph("  ", &format!("{}: {}{note}", condition.name, condition.value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn text(record: &RunRecord, columns: usize, color: bool) -> String {
        let mut out = Vec::new();
        write(record, Sheet { columns, color, verbose: true }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// What fits one screen.
    fn brief(record: &RunRecord) -> String {
        let mut out = Vec::new();
        write(record, Sheet::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn three_backends_are_decided_on_one_screen() {
        let text = brief(&fixture::decided());
        insta::assert_snapshot!(text);
        assert!(text.lines().count() <= 25, "{}", text.lines().count());
    }

    #[test]
    fn each_doubt_is_told_once_and_one_of_everything_fits_two_screens() {
        let text = brief(&fixture::five());
        insta::assert_snapshot!(text);
        assert!(text.lines().count() <= 50, "{}", text.lines().count());
    }

    #[test]
    fn one_backend_at_80_columns() {
        insta::assert_snapshot!(text(&fixture::one(), 80, false));
    }

    #[test]
    fn one_of_everything_at_80_columns() {
        insta::assert_snapshot!(text(&fixture::five(), 80, false));
    }

    #[test]
    fn one_of_everything_at_60_columns() {
        insta::assert_snapshot!(text(&fixture::five(), 60, false));
    }

    #[test]
    fn one_of_everything_at_120_columns() {
        insta::assert_snapshot!(text(&fixture::five(), 120, false));
    }

    #[test]
    fn what_ran_and_how_close_its_vectors_are_at_120_columns() {
        insta::assert_snapshot!(text(&fixture::executions(), 120, false));
    }

    #[test]
    fn what_ran_and_how_close_its_vectors_are_at_80_columns() {
        insta::assert_snapshot!(text(&fixture::executions(), 80, false));
    }

    #[test]
    fn what_ran_and_how_close_its_vectors_are_at_60_columns() {
        insta::assert_snapshot!(text(&fixture::executions(), 60, false));
    }

    #[test]
    fn an_interrupted_run_says_so() {
        insta::assert_snapshot!(text(&fixture::interrupted(), 80, false));
    }

    #[test]
    fn a_run_that_measured_nothing_says_why() {
        insta::assert_snapshot!(text(&fixture::nothing(), 80, false));
    }

    #[test]
    fn several_objectives_have_a_line_each_under_the_worst_of_them() {
        insta::assert_snapshot!(text(&fixture::several(), 100, false));
    }

    #[test]
    fn an_open_model_says_what_was_offered_and_what_became_of_it() {
        insta::assert_snapshot!(text(&fixture::open(), 80, false));
    }

    #[test]
    fn an_overloaded_backend_says_what_it_took_and_what_was_given_up() {
        insta::assert_snapshot!(text(&fixture::overloaded(), 100, false));
    }

    #[test]
    fn variations_have_a_table_and_a_line_each_at_80_columns() {
        insta::assert_snapshot!(text(&fixture::matrix(), 80, false));
    }

    #[test]
    fn variations_have_a_table_and_a_line_each_at_60_columns() {
        insta::assert_snapshot!(text(&fixture::matrix(), 60, false));
    }

    #[test]
    fn variations_that_differ_in_what_ran_say_so_at_100_columns() {
        insta::assert_snapshot!(text(&fixture::varied_executions(), 100, false));
    }

    #[test]
    fn variations_that_differ_in_what_ran_say_so_at_60_columns() {
        insta::assert_snapshot!(text(&fixture::varied_executions(), 60, false));
    }

    #[test]
    fn loads_that_differ_name_their_backends() {
        insta::assert_snapshot!(text(&fixture::think_times(), 80, false));
    }

    #[test]
    fn a_capacity_at_100_columns() {
        insta::assert_snapshot!(text(&fixture::capacity(), 100, false));
    }

    #[test]
    fn a_capacity_at_80_columns() {
        insta::assert_snapshot!(text(&fixture::capacity(), 80, false));
    }

    #[test]
    fn a_capacity_at_60_columns() {
        insta::assert_snapshot!(text(&fixture::capacity(), 60, false));
    }

    #[test]
    fn a_closed_model_says_that_no_arrival_rate_was_promised() {
        let text = view::one_line(&text(&fixture::one(), 80, false));
        assert!(text.contains("no arrival rate was promised"), "{text}");
    }

    #[test]
    fn a_quick_run_says_what_its_verdicts_hold_for() {
        let text = view::one_line(&text(&fixture::naive(), 120, false));
        assert!(text.contains("hold only if requests are independent of each other."), "{text}");
    }

    #[test]
    fn doubts_and_their_remedies_stand_before_the_figures() {
        let record = fixture::five();
        let text = text(&record, 120, false);
        let figures = text.find("P50").expect("a table of figures");
        for doubt in &record.doubts {
            let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
            assert!(at(&doubt.what) < at(&doubt.remedy) && at(&doubt.remedy) < figures);
        }
    }

    #[test]
    fn what_is_not_what_its_name_says_stands_before_the_figures() {
        let record = fixture::executions();
        for columns in [60, 80, 120] {
            let text = text(&record, columns, false);
            let figures = text.find("P50").expect("a table of figures");
            for headline in headlines(&record) {
                let said = text.find(&format!("{}: {}", headline.kind, headline.of));
                assert!(said.is_some_and(|said| said < figures), "{headline:?}");
            }
        }
    }

    #[test]
    fn every_timed_backend_shows_what_ran_and_the_class_of_its_vectors_at_any_width() {
        let record = fixture::executions();
        for columns in [60, 80, 100, 120] {
            let text = view::one_line(&text(&record, columns, false));
            for backend in record.backends.iter().filter(|backend| view::was_timed(backend)) {
                for said in sentences::ran::in_full(backend) {
                    assert!(text.contains(&view::one_line(&said)), "{columns}: {said}");
                }
            }
        }
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        for record in fixture::all() {
            for columns in (60..=200).step_by(7).chain([80, 100, 120, 200]) {
                for line in text(&record, columns, false).lines() {
                    let width = textwrap::core::display_width(line);
                    assert!(width <= columns, "{width} > {columns}: {line}");
                }
            }
        }
    }

    #[test]
    fn color_adds_escapes_and_nothing_else() {
        for record in
            [fixture::one(), fixture::five(), fixture::executions(), fixture::matrix(), fixture::capacity()]
        {
            for columns in [60, 80, 120] {
                let colored = text(&record, columns, true);
                let mut plain = colored.clone();
                for escape in ["[31m", "[32m", "[33m", "[0m"] {
                    plain = plain.replace(&format!("\u{1b}{escape}"), "");
                }
                assert_eq!(plain, text(&record, columns, false));
                assert!(colored.contains("\u{1b}[32mPASS\u{1b}[0m"), "{colored}");
            }
        }
    }
}

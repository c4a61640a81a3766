//! The table of report formats.
//!
//! A format is one file beside this one and one line in [`FORMATS`]; a picture is one line in [`PICTURES`]. Most formats
//! write the page that they have in common; the terminal has a layout of its own.

use std::io::{self, Write};

use crate::page::{self, Page};
use crate::record::{Comparison, RunRecord};
use crate::{html, junit, markdown, openmetrics, summary, terminal};

pub use crate::pictures::{PICTURES, Picture};
pub use crate::terminal::Sheet;

/// A way to show a run as text.
pub struct Format {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The file it has in a run folder; `None` for a format that is only printed.
    pub file: Option<&'static str>,
    /// What it is good for, one line.
    pub summary: &'static str,
    pub(crate) writer: Writer,
    /// Writes a comparison of two runs.
    comparison: fn(&Comparison, Sheet, &mut dyn Write) -> io::Result<()>,
}

/// What a format is made from.
pub(crate) enum Writer {
    /// The page that such formats have in common.
    Page(fn(&Page, &mut dyn Write) -> io::Result<()>),
    /// The page, and charts of the record in it.
    Whole(fn(&Page, &RunRecord, &mut dyn Write) -> io::Result<()>),
    /// The record, laid out for the sheet that it is shown on.
    Record(fn(&RunRecord, Sheet, &mut dyn Write) -> io::Result<()>),
}

/// Every format.
pub const FORMATS: &[Format] = &[
    Format {
        name: "terminal",
        file: None,
        summary: "a table and the verdicts, as wide as the terminal",
        writer: Writer::Record(terminal::write),
        comparison: terminal::comparison::write,
    },
    Format {
        name: "markdown",
        file: Some("report.md"),
        summary: "the whole report, with links to the pictures",
        writer: Writer::Page(markdown::write),
        comparison: |comparison, _, out| markdown::write(&page::comparison::of(comparison), out),
    },
    Format {
        name: "html",
        file: Some("report.html"),
        summary: "the whole report in one file, with charts: to decide from and to send",
        writer: Writer::Whole(html::write),
        comparison: |comparison, _, out| {
            html::write_comparison(&page::comparison::of(comparison), comparison, out)
        },
    },
    Format {
        name: "junit",
        file: Some("junit.xml"),
        summary: "JUnit XML: a case for each objective and backend, for continuous integration",
        writer: Writer::Record(|record, _, out| junit::write(record, out)),
        comparison: |comparison, _, out| junit::write_comparison(comparison, out),
    },
    Format {
        name: "csv",
        file: Some("summary.csv"),
        summary: "a row for each backend, for spreadsheets",
        writer: Writer::Record(|record, _, out| summary::write(record, out)),
        comparison: |comparison, _, out| summary::write_comparison(comparison, out),
    },
    Format {
        name: "openmetrics",
        file: Some("metrics.txt"),
        summary: "OpenMetrics text, for Prometheus and its relatives",
        writer: Writer::Record(|record, _, out| openmetrics::write(record, out)),
        comparison: |comparison, _, out| openmetrics::write_comparison(comparison, out),
    },
];

impl Format {
    /// Writes the run. Only a format with a layout of its own looks at the sheet.
    ///
    /// # Errors
    /// Only those of the writer.
    pub fn write(&self, record: &RunRecord, sheet: Sheet, out: &mut dyn Write) -> io::Result<()> {
        match self.writer {
            Writer::Page(write) => write(&page::of(record), out),
            Writer::Whole(write) => write(&page::of(record), record, out),
            Writer::Record(write) => write(record, sheet, out),
        }
    }

    /// Writes a comparison of two runs.
    ///
    /// # Errors
    /// Only those of the writer.
    pub fn write_comparison(
        &self,
        comparison: &Comparison,
        sheet: Sheet,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        (self.comparison)(comparison, sheet, out)
    }
}

/// The format called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fixture;
    use crate::variations::reached;
    use crate::view::one_line;

    #[test]
    fn every_name_and_every_file_is_given_once() {
        let names: BTreeSet<_> = FORMATS.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
        let files = FORMATS.iter().filter_map(|format| format.file);
        let files: Vec<_> = files.chain(PICTURES.iter().map(|picture| picture.file)).collect();
        assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), files.len());
        assert!(FORMATS.iter().all(|format| find(format.name).is_some() && !format.summary.contains('\n')));
        assert!(find("nonsense").is_none());
    }

    /// The text with what HTML writes for signs of its own undone, and without the styles before it.
    fn shown(text: String) -> String {
        let page = text.split_once("<main>").map_or(text.as_str(), |(_, page)| page);
        let signs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        signs.into_iter().fold(page.to_owned(), |text, (written, sign)| text.replace(written, sign))
    }

    #[test]
    fn the_first_lines_of_every_format_name_the_model_and_the_beginning_of_its_hash() {
        for record in fixture::all() {
            let Some(model) = &record.model else { continue };
            for format in FORMATS {
                let mut out = Vec::new();
                format.write(&record, Sheet::default(), &mut out).unwrap();
                let text = shown(String::from_utf8(out).unwrap());
                let first = text.lines().take(12).collect::<Vec<_>>().join("\n");
                let named = first.contains(&model.name) && first.contains("weights 53aa53aa…");
                assert!(named, "{}: {first}", format.name);
            }
        }
    }

    #[test]
    fn every_format_shows_every_record() {
        for record in fixture::all() {
            for format in FORMATS {
                let mut out = Vec::new();
                format.write(&record, Sheet { verbose: true, ..Sheet::default() }, &mut out).unwrap();
                let text = shown(String::from_utf8(out).unwrap());
                assert!(text.contains(&record.scenario.name), "{} names the scenario", format.name);
                assert!(!text.contains("NaN"), "{}", format.name);
                for backend in reached(&record) {
                    let named = one_line(&text).contains(&one_line(&backend.name));
                    assert!(named, "{} names {}", format.name, backend.name);
                }
            }
        }
    }
}

//! The table of report formats, and what of a report lies in a run folder.
//!
//! A format is one file beside this one and one line in [`FORMATS`]; a picture is one line in [`PICTURES`]. Most formats
//! write the page that they have in common; the terminal has a layout of its own.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::page::{self, Page};
use crate::record::RunRecord;
use crate::{markdown, terminal};

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
    writer: Writer,
}

/// What a format is made from.
enum Writer {
    /// The page that such formats have in common.
    Page(fn(&Page, &mut dyn Write) -> io::Result<()>),
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
    },
    Format {
        name: "markdown",
        file: Some("report.md"),
        summary: "the whole report, with links to the pictures",
        writer: Writer::Page(markdown::write),
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
            Writer::Record(write) => write(record, sheet, out),
        }
    }
}

/// The format called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// Writes every format that has a file, and every picture there is something to draw for, into a run folder. A picture
/// left from an earlier time that has nothing to show any more is removed. Returns the files written.
///
/// # Errors
/// When a file cannot be written or removed; the message names it.
pub fn write_all(folder: &Path, record: &RunRecord) -> io::Result<Vec<PathBuf>> {
    let page = page::of(record);
    let mut written = Vec::new();
    for picture in PICTURES {
        let path = folder.join(picture.file);
        match page.drawing(picture.file) {
            Some(drawing) => {
                fs::write(&path, drawing).map_err(|cause| at("write", &path, &cause))?;
                written.push(path);
            }
            None => match fs::remove_file(&path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(at("remove", &path, &cause));
                }
                _ => {}
            },
        }
    }
    for format in FORMATS {
        let Some(file) = format.file else { continue };
        let path = folder.join(file);
        let mut text = Vec::new();
        match format.writer {
            Writer::Page(write) => write(&page, &mut text)?,
            Writer::Record(write) => write(record, Sheet::default(), &mut text)?,
        }
        fs::write(&path, text).map_err(|cause| at("write", &path, &cause))?;
        written.push(path);
    }
    Ok(written)
}

fn at(doing: &str, path: &Path, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("cannot {doing} {}: {cause}", path.display()))
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

    #[test]
    fn every_format_shows_every_record() {
        for record in fixture::all() {
            for format in FORMATS {
                let mut out = Vec::new();
                format.write(&record, Sheet::default(), &mut out).unwrap();
                let text = String::from_utf8(out).unwrap();
                assert!(text.contains(&record.scenario.name), "{} names the scenario", format.name);
                assert!(!text.contains("NaN"), "{}", format.name);
                for backend in reached(&record) {
                    let named = one_line(&text).contains(&one_line(&backend.name));
                    assert!(named, "{} names {}", format.name, backend.name);
                }
            }
        }
    }

    #[test]
    fn a_run_folder_holds_the_report_and_the_pictures_it_links_to_and_no_stale_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = BTreeSet::new();
        for record in [fixture::five(), fixture::matrix(), fixture::capacity()] {
            let written = write_all(folder.path(), &record).unwrap();
            let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
            for picture in PICTURES {
                let there = written.contains(&folder.path().join(picture.file));
                assert_eq!(report.contains(picture.file), there, "{}", picture.file);
                seen.extend(there.then_some(picture.file));
            }
        }
        assert_eq!(seen.len(), PICTURES.len(), "each picture belongs to one of these runs");

        fs::write(folder.path().join("mine.svg"), "kept").unwrap();
        let written = write_all(folder.path(), &fixture::nothing()).unwrap();
        assert_eq!(written, [folder.path().join("report.md")]);
        let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
        for picture in PICTURES {
            assert!(!report.contains(picture.file) && !folder.path().join(picture.file).exists());
        }
        assert!(folder.path().join("mine.svg").exists(), "files of other names are left alone");
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("gone");
        let error = write_all(&missing, &fixture::one()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("gone"), "{error}");
    }
}

//! What of a report lies in a run folder: the formats that have a file, and the pictures.
//!
//! A run is worth more than its files. One that cannot be written is a fault to be told, and keeps no other from being written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::format::{FORMATS, PICTURES, Sheet, Writer};
use crate::page;
use crate::record::RunRecord;

/// What became of the files of a report.
#[derive(Debug, Default)]
pub struct Written {
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// Those that are not as they should be.
    pub faults: Vec<Fault>,
}

/// A file that could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct Fault {
    doing: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

/// Writes every format that has a file, and every picture there is something to draw for, into a run folder. A picture
/// left from an earlier time that has nothing to show any more is removed.
#[must_use]
pub fn write_all(folder: &Path, record: &RunRecord) -> Written {
    let page = page::of(record);
    let mut written = Written::default();
    for picture in PICTURES {
        let path = folder.join(picture.file);
        match page.drawing(picture.file) {
            Some(drawing) => written.write(path, drawing.as_bytes()),
            None => written.remove(path),
        }
    }
    for format in FORMATS {
        let Some(file) = format.file else { continue };
        let path = folder.join(file);
        let mut text = Vec::new();
        let rendered = match format.writer {
            Writer::Page(write) => write(&page, &mut text),
            Writer::Whole(write) => write(&page, record, &mut text),
            Writer::Record(write) => write(record, Sheet::default(), &mut text),
        };
        match rendered {
            Ok(()) => written.write(path, &text),
            Err(source) => written.faults.push(Fault { doing: "render", path, source }),
        }
    }
    written
}

impl Written {
    fn write(&mut self, path: PathBuf, content: &[u8]) {
        match replace(&path, content) {
            Ok(()) => self.files.push(path),
            Err(source) => self.faults.push(Fault { doing: "write", path, source }),
        }
    }

    fn remove(&mut self, path: PathBuf) {
        // A read-only disk refuses to remove even what is not there, so that is asked first.
        if fs::symlink_metadata(&path).is_err() {
            return;
        }
        if let Err(source) = fs::remove_file(&path) {
            self.faults.push(Fault { doing: "remove", path, source });
        }
    }
}

/// Writes a file aside first and then renames it, so that a full disk leaves the file that was there.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let aside = path.with_file_name(name);
    let written = fs::write(&aside, content).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fixture;

    #[test]
    fn a_run_folder_holds_the_report_and_the_pictures_it_links_to_and_no_stale_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = BTreeSet::new();
        for record in [fixture::five(), fixture::matrix(), fixture::capacity()] {
            let written = write_all(folder.path(), &record);
            assert!(written.faults.is_empty(), "{:?}", written.faults);
            let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
            for picture in PICTURES {
                let there = written.files.contains(&folder.path().join(picture.file));
                assert_eq!(report.contains(picture.file), there, "{}", picture.file);
                seen.extend(there.then_some(picture.file));
            }
        }
        assert_eq!(seen.len(), PICTURES.len(), "each picture belongs to one of these runs");

        fs::write(folder.path().join("mine.svg"), "kept").unwrap();
        let written = write_all(folder.path(), &fixture::nothing());
        assert_eq!(written.files, FORMAT_FILES.map(|file| folder.path().join(file)));
        let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
        for picture in PICTURES {
            assert!(!report.contains(picture.file) && !folder.path().join(picture.file).exists());
        }
        assert!(folder.path().join("mine.svg").exists(), "files of other names are left alone");
    }

    /// The files of all formats.
    const FORMAT_FILES: [&str; 5] = ["report.md", "report.html", "junit.xml", "summary.csv", "metrics.txt"];

    /// Names in a folder.
    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn each_file_that_cannot_be_written_is_named_and_keeps_no_other_from_being_written() {
        let folder = tempfile::tempdir().unwrap();
        // A folder cannot be replaced by a file, whoever tries.
        for taken in ["report.md", "backends.svg"] {
            fs::create_dir_all(folder.path().join(taken).join("full")).unwrap();
        }
        let written = write_all(folder.path(), &fixture::one());
        let named: Vec<String> = written.faults.iter().map(ToString::to_string).collect();
        assert!(named[0].starts_with("cannot write") && named[0].contains("backends.svg"), "{named:?}");
        assert!(named[1].contains("report.md") && named.len() == 2, "{named:?}");
        assert!(folder.path().join("percentiles.svg").exists());
        assert!(names(folder.path()).iter().all(|name| !name.ends_with(".part")), "nothing is left aside");
    }

    #[test]
    fn a_picture_that_is_not_there_need_not_be_removed() {
        let gone = tempfile::tempdir().unwrap().path().join("gone");
        let written = write_all(&gone, &fixture::nothing());
        let named: Vec<String> = written.faults.iter().map(ToString::to_string).collect();
        assert!(named.len() == FORMAT_FILES.len() && named[0].contains("gone/report.md"), "{named:?}");
        assert_eq!(written.faults[0].source.kind(), io::ErrorKind::NotFound);
    }
}

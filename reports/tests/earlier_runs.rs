//! Runs of earlier versions stay readable: a run folder that tailmark 0.1.0 made before the record had bridges, and reports
//! had pages. It is as it was written, but for its spaces and the name of a home folder.

use std::path::{Path, PathBuf};

use tailmark_reports::folder;
use tailmark_reports::format::{FORMATS, Sheet};
use tailmark_reports::record::{self, RunRecord};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/run_of_record_version_4")
}

fn earlier() -> RunRecord {
    record::read(&folder()).expect("a record that can be read")
}

#[test]
fn an_earlier_run_is_shown_in_every_format_with_what_it_measured() {
    let record = earlier();
    for format in FORMATS {
        let mut out = Vec::new();
        format.write(&record, Sheet::default(), &mut out).expect("written into memory");
        let text = String::from_utf8(out).expect("UTF-8");
        // What is for programs has its figures in one unit.
        let is_for_people = ["terminal", "markdown", "html"].contains(&format.name);
        let figure = if is_for_people { "3.23 ms" } else { "rten-cpu" };
        for part in ["rten-cpu", "rten-in-process", "failing", "onnx-coreml", "INCONCLUSIVE", figure] {
            assert!(text.contains(part), "{}: {part} in {text}", format.name);
        }
    }
}

#[test]
fn the_files_of_an_earlier_run_are_made_again() {
    let made = tempfile::tempdir().expect("a folder");
    let written = folder::write_all(made.path(), &earlier());
    assert!(written.faults.is_empty(), "{:?}", written.faults);
    let mut names: Vec<String> = written
        .files
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    let expected = [
        "backends.svg",
        "cold_start.svg",
        "exceedance.svg",
        "junit.xml",
        "latency_over_time.svg",
        "metrics.txt",
        "percentiles.svg",
        "report.html",
        "report.md",
        "summary.csv",
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_an_earlier_record_does_not_have_is_left_out() {
    let record = earlier();
    assert_eq!(record.bridges, [], "it was computed by the report then");
}

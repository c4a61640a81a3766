//! `tailmark report --verify`: the figures of a bundle or of a run folder computed again from its samples, with every difference
//! from what the record says. Writes nothing.

use std::path::Path;

use tailmark_providers::progress::Progress as _;
use tailmark_reports::format::{FORMATS, Sheet};
use tailmark_reports::record::{self, RunRecord};
use tailmark_reports::units::{count, counted};

use super::error::cannot;
use super::output::print;
use super::{CommandError, Exit};
use crate::bundle;
use crate::run;
use crate::screen::Screen;

/// The reports that are rendered again and compared.
const RENDERED: [&str; 2] = ["report.md", "report.html"];

/// The width of what is printed.
const COLUMNS: usize = 80;

/// Verifies a bundle, or a run folder.
///
/// # Errors
/// What stopped it, with its exit code: what is no bundle, and a run of which nothing can be computed again.
pub(super) fn run(path: &Path) -> Result<Exit, CommandError> {
    let screen = Screen::new();
    screen.step("reading");
    let opened = if path.is_dir() { None } else { Some(bundle::open(path)?) };
    let folder = opened.as_ref().map_or(path, bundle::Opened::folder);
    let record = record::read(folder)?;
    let result = run::recompute(folder, &record)?;
    let (rendered, stale) = compare_reports(folder, &record)?;
    screen.clear();
    let mut lines: Vec<String> = Vec::new();
    if let Some(opened) = &opened {
        let members = counted(opened.manifest.members.len() as u64, "file");
        lines.push(format!("{members}: each has the size and SHA-256 of the manifest"));
    }
    lines.extend(result.differences.iter().map(ToString::to_string));
    lines.extend(rendered);
    let what = format!(
        "{} of {} recomputed from {}",
        counted(result.figures, "figure"),
        counted(result.backends as u64, "backend"),
        counted(result.samples, "sample")
    );
    let differ = result.differences.len() as u64;
    lines.push(match differ {
        0 => format!("{what}: all as the record says"),
        1 => format!("{what}: 1 difference from the record"),
        more => format!("{what}: {} differences from the record", count(more)),
    });
    let tool = &record.tool.version;
    if tool != env!("CARGO_PKG_VERSION") {
        lines.push(format!(
            "note: measured by tailmark {tool}, recomputed by {}; where the methods differ, so may figures",
            env!("CARGO_PKG_VERSION")
        ));
    }
    lines.push(format!("taken from the record, not recomputed: {}", result.not_recomputed.join("; ")));
    let text: String = lines.iter().map(|line| wrapped(line)).collect();
    print(text.as_bytes())?;
    Ok(if differ > 0 || stale { Exit::Fail } else { Exit::Pass })
}

/// Renders the reports again. Gives what there is to say of them, and whether one is not what this version makes of the record
/// though it should be.
fn compare_reports(folder: &Path, record: &RunRecord) -> Result<(Vec<String>, bool), CommandError> {
    let same_version = record.tool.version == env!("CARGO_PKG_VERSION");
    let (mut lines, mut stale) = (Vec::new(), false);
    for format in FORMATS {
        let Some(file) = format.file.filter(|file| RENDERED.contains(file)) else { continue };
        let Ok(there) = std::fs::read(folder.join(file)) else {
            lines.push(format!("note: there is no {file}, so it was not compared with the record"));
            continue;
        };
        let mut text = Vec::new();
        format.write(record, Sheet::default(), &mut text).map_err(cannot("render the report"))?;
        if text == there {
            lines.push(format!("{file} is what this tailmark renders from the record"));
        } else if same_version {
            stale = true;
            lines.push(format!(
                "{file}: is not what tailmark {} renders from the record",
                record.tool.version
            ));
        } else {
            lines.push(format!(
                "note: {file} is not what this version renders from the record; tailmark {} wrote it",
                record.tool.version
            ));
        }
    }
    Ok((lines, stale))
}

/// A line in several where it is too long; what follows the first is indented.
fn wrapped(line: &str) -> String {
    let (mut text, mut width) = (String::new(), 0);
    for word in line.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > COLUMNS {
            text.push_str("\n  ");
            width = 2;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn a_long_line_goes_on_indented_and_within_eighty_columns() {
        let text = wrapped(&"a word ".repeat(40));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("  ")), "{text}");
        assert_eq!(wrapped("short"), "short\n");
    }
}

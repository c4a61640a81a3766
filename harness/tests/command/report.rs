//! A report made again: in each format, on a disk that takes no file, and for a reader that stops reading.

use std::fs;
use std::process::Stdio;

use super::workbench::{Finished, Workbench, finish, skip};

/// A process takes more memory than the limit, however busy the machine is.
const FAILS: &str = "[phases]\nrestarts = 1\n\n[phases.warm_up]\nmin_requests = 0\nmax_requests = 0\n\n\
                     [phases.steady]\nmin_requests = 30\nmax_requests = 30\n\n[validity]\non_doubt = \"note\"\n\n\
                     [[objective]]\nindicator = \"peak rss\"\nbelow = \"1KiB\"\n\n\
                     [[backend]]\nkind = \"simulated\"\noptions = { distribution = { kind = \"constant\", time = \"1ms\" } }\n";

/// A run that failed its objective, and what it printed.
fn failed() -> (Workbench, Finished) {
    let bench = Workbench::new();
    let ended = bench.run_scenario(FAILS);
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    (bench, ended)
}

fn report(bench: &Workbench, arguments: &[&str]) -> Finished {
    let folder = bench.run_folder();
    let folder = folder.to_string_lossy();
    let all: Vec<&str> = ["report"].into_iter().chain(arguments.iter().copied()).chain([&*folder]).collect();
    bench.run(&all)
}

#[test]
fn a_report_in_a_format_is_printed_and_writes_nothing() {
    let (bench, ended) = failed();
    let folder = bench.run_folder();
    let written = fs::read_to_string(folder.join("report.md")).expect("the report");
    fs::remove_file(folder.join("report.md")).expect("removed");
    for (arguments, expected) in [
        (["--format", "markdown"].as_slice(), &written),
        (&["--format", "terminal"], &ended.stdout),
        (&["--markdown"], &written),
    ] {
        let shown = report(&bench, arguments);
        assert_eq!((shown.code, &shown.stdout), (Some(1), expected), "{arguments:?}: {}", shown.stderr);
        let noted = shown.stderr.contains("--markdown is now --format markdown");
        assert_eq!(noted, arguments == ["--markdown"], "{}", shown.stderr);
    }
    assert!(!folder.join("report.md").exists());
}

#[test]
fn an_unknown_format_is_refused_with_the_names_there_are_and_the_one_that_was_meant() {
    let ended = Workbench::new().run(&["report", "--format", "markdwn", "runs/some"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for part in ["'markdwn'", "terminal, markdown", "a similar value exists: 'markdown'"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn files_that_cannot_be_written_are_a_warning_and_the_run_is_shown_with_its_exit_code() {
    let (bench, ended) = failed();
    let folder = bench.run_folder();
    for taken in ["report.md", "percentiles.svg"] {
        fs::remove_file(folder.join(taken)).expect("removed");
        fs::create_dir_all(folder.join(taken).join("full")).expect("a folder that no file can replace");
    }
    let shown = report(&bench, &[]);
    assert_eq!((shown.code, shown.stdout), (Some(1), ended.stdout), "{}", shown.stderr);
    for part in ["warning: cannot write", "percentiles.svg", "(and 1 more file)", "--format markdown"] {
        assert!(shown.stderr.contains(part), "{part}: {}", shown.stderr);
    }
    assert!(!shown.stderr.contains("cells.svg"), "a picture that is not there need not be removed");
}

#[test]
fn a_full_disk_leaves_the_files_that_were_there_and_says_what_to_do() {
    if !std::path::Path::new("/dev/full").exists() {
        return skip("there is no /dev/full");
    }
    let (bench, ended) = failed();
    let folder = bench.run_folder();
    let before = fs::read_to_string(folder.join("report.md")).expect("the report");
    std::os::unix::fs::symlink("/dev/full", folder.join("report.md.part")).expect("a link");
    let shown = report(&bench, &[]);
    assert_eq!((shown.code, shown.stdout), (Some(1), ended.stdout), "{}", shown.stderr);
    for part in ["report.md: No space left on device", "make room on that disk, then run `tailmark report"] {
        assert!(shown.stderr.contains(part), "{part}: {}", shown.stderr);
    }
    assert_eq!(fs::read_to_string(folder.join("report.md")).expect("the report"), before);
}

#[test]
fn a_reader_that_has_gone_changes_neither_the_exit_code_nor_what_is_said() {
    let (bench, _) = failed();
    let folder = bench.run_folder();
    let unread = |arguments: &[&str]| {
        let mut child = bench.tailmark(arguments).spawn().expect("tailmark was started");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ended");
        (ended.status.code(), String::from_utf8(ended.stderr).expect("UTF-8"))
    };
    let (code, said) = unread(&["report", &folder.to_string_lossy()]);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    let (code, said) = unread(&["scenario", "scenario.toml"]);
    assert!(code == Some(1) && !said.contains("error"), "{code:?}: {said}");
}

#[test]
fn nobody_who_reads_what_is_said_changes_no_exit_code_either() {
    let bench = Workbench::new();
    bench.write("scenario.toml", FAILS);
    let mut child = bench.tailmark(&["scenario", "scenario.toml"]).spawn().expect("tailmark was started");
    drop(child.stderr.take());
    let ended = child.wait_with_output().expect("it ended");
    assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&ended.stdout));
    let unheard = finish(bench.tailmark(&["report", "nowhere"]).stderr(Stdio::null()));
    assert_eq!(unheard.code, Some(2));
}

//! Holds the table of faults to the tests: each fault names its test, and each named test is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

/// The names of the functions in all Rust files below a folder that stand right under a test's attribute.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in
        fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path())
    {
        if entry.is_dir() {
            tests_below(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).expect("a source file");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for pair in lines.windows(2).filter(|pair| ["#[test]", "#[tokio::test]"].contains(&pair[0])) {
                let name = pair[1].trim_start_matches("async ").trim_start_matches("fn ");
                found.insert(name.split('(').next().unwrap_or_default().to_owned());
            }
        }
    }
}

/// The last cell of each row of the tables, without their heads.
fn last_cells(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |"));
    rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next()).map(str::trim).collect()
}

#[test]
fn every_fault_in_the_table_has_a_test_that_is_there() {
    let mut tests = BTreeSet::new();
    for folder in ["harness/tests", "harness/src", "providers/tests", "providers/src"] {
        tests_below(&root().join(folder), &mut tests);
    }
    let page = fs::read_to_string(root().join("docs/RELIABILITY.md")).expect("the table of faults");
    let cells = last_cells(&page);
    assert!(cells.len() >= 30, "{cells:#?}");
    for cell in cells {
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "a fault without a test: {cell}");
        for name in named {
            assert!(tests.contains(name), "no test is called {name}");
        }
    }
}

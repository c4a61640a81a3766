//! Run records: read, written and shown without a panic and without a NaN, or refused with the file's name.

use std::sync::LazyLock;

use proptest::strategy::Strategy as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tailmark_reports::folder::write_all;
use tailmark_reports::record::{self, RECORD_VERSION, RunRecord};

use super::examples::{Example, made};
use super::from_schema::{Known, documents};
use super::scratch::Scratch;
use super::target::{Seen, Target};

/// What a record of a length may come to: some twenty pictures and tables, each with axes and words of its own.
const MOST_FOR_EACH_BYTE: usize = 200;
const MOST_BESIDES: usize = 4_000_000;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(RunRecord).to_value());

#[test]
fn every_record_is_shown_in_every_format_or_is_refused() {
    let made = documents(SCHEMA.clone(), known()).prop_map(|record| serde_json::to_vec(&record).unwrap());
    let made = made.boxed();
    Target { name: "record", cases: 500, examples: examples(), made: Some(made), check }.run();
}

/// Records from the schema alone; mutations work on what is in them.
fn examples() -> Vec<Example> {
    let documents = documents(SCHEMA.clone(), known());
    let mut runner = TestRunner::deterministic();
    let mut text = || {
        let tree = documents.new_tree(&mut runner).unwrap();
        serde_json::to_string_pretty(&proptest::strategy::ValueTree::current(&tree)).unwrap()
    };
    let records = (0..60).map(|_| text()).filter(|text| text.len() < 20_000);
    let mut examples: Vec<Example> = records.map(|text| made("the schema", text)).collect();
    examples.push(made("an older version", json!({"record_version": 3}).to_string()));
    examples
}

/// A record of another version is refused before anything else is looked at.
fn known() -> Known {
    Known::from([("record_version".to_owned(), vec![json!(RECORD_VERSION)])])
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let folder = Scratch::new();
    folder.write("run.json", input);
    let read = match record::read(folder.path()) {
        Ok(read) => read,
        Err(why) => {
            let why = why.to_string();
            let named = why.contains("run.json") && why.len() < 2 * input.len() + 1_000;
            return if named { Ok(Seen::Refused) } else { Err(format!("the file is not named: {why}")) };
        }
    };
    record::write(folder.path(), &read).map_err(|why| format!("it cannot be written: {why}"))?;
    let again = record::read(folder.path()).map_err(|why| format!("it cannot be read again: {why}"))?;
    if again != read {
        return Err("written and read again, it is another record".to_owned());
    }
    check_shown(&read, input, folder.path())?;
    Ok(Seen::Taken)
}

fn check_shown(record: &RunRecord, input: &[u8], folder: &std::path::Path) -> Result<(), String> {
    let mut shown: Vec<(String, Vec<u8>)> = super::record_formats::all(record);
    let written = write_all(folder, record);
    if let Some(fault) = written.faults.first() {
        return Err(format!("no report can be written: {fault}"));
    }
    for path in written.files {
        let bytes = std::fs::read(&path).unwrap();
        shown.push((path.file_name().unwrap().to_string_lossy().into_owned(), bytes));
    }
    let own = |word: &str| String::from_utf8_lossy(input).contains(word);
    for (name, bytes) in shown {
        let text = String::from_utf8(bytes).map_err(|why| format!("{name} is not UTF-8: {why}"))?;
        if let Some(at) = text.find("NaN").filter(|_| !own("NaN")) {
            let around: String = text[..at].chars().rev().take(200).collect();
            let around: String = around.chars().rev().collect();
            return Err(format!("{name} has a NaN after: {around}"));
        }
        if text.len() > MOST_FOR_EACH_BYTE * input.len() + MOST_BESIDES {
            return Err(format!("{name} has {} bytes for a record of {}", text.len(), input.len()));
        }
    }
    Ok(())
}

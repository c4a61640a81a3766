//! What a run leaves of each request: rows, columns and histograms that agree with the record and with each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::workbench::{Workbench, backend, phase, rows};

/// A backend that answers, and one that fails now and then.
const ONE_FAILS: &str = r#"
[phases]
restarts = 2

[phases.warm_up]
min_requests = 5
max_requests = 5

[phases.steady]
min_requests = 301
max_requests = 301

[[backend]]
kind = "null"

[[backend]]
name = "fails.now_and-then"
kind = "simulated"
options = { distribution = { kind = "lognormal", median = "200us", sigma = 0.3 }, failures = 0.2, seed = 7 }
"#;

/// The number of rows of each backend and phase in a columnar file, and its column names.
fn columnar(path: &Path) -> (BTreeMap<String, u64>, Vec<String>) {
    let reader =
        SerializedFileReader::new(fs::File::open(path).expect("a columnar file")).expect("is Parquet");
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let names = schema.columns().iter().map(|column| column.name().to_owned()).collect();
    let mut counts = BTreeMap::new();
    for row in reader.get_row_iter(None).expect("rows") {
        use parquet::record::RowAccessor as _;
        let row = row.expect("a row");
        let of = |index| row.get_string(index).expect("a word");
        let failed = if of(10) == "answered" { "" } else { ".failed" };
        *counts.entry(format!("{}.{}{failed}", of(0), of(2))).or_insert(0) += 1;
    }
    (counts, names)
}

/// The histograms of an interval log, added up by tag.
fn histograms(path: &Path) -> BTreeMap<String, Histogram<u64>> {
    use base64::Engine as _;
    let log = fs::read(path).expect("an interval log");
    let mut sums = BTreeMap::<String, Histogram<u64>>::new();
    for entry in IntervalLogIterator::new(&log) {
        let LogEntry::Interval(interval) = entry.expect("a line") else { continue };
        let bytes = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram());
        let histogram: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.expect("base64").as_slice()).expect("a histogram");
        let tag = interval.tag().expect("a tag").as_str().to_owned();
        match sums.get_mut(&tag) {
            Some(sum) => sum.add(histogram).expect("the same bounds"),
            None => drop(sums.insert(tag, histogram)),
        }
    }
    sums
}

#[test]
fn rows_columns_histograms_and_the_record_have_the_same_requests() {
    let bench = Workbench::new();
    let ended = bench.run_scenario(ONE_FAILS);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let folder = bench.run_folder();
    let mut expected = BTreeMap::<String, u64>::new();
    let mut responses = BTreeMap::<String, Vec<u64>>::new();
    for row in rows(&folder.join("samples.csv")) {
        let failed = if row["outcome"] == "answered" { "" } else { ".failed" };
        let tag = format!("{}.{}{failed}", row["backend"], row["phase"]);
        let at = |key: &str| row[key].parse::<u64>().expect("nanoseconds");
        assert!(at("queued_ns") <= at("started_ns") - at("scheduled_ns"), "{row:?}");
        *expected.entry(tag.clone()).or_default() += 1;
        responses.entry(tag).or_default().push(at("finished_ns") - at("scheduled_ns"));
    }
    assert!(expected.contains_key("fails.now_and-then.steady.failed"), "{expected:?}");
    let record = bench.record();
    let steady = phase(backend(&record, "fails.now_and-then"), "steady");
    assert_eq!(steady["failures"], expected["fails.now_and-then.steady.failed"]);
    assert_eq!(record["warnings"], serde_json::json!([]), "nothing waited for the disk");

    let (counts, names) = columnar(&folder.join("samples.parquet"));
    assert_eq!(counts, expected);
    let csv = fs::read_to_string(folder.join("samples.csv")).expect("the rows");
    assert_eq!(csv.lines().next(), Some(names.join(",").as_str()));

    let histograms = histograms(&folder.join("latency.hlog"));
    let counts: BTreeMap<String, u64> =
        histograms.iter().map(|(tag, sum)| (tag.clone(), sum.len())).collect();
    assert_eq!(counts, expected);
    for (tag, mut times) in responses {
        times.sort_unstable();
        let median = times[times.len().div_ceil(2) - 1] as f64;
        let read = histograms[&tag].value_at_quantile(0.5) as f64;
        assert!(median <= read && read <= median * 1.001, "{tag}: {read} for {median}");
    }
}

#[test]
fn columns_that_are_lost_are_made_again_by_a_report_and_rows_that_are_damaged_do_not_stop_it() {
    let bench = Workbench::new();
    assert_eq!(bench.run_scenario(ONE_FAILS).code, Some(0));
    let folder = bench.run_folder();
    let target = folder.join("samples.parquet");
    let before = fs::read(&target).expect("the columns");
    fs::remove_file(&target).expect("removed");
    let report = || bench.run(&["report", &folder.to_string_lossy()]);
    let ended = report();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(fs::read(&target).expect("the columns") == before, "made of the same rows they are the same");

    fs::remove_file(&target).expect("removed");
    let rows = fs::read_to_string(folder.join("samples.csv")).expect("the rows");
    fs::write(folder.join("samples.csv"), rows.replacen(",steady,", ",", 1)).expect("written");
    let ended = report();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("null"), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("warning: ") && ended.stderr.contains("samples.csv, line "),
        "{}",
        ended.stderr
    );
    assert!(!target.exists());
}

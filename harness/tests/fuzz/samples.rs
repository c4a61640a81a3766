//! Samples files: read again, made into columns, and taken into the record of a run that was killed, or refused with the
//! file and the line.

use serde_json::Value;
use tailmark::driver::{ColumnarError, SampleLog, replay, write_columnar};
use tailmark::run::recover;
use tailmark::sample::{Outcome, Sample};
use tailmark_providers::provider::StageTimes;
use tailmark_reports::record::{BackendRecord, Phase, RunRecord};

use super::examples::{Example, made};
use super::from_schema::simplest;
use super::record_formats;
use super::scratch::Scratch;
use super::target::{Seen, Target};

#[test]
fn every_samples_file_is_read_to_its_torn_end_or_is_refused_with_its_line() {
    Target { name: "samples", cases: 400, examples: vec![written()], made: None, check }.run();
}

/// What a run writes.
fn written() -> Example {
    let folder = Scratch::new();
    let log =
        SampleLog::create(folder.path(), vec!["null".into(), "onnx-2".into()], Box::new(|_| {})).unwrap();
    for number in 0..12 {
        log.push(&sample(number));
    }
    log.close().unwrap();
    made("a run", std::fs::read(folder.path().join("samples.csv")).unwrap())
}

fn sample(number: u64) -> Sample {
    let at = number * 1_000_000;
    Sample {
        backend: number as usize % 2,
        restart: 1 + number as u32 / 6,
        phase: [Phase::ColdStart, Phase::WarmUp, Phase::Steady][number as usize / 2 % 3],
        number,
        texts: 2,
        tokens: Some(17),
        scheduled_ns: at,
        started_ns: at + 30,
        queued_ns: 20,
        finished_ns: at + 5_000,
        outcome: [Outcome::Answered, Outcome::TimedOut, Outcome::Failed("why".into())][number as usize % 3]
            .clone(),
        stages: StageTimes {
            tokenize_ns: Some(2),
            infer_ns: Some(3),
            pool_ns: None,
            worker_ns: Some(5),
            ..StageTimes::default()
        },
    }
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let folder = Scratch::new();
    folder.write("samples.csv", input);
    let mut seen: Vec<Sample> = Vec::new();
    let replayed = replay(folder.path(), |_, sample| seen.push(sample.clone()));
    let columns = write_columnar(folder.path());
    match (replayed, columns) {
        (Ok(count), Ok(rows)) => {
            if count != seen.len() as u64 || rows.unwrap_or(0) != count || count as usize > input.len() {
                return Err(format!("{count} samples, {} handed out, {rows:?} rows", seen.len()));
            }
            recovered(&folder)?;
            Ok(Seen::Taken)
        }
        // A word that no run writes is a fault for what reads words, and columns hold any.
        (Err(why), columns) => {
            check_error(&why, input)?;
            columns.map_or_else(|why| check_error(&why, input), |_| Ok(())).map(|()| Seen::Refused)
        }
        (Ok(_), Err(why)) => Err(format!("samples that can be read make no columns: {why}")),
    }
}

/// The record of a run that was killed takes the samples in and is shown.
fn recovered(folder: &Scratch) -> Result<(), String> {
    let mut record = simplest(&schemars::schema_for!(RunRecord).to_value());
    let backend = simplest(&schemars::schema_for!(BackendRecord).to_value());
    record["backends"] = ["null", "onnx-2"].into_iter().map(|name| named(backend.clone(), name)).collect();
    let mut record: RunRecord = serde_json::from_value(record).unwrap();
    recover(folder.path(), &mut record).map_err(|why| format!("samples that can be read: {why}"))?;
    for (format, shown) in record_formats::all(&record) {
        if String::from_utf8_lossy(&shown).contains("NaN") {
            return Err(format!("{format} has a NaN"));
        }
    }
    Ok(())
}

fn named(mut backend: Value, name: &str) -> Value {
    backend["name"] = name.into();
    backend
}

fn check_error(why: &ColumnarError, input: &[u8]) -> Result<(), String> {
    let told = why.to_string();
    let placed =
        told.contains(", line ") || told.contains("does not begin with") || told.contains("cannot read");
    if !told.contains("samples.csv") || !placed || told.len() > 4 * input.len() + 1_000 {
        return Err(format!("the file and the line are not named: {told:.300}"));
    }
    Ok(())
}

//! `run.json` on disk.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde_json::Value;

use super::backend::TimelineGroup;
use super::run::{RECORD_VERSION, RunRecord};

/// The largest number of a run: a hundred days in nanoseconds, eight petabytes. Reports add several up and draw axes to them,
/// and readers in other languages hold no larger one exactly.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// The one key whose number is not a quantity and may be any.
const ANY_NUMBER: &str = "seed";

/// The record.
const RECORD: &str = "run.json";
/// The latencies over time, by the backend's name.
const TIMELINE: &str = "timeline.json";

type Timelines = BTreeMap<String, Vec<TimelineGroup>>;

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("cannot read {}: {source}\n\nhint: give the folder of a run, for example runs/20260301T120000Z-smoke", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is not a record.
    #[error("{} is not a run record: {source}", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// It was written by another version.
    #[error("{} has record version {found}, and this tailmark reads version {RECORD_VERSION}\n\nhint: read it with the tailmark that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
    },
}

/// Reads `run.json` of a run folder, and the latencies over time beside it.
///
/// # Errors
/// When a file cannot be read, is no record, or has another version.
pub fn read(folder: &Path) -> Result<RunRecord, ReadError> {
    let path = folder.join(RECORD);
    let value = checked(&path)?;
    // The version is asked for before the shape: a record of another version need not have this one, and which version it is
    // helps more than the first field that is missing.
    match value.get("record_version").and_then(Value::as_u64) {
        Some(found) if found != u64::from(RECORD_VERSION) => return Err(ReadError::Version { path, found }),
        _ => {}
    }
    refuse_beyond_any_run(&path, &value)?;
    let mut record: RunRecord = serde_json::from_value(value)
        .map_err(|source| ReadError::NotARecord { path: path.clone(), source })?;
    // Everything of a backend is found by its name.
    let mut names = HashSet::new();
    if let Some(twice) = record.backends.iter().find(|backend| !names.insert(backend.name.as_str())) {
        let source = serde_json::Error::custom(format!("two backends are named `{}`", twice.name));
        return Err(ReadError::NotARecord { path, source });
    }
    let path = folder.join(TIMELINE);
    if path.exists() {
        let value = checked(&path)?;
        refuse_beyond_any_run(&path, &value)?;
        let mut all: Timelines =
            serde_json::from_value(value).map_err(|source| ReadError::NotARecord { path, source })?;
        // A run that was killed between the two files has its groups in the record of the samples.
        for backend in record.backends.iter_mut().filter(|backend| backend.timeline.is_empty()) {
            backend.timeline = all.remove(&backend.name).unwrap_or_default();
        }
    }
    Ok(record)
}

fn checked(path: &Path) -> Result<Value, ReadError> {
    let text = fs::read(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| ReadError::NotARecord { path: path.to_owned(), source })
}

fn refuse_beyond_any_run(path: &Path, value: &Value) -> Result<(), ReadError> {
    match beyond_any_run("", value) {
        Some(why) => {
            Err(ReadError::NotARecord { path: path.to_owned(), source: serde_json::Error::custom(why) })
        }
        None => Ok(()),
    }
}

/// Names a number that no run comes to, as a damaged file may have it.
fn beyond_any_run(key: &str, value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if key != ANY_NUMBER && number.as_f64().is_none_or(|n| n.abs() > LARGEST) => {
            Some(format!("`{key}` is {number}, and nothing in a run comes to more than {LARGEST}"))
        }
        Value::Array(items) => items.iter().find_map(|item| beyond_any_run(key, item)),
        Value::Object(members) => members.iter().find_map(|(key, value)| beyond_any_run(key, value)),
        _ => None,
    }
}

/// Writes `run.json` of a run folder, and `timeline.json` with what most of its bytes would be: each aside first, then renamed, so that a
/// reader never finds half a file and a full disk leaves the ones that were there.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(folder: &Path, record: &RunRecord) -> io::Result<()> {
    let mut lean = record.clone();
    let mut all = Timelines::new();
    for backend in &mut lean.backends {
        let timeline = std::mem::take(&mut backend.timeline);
        if !timeline.is_empty() {
            all.insert(backend.name.clone(), timeline);
        }
    }
    replace(folder, RECORD, |out| serde_json::to_writer_pretty(out, &lean))?;
    if all.is_empty() {
        return match fs::remove_file(folder.join(TIMELINE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    replace(folder, TIMELINE, |out| serde_json::to_writer(out, &all))
}

type Sheet<'a> = &'a mut io::BufWriter<fs::File>;

fn replace(
    folder: &Path,
    name: &str,
    content: impl FnOnce(Sheet<'_>) -> serde_json::Result<()>,
) -> io::Result<()> {
    let aside = folder.join(format!(".{name}.part"));
    let written = write_to(&aside, content).and_then(|()| fs::rename(&aside, folder.join(name)));
    if written.is_err() {
        // On a full disk half a record only takes room; why it could not be written is the error to tell.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn write_to(path: &Path, content: impl FnOnce(Sheet<'_>) -> serde_json::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::new(fs::File::create(path)?);
    content(&mut out)?;
    out.write_all(b"\n")?;
    // Dropped without this, it would swallow what a full disk says.
    out.into_inner()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::record::BandPoint;

    #[test]
    fn what_is_written_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let records = [
            fixture::one(),
            fixture::five(),
            fixture::several(),
            fixture::nothing(),
            fixture::open(),
            fixture::matrix(),
            fixture::capacity(),
        ];
        for mut record in records {
            // Long fractions may come back changed in their last digit, which no report shows.
            for backend in &mut record.backends {
                backend.phases.clear();
                backend.curve.clear();
                for judged in &mut backend.verdicts {
                    judged.exceedance = None;
                    judged.band = vec![BandPoint { requests: 300, share: 0.5, low: 0.25, high: 0.75 }];
                }
            }
            for capacity in &mut record.capacities {
                capacity.search.clear();
                for law in capacity.levels.iter_mut().filter_map(|level| level.littles_law.as_mut()) {
                    law.response_seconds = 0.0125;
                    law.arrivals_per_second = 79.5;
                    law.in_system = 0.75;
                }
            }
            write(folder.path(), &record).unwrap();
            assert_eq!(read(folder.path()).unwrap(), record);
        }
    }

    #[test]
    fn the_timeline_has_a_file_of_its_own_and_one_that_is_damaged_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let record = fixture::one();
        write(folder.path(), &record).unwrap();
        let text = fs::read_to_string(folder.path().join(RECORD)).unwrap();
        assert!(!text.contains("\"timeline\""), "{text}");
        let path = folder.path().join(TIMELINE);
        fs::write(&path, "[1]").unwrap();
        let message = read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("timeline.json is not a run record"), "{message}");
        fs::remove_file(&path).unwrap();
        assert!(read(folder.path()).unwrap().backends[0].timeline.is_empty());
        // An earlier tailmark had it in the record.
        let whole = serde_json::to_string(&record).unwrap();
        fs::write(folder.path().join(RECORD), whole).unwrap();
        assert_eq!(read(folder.path()).unwrap().backends[0].timeline, record.backends[0].timeline);
    }

    #[test]
    fn a_record_from_before_restarts_and_replacements_were_told_apart_is_read() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &fixture::one()).unwrap();
        let path = folder.path().join("run.json");
        let now = fs::read_to_string(&path).unwrap();
        let before = now.replace("\"max_replacements\": 2", "\"max_restarts\": 2");
        assert_ne!(before, now);
        fs::write(&path, before).unwrap();
        assert_eq!(read(folder.path()).unwrap().backends[0].max_replacements, 2);
    }

    #[test]
    fn a_full_disk_is_an_error_and_leaves_the_record_that_was_there() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &fixture::nothing()).unwrap();
        std::os::unix::fs::symlink(full, folder.path().join(".run.json.part")).unwrap();
        let error = write(folder.path(), &fixture::one()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
        assert_eq!(read(folder.path()).unwrap().scenario, fixture::nothing().scenario);
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["run.json"]);
    }

    #[test]
    fn a_number_that_no_run_comes_to_is_named_by_its_key_and_a_seed_may_be_any() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = fixture::one();
        record.workload.seed = u64::MAX;
        write(folder.path(), &record).unwrap();
        assert_eq!(read(folder.path()).unwrap().workload.seed, u64::MAX);
        record.machine.memory_bytes = u64::MAX;
        write(folder.path(), &record).unwrap();
        let message = read(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("`memory_bytes` is 18446744073709551615, and nothing in a run"),
            "{message}"
        );
    }

    #[test]
    fn a_record_of_another_version_is_refused_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("run.json"), r#"{"record_version": 1}"#).unwrap();
        let message = read(folder.path()).unwrap_err().to_string();
        let reads = format!("reads version {RECORD_VERSION}");
        assert!(message.contains("has record version 1") && message.contains(&reads), "{message}");
    }
}

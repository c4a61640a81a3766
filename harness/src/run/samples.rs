//! What a command does about the files of a run's samples: completes them, and warns when they held the run up.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tailmark_reports::record::Warning;
use tailmark_reports::units;

use super::reserve::Reserve;
use crate::driver::{ColumnarError, SampleLog, replay, write_columnar};
use crate::screen::Screen;
use crate::statistics::series::Series;

/// What to do about a run folder that cannot be written to.
pub(super) const MAKE_ROOM: &str =
    "free up space on that disk, or put the run folder on another one (--runs FOLDER)";

/// Makes `samples.parquet` where it is missing or older than the rows. A run is judged without it, so that it could not be
/// made is said and ends nothing.
pub fn complete(folder: &Path, screen: &Screen) {
    Reserve::give_back_in(folder);
    screen.phase("writing samples.parquet", None);
    if let Err(error) = write_columnar(folder) {
        screen.say(&format!("warning: {error}; samples.parquet was not made, and samples.csv is as it was"));
    }
    screen.clear();
}

/// What each backend's restarts showed, from the samples of a run; empty where they are gone.
///
/// # Errors
/// When there are samples and they cannot be read.
pub fn series_of(folder: &Path) -> Result<BTreeMap<String, Series>, ColumnarError> {
    let mut all: BTreeMap<String, Series> = BTreeMap::new();
    replay(folder, |backend, sample| match all.get_mut(backend) {
        Some(series) => series.add(sample),
        None => all.entry(backend.to_owned()).or_default().add(sample),
    })?;
    Ok(all)
}

/// The warning that the run waited for its own files; `None` when it never did.
pub(super) fn waited(log: &SampleLog) -> Option<Warning> {
    let waited = log.waited();
    (!waited.is_zero()).then(|| Warning {
        backend: None,
        what: format!(
            "samples were made faster than they could be written: tailmark waited {} for the disk, {} in all, and started no \
             request in that time",
            units::counted(log.waits(), "time"),
            units::duration(waited.as_nanos() as f64),
        ),
        remedy: "put the run folder on a faster disk (--runs FOLDER), or start fewer requests per second".to_owned(),
    })
}

/// The warning that not every sample is on disk.
pub(super) fn not_all_written(folder: &Path, error: &io::Error) -> Warning {
    Warning {
        backend: None,
        what: format!(
            "{} is missing requests, because it could no longer be written ({error}); the figures and verdicts cover all \
             requests",
            folder.join("samples.csv").display()
        ),
        remedy: MAKE_ROOM.to_owned(),
    }
}

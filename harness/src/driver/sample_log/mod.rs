//! Every request on disk soon after it ended: a row of `samples.csv`, and counted in the histograms of `latency.hlog`.
//!
//! A thread of its own writes what the driver left for it, ten times a second, and sooner when it is much. So the driver
//! pays for a copy and for a lock that is almost never contended, and a run that is killed loses a tenth of a second of
//! rows and a second of histograms. What a report shows does not come from these files. [`write_columnar`] makes
//! `samples.parquet` of the rows once a run is over.

mod column;
mod columnar;
mod columns;
mod intervals;
mod lines;
mod queue;
mod replay;
mod rows;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

pub use column::ColumnarError;
pub use columnar::write_columnar;
use hdrhistogram::serialization::V2DeflateSerializer;
use intervals::Intervals;
use queue::Queue;
pub use replay::replay;
use rows::Rows;

use crate::sample::Sample;

/// The most samples that wait to be written, and again the most that are being written: 18 MB each, touched only as far
/// as a run needs them. A second of the fastest backend there is makes several times as many, and a disk that stops for
/// longer than that is worth a warning.
const BOUND: usize = 1 << 17;

/// What is called with the number of samples written so far, about ten times a second.
pub type OnWritten = Box<dyn Fn(u64) + Send>;

/// The samples of a run, on their way to its folder.
pub struct SampleLog {
    queue: Arc<Queue>,
    /// Backends that came later and that the writer has not been told of.
    later: Arc<Mutex<Vec<String>>>,
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl SampleLog {
    /// Creates `samples.csv` and `latency.hlog` in a run's folder and starts their writer. `names` are the backends'
    /// names by index. The run is taken to begin now: the times of `latency.hlog` count from here.
    ///
    /// # Errors
    /// When a file cannot be created or written to.
    pub fn create(folder: &Path, names: Vec<String>, on_written: OnWritten) -> io::Result<Self> {
        let began = SystemTime::now();
        let rows = Rows::create(&folder.join("samples.csv"), names.clone())?;
        let histograms = File::create(folder.join("latency.hlog"))?;
        let queue = Arc::new(Queue::new(BOUND));
        let later = Arc::default();
        let (theirs, also) = (Arc::clone(&queue), Arc::clone(&later));
        let writer = std::thread::Builder::new().name("samples".to_owned()).spawn(move || {
            let files = Files { rows, histograms, names, began };
            let written = write_until_closed(&theirs, &also, files, &on_written);
            theirs.abandon();
            written
        })?;
        Ok(Self { queue, later, writer: Some(writer) })
    }

    /// Takes in a backend that was not there when the files were created; its index is the next one.
    pub fn add_backend(&self, name: String) {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    }

    /// Leaves a sample to be written. Waits while too many wait already, which [`waited`](Self::waited) counts. Once
    /// writing has failed it does nothing, and [`close`](Self::close) tells.
    pub fn push(&self, sample: &Sample) {
        self.queue.push(sample.clone());
    }

    /// How long [`push`](Self::push) has waited in all because samples were made faster than they could be written. In
    /// that time no request was started or seen to end, so anything but zero is worth a warning.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.queue.waits().1
    }

    /// How many times [`push`](Self::push) has waited.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.queue.waits().0
    }

    /// Whether writing has failed by now; [`close`](Self::close) tells why.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        // It ends before it is told to only when it cannot go on.
        self.writer.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Waits until every sample is written.
    ///
    /// # Errors
    /// When writing failed, now or earlier.
    pub fn close(mut self) -> io::Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.queue.close();
        match self.writer.take() {
            Some(writer) => {
                writer.join().unwrap_or_else(|_| Err(io::Error::other("the samples thread panicked")))
            }
            None => Ok(()),
        }
    }
}

impl Drop for SampleLog {
    fn drop(&mut self) {
        // Only reached without `close` when the run is already failing; its own error is the one to tell.
        let _ = self.finish();
    }
}

/// What is written to.
struct Files {
    rows: Rows,
    histograms: File,
    names: Vec<String>,
    began: SystemTime,
}

fn write_until_closed(
    queue: &Queue,
    later: &Mutex<Vec<String>>,
    files: Files,
    on_written: &OnWritten,
) -> io::Result<()> {
    let Files { mut rows, histograms, names, began } = files;
    // Each line of the interval log goes to the system whole, as soon as it is complete.
    let mut lines = io::LineWriter::with_capacity(1 << 16, histograms);
    let mut serializer = V2DeflateSerializer::new();
    let mut intervals = Intervals::begin(&mut lines, &mut serializer, names, began)?;
    let mut written = 0;
    let mut batch = Vec::with_capacity(BOUND);
    loop {
        let more = queue.take(&mut batch);
        // A backend is taken in before its first sample is left, so its name is there by now.
        for name in later.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            rows.add_backend(name.clone());
            intervals.add_backend(name);
        }
        for sample in &batch {
            rows.append(sample)?;
            intervals.record(sample)?;
        }
        rows.flush()?;
        written += batch.len() as u64;
        batch.clear();
        on_written(written);
        if !more {
            intervals.finish()?;
            return rows.sync();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::BufRead as _;

    use tailmark_providers::provider::StageTimes;
    use tailmark_reports::record::Phase;

    use super::*;
    use crate::sample::Outcome;

    /// A steady request of the first backend that was answered after so many nanoseconds.
    pub(in crate::driver) fn answered(number: u64, scheduled_ns: u64, response_ns: u64) -> Sample {
        Sample {
            backend: 0,
            restart: 1,
            phase: Phase::Steady,
            number,
            texts: 2,
            tokens: Some(17),
            scheduled_ns,
            started_ns: scheduled_ns + 30,
            queued_ns: 20,
            finished_ns: scheduled_ns + response_ns,
            outcome: Outcome::Answered,
            stages: StageTimes {
                serialize_ns: 1,
                tokenize_ns: Some(2),
                infer_ns: Some(3),
                pool_ns: Some(4),
                worker_ns: Some(5),
                deserialize_ns: 6,
                network: None,
            },
        }
    }

    #[test]
    fn a_closed_log_has_a_row_for_every_sample_in_the_order_they_came() {
        let folder = tempfile::tempdir().unwrap();
        let log = SampleLog::create(folder.path(), vec!["null".to_owned()], Box::new(|_| {})).unwrap();
        // More than fit into the queue, so that it goes round.
        let count = 3 * BOUND as u64;
        for number in 0..count {
            log.push(&answered(number, number * 1_000, 500));
        }
        log.close().unwrap();
        let file = io::BufReader::new(File::open(folder.path().join("samples.csv")).unwrap());
        let mut lines = file.lines().map(Result::unwrap);
        let header = lines.next().unwrap();
        assert!(header.starts_with("backend,restart,phase,number,"), "{header}");
        let mut seen = 0;
        for line in lines {
            assert_eq!(line.split(',').nth(3), Some(seen.to_string().as_str()));
            seen += 1;
        }
        assert_eq!(seen, count);
    }

    #[test]
    fn a_backend_that_comes_later_has_its_name_in_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let log = SampleLog::create(folder.path(), vec!["null".to_owned()], Box::new(|_| {})).unwrap();
        log.push(&answered(0, 0, 500));
        log.add_backend("null-at-50".to_owned());
        log.push(&Sample { backend: 1, ..answered(1, 1_000, 500) });
        log.close().unwrap();
        let text = std::fs::read_to_string(folder.path().join("samples.csv")).unwrap();
        let names: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
        assert_eq!(names, ["null", "null-at-50"]);
        let histograms = std::fs::read_to_string(folder.path().join("latency.hlog")).unwrap();
        assert!(histograms.contains("Tag=null-at-50.steady,"), "{histograms}");
    }

    #[test]
    fn the_log_tells_how_many_were_written_and_keeps_nothing_back_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let last = Arc::new(std::sync::Mutex::new(0));
        let theirs = Arc::clone(&last);
        let on_written: OnWritten = Box::new(move |written| *theirs.lock().unwrap() = written);
        let log = SampleLog::create(folder.path(), vec!["null".to_owned()], on_written).unwrap();
        for number in 0..10 {
            log.push(&answered(number, number * 1_000, 500));
        }
        log.close().unwrap();
        assert_eq!(*last.lock().unwrap(), 10);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let made = SampleLog::create(&folder.path().join("nowhere"), Vec::new(), Box::new(|_| {}));
        assert_eq!(made.err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    }
}

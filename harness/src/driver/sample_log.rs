//! Every sample, appended to a CSV file as it ends.
//!
//! A thread of its own writes what the driver left for it ten times a second: the driver pays for a lock that is
//! almost never contended, and a run that is killed loses a tenth of a second.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sample::Sample;

const PERIOD: Duration = Duration::from_millis(100);
const HEADER: &str = "backend,restart,phase,number,texts,tokens,scheduled_ns,started_ns,finished_ns,outcome,serialise_ns,\
                      tokenize_ns,infer_ns,pool_ns,worker_ns,deserialise_ns";

/// What is called with the number of samples written so far, about ten times a second.
pub type OnWritten = Box<dyn Fn(u64) + Send>;

#[derive(Default)]
struct Waiting {
    names: Vec<String>,
    samples: Vec<Sample>,
    closed: bool,
}

type Shared = Arc<(Mutex<Waiting>, Condvar)>;

/// The samples file of a run.
pub struct SampleLog {
    shared: Shared,
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl SampleLog {
    /// Creates the file and starts its writer. `names` are the backends' names by index.
    ///
    /// # Errors
    /// When the file cannot be created or written to.
    pub fn create(path: &Path, names: Vec<String>, on_written: OnWritten) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "{HEADER}")?;
        file.flush()?;
        let shared = Shared::default();
        let theirs = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("samples".to_owned())
            .spawn(move || write_until_closed(&theirs, file, names, &on_written))?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// Takes in a backend that was not there when the file was created; its index is the next one.
    pub fn add_backend(&self, name: String) {
        lock(&self.shared.0).names.push(name);
    }

    /// Leaves a sample to be written.
    pub fn push(&self, sample: &Sample) {
        lock(&self.shared.0).samples.push(sample.clone());
    }

    /// Waits until every sample is written.
    ///
    /// # Errors
    /// When writing failed, now or earlier.
    pub fn close(mut self) -> io::Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> io::Result<()> {
        lock(&self.shared.0).closed = true;
        self.shared.1.notify_one();
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

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_until_closed(
    shared: &Shared,
    mut file: BufWriter<File>,
    mut names: Vec<String>,
    on_written: &OnWritten,
) -> io::Result<()> {
    let mut written = 0;
    let mut batch = Vec::new();
    loop {
        let closed = {
            let waiting = lock(&shared.0);
            let (mut waiting, _) = shared
                .1
                .wait_timeout_while(waiting, PERIOD, |waiting| !waiting.closed)
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting.samples, &mut batch);
            names.append(&mut waiting.names);
            waiting.closed
        };
        written += batch.len() as u64;
        for sample in batch.drain(..) {
            write_row(&mut file, &names, &sample)?;
        }
        file.flush()?;
        on_written(written);
        if closed {
            return file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all();
        }
    }
}

fn write_row(file: &mut impl Write, names: &[String], sample: &Sample) -> io::Result<()> {
    use tailmark_reports::record::Phase;
    let phase = match sample.phase {
        Phase::ColdStart => "cold_start",
        Phase::WarmUp => "warm_up",
        Phase::Steady => "steady",
        Phase::Mixed => "mixed",
    };
    let stages = &sample.stages;
    writeln!(
        file,
        "{},{},{phase},{},{},{},{},{},{},{},{},{},{},{},{},{}",
        names.get(sample.backend).map_or("", String::as_str),
        sample.restart,
        sample.number,
        sample.texts,
        sample.tokens,
        sample.scheduled_ns,
        sample.started_ns,
        sample.finished_ns,
        sample.outcome.name(),
        stages.serialise_ns,
        stages.tokenize_ns,
        stages.infer_ns,
        stages.pool_ns,
        stages.worker_ns,
        stages.deserialise_ns,
    )
}

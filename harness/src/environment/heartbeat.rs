//! Whether tailmark itself ran all the time: a thread that wakes four times a second and notes when it woke far too late.
//!
//! A process that is stopped (Ctrl-Z), a machine that sleeps and a processor that is not to be had all look alike from the
//! requests: they took long. Only a clock that should have been read in between tells them from a slow backend.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::conditions::{Pause, PauseCause};
use super::source::Files;

/// Time between two beats. A beat costs a few microseconds, so all of them take some ten microseconds of each second.
const PERIOD: Duration = Duration::from_millis(250);

/// A beat that comes this much too late is a pause. A thread that slept is run again within milliseconds even on a machine
/// with ten times as many tasks as processors, and within a tenth of a second under a CPU quota.
const LATE: Duration = Duration::from_millis(500);

/// The thread that beats. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Heartbeat {
    pauses: Arc<Mutex<Vec<Pause>>>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Heartbeat {
    /// Starts to beat.
    pub(super) fn start(files: &Files) -> Result<Self, String> {
        let pauses = Arc::new(Mutex::new(Vec::new()));
        let (noted, files) = (Arc::clone(&pauses), files.clone());
        let (stop, stopped) = mpsc::channel::<()>();
        let beat = move || {
            let clocks = Clocks::start(files);
            let mut last = clocks.read();
            loop {
                let over = !matches!(stopped.recv_timeout(PERIOD), Err(RecvTimeoutError::Timeout));
                let now = clocks.read();
                if let Some(pause) = pause_between(last, now) {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push(pause);
                }
                last = now;
                if over {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(beat);
        let thread = thread.map_err(|error| format!("no thread could be started: {error}"))?;
        Ok(Self { pauses, stop, thread })
    }

    /// The pauses noted so far. One that has only just ended may be missing.
    pub(super) fn so_far(&self) -> Vec<Pause> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends with a last beat, so that no pause is missing.
    pub(super) fn finish(self) -> Vec<Pause> {
        drop(self.stop);
        // A thread that panicked has noted what it noted.
        let _ = self.thread.join();
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The clocks that tell the causes of a pause apart.
struct Clocks {
    files: Files,
    began: Instant,
    calendar_began: SystemTime,
}

/// What the clocks show at one beat.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Beat {
    /// On the clock that requests are timed with, which stands still while the machine sleeps.
    at: Duration,
    /// On a clock that goes on while the machine sleeps.
    awake_or_asleep: Duration,
    /// How long this thread has waited for a processor that others had, where the kernel counts it.
    waited: Option<Duration>,
}

impl Clocks {
    fn start(files: Files) -> Self {
        Self { files, began: Instant::now(), calendar_began: SystemTime::now() }
    }

    fn read(&self) -> Beat {
        let at = self.began.elapsed();
        // The calendar can be set while it is watched, the time since the machine was started cannot.
        let awake_or_asleep = first_number(&self.files, "proc/uptime")
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let calendar = || self.calendar_began.elapsed().unwrap_or_default();
        Beat { at, awake_or_asleep: awake_or_asleep.unwrap_or_else(calendar), waited: waited(&self.files) }
    }
}

/// The second number of `schedstat`: nanoseconds spent ready to run without running.
fn waited(files: &Files) -> Option<Duration> {
    let text = files.text("proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

fn first_number(files: &Files, path: &str) -> Option<f64> {
    files.text(path).ok()?.split_whitespace().next()?.parse().ok()
}

/// The pause between two beats, if there was one.
fn pause_between(last: Beat, now: Beat) -> Option<Pause> {
    let passed = now.at.saturating_sub(last.at);
    let late = passed.saturating_sub(PERIOD);
    let asleep = now.awake_or_asleep.saturating_sub(last.awake_or_asleep).saturating_sub(passed);
    let waited = now.waited.zip(last.waited).map(|(now, last)| now.saturating_sub(last));
    let (length, cause) = if asleep >= LATE {
        (late + asleep, PauseCause::Asleep)
    } else if late >= LATE {
        match waited {
            Some(waited) if waited >= late / 2 => (late, PauseCause::NoProcessor),
            _ => (late, PauseCause::Suspended),
        }
    } else {
        return None;
    };
    Some(Pause { at: last.at, length, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A beat at that time, after so long asleep, having waited that long for a processor.
    fn beat(at: u64, asleep: u64, waited: u64) -> Beat {
        Beat { at: ms(at), awake_or_asleep: ms(1_000_000 + at + asleep), waited: Some(ms(waited)) }
    }

    fn between(last: Beat, now: Beat) -> Option<(u128, u128, PauseCause)> {
        let pause = pause_between(last, now)?;
        Some((pause.at.as_millis(), pause.length.as_millis(), pause.cause))
    }

    #[test]
    fn a_beat_in_time_or_a_little_late_is_no_pause() {
        assert_eq!(between(beat(1_000, 0, 3), beat(1_250, 0, 3)), None);
        assert_eq!(between(beat(1_000, 0, 3), beat(1_740, 0, 400)), None, "a loaded machine");
        assert_eq!(between(beat(1_000, 0, 3), beat(1_010, 0, 3)), None, "the last one comes early");
    }

    #[test]
    fn a_process_that_was_stopped_waited_for_nothing() {
        let stopped = Some((1_000, 3_000, PauseCause::Suspended));
        assert_eq!(between(beat(1_000, 0, 3), beat(4_250, 0, 4)), stopped);
        let untold = |at| Beat { waited: None, ..beat(at, 0, 0) };
        assert_eq!(between(untold(1_000), untold(4_250)), stopped, "a system that counts no waiting");
    }

    #[test]
    fn a_process_that_was_kept_waiting_was_not_stopped() {
        let waited = Some((1_000, 900, PauseCause::NoProcessor));
        assert_eq!(between(beat(1_000, 0, 3), beat(2_150, 0, 880)), waited);
    }

    #[test]
    fn a_machine_that_slept_is_known_by_the_clock_that_went_on() {
        let slept = Some((1_000, 40_000, PauseCause::Asleep));
        assert_eq!(between(beat(1_000, 0, 3), beat(1_250, 40_000, 3)), slept);
        let calendar_set_back = Beat { awake_or_asleep: ms(5), ..beat(1_250, 0, 3) };
        assert_eq!(between(beat(1_000, 0, 3), calendar_set_back), None);
    }

    #[test]
    fn the_clocks_of_a_recorded_machine_are_read_from_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc/thread-self")).unwrap();
        std::fs::write(folder.path().join("proc/uptime"), "578.72 374.21\n").unwrap();
        std::fs::write(folder.path().join("proc/thread-self/schedstat"), "113800 5057000 2\n").unwrap();
        let beat = Clocks::start(Files::below(folder.path())).read();
        assert_eq!((beat.awake_or_asleep, beat.waited), (ms(578_720), Some(Duration::from_nanos(5_057_000))));
        let empty = tempfile::tempdir().unwrap();
        let beat = Clocks::start(Files::below(empty.path())).read();
        assert_eq!(beat.waited, None);
        assert!(beat.awake_or_asleep < ms(60_000), "the calendar since the start: {beat:?}");
    }

    #[test]
    fn a_heartbeat_ends_when_it_is_told_to() {
        let heartbeat = Heartbeat::start(&Files::of_this_machine()).unwrap();
        assert!(heartbeat.so_far().len() <= heartbeat.finish().len());
    }
}

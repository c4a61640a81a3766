//! What a person sees while a run goes on: steps and one bar on a terminal; elsewhere plain lines, and one every ten seconds with how far
//! it is. All on stderr.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tailmark_providers::progress::Progress;
use tailmark_reports::units;

/// How often a log is told how far it is.
const EVERY: Duration = Duration::from_secs(10);

/// What is being measured.
#[derive(Debug)]
struct UnderWay {
    what: String,
    requests: Option<u64>,
    began: Instant,
    last_line: Instant,
}

/// Shows how a run gets on.
#[derive(Debug)]
pub struct Screen {
    bar: ProgressBar,
    terminal: bool,
    last_step: Mutex<String>,
    under_way: Mutex<Option<UnderWay>>,
    run_ends: Mutex<Option<Instant>>,
    phase_began_at: AtomicU64,
    written: AtomicU64,
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Screen {
    /// One on stderr, with a bar if that is a terminal.
    #[must_use]
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        Self {
            bar,
            terminal,
            last_step: Mutex::new(String::new()),
            under_way: Mutex::new(None),
            run_ends: Mutex::new(None),
            phase_began_at: AtomicU64::new(0),
            written: AtomicU64::new(0),
        }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        if self.terminal {
            self.bar.println(line);
        } else {
            // That nobody listens (`2>&1 | head -1`) must not end a run, as `eprintln!` would.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// How long the whole run still takes, as well as can be told.
    pub fn run_left(&self, left: Option<Duration>) {
        let mut run_ends = self.run_ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *run_ends = left.map(|left| Instant::now() + left);
    }

    /// What is said of the whole run behind the part that is under way; nothing when that cannot be told.
    fn of_the_run(&self) -> String {
        let run_ends = *self.run_ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        run_ends
            .map(|ends| words_of_the_run(ends.saturating_duration_since(Instant::now())))
            .unwrap_or_default()
    }

    /// A phase begins; `requests` when it has a known length.
    pub fn phase(&self, what: &str, requests: Option<u64>) {
        self.phase_began_at.store(self.written.load(Ordering::Relaxed), Ordering::Relaxed);
        if !self.terminal {
            let now = Instant::now();
            let mut under_way = self.under_way.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let last_line = under_way.as_ref().map_or(now, |before| before.last_line);
            *under_way = Some(UnderWay { what: what.to_owned(), requests, began: now, last_line });
            return;
        }
        let template = match requests {
            Some(_) => "{spinner} {wide_msg} {bar:20} {pos}/{len} {elapsed}",
            None => "{spinner} {wide_msg} {elapsed}",
        };
        self.bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        self.bar.set_length(requests.unwrap_or(0));
        self.bar.reset();
        self.bar.set_message(format!("{what}{}", self.of_the_run()));
        self.bar.tick();
    }

    /// So many samples have been written in the run.
    pub fn written(&self, samples: u64) {
        self.written.store(samples, Ordering::Relaxed);
        let done = samples.saturating_sub(self.phase_began_at.load(Ordering::Relaxed));
        if self.terminal {
            self.bar.set_position(done);
            return;
        }
        let mut under_way = self.under_way.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(under_way) = under_way.as_mut().filter(|one| one.last_line.elapsed() >= EVERY) {
            under_way.last_line = Instant::now();
            let part = how_far(&under_way.what, done, under_way.requests, under_way.began.elapsed());
            self.say(&format!("{part}{}", self.of_the_run()));
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn words_of_the_run(left: Duration) -> String {
    match left.as_secs() {
        // An estimate to the second would be wrong by then.
        0..5 => "; the run is nearly over".to_owned(),
        seconds @ 5..120 => format!("; about {seconds} s left of the run"),
        seconds => format!("; about {} left of the run", units::duration(seconds as f64 * 1e9)),
    }
}

/// How far a part of the run is, in a line; `requests` are at most so many.
fn how_far(what: &str, done: u64, requests: Option<u64>, elapsed: Duration) -> String {
    let seconds = |time: Duration| units::duration((time.as_secs_f64() * 1e9).round());
    let so_far = format!("{what}: {}", units::counted(done, "request"));
    match requests.filter(|most| done > 0 && *most >= done) {
        Some(most) => {
            let left = elapsed.mul_f64((most - done) as f64 / done as f64);
            format!(
                "{so_far} of at most {} in {}, at most {} left",
                units::count(most),
                seconds(elapsed),
                seconds(left)
            )
        }
        None => format!("{so_far} in {}", seconds(elapsed)),
    }
}

impl Progress for Screen {
    fn step(&self, message: &str) {
        let mut last = self.last_step.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last == message {
            return;
        }
        message.clone_into(&mut last);
        if self.terminal {
            self.phase(message, None);
            self.bar.enable_steady_tick(Duration::from_millis(200));
        } else {
            self.say(message);
        }
    }

    fn bytes(&self, done: u64, total: u64) {
        if !self.terminal {
            return;
        }
        if self.bar.length() != Some(total) {
            let template = "{spinner} {wide_msg} {bar:20} {bytes}/{total_bytes} {eta}";
            self.bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }
}

/// The path as it is shown: relative, if it lies below the working folder.
#[must_use]
pub fn shown(path: &Path) -> PathBuf {
    let working = std::env::current_dir().ok();
    let below = working.and_then(|working| path.strip_prefix(working).ok());
    below.map_or_else(|| path.to_path_buf(), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_how_far_a_part_is_and_how_much_is_left_of_it() {
        let line = how_far("steady state of onnx, restart 1 of 3", 500, Some(2_000), Duration::from_secs(10));
        assert_eq!(
            line,
            "steady state of onnx, restart 1 of 3: 500 requests of at most 2,000 in 10.0 s, at most 30.0 s left"
        );
        assert_eq!(words_of_the_run(Duration::from_millis(95_400)), "; about 95 s left of the run");
        assert_eq!(words_of_the_run(Duration::from_secs(200)), "; about 3 min 20 s left of the run");
        assert_eq!(words_of_the_run(Duration::from_millis(4_900)), "; the run is nearly over");
        assert_eq!(how_far("x", 1, None, Duration::from_secs(10)), "x: 1 request in 10.0 s");
    }
}

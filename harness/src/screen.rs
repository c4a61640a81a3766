//! What a person sees while a run goes on: steps and one bar on a terminal, plain lines elsewhere. All on stderr.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tailmark_providers::progress::Progress;

/// Shows how a run gets on.
#[derive(Debug)]
pub struct Screen {
    bar: ProgressBar,
    terminal: bool,
    last_step: Mutex<String>,
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

    /// A phase begins; `requests` when it has a known length.
    pub fn phase(&self, what: &str, requests: Option<u64>) {
        if !self.terminal {
            return;
        }
        self.phase_began_at.store(self.written.load(Ordering::Relaxed), Ordering::Relaxed);
        let template = match requests {
            Some(_) => "{spinner} {wide_msg} {bar:20} {pos}/{len} {elapsed}",
            None => "{spinner} {wide_msg} {elapsed}",
        };
        self.bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        self.bar.set_length(requests.unwrap_or(0));
        self.bar.reset();
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// So many samples have been written in the run.
    pub fn written(&self, samples: u64) {
        self.written.store(samples, Ordering::Relaxed);
        if self.terminal {
            self.bar.set_position(samples.saturating_sub(self.phase_began_at.load(Ordering::Relaxed)));
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
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

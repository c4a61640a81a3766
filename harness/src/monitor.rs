//! Watches the memory and processor time of a backend's workers or its server from outside, ten times a second, on a thread of its own.
//! [`Guard`] holds them to a limit.

mod guard;

use std::collections::BTreeMap;
use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use guard::{Guard, OverLimit};
use sysinfo::{Pid, System};

use crate::environment::watched::{self, Watched};

const PERIOD: Duration = Duration::from_millis(100);

/// What processes used together while they were watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Largest resident memory since the processes began, in bytes: the sum of each one's own largest.
    pub peak_rss_bytes: Option<u64>,
    /// Resident memory at each look, in bytes.
    pub rss_bytes: Vec<u64>,
    /// Processor time used between the first and the last look.
    pub cpu: Duration,
    /// Time between them.
    pub elapsed: Duration,
}

/// Processes being watched. Dropping it stops the watch.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Usage>,
}

impl Watch {
    /// Starts to watch the processes, as one.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(processes: Vec<Watched>) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("monitor".to_owned()).spawn(move || {
            let mut looks = Looks::new(processes);
            loop {
                looks.look();
                match stopped.recv_timeout(PERIOD) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => {
                        looks.look();
                        return looks.usage;
                    }
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Takes a last look and says what was used. The process must still be there for that look to count.
    #[must_use]
    pub fn finish(self) -> Usage {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

struct Looks {
    processes: Vec<Watched>,
    system: Option<System>,
    usage: Usage,
    first: Option<(Instant, u64)>,
    /// The largest resident size of each process, or of each with its descendants, so far.
    peaks: Vec<u64>,
    /// Processor time of each process, also of those that have ended, in milliseconds.
    cpu_ms: BTreeMap<Pid, u64>,
}

impl Looks {
    fn new(processes: Vec<Watched>) -> Self {
        let peaks = vec![0; processes.len()];
        let system = System::new().ok();
        Self { processes, system, usage: Usage::default(), first: None, peaks, cpu_ms: BTreeMap::new() }
    }

    fn look(&mut self) {
        let Some(system) = &mut self.system else { return };
        watched::refresh(system, &self.processes);
        let now = Instant::now();
        let mut resident = 0;
        for (watched, peak) in self.processes.iter().zip(&mut self.peaks) {
            let family = watched.family(system);
            // A sum without one of them would be that of fewer replicas.
            if family.is_empty() {
                return;
            }
            let together: u64 = family.iter().map(|process| process.memory()).sum();
            for process in &family {
                self.cpu_ms.insert(process.pid(), process.accumulated_cpu_time());
            }
            resident += together;
            // The kernel's record is that of one process, and none of a sum.
            let kernels = if watched.with_descendants { None } else { high_water_mark(watched.pid) };
            *peak = (*peak).max(together).max(kernels.unwrap_or(0));
        }
        let cpu_ms = self.cpu_ms.values().sum();
        let (began, before) = *self.first.get_or_insert((now, cpu_ms));
        self.usage.elapsed = now - began;
        self.usage.cpu = Duration::from_millis(cpu_ms.saturating_sub(before));
        self.usage.rss_bytes.push(resident);
        self.usage.peak_rss_bytes = Some(self.peaks.iter().sum());
    }
}

/// The kernel's own record of the largest resident size, where it keeps one that can be read (`VmHWM` in /proc).
/// Elsewhere the largest look has to do.
fn high_water_mark(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_are_there_have_memory_together_and_with_one_that_is_not_there_is_no_sum() {
        let one = |pid| Watched { pid, with_descendants: false };
        let own = one(std::process::id());
        let alone = Watch::start(vec![own]).expect("thread").finish();
        assert!(alone.peak_rss_bytes.is_some_and(|peak| peak >= 1 << 20), "{alone:?}");
        assert!(alone.rss_bytes.len() >= 2);
        let mut other = std::process::Command::new("sleep").arg("60").spawn().expect("a process");
        let both = Watch::start(vec![own, one(other.id())]).expect("thread").finish();
        other.kill().and_then(|()| other.wait()).expect("it ends");
        assert!(both.peak_rss_bytes > alone.peak_rss_bytes, "{both:?}, and alone {alone:?}");
        let nobody = Watch::start(vec![own, one(u32::MAX - 7)]).expect("thread").finish();
        assert_eq!(nobody, Usage::default());
    }
}

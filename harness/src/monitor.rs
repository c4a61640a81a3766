//! Watches a worker's memory and processor time from outside, ten times a second, on a thread of its own.

use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

const PERIOD: Duration = Duration::from_millis(100);

/// What a process used while it was watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Largest resident memory since the process began, in bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Resident memory at each look, in bytes.
    pub rss_bytes: Vec<u64>,
    /// Processor time used between the first and the last look.
    pub cpu: Duration,
    /// Time between them.
    pub elapsed: Duration,
}

/// A process being watched. Dropping it stops the watch.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Usage>,
}

impl Watch {
    /// Starts to watch a process.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(process: u32) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("monitor".to_owned()).spawn(move || {
            let mut looks = Looks::new(process);
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
    process: u32,
    system: Option<System>,
    usage: Usage,
    first: Option<(Instant, u64)>,
}

impl Looks {
    fn new(process: u32) -> Self {
        Self { process, system: System::new().ok(), usage: Usage::default(), first: None }
    }

    fn look(&mut self) {
        let pid = Pid::from_u32(self.process);
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        let Some(system) = &mut self.system else { return };
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        let Some(process) = system.process(pid) else { return };
        let now = Instant::now();
        let cpu_ms = process.accumulated_cpu_time();
        let (began, before) = *self.first.get_or_insert((now, cpu_ms));
        self.usage.elapsed = now - began;
        self.usage.cpu = Duration::from_millis(cpu_ms.saturating_sub(before));
        let resident = process.memory();
        self.usage.rss_bytes.push(resident);
        let peak = high_water_mark(self.process).unwrap_or(resident);
        self.usage.peak_rss_bytes = self.usage.peak_rss_bytes.max(Some(peak.max(resident)));
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
    fn a_process_that_is_there_has_memory_and_one_that_is_not_has_none() {
        let own = Watch::start(std::process::id()).expect("thread").finish();
        assert!(own.peak_rss_bytes.is_some_and(|peak| peak >= 1 << 20), "{own:?}");
        assert!(own.rss_bytes.len() >= 2);
        let nobody = Watch::start(u32::MAX - 7).expect("thread").finish();
        assert_eq!(nobody, Usage::default());
    }
}

//! Holds workers to a limit of their memory: looks at each ten times a second, on a thread of its own, and has one that is over
//! the limit killed.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;

use sysinfo::System;

use super::PERIOD;
use crate::environment::watched::{self, Watched};

/// What is done with a process over the limit; it is given the bytes that were found.
pub type OverLimit = Box<dyn Fn(u64) + Send>;

/// Processes that are held to a limit. Dropping it lets them go.
#[derive(Debug)]
pub struct Guard {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    /// Starts to look. Each process is told once at most that it is over `limit`, in bytes of resident memory.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(limit: u64, processes: Vec<(Watched, OverLimit)>) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("memory".to_owned()).spawn(move || {
            let mut processes = processes;
            let Ok(mut system) = System::new() else { return };
            loop {
                processes.retain(|(watched, over)| match resident(&mut system, *watched) {
                    Some(bytes) if bytes > limit => {
                        over(bytes);
                        false
                    }
                    _ => true,
                });
                if stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A look takes well below a millisecond; what it found is nobody's concern any more.
            let _ = thread.join();
        }
    }
}

fn resident(system: &mut System, watched: Watched) -> Option<u64> {
    watched::refresh(system, &[watched]);
    let family = watched.family(system);
    (!family.is_empty()).then(|| family.iter().map(|process| process.memory()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_over_the_limit_is_told_once_and_one_that_is_not_there_never() {
        let (sender, told) = mpsc::channel();
        let also = sender.clone();
        let over: OverLimit = Box::new(move |bytes| sender.send(bytes).expect("the test listens"));
        let nobody: OverLimit = Box::new(move |_| also.send(0).expect("the test listens"));
        let one = |pid| Watched { pid, with_descendants: false };
        let guard = Guard::start(1, vec![(one(std::process::id()), over), (one(u32::MAX - 7), nobody)])
            .expect("a thread");
        let bytes = told.recv().expect("this process has more than a byte");
        assert!(bytes > 1 << 20, "{bytes}");
        drop(guard);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), Vec::<u64>::new());
    }
}

//! The process group of a worker: kills it as one, and never after it was reaped, when its number may be another's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// A process that leads a group, and whatever it started.
pub(crate) struct Group {
    leader: Option<Pid>,
    reaped: Mutex<bool>,
    end_expected: AtomicBool,
}

impl Group {
    /// The group of a child that was spawned with a process group of its own.
    pub(crate) fn led_by(child: &Child) -> Group {
        let leader = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Group { leader, reaped: Mutex::new(false), end_expected: AtomicBool::new(false) }
    }

    /// The leader's process id; 0 when it had none.
    pub(crate) fn pid(&self) -> u32 {
        self.leader.map_or(0, |leader| leader.as_raw_nonzero().get().unsigned_abs())
    }

    /// Kills every process of the group, unless the leader was reaped.
    pub(crate) fn kill(&self) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped && let Some(leader) = self.leader {
            // It may have ended by itself a moment ago, which is what was wanted.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    /// The leader was reaped: kills what it left behind, for the last time. The number is still the group's as long
    /// as anybody is in it.
    pub(crate) fn leader_reaped(&self) {
        self.kill();
        *self.reaped.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// From now on the worker is expected to end, and may take its time.
    pub(crate) fn expect_end(&self) {
        self.end_expected.store(true, Ordering::Relaxed);
    }

    pub(crate) fn end_expected(&self) -> bool {
        self.end_expected.load(Ordering::Relaxed)
    }
}

//! Being on time: waits for an instant with microseconds to spare where the runtime's own timer has milliseconds.
//!
//! A thread of its own sleeps until shortly before the instant and wakes the driver, which spins for the rest. It spins
//! where the requests are started, and not on the other thread, for handing over from thread to thread costs more than
//! is left to wait; while it spins it polls for answers, so they are seen no later than without it.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

/// How long before the instant the driver is woken: what a sleeping thread oversleeps and what waking the other thread
/// costs, on a virtual machine that has been idle. With 400 us, one request in a hundred was 600 us late at 30 a second.
const EARLY: Duration = Duration::from_millis(1);

/// Wakes its owner in time.
#[derive(Debug)]
pub struct Alarm(Option<Arc<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    next: Mutex<Next>,
    changed: Condvar,
    woken: Notify,
}

#[derive(Debug, Default)]
struct Next {
    /// When to wake the driver; `None` when it waits for nothing.
    at: Option<std::time::Instant>,
    over: bool,
}

impl Alarm {
    /// Starts the thread that sleeps.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("schedule".to_owned()).spawn(move || sleep_and_wake(&theirs))?;
        Ok(Self(Some(shared)))
    }

    /// One that goes by the runtime's timer: up to 2 ms late, but right on a clock that is paused.
    #[must_use]
    pub fn of_the_runtime() -> Self {
        Self(None)
    }

    /// Waits until the instant. Can be dropped and begun again.
    pub(super) async fn until(&self, at: Instant) {
        let Some(shared) = &self.0 else {
            tokio::time::sleep_until(at).await;
            return;
        };
        let early = at.checked_sub(EARLY).unwrap_or(at);
        if Instant::now() < early {
            shared.set(early);
            while Instant::now() < early {
                shared.woken.notified().await;
            }
        }
        while Instant::now() < at {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.next().over = true;
            shared.changed.notify_one();
        }
    }
}

impl Shared {
    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, at: Instant) {
        let at = at.into_std();
        let mut next = self.next();
        if next.at != Some(at) {
            next.at = Some(at);
            drop(next);
            self.changed.notify_one();
        }
    }
}

fn sleep_and_wake(shared: &Shared) {
    let mut next = shared.next();
    while !next.over {
        let Some(at) = next.at else {
            next = shared.changed.wait(next).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let left = at.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            next.at = None;
            shared.woken.notify_one();
        } else {
            next = shared.changed.wait_timeout(next, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

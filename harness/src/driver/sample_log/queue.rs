//! Samples between the driver and the thread that writes them: two buffers of a fixed size that change places.
//!
//! The driver fills one while the writer empties the other, so nothing is allocated on the way. When the writer cannot
//! keep up, the driver waits: samples are never dropped, and memory does not grow with the run.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sample::Sample;

/// How long samples lie before the writer takes them, if they are few.
const PERIOD: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Woken when half of the buffer is full, and when no more will come.
    filling: Condvar,
    /// Woken when the buffer was taken.
    taken: Condvar,
    bound: usize,
}

#[derive(Debug)]
struct State {
    samples: Vec<Sample>,
    closed: bool,
    abandoned: bool,
    blocked: bool,
    waits: u64,
    waited: Duration,
}

impl Queue {
    /// A queue in which at most `bound` samples wait, 2 at least.
    pub(super) fn new(bound: usize) -> Self {
        let state = State {
            samples: Vec::with_capacity(bound),
            closed: false,
            abandoned: false,
            blocked: false,
            waits: 0,
            waited: Duration::ZERO,
        };
        Self { state: Mutex::new(state), filling: Condvar::new(), taken: Condvar::new(), bound }
    }

    /// Leaves a sample for the writer; waits while the queue is full. Does nothing once the writer is gone.
    pub(super) fn push(&self, sample: Sample) {
        let mut state = self.lock();
        if state.samples.len() >= self.bound {
            state = self.wait_for_room(state);
        }
        if state.abandoned {
            return;
        }
        state.samples.push(sample);
        let wake = state.samples.len() == self.bound / 2;
        drop(state);
        if wake {
            self.filling.notify_one();
        }
    }

    #[cold]
    fn wait_for_room<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let began = Instant::now();
        state.waits += 1;
        state.blocked = true;
        let full = |state: &mut State| state.samples.len() >= self.bound && !state.abandoned;
        let mut state = self.taken.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        state.blocked = false;
        state.waited += began.elapsed();
        state
    }

    /// Exchanges `batch`, which must be empty, for what waits, at the latest after a tenth of a second. False once no more
    /// will come.
    pub(super) fn take(&self, batch: &mut Vec<Sample>) -> bool {
        let few = |state: &mut State| !state.closed && state.samples.len() < self.bound / 2;
        let (mut state, _) =
            self.filling.wait_timeout_while(self.lock(), PERIOD, few).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.samples, batch);
        let (more, blocked) = (!state.closed, state.blocked);
        drop(state);
        if blocked {
            self.taken.notify_all();
        }
        more
    }

    /// No more samples will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filling.notify_one();
    }

    /// The writer is gone: nobody waits for it any more.
    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
        self.taken.notify_all();
    }

    /// How many times a push has waited, and how long in all.
    pub(super) fn waits(&self) -> (u64, Duration) {
        let state = self.lock();
        (state.waits, state.waited)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::answered;
    use super::*;

    fn filled(bound: usize) -> Queue {
        let queue = Queue::new(bound);
        for number in 0..bound as u64 {
            queue.push(answered(number, 0, 1));
        }
        queue
    }

    /// Waits until a push waits.
    fn until_blocked(queue: &Queue) {
        while !queue.lock().blocked {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_full_queue_makes_the_driver_wait_and_counts_it() {
        let queue = filled(4);
        assert_eq!(queue.waits(), (0, Duration::ZERO), "up to the bound nothing waits");
        let mut batch = Vec::with_capacity(4);
        std::thread::scope(|scope| {
            scope.spawn(|| queue.push(answered(4, 0, 1)));
            until_blocked(&queue);
            assert!(queue.take(&mut batch));
        });
        assert_eq!(batch.iter().map(|sample| sample.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let (times, waited) = queue.waits();
        assert_eq!(times, 1);
        assert!(waited > Duration::ZERO);
        batch.clear();
        assert!(queue.take(&mut batch));
        assert_eq!(batch.iter().map(|sample| sample.number).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn the_two_buffers_change_places_and_never_grow() {
        let queue = filled(8);
        let mut batch = Vec::with_capacity(8);
        let second = batch.as_ptr();
        assert!(queue.take(&mut batch));
        let first = batch.as_ptr();
        batch.clear();
        for number in 0..8 {
            queue.push(answered(number, 0, 1));
        }
        assert!(queue.take(&mut batch));
        assert_eq!(batch.as_ptr(), second);
        assert_eq!(queue.lock().samples.as_ptr(), first);
        assert_eq!((batch.capacity(), queue.lock().samples.capacity()), (8, 8));
    }

    #[test]
    fn a_writer_that_is_gone_lets_the_driver_go_on() {
        let queue = filled(4);
        std::thread::scope(|scope| {
            scope.spawn(|| queue.push(answered(4, 0, 1)));
            until_blocked(&queue);
            queue.abandon();
        });
        queue.push(answered(5, 0, 1));
        assert_eq!(queue.lock().samples.len(), 4, "what nobody will write is not kept");
    }

    #[test]
    fn a_closed_queue_gives_what_is_left_and_says_that_it_is_the_last() {
        let queue = filled(4);
        queue.close();
        let mut batch = Vec::new();
        assert!(!queue.take(&mut batch));
        assert_eq!(batch.len(), 4);
    }
}

//! Tells a worker that hangs from one that is slow: counts the requests in a row that were given up while no answer came.

use std::sync::{Mutex, PoisonError};

/// So many requests in a row without any answer, and the worker is taken to hang. One may be a request too long for its
/// deadline and two a bad moment; whoever says nothing for three deadlines has stopped, and every further request would
/// only wait its deadline out.
pub const HUNG_AFTER: u32 = 3;

/// What has been seen of a worker's silence.
#[derive(Debug, Default)]
pub(super) struct Silence {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    given_up: u32,
    /// Answers that had come when the last request was given up.
    answers: u64,
}

impl Silence {
    /// A request was given up, and so many answers had come by then in all, late ones included. True once the worker is
    /// taken to hang.
    pub(super) fn given_up(&self, answers: u64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if answers != state.answers {
            *state = State { given_up: 0, answers };
        }
        state.given_up += 1;
        state.given_up >= HUNG_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_in_a_row_without_any_answer_count() {
        let silence = Silence::default();
        assert!(!silence.given_up(5));
        assert!(!silence.given_up(5));
        assert!(!silence.given_up(6), "an answer came, if only a late one");
        assert!(!silence.given_up(6));
        assert!(silence.given_up(6));
    }
}

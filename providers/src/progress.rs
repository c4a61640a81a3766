//! How long-running work reports what it is doing; the caller decides whether that is a bar, a log line or nothing.

/// Receives the progress of long-running work. Calls may come from any thread, one at a time.
pub trait Progress: Sync {
    /// A new step has begun, or something happened that a person should know. One line, no full stop.
    fn step(&self, message: &str);

    /// `done` of `total` bytes of the present step have been moved. `total` does not change within a step.
    fn bytes(&self, done: u64, total: u64);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _message: &str) {}

    fn bytes(&self, _done: u64, _total: u64) {}
}

#[cfg(test)]
pub(crate) mod recording {
    use std::sync::Mutex;

    use super::Progress;

    /// Keeps every step, for tests to look at.
    #[derive(Debug, Default)]
    pub(crate) struct Recording(Mutex<Vec<String>>);

    impl Recording {
        pub(crate) fn steps(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }

        pub(crate) fn said(&self, words: &str) -> bool {
            self.steps().iter().any(|step| step.contains(words))
        }
    }

    impl Progress for Recording {
        fn step(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }

        fn bytes(&self, _done: u64, _total: u64) {}
    }
}

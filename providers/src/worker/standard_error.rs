//! A worker's standard error: always read, so that the worker never waits for it; kept in a log; its last lines at
//! hand for an error. What they mean is not known here.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How much of the end is kept in memory, in bytes and in lines.
const KEPT_BYTES: usize = 8 * 1024;
const KEPT_LINES: usize = 20;

/// The last bytes of a stream.
#[derive(Default)]
pub(crate) struct Tail {
    bytes: Mutex<VecDeque<u8>>,
}

impl Tail {
    fn push(&self, bytes: &[u8]) {
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&bytes[bytes.len().saturating_sub(KEPT_BYTES)..]);
        let excess = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..excess);
    }

    /// The last lines, without the first one if its beginning was lost.
    pub(crate) fn text(&self) -> String {
        let kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        let whole = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) if bytes.len() == KEPT_BYTES => &bytes[end + 1..],
            _ => &bytes[..],
        };
        let text = String::from_utf8_lossy(whole);
        let lines: Vec<&str> = text.trim_end().lines().collect();
        lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n")
    }
}

/// Where a worker's standard error goes.
pub(crate) struct StandardError {
    log: File,
    tail: Arc<Tail>,
}

impl StandardError {
    /// Opens the log. A worker that is started again continues the log of the one before.
    pub(crate) fn append_to(log: &Path) -> io::Result<StandardError> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        Ok(StandardError { log, tail: Arc::default() })
    }

    /// The same log and tail for another stream of the same process.
    pub(crate) fn another(&self) -> io::Result<StandardError> {
        Ok(StandardError { log: self.log.try_clone()?, tail: self.tail() })
    }

    pub(crate) fn tail(&self) -> Arc<Tail> {
        Arc::clone(&self.tail)
    }

    /// Reads until the stream ends. A log that cannot be written to any more is given up and the reading goes on:
    /// a full disk must not stop the worker that is being timed.
    pub(crate) async fn drain(self, mut stream: impl AsyncRead + Unpin) {
        let StandardError { log, tail } = self;
        let mut log = Some(log);
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            let bytes = &buffer[..count];
            tail.push(bytes);
            if let Some(file) = &mut log
                && let Err(fault) = file.write_all(bytes)
            {
                tail.push(format!("\n(the log ends here: {fault})\n").as_bytes());
                log = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_is_in_the_log_and_the_last_whole_lines_are_in_the_tail() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr.log");
        std::fs::write(&path, "the run before\n").unwrap();
        let text: String = (0..5_000).map(|number| format!("line {number}\n")).collect();
        let standard_error = StandardError::append_to(&path).unwrap();
        let tail = standard_error.tail();
        standard_error.drain(text.as_bytes()).await;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("the run before\n{text}"));
        let expected: Vec<String> = (4_980..5_000).map(|number| format!("line {number}")).collect();
        assert_eq!(tail.text(), expected.join("\n"));
    }

    #[test]
    fn a_line_whose_beginning_was_lost_is_left_out() {
        let tail = Tail::default();
        tail.push(&[b'x'; KEPT_BYTES]);
        tail.push(b"\nthe end");
        assert_eq!(tail.text(), "the end");
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_written_does_not_stop_the_reading() {
        let standard_error = StandardError::append_to(Path::new("/dev/full")).unwrap();
        let tail = standard_error.tail();
        standard_error.drain(&b"first\nlast\n"[..]).await;
        assert_eq!(tail.text(), "first\nlast\n\n(the log ends here: No space left on device (os error 28))");
    }
}

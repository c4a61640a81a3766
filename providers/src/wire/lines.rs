//! Splits a stream into lines, with one buffer that is used again. Knows nothing of what is in them, and how long one may be
//! is said from outside while it reads.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How much room a read is given: what a pipe holds.
const ROOM: usize = 64 * 1024;

/// How much is kept of a line that is too long.
const HEAD: usize = 1024;

/// The lines of a stream.
pub(super) struct Lines<R> {
    reader: R,
    longest: Arc<AtomicUsize>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were given out already.
    taken: usize,
    /// Bytes of the buffer in which there is no line break after `taken`.
    searched: usize,
}

/// Why there is no next line.
#[derive(Debug)]
pub(super) enum NoLine {
    /// The stream ended, or cannot be read any more: a pipe that fails has nobody at its other end. Bytes after the
    /// last line break are no line and are dropped, because whoever wrote them did not come to finish.
    End,
    /// More bytes than a line may have, and no line break. Holds the first of them.
    TooLong(Vec<u8>),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `longest` bytes, which may grow while a line is waited for.
    pub(super) fn new(reader: R, longest: Arc<AtomicUsize>) -> Lines<R> {
        Lines { reader, longest, buffer: Vec::with_capacity(ROOM), taken: 0, searched: 0 }
    }

    /// The next line, without its line break.
    pub(super) async fn next(&mut self) -> Result<&[u8], NoLine> {
        let line = self.find().await?;
        Ok(&self.buffer[line])
    }

    async fn find(&mut self) -> Result<Range<usize>, NoLine> {
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                let line = self.taken..self.searched + length;
                self.taken = line.end + 1;
                self.searched = self.taken;
                return Ok(line);
            }
            self.searched = self.buffer.len();
            let unfinished = &self.buffer[self.taken..];
            if unfinished.len() > self.longest.load(Ordering::Relaxed) {
                let head = unfinished[..unfinished.len().min(HEAD)].to_vec();
                // Nothing more is read, and what was read is of no use any more.
                self.buffer = Vec::new();
                return Err(NoLine::TooLong(head));
            }
            self.buffer.drain(..self.taken);
            self.searched -= self.taken;
            self.taken = 0;
            self.buffer.reserve(ROOM);
            match self.reader.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(NoLine::End),
                Ok(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &[u8], longest: usize) -> (Vec<String>, NoLine) {
        let mut lines = Lines::new(text, Arc::new(AtomicUsize::new(longest)));
        let mut found = Vec::new();
        loop {
            match lines.next().await {
                Ok(line) => found.push(String::from_utf8(line.to_vec()).unwrap()),
                Err(end) => return (found, end),
            }
        }
    }

    #[tokio::test]
    async fn lines_come_without_their_line_breaks_and_an_unfinished_one_not_at_all() {
        let (lines, end) = all(b"one\n\nthree\nfo", 10).await;
        assert_eq!(lines, ["one", "", "three"]);
        assert!(matches!(end, NoLine::End));
    }

    #[tokio::test]
    async fn a_line_longer_than_one_read_is_put_together() {
        let long = "x".repeat(3 * ROOM + 5);
        let (lines, _) = all(format!("a\n{long}\nb\n").as_bytes(), 4 * ROOM).await;
        assert_eq!(lines, ["a", &long, "b"]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_given_up_and_only_its_head_is_kept() {
        let (lines, end) = all(&b"x".repeat(5 * ROOM), ROOM).await;
        assert!(lines.is_empty());
        match end {
            NoLine::TooLong(head) => assert_eq!(head, b"x".repeat(HEAD)),
            NoLine::End => panic!("a line of five rooms was taken for the end"),
        }
    }

    #[tokio::test]
    async fn no_more_is_held_of_a_line_that_is_too_long_than_it_may_have_and_one_read() {
        let text = b"x".repeat(64 * ROOM);
        let mut lines = Lines::new(&text[..], Arc::new(AtomicUsize::new(ROOM)));
        assert!(matches!(lines.find().await, Err(NoLine::TooLong(_))));
        assert!(lines.buffer.capacity() == 0 && lines.reader.len() >= 60 * ROOM, "{}", lines.reader.len());
    }
}

//! A stream that notes when bytes went out and came in, so that the parts of a request are told apart by when the system took
//! and gave them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once at most.
const ROOM: usize = 64 * 1024;

/// A stream below: plain or encrypted.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// When bytes of the present request moved, in nanoseconds since the stream was made; 0 for never.
#[derive(Debug)]
pub(super) struct Marks {
    made: Instant,
    last_sent: AtomicU64,
    first_received: AtomicU64,
}

impl Marks {
    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// Forgets the request before, and gives the time.
    pub(super) fn begin(&self) -> u64 {
        self.last_sent.store(0, Ordering::Relaxed);
        self.first_received.store(0, Ordering::Relaxed);
        self.now()
    }

    /// Sending, waiting and receiving of the request that began then and ends now. A server may answer before it has read
    /// everything; then nothing was waited for.
    pub(super) fn split(&self, began: u64) -> (u64, u64, u64) {
        let ended = self.now();
        let known = |mark: &AtomicU64, or: u64| match mark.load(Ordering::Relaxed) {
            0 => or,
            at => at.clamp(began, ended),
        };
        let received = known(&self.first_received, ended);
        let sent = known(&self.last_sent, began).min(received);
        (sent - began, received - sent, ended - received)
    }
}

/// The stream.
pub(super) struct Timed {
    stream: Box<dyn Stream>,
    marks: Arc<Marks>,
    room: Box<[u8]>,
}

impl Timed {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        let marks =
            Marks { made: Instant::now(), last_sent: AtomicU64::new(0), first_received: AtomicU64::new(0) };
        Self { stream, marks: Arc::new(marks), room: vec![0; ROOM].into_boxed_slice() }
    }

    pub(super) fn marks(&self) -> Arc<Marks> {
        Arc::clone(&self.marks)
    }

    fn sent(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.marks.last_sent.store(self.marks.now(), Ordering::Relaxed);
        }
        written
    }
}

impl Read for Timed {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, marks, room } = self.get_mut();
        let most = into.remaining().min(room.len());
        let mut buffer = ReadBuf::new(&mut room[..most]);
        ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
        if !buffer.filled().is_empty() && marks.first_received.load(Ordering::Relaxed) == 0 {
            marks.first_received.store(marks.now(), Ordering::Relaxed);
        }
        into.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.sent(written)
    }
}

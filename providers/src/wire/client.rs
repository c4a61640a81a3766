//! Asks a worker over two streams: writes requests, reads answers, keeps deadlines. Many requests may be in flight.
//! Knows nothing of processes: whoever owns the streams says why they ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Mutex;

use super::PROTOCOL_VERSION;
use super::in_flight::{Answer, Called, InFlight, Receiver};
use super::lines::{Lines, NoLine};
use super::message::{EmbedParamsRef, Encoding, Greeting, Introduction, Peer, write_request};
use super::method::Method;
use super::refusal::{INTERNAL, Refusal};
use crate::evidence::{Evidence, ProveRequest};
use crate::provider::{EmbedRequest, Embeddings, LoadRequest, Loaded, ProviderError};

/// The longest line a worker may ever write: 64 MiB, some 8,000 vectors of 1,536 numbers.
pub const LONGEST_LINE: usize = 64 * 1024 * 1024;

/// The longest line a worker may write that was not asked for vectors: 4 MiB.
pub const LONGEST_LINE_WITHOUT_VECTORS: usize = 4 * 1024 * 1024;

/// What an answer needs at most for one number of a vector, written out in digits, and for one text beside its vector.
const BYTES_PER_NUMBER: usize = 32;
const BYTES_PER_TEXT: usize = 64;

/// How much of a line that breaks the protocol is quoted.
const QUOTED_CHARACTERS: usize = 120;

/// The asking end of a connection to a worker.
pub struct Client<W> {
    outgoing: Mutex<Outgoing<W>>,
    in_flight: Arc<InFlight>,
    /// What `load` said, 0 before.
    dimensions: AtomicU32,
    /// The longest line that what was asked so far can need.
    longest_line: Arc<AtomicUsize>,
}

/// The reading end of a connection to a worker: nothing is answered unless [`run`](Listener::run) is polled.
pub struct Listener<R> {
    reader: R,
    in_flight: Arc<InFlight>,
    longest_line: Arc<AtomicUsize>,
}

/// Why a listener ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The stream ended. Requests in flight still wait: call [`Client::close`] with the reason.
    EndOfStream,
    /// The protocol was broken. Every request in flight and every later one fails with this.
    Broken(ProviderError),
}

struct Outgoing<W> {
    /// `None` once hung up.
    writer: Option<W>,
    next_id: u64,
    buffer: Vec<u8>,
    /// How much of the buffer was written.
    written: usize,
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    /// Writes what is left of the buffer. May be dropped half-way: the next call goes on where this one was.
    async fn flush(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        while self.written < self.buffer.len() {
            match writer.write(&self.buffer[self.written..]).await {
                Ok(count) if count > 0 => self.written += count,
                // Nobody reads any more. The reading end finds out why, and fails the request.
                _ => self.written = self.buffer.len(),
            }
        }
        let _ = writer.flush().await;
    }
}

/// Connects the two ends. Spawn [`Listener::run`] on the runtime.
pub fn connect<R, W>(reader: R, writer: W) -> (Client<W>, Listener<R>) {
    let in_flight = Arc::new(InFlight::default());
    let outgoing = Outgoing { writer: Some(writer), next_id: 1, buffer: Vec::new(), written: 0 };
    let longest_line = Arc::new(AtomicUsize::new(LONGEST_LINE_WITHOUT_VECTORS));
    let listener =
        Listener { reader, in_flight: Arc::clone(&in_flight), longest_line: Arc::clone(&longest_line) };
    let outgoing = Mutex::new(outgoing);
    (Client { outgoing, in_flight, dimensions: AtomicU32::new(0), longest_line }, listener)
}

impl<R: AsyncRead + Unpin> Listener<R> {
    /// Reads answers until the stream ends or breaks the protocol.
    pub async fn run(self) -> Ending {
        let mut lines = Lines::new(self.reader, Arc::clone(&self.longest_line));
        let fault = loop {
            match lines.next().await {
                Ok(line) => {
                    if let Err(why) = self.in_flight.settle(line) {
                        break not_an_answer(line, &why);
                    }
                }
                Err(NoLine::End) => return Ending::EndOfStream,
                Err(NoLine::TooLong(head)) => {
                    let longest = self.longest_line.load(Ordering::Relaxed);
                    break not_an_answer(&head, &format!("longer than {longest} bytes"));
                }
            }
        };
        self.in_flight.close(&fault);
        Ending::Broken(fault)
    }
}

fn not_an_answer(line: &[u8], why: &str) -> ProviderError {
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * QUOTED_CHARACTERS)]);
    let mut head: String = text.trim_end().chars().take(QUOTED_CHARACTERS).collect();
    let is_whole = head.len() >= line.trim_ascii_end().len();
    // What a worker wrote must not steer the terminal that it is shown on.
    head = head.replace(|character: char| character.is_control() && character != '\t', "\u{fffd}");
    if !is_whole {
        head.push_str("...");
    }
    ProviderError::Protocol {
        found: format!("the line `{head}` on its standard output ({why})"),
        expected: "one answer per line and nothing else\n\nhint: a worker must print to stderr, because its \
                   standard output carries the protocol"
            .to_owned(),
    }
}

impl<W: AsyncWrite + Unpin + Send> Client<W> {
    /// Introduces the caller.
    ///
    /// # Errors
    /// [`ProviderError::Timeout`] after the deadline; [`ProviderError::Protocol`] when the worker speaks another
    /// version.
    pub async fn initialize(&self, client: Peer, deadline: Duration) -> Result<Greeting, ProviderError> {
        let params = Introduction { protocol: PROTOCOL_VERSION, client };
        match self.ask(Called::Known(Method::Initialize), Some(&params), deadline).await?.0 {
            Answer::Greeting(greeting) if greeting.protocol == PROTOCOL_VERSION => Ok(greeting),
            Answer::Greeting(greeting) => Err(ProviderError::Protocol {
                found: format!("protocol version {}", greeting.protocol),
                expected: format!(
                    "version {PROTOCOL_VERSION}\n\nhint: use the worker that comes with this tailmark; this one is \
                     {} {}",
                    greeting.worker.name, greeting.worker.version
                ),
            }),
            other => unreachable!("{other:?} as the result of initialize: this is a bug"),
        }
    }

    /// Has the model loaded.
    ///
    /// # Errors
    /// [`ProviderError::Timeout`] after the deadline, and whatever the worker answers.
    pub async fn load(&self, request: &LoadRequest, deadline: Duration) -> Result<Loaded, ProviderError> {
        match self.ask(Called::Known(Method::Load), Some(request), deadline).await?.0 {
            Answer::Loaded(loaded) => {
                self.dimensions.store(loaded.dimensions, Ordering::Relaxed);
                Ok(*loaded)
            }
            other => unreachable!("{other:?} as the result of load: this is a bug"),
        }
    }

    /// Has the texts embedded, and checks the answer against the request and against what `load` said. The times of
    /// this end are filled in.
    ///
    /// # Errors
    /// [`ProviderError::Timeout`] after the deadline, [`ProviderError::Answer`] when the vectors cannot be right, and
    /// whatever the worker answers.
    pub async fn embed(
        &self,
        request: &EmbedRequest,
        encoding: Encoding,
        deadline: Duration,
    ) -> Result<Embeddings, ProviderError> {
        let params = EmbedParamsRef { texts: &request.texts, normalize: request.normalize, encoding };
        self.expect_vectors(request.texts.len());
        let (answer, serialize_ns) = self.ask(Called::Known(Method::Embed), Some(&params), deadline).await?;
        match answer {
            Answer::Embeddings(mut embeddings) => {
                embeddings.check(request.texts.len(), self.dimensions.load(Ordering::Relaxed))?;
                embeddings.stages.serialize_ns = serialize_ns;
                Ok(embeddings)
            }
            other => unreachable!("{other:?} as the result of embed: this is a bug"),
        }
    }

    /// Has the runtime record a probe.
    ///
    /// # Errors
    /// [`ProviderError::Timeout`] after the deadline, and whatever the worker answers.
    pub async fn prove(&self, request: &ProveRequest, deadline: Duration) -> Result<Evidence, ProviderError> {
        match self.ask(Called::Known(Method::Prove), Some(request), deadline).await?.0 {
            Answer::Evidence(evidence) => Ok(*evidence),
            other => unreachable!("{other:?} as the result of prove: this is a bug"),
        }
    }

    /// Makes a round trip that does nothing.
    ///
    /// # Errors
    /// [`ProviderError::Timeout`] after the deadline.
    pub async fn ping(&self, deadline: Duration) -> Result<(), ProviderError> {
        self.ask(Called::Known(Method::Ping), None::<&()>, deadline).await.map(|_| ())
    }

    /// Asks the worker to end. It has answered when this returns, and may not have ended.
    ///
    /// # Errors
    /// [`ProviderError::Timeout`] after the deadline.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), ProviderError> {
        self.ask(Called::Known(Method::Shutdown), None::<&()>, deadline).await.map(|_| ())
    }

    /// Calls a method by its name, with params as they are: for workers that know more than this client.
    ///
    /// # Errors
    /// [`ProviderError::Timeout`] after the deadline, and whatever the worker answers.
    pub async fn call(
        &self,
        method: &str,
        params: Option<&Value>,
        deadline: Duration,
    ) -> Result<Value, ProviderError> {
        match self.ask(Called::Other(method.to_owned()), params, deadline).await?.0 {
            Answer::Other(value) => Ok(value),
            other => unreachable!("{other:?} as the result of {method}: this is a bug"),
        }
    }

    /// Closes the stream to the worker, which ends it.
    pub async fn hang_up(&self) {
        self.outgoing.lock().await.writer = None;
    }

    /// Answer and nanoseconds of serializing, or the timeout. The deadline covers waiting for the stream, writing and
    /// the answer.
    async fn ask<P: Serialize>(
        &self,
        called: Called,
        params: Option<&P>,
        deadline: Duration,
    ) -> Result<(Answer, u64), ProviderError> {
        if matches!(called, Called::Other(_)) {
            // What a method answers that this client does not know, it cannot know either.
            self.longest_line.fetch_max(LONGEST_LINE, Ordering::Relaxed);
        }
        let name = match &called {
            Called::Known(method) => std::borrow::Cow::Borrowed(method.name()),
            Called::Other(name) => std::borrow::Cow::Owned(name.clone()),
        };
        let asked = async {
            let (receiver, serialize_ns) = self.send(called, params).await?;
            let answer =
                receiver.await.expect("a request is answered or closed before it is dropped: this is a bug");
            Ok((answer?, serialize_ns))
        };
        match tokio::time::timeout(deadline, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(ProviderError::Timeout { method: name.into_owned(), after: deadline }),
        }
    }

    /// Lets a line be as long as the answer with the vectors of so many texts can be.
    fn expect_vectors(&self, texts: usize) {
        let numbers = self.dimensions.load(Ordering::Relaxed) as usize;
        let each = numbers.saturating_mul(BYTES_PER_NUMBER).saturating_add(BYTES_PER_TEXT);
        let longest = LONGEST_LINE_WITHOUT_VECTORS.saturating_add(texts.saturating_mul(each));
        self.longest_line.fetch_max(longest.min(LONGEST_LINE), Ordering::Relaxed);
    }

    async fn send<P: Serialize>(
        &self,
        called: Called,
        params: Option<&P>,
    ) -> Result<(Receiver, u64), ProviderError> {
        let mut outgoing = self.outgoing.lock().await;
        // A request that was given up while it was being written must end before the next one begins.
        outgoing.flush().await;
        let started = Instant::now();
        let id = outgoing.next_id;
        outgoing.next_id += 1;
        outgoing.buffer.clear();
        outgoing.written = 0;
        if let Err(fault) = write_request(&mut outgoing.buffer, id, called.name(), params) {
            let refusal = Refusal {
                code: INTERNAL,
                message: format!("the request cannot be written: {fault}"),
                data: None,
            };
            return Err(refusal.into_error(called.name()));
        }
        let serialize_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        match self.in_flight.add(id, called) {
            Ok(receiver) => {
                outgoing.flush().await;
                Ok((receiver, serialize_ns))
            }
            Err(why) => {
                outgoing.buffer.clear();
                Err(why)
            }
        }
    }
}

impl<W> Client<W> {
    /// Fails every request in flight and every later one with this reason; the first reason stays.
    pub fn close(&self, why: &ProviderError) {
        self.in_flight.close(why);
    }

    /// How many answers came after their deadline, and were dropped.
    #[must_use]
    pub fn late_answers(&self) -> u64 {
        self.in_flight.late()
    }

    pub(crate) fn in_flight(&self) -> Arc<InFlight> {
        Arc::clone(&self.in_flight)
    }
}

//! The requests that wait for an answer: finds the one an answer belongs to, and fails them all when the connection
//! is lost. Knows no stream and no clock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tokio::sync::oneshot;

use super::message::{Greeting, read_reply, read_result};
use super::method::Method;
use super::vectors::read_embeddings;
use crate::evidence::Evidence;
use crate::provider::{Embeddings, Loaded, ProviderError};

/// The method that was called, and so what its result is read as.
#[derive(Debug)]
pub(super) enum Called {
    Known(Method),
    /// Any other: its result is not looked into.
    Other(String),
}

impl Called {
    pub(super) fn name(&self) -> &str {
        match self {
            Called::Known(method) => method.name(),
            Called::Other(name) => name,
        }
    }
}

/// A result, read.
#[derive(Debug)]
pub(super) enum Answer {
    Greeting(Greeting),
    Loaded(Box<Loaded>),
    Embeddings(Embeddings),
    Evidence(Box<Evidence>),
    /// What `ping` and `shutdown` answer.
    Done,
    Other(Value),
}

/// Where the answer to one request arrives.
pub(super) type Receiver = oneshot::Receiver<Result<Answer, ProviderError>>;

struct Waiting {
    called: Called,
    reply: oneshot::Sender<Result<Answer, ProviderError>>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Waiting>,
    /// Set once: why nothing can be asked any more.
    closed: Option<ProviderError>,
    late: u64,
    answers: u64,
}

/// Shared by the end that asks and the end that reads.
#[derive(Default)]
pub(crate) struct InFlight {
    state: Mutex<State>,
}

impl InFlight {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is complete before anything can panic, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request, before it is written.
    ///
    /// # Errors
    /// Why the connection was closed.
    pub(super) fn add(&self, id: u64, called: Called) -> Result<Receiver, ProviderError> {
        let mut state = self.state();
        if let Some(why) = &state.closed {
            return Err(why.clone());
        }
        let (reply, receiver) = oneshot::channel();
        state.waiting.insert(id, Waiting { called, reply });
        Ok(receiver)
    }

    /// Hands the answer in this line to the request it belongs to. An answer that nobody waits for any more is dropped
    /// and counted.
    ///
    /// # Errors
    /// A fragment that says how the line breaks the protocol.
    pub(super) fn settle(&self, line: &[u8]) -> Result<(), String> {
        let read_at = Instant::now();
        let reply = read_reply(line)?;
        let Waiting { called, reply: waiting } = self
            .state()
            .waiting
            .remove(&reply.id)
            .ok_or_else(|| format!("the id {} was never asked, or has been answered before", reply.id))?;
        self.state().answers += 1;
        if waiting.is_closed() {
            self.state().late += 1;
            return Ok(());
        }
        let answer = match (reply.outcome, &called) {
            (Err(refusal), called) => Err(refusal.into_error(called.name())),
            (Ok(result), Called::Known(Method::Initialize)) => {
                read_result(called.name(), result).map(Answer::Greeting)
            }
            (Ok(result), Called::Known(Method::Load)) => {
                read_result(called.name(), result).map(|loaded| Answer::Loaded(Box::new(loaded)))
            }
            (Ok(result), Called::Known(Method::Embed)) => read_embeddings(result).map(|mut embeddings| {
                embeddings.stages.deserialize_ns =
                    u64::try_from(read_at.elapsed().as_nanos()).unwrap_or(u64::MAX);
                Answer::Embeddings(embeddings)
            }),
            (Ok(result), Called::Known(Method::Prove)) => {
                read_result(called.name(), result).map(|evidence| Answer::Evidence(Box::new(evidence)))
            }
            (Ok(_), Called::Known(Method::Ping | Method::Shutdown)) => Ok(Answer::Done),
            (Ok(result), Called::Other(name)) => read_result(name, result).map(Answer::Other),
        };
        if waiting.send(answer).is_err() {
            self.state().late += 1;
        }
        Ok(())
    }

    /// Fails every request that waits, and every later one, with this reason. The first reason stays.
    pub(crate) fn close(&self, why: &ProviderError) {
        let waiting = {
            let mut state = self.state();
            if state.closed.is_some() {
                return;
            }
            state.closed = Some(why.clone());
            std::mem::take(&mut state.waiting)
        };
        for request in waiting.into_values() {
            // Nobody waits for a request that timed out; that is no news.
            let _ = request.reply.send(Err(why.clone()));
        }
    }

    /// How many answers have come, late ones included.
    pub(crate) fn answers(&self) -> u64 {
        self.state().answers
    }

    /// How many answers came after their request had been given up.
    pub(super) fn late(&self) -> u64 {
        self.state().late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(id: u64) -> Vec<u8> {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into_bytes()
    }

    #[tokio::test]
    async fn answers_find_their_requests_in_any_order() {
        let in_flight = InFlight::default();
        let first = in_flight.add(1, Called::Known(Method::Ping)).unwrap();
        let second = in_flight.add(2, Called::Other("count".to_owned())).unwrap();
        in_flight.settle(br#"{"jsonrpc":"2.0","id":2,"result":[3]}"#).unwrap();
        in_flight.settle(&pong(1)).unwrap();
        assert!(matches!(first.await.unwrap(), Ok(Answer::Done)));
        match second.await.unwrap() {
            Ok(Answer::Other(value)) => assert_eq!(value, serde_json::json!([3])),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_that_comes_too_late_is_counted_and_a_second_one_breaks_the_protocol() {
        let in_flight = InFlight::default();
        drop(in_flight.add(1, Called::Known(Method::Ping)).unwrap());
        in_flight.settle(&pong(1)).unwrap();
        assert_eq!(in_flight.late(), 1);
        assert_eq!(
            in_flight.settle(&pong(1)).unwrap_err(),
            "the id 1 was never asked, or has been answered before"
        );
        assert_eq!(in_flight.late(), 1);
    }

    #[tokio::test]
    async fn closing_fails_what_waits_and_what_comes_later_with_the_first_reason() {
        let in_flight = InFlight::default();
        let waiting = in_flight.add(1, Called::Known(Method::Ping)).unwrap();
        let why = ProviderError::Load("gone".to_owned());
        in_flight.close(&why);
        in_flight.close(&ProviderError::Load("gone again".to_owned()));
        assert_eq!(waiting.await.unwrap().unwrap_err(), why);
        assert_eq!(in_flight.add(2, Called::Known(Method::Ping)).unwrap_err(), why);
    }
}

//! The worker protocol (`providers/PROTOCOL.md`): JSON-RPC 2.0, one message per line, spoken at both ends.
//!
//! [`method`], [`message`], [`vectors`] and [`refusal`] say what a line means, [`server`] serves a backend over two streams, [`client`] asks one
//! over two streams. Nothing here starts a process; see [`worker`](crate::worker) for that.

pub mod client;
mod in_flight;
mod lines;
pub mod message;
pub mod method;
pub mod refusal;
pub mod server;
pub mod vectors;

pub(crate) use in_flight::InFlight;

/// The version of the protocol that this crate speaks, at both ends.
pub const PROTOCOL_VERSION: u32 = 2;

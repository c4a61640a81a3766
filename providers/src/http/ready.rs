//! Whether a server that was started can be asked: one look at its address.

use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HOST;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::connection::{Connection, NoReply};

/// Between two looks. A cold start is known to this much.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// How long one look may take; a server that accepts a connection and does not answer is looked at again.
const ONE_LOOK: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read.
const LONGEST: usize = 64 * 1024;

/// Looks once: at the path, which must answer 200 to 299, or at the port alone.
///
/// # Errors
/// What was found instead.
pub(super) async fn look(
    address: &Address,
    tls: Option<&TlsConnector>,
    path: Option<&str>,
) -> Result<(), String> {
    let looked = tokio::time::timeout(ONE_LOOK, look_at(address, tls, path)).await;
    looked.unwrap_or_else(|_| Err(format!("no answer within {ONE_LOOK:?}")))
}

async fn look_at(address: &Address, tls: Option<&TlsConnector>, path: Option<&str>) -> Result<(), String> {
    let (mut connection, _) = Connection::open(address, tls).await.map_err(|fault| fault.why)?;
    let Some(path) = path else { return Ok(()) };
    let request = Request::get(path).header(HOST, &address.authority).body(Full::new(Bytes::new()));
    let request = request.map_err(|fault| fault.to_string())?;
    match connection.ask(request, LONGEST).await {
        Ok(reply) if reply.status.is_success() => Ok(()),
        Ok(reply) => Err(format!("it answered {}", reply.status)),
        Err(NoReply::Failed(fault)) => Err(fault.why),
        Err(NoReply::NotSent(_)) => Err("it closed the connection".to_owned()),
    }
}

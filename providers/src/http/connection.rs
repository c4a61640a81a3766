//! One connection to a server, from its opening to its last answer. It is asked one request at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{HeaderMap, Request, Response, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::fault::{Fault, FaultKind};
use super::timed::{Marks, Stream, Timed};
use crate::provider::{NetworkTimes, ProviderError};

/// The longest head of an answer.
const LONGEST_HEAD: usize = 128 * 1024;

/// The longest body that is read of an answer that has no vectors.
const LONGEST_ERROR: usize = 64 * 1024;

/// A request as it is sent.
pub(super) type Sent = Request<Full<Bytes>>;

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    marks: Arc<Marks>,
}

/// What came back, whatever it says.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Without connecting.
    pub(super) times: NetworkTimes,
}

/// A request without a reply.
pub(super) enum NoReply {
    /// Nothing of it was sent, because the server had closed the connection before.
    NotSent(Box<Sent>),
    /// It may have been received.
    Failed(Fault),
}

impl Connection {
    /// Opens a connection; gives with it how long that took, in nanoseconds.
    pub(super) async fn open(address: &Address, tls: Option<&TlsConnector>) -> Result<(Self, u64), Fault> {
        let began = Instant::now();
        let Address { host, port, .. } = address;
        let unknown = |why: String| Fault::new(FaultKind::Name, format!("{host} has no address: {why}"));
        let places: Vec<_> =
            lookup_host((host.as_str(), *port)).await.map_err(|fault| unknown(fault.to_string()))?.collect();
        if places.is_empty() {
            return Err(unknown("its name is known without one".to_owned()));
        }
        let stream = TcpStream::connect(&places[..]).await.map_err(|fault| {
            let why = format!("no connection to port {port} of {host}: {fault}; is the server running?");
            Fault::new(FaultKind::Connect, why)
        })?;
        // Without it the last packet of a request may wait for the acknowledgment of the one before.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(stream),
            Some(tls) => {
                let broken = |why: String| {
                    Fault::new(
                        FaultKind::Tls,
                        format!(
                            "no encrypted connection: {why}; look at the scheme of `url`, and at `ca_file`"
                        ),
                    )
                };
                let name = ServerName::try_from(host.clone()).map_err(|fault| broken(fault.to_string()))?;
                Box::new(tls.connect(name, stream).await.map_err(|fault| broken(fault.to_string()))?)
            }
        };
        let timed = Timed::new(stream);
        let marks = timed.marks();
        let opened = Builder::new().max_buf_size(LONGEST_HEAD).handshake(timed).await;
        let (sender, driver) = opened.map_err(|fault| Fault::of_connection(&fault))?;
        // It ends when the sender is dropped or the server closes. Why is told to the request that it concerns.
        tokio::spawn(async move { drop(driver.await) });
        Ok((Self { sender, marks }, u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Whether it can be asked, once what was asked before is over.
    pub(super) async fn is_usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and reads its reply; a body of status 200 may be so long. If this is dropped on the way, so should be
    /// the connection.
    pub(super) async fn ask(&mut self, request: Sent, longest: usize) -> Result<Reply, NoReply> {
        let began = self.marks.begin();
        let mut answered = match self.sender.try_send_request(request).await {
            Ok(answered) => answered,
            Err(mut unsent) => match unsent.take_message() {
                Some(request) => return Err(NoReply::NotSent(Box::new(request))),
                None => return Err(NoReply::Failed(Fault::of_connection(unsent.error()))),
            },
        };
        let body = read(&mut answered, longest).await.map_err(NoReply::Failed)?;
        let (send_ns, wait_ns, receive_ns) = self.marks.split(began);
        let (head, _) = answered.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body,
            times: NetworkTimes { connect_ns: 0, send_ns, wait_ns, receive_ns },
        })
    }
}

async fn read(answered: &mut Response<Incoming>, longest: usize) -> Result<Vec<u8>, Fault> {
    let is_ok = answered.status() == StatusCode::OK;
    let longest = if is_ok { longest } else { LONGEST_ERROR };
    let body = answered.body_mut();
    let announced = body.size_hint().exact();
    let mut whole = Vec::with_capacity(announced.map_or(0, |length| (length as usize).min(longest)));
    let mut length = announced.unwrap_or_default();
    loop {
        if length > longest as u64 {
            if !is_ok {
                // What is there is enough for a message, and the status says the rest.
                return Ok(whole);
            }
            let why = format!(
                "its answer is longer than {longest} bytes, and the vectors that were asked for are not; look at `url` \
                 and `dialect`"
            );
            return Err(Fault::new(FaultKind::TooLong, why));
        }
        let Some(frame) = body.frame().await else { return Ok(whole) };
        let frame = frame.map_err(|fault| Fault::of_connection(&fault))?;
        if let Some(bytes) = frame.data_ref() {
            length = length.max((whole.len() + bytes.len()) as u64);
            if whole.len() + bytes.len() <= longest {
                whole.extend_from_slice(bytes);
            }
        }
    }
}

/// What encrypted connections are opened with: the certificates of the file are trusted, or else those of the machine.
pub(super) fn encrypted(ca_file: Option<&Path>) -> Result<TlsConnector, ProviderError> {
    let fault = |why: String| ProviderError::Option { key: "ca_file".to_owned(), why };
    let here = |error: rustls::Error| ProviderError::NotAvailable {
        what: "an encrypted connection".to_owned(),
        why: error.to_string(),
    };
    let cryptography = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(cryptography)
        .with_safe_default_protocol_versions()
        .map_err(here)?;
    let Some(file) = ca_file else {
        let config = builder.with_platform_verifier().map_err(here)?.with_no_client_auth();
        return Ok(TlsConnector::from(Arc::new(config)));
    };
    let unreadable = |why: String| fault(format!("cannot read {}: {why}", file.display()));
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        trusted.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if trusted.is_empty() {
        return Err(fault(format!("{} has no certificates in PEM", file.display())));
    }
    let config = builder.with_root_certificates(trusted).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

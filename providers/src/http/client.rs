//! A request from its texts to its vectors, over as many connections as are allowed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::connection::{Connection, NoReply, Reply, Sent, encrypted};
use super::dialect::{Answer, Asked, Dialect, Texts, Unreadable};
use super::fault::{Fault, FaultKind, FirstOfEachKind};
use super::secrets::Secrets;
use super::settings::{EncodingFormat, HttpOptions};
use crate::provider::{EmbedRequest, Embeddings, NetworkTimes, ProviderError, StageTimes};
use crate::worker::Deadlines;

/// What an answer needs at most for one number of a vector, in digits, and for all that is not one.
const BYTES_PER_NUMBER: usize = 32;
const BYTES_BESIDE: usize = 256 * 1024;

/// A client of one server.
pub(super) struct Client {
    settings: HttpOptions,
    dialect: &'static Dialect,
    prompt: String,
    dimensions: u32,
    deadlines: Deadlines,
    path: Uri,
    headers: HeaderMap,
    secrets: Secrets,
    /// `None` for connections that are not encrypted.
    tls: Option<TlsConnector>,
    /// The request in words.
    what: String,
    places: Semaphore,
    idle: Mutex<Vec<Connection>>,
    faults: FirstOfEachKind,
    /// Whether there was an answer yet.
    is_warm: AtomicBool,
}

impl Client {
    pub(super) fn new(
        settings: HttpOptions,
        prompt: &str,
        dimensions: u32,
        deadlines: Deadlines,
    ) -> Result<Self, ProviderError> {
        let dialect = settings.dialect.dialect();
        let address = &settings.url;
        let option = |key: &str, why: String| ProviderError::Option { key: key.to_owned(), why };
        let path = address
            .path(dialect.path)
            .parse()
            .map_err(|fault| option("url", format!("its path: {fault}")))?;
        let (headers, secrets) = headers(&settings)?;
        let tls = if address.tls { Some(encrypted(settings.ca_file.as_deref())?) } else { None };
        Ok(Self {
            dialect,
            prompt: prompt.to_owned(),
            dimensions: settings.dimensions.map_or(dimensions, |asked| asked.get()),
            deadlines,
            path,
            headers,
            secrets,
            tls,
            what: format!("POST {}", address.endpoint(dialect.path)),
            places: Semaphore::new(settings.connections.get() as usize),
            idle: Mutex::default(),
            faults: FirstOfEachKind::default(),
            is_warm: AtomicBool::new(false),
            settings,
        })
    }

    /// Length of its vectors.
    pub(super) fn dimensions(&self) -> u32 {
        self.dimensions
    }

    /// Requests that may be under way at once.
    pub(super) fn connections(&self) -> u32 {
        self.settings.connections.get()
    }

    /// Sends the texts, and reads and checks their vectors.
    pub(super) async fn embed(&self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let warm = self.is_warm.load(Ordering::Relaxed);
        let after =
            if warm { self.deadlines.request } else { self.deadlines.request.max(self.deadlines.load) };
        let answered = tokio::time::timeout(after, self.ask(request)).await;
        let embeddings =
            answered.map_err(|_| ProviderError::Timeout { method: self.what.clone(), after })??;
        self.is_warm.store(true, Ordering::Relaxed);
        Ok(embeddings)
    }

    async fn ask(&self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
        let began = Instant::now();
        let texts = request.texts.len();
        let body = (self.dialect.write)(&Asked {
            texts: Texts { prompt: &self.prompt, texts: &request.texts },
            model: self.settings.model.as_deref(),
            normalize: request.normalize,
            dimensions: self.settings.dimensions.map(|dimensions| dimensions.get()),
            base64: self.settings.encoding_format != Some(EncodingFormat::Float),
        })
        .map_err(|fault| ProviderError::Embed(format!("the request cannot be written: {fault}")))?;
        let sent = self.request(body);
        let serialize_ns = nanoseconds(began.elapsed());
        let numbers = texts.saturating_mul(self.dimensions as usize);
        let longest = numbers.saturating_mul(BYTES_PER_NUMBER).saturating_add(BYTES_BESIDE);
        let Reply { status, headers, body, times } =
            self.exchange(sent, longest).await.map_err(|fault| self.server(fault))?;
        if status != StatusCode::OK {
            return Err(self.server(Fault::of_status(status, &headers, &body)));
        }
        let received = Instant::now();
        let answer = (self.dialect.read)(&headers, &body).map_err(|why| match why {
            Unreadable::Answer(wrong) => self.wrong(wrong.found, wrong.expected),
            Unreadable::Body(cause) => self.server(Fault::of_body(self.dialect.name, &cause, &body)),
        })?;
        let mut embeddings = self.checked(answer, texts)?;
        embeddings.stages.serialize_ns = serialize_ns;
        embeddings.stages.network = Some(times);
        embeddings.stages.deserialize_ns = nanoseconds(received.elapsed());
        Ok(embeddings)
    }

    /// The answer, if it can be one to so many texts.
    fn checked(&self, answer: Answer, texts: usize) -> Result<Embeddings, ProviderError> {
        let Answer { vectors, tokens, told } = answer;
        let vectors_of = |count: usize| format!("{count} vector{}", if count == 1 { "" } else { "s" });
        if vectors.count != texts {
            return Err(self.wrong(vectors_of(vectors.count), format!("{texts}: one for each text")));
        }
        if vectors.dimensions != self.dimensions as usize {
            let expected = format!(
                "{} as the model's have; is it another model, or are `dimensions` asked for?",
                self.dimensions
            );
            return Err(self.wrong(format!("vectors of {} numbers", vectors.dimensions), expected));
        }
        let tokens = tokens.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
        let embeddings = Embeddings {
            vectors: vectors.numbers,
            dimensions: self.dimensions,
            // A request of one text has its count; of several, no dialect says which has how many.
            token_counts: tokens.filter(|_| texts == 1).map(|count| vec![count]),
            tokens_in_all: tokens.filter(|_| texts != 1),
            truncated: None,
            stages: StageTimes {
                tokenize_ns: told.tokenize_ns,
                infer_ns: told.infer_ns,
                worker_ns: told.total_ns,
                ..StageTimes::default()
            },
        };
        embeddings.check(texts, self.dimensions).map_err(|fault| match fault {
            ProviderError::Answer { found, expected } => self.wrong(found, expected),
            other => other,
        })?;
        Ok(embeddings)
    }

    /// Sends the request once, over a connection that is open or a new one.
    async fn exchange(&self, request: Sent, longest: usize) -> Result<Reply, Fault> {
        let _place = self.places.acquire().await.expect("places are never closed: this is a bug");
        let (mut connection, mut connect_ns) = match self.open_one().await {
            Some(connection) => (connection, 0),
            None => Connection::open(&self.settings.url, self.tls.as_ref()).await?,
        };
        let mut asked = connection.ask(request, longest).await;
        if let Err(NoReply::NotSent(request)) = asked {
            // The server closed it a moment ago, and has seen nothing of the request, which is not sent twice by this.
            (connection, connect_ns) = Connection::open(&self.settings.url, self.tls.as_ref()).await?;
            asked = connection.ask(*request, longest).await;
        }
        let mut reply = asked.map_err(|fault| match fault {
            NoReply::Failed(fault) => fault,
            NoReply::NotSent(_) => Fault::new(
                FaultKind::Closed,
                "the server closes each connection before anything was sent; look at the server's log",
            ),
        })?;
        reply.times = NetworkTimes { connect_ns, ..reply.times };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(reply)
    }

    /// A connection that is open, the last used of them. Those that the server closed while nothing was asked are no failures, and
    /// are left out.
    async fn open_one(&self) -> Option<Connection> {
        let next = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = next()?;
        // Lets the runtime look at its connections: it learns of a closing here, and not from the request.
        tokio::task::yield_now().await;
        while !connection.is_usable().await {
            connection = next()?;
        }
        Some(connection)
    }

    fn request(&self, body: Vec<u8>) -> Sent {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// A request without an answer. The first message of each kind stands for all of it.
    fn server(&self, fault: Fault) -> ProviderError {
        let disconnected = matches!(fault.kind, FaultKind::Connect | FaultKind::Tls | FaultKind::Closed);
        let why = self.secrets.hide(self.faults.message(fault));
        ProviderError::Server { request: self.what.clone(), why, disconnected }
    }

    /// An answer that cannot be right.
    fn wrong(&self, found: String, expected: String) -> ProviderError {
        ProviderError::Answer { found: format!("{} to {}", self.secrets.hide(found), self.what), expected }
    }
}

/// The headers of every request, and what of them is never shown.
fn headers(settings: &HttpOptions) -> Result<(HeaderMap, Secrets), ProviderError> {
    let mut headers = HeaderMap::new();
    let mut secrets = Secrets::default();
    let json = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, json.clone());
    headers.insert(ACCEPT, json);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tailmark/", env!("CARGO_PKG_VERSION"))));
    let unfit = |key: &str, what: &str| ProviderError::Option {
        key: key.to_owned(),
        why: format!("{what} cannot be sent in a header"),
    };
    let host = HeaderValue::from_str(&settings.url.authority).map_err(|_| unfit("url", "its host"))?;
    headers.insert(HOST, host);
    let secret = |value: &str, key: &str| {
        let mut value =
            HeaderValue::from_str(value).map_err(|_| unfit(key, "the value of the environment variable"))?;
        value.set_sensitive(true);
        Ok::<_, ProviderError>(value)
    };
    for (name, variable) in &settings.headers {
        let value = variable.value("headers")?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit("headers", "a name"))?;
        headers.insert(name, secret(&value, "headers")?);
        secrets.add(value);
    }
    if let Some(variable) = &settings.api_key {
        let value = variable.value("api_key")?;
        headers.insert(AUTHORIZATION, secret(&format!("Bearer {value}"), "api_key")?);
        secrets.add(value);
    }
    Ok((headers, secrets))
}

/// What can be found wrong with the settings on this machine without asking the server: variables that are not set, and
/// certificates that cannot be read.
pub(super) fn fits_here(settings: &HttpOptions) -> Result<(), ProviderError> {
    headers(settings)?;
    if settings.url.tls && settings.ca_file.is_some() {
        encrypted(settings.ca_file.as_deref())?;
    }
    Ok(())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

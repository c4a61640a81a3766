//! The paths of the server, and what a request goes through at each: key, body, dialect, service, dialect. Knows no connection.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use tokio::time::Instant;

use super::access::Key;
use super::dialects::{About, Asked, DIALECTS, Dialect, Fault, Info, Said, Written};
use super::log::Log;
use super::metrics::Metrics;
use super::service::{Refusal, Service};

/// How many texts of a request were cut, in an answer of which some were.
const TRUNCATED: HeaderName = HeaderName::from_static("x-tailmark-truncated");
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";

/// What every request needs.
#[derive(Debug)]
pub(super) struct App {
    pub(super) service: Arc<Service>,
    /// What is served, once it is there.
    pub(super) about: OnceLock<About>,
    pub(super) metrics: Metrics,
    pub(super) key: Option<Key>,
    /// Of a body, in bytes.
    pub(super) max_body: usize,
    /// For a body to come.
    pub(super) body_within: Duration,
    pub(super) log: Log,
}

/// The router of all paths.
pub(super) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/health", get(|| async { text(StatusCode::OK, "alive\n") }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics));
    for dialect in DIALECTS {
        let vectors = move |State(app): State<Arc<App>>, request: Request| answer(app, dialect, request);
        router = router.route(dialect.path, post(vectors));
        for info in dialect.info {
            let told = move |State(app): State<Arc<App>>, headers: HeaderMap| async move {
                tell(&app, dialect, info, &headers).unwrap_or_else(|fault| refusal(dialect, &fault))
            };
            router = router.route(info.path, get(told));
        }
    }
    router.fallback(not_found).method_not_allowed_fallback(wrong_method).with_state(app)
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.service.is_ready() {
        text(StatusCode::OK, "ready\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if let Err(fault) = check_key(&app, &headers) {
        return refusal(&DIALECTS[0], &fault);
    }
    let mut response = text(StatusCode::OK, app.metrics.text(&app.service));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS));
    response
}

async fn not_found(request: Request) -> Response {
    let path = request.uri().path();
    let paths: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.path).collect();
    let message = format!("there is no path {path}; vectors are at {}", paths.join(", "));
    refusal(nearest(path), &Fault::new(StatusCode::NOT_FOUND, "not_found", message))
}

async fn wrong_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let rule = if DIALECTS.iter().any(|dialect| dialect.path == path) { "POST" } else { "GET" };
    let message = format!("{method} {path} is not answered; this path takes {rule}");
    refusal(nearest(path), &Fault::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message))
}

/// The dialect that a wrong path is most likely meant in: the one that has the most of its beginning.
fn nearest(path: &str) -> &'static Dialect {
    let alike = |dialect: &Dialect| {
        path.bytes().zip(dialect.path.bytes()).take_while(|(one, other)| one == other).count()
    };
    let most = DIALECTS.iter().map(alike).max().unwrap_or_default();
    DIALECTS.iter().find(|dialect| alike(dialect) == most).unwrap_or(&DIALECTS[0])
}

fn check_key(app: &App, headers: &HeaderMap) -> Result<(), Fault> {
    match &app.key {
        Some(key) if !key.is_in(headers) => Err(Fault::new(
            StatusCode::UNAUTHORIZED,
            "invalid_api_key",
            "the request brings no key, or another one than the server's; send `authorization: Bearer KEY`",
        )),
        _ => Ok(()),
    }
}

fn tell(app: &App, dialect: &Dialect, info: &Info, headers: &HeaderMap) -> Result<Response, Fault> {
    check_key(app, headers)?;
    let Some(about) = app.about.get() else {
        return Err(Fault::of(&Refusal::NotReady, dialect.too_many_texts));
    };
    Ok(text(StatusCode::OK, (info.tell)(about).to_string()).into_json())
}

async fn answer(app: Arc<App>, dialect: &'static Dialect, request: Request) -> Response {
    let began = Instant::now();
    let response = match vectors(&app, dialect, request).await {
        Ok(response) => response,
        Err(fault) => {
            app.metrics.refused(dialect.name, fault.code);
            refusal(dialect, &fault)
        }
    };
    let (status, took) = (response.status().as_u16(), began.elapsed());
    app.metrics.answered(dialect.name, status, took);
    if app.log.verbose {
        let seconds = took.as_secs_f64();
        app.log.event("request", json!({ "dialect": dialect.name, "status": status, "seconds": seconds }));
    }
    response
}

async fn vectors(app: &App, dialect: &Dialect, request: Request) -> Result<Response, Fault> {
    check_key(app, request.headers())?;
    let body = body_of(app, request).await?;
    let asked = (dialect.read)(&body)?;
    let Some(about) = app.about.get() else {
        return Err(Fault::of(&Refusal::NotReady, dialect.too_many_texts));
    };
    check(&asked, about)?;
    let answer = app.service.embed(asked.texts.clone(), asked.normalize).await;
    let answer = answer.map_err(|refusal| Fault::of(&refusal, dialect.too_many_texts))?;
    let cut = answer.embeddings.truncated.unwrap_or_default();
    if cut > 0 && !asked.truncate {
        return Err(Fault::bad(format!(
            "{cut} of the texts have more tokens than the {} that the model takes, and the request asks not to cut them",
            about.max_tokens.map_or_else(String::new, |most| most.to_string())
        )));
    }
    let Said { headers, body } = (dialect.write)(&Written { asked: &asked, answer: &answer, about });
    let mut response = text(StatusCode::OK, body).into_json();
    response.headers_mut().extend(headers);
    if cut > 0 {
        app.metrics.truncated(cut);
        response.headers_mut().insert(TRUNCATED, HeaderValue::from(cut));
    }
    Ok(response)
}

async fn body_of(app: &App, request: Request) -> Result<axum::body::Bytes, Fault> {
    let most = app.max_body;
    let too_long = || {
        Fault::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body has more than {most} bytes (--max-body); send fewer texts in a request"),
        )
    };
    // What says how long it is need not be read.
    if axum::body::HttpBody::size_hint(request.body()).lower() > most as u64 {
        return Err(too_long());
    }
    match tokio::time::timeout(app.body_within, to_bytes(request.into_body(), most)).await {
        Ok(Ok(body)) => Ok(body),
        // A body that breaks off has nobody any more who could be told.
        Ok(Err(_)) => Err(too_long()),
        Err(_) => Err(Fault::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            format!("the body did not come within {:?} (--read-timeout)", app.body_within),
        )),
    }
}

/// Whether what is asked for is what is served.
fn check(asked: &Asked, about: &About) -> Result<(), Fault> {
    if let Some(model) = asked.model.as_ref().filter(|model| **model != about.model) {
        let message = format!("the model {model:?} is not served here; this server has {:?}", about.model);
        return Err(Fault::new(StatusCode::NOT_FOUND, "model_not_found", message));
    }
    match asked.dimensions {
        Some(asked) if asked != u64::from(about.dimensions) => Err(Fault::bad(format!(
            "`dimensions` is {asked}; the model's vectors have {} numbers, and are not shortened: leave `dimensions` out",
            about.dimensions
        ))),
        _ => Ok(()),
    }
}

fn refusal(dialect: &Dialect, fault: &Fault) -> Response {
    let mut response = text(fault.status, (dialect.refuse)(fault).to_string()).into_json();
    if let Some(seconds) = fault.retry_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if fault.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn text(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// What a response is made of.
trait Typed {
    fn into_json(self) -> Self;
}

impl Typed for Response {
    fn into_json(mut self) -> Self {
        self.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        self
    }
}

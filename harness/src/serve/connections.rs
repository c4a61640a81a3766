//! Connections: taken one by one up to a number, each held to its deadlines, and at the end let finish what they are about. Knows no
//! path.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::watch;

use super::log::Log;

/// The longest head of a request.
const LONGEST_HEAD: usize = 64 * 1024;
/// How long is waited when the system has no more connections to give.
const PAUSE: Duration = Duration::from_millis(100);

/// What connections are held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// As many are open at once; more wait in the system's own queue.
    pub(super) most: usize,
    /// For a request's head to come, also on a connection that is kept.
    pub(super) head_within: Duration,
    /// For what is under way at the end.
    pub(super) drain_within: Duration,
}

/// Takes connections until told to stop, then lets them finish. Gives whether all did.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    rules: Rules,
    log: Log,
    mut stop: watch::Receiver<bool>,
) -> bool {
    let places = Arc::new(Semaphore::new(rules.most));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = async {
            // Never closed, so there is a place sooner or later.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let served = graceful.watch(connection(stream, &router, rules));
                tokio::spawn(async move {
                    // A connection that breaks is its client's affair.
                    let _ = served.await;
                    drop(place);
                });
            }
            Err(error) => {
                log.event("connection_not_taken", json!({ "why": error.to_string() }));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    tokio::time::timeout(rules.drain_within, graceful.shutdown()).await.is_ok()
}

type Connection = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: &Router, rules: Rules) -> Connection {
    // Answers are written whole, and must not wait for one another.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(rules.head_within)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()))
}

//! A server that answers as a test says, byte by byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a server does once it has read a request.
pub(super) enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends them again and again, as long as anybody reads.
    Flood(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Says nothing more.
    Hang,
}

/// A request as it was received.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// From 0, over all connections.
    pub(super) number: usize,
    pub(super) head: String,
    pub(super) body: Value,
}

/// What the server does for each request.
type Script = dyn Fn(&Heard) -> Vec<Act> + Send + Sync;

/// The server; dropping it closes its port and all connections.
pub(super) struct Server {
    pub(super) at: SocketAddr,
    pub(super) heard: Arc<Mutex<Vec<Heard>>>,
    /// Connections that were opened.
    pub(super) opened: Arc<AtomicUsize>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(JoinHandle::abort);
    }
}

impl Server {
    pub(super) async fn start(script: impl Fn(&Heard) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    pub(super) async fn start_at(
        at: &str,
        script: impl Fn(&Heard) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let at = listener.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let server = Self { at, heard: Arc::default(), opened: Arc::default(), tasks: Arc::default() };
        let (heard, opened, tasks) =
            (Arc::clone(&server.heard), Arc::clone(&server.opened), Arc::clone(&server.tasks));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::Relaxed);
                let (heard, script) = (Arc::clone(&heard), Arc::clone(&script));
                let serving = tokio::spawn(async move { drop(serve(stream, &heard, &*script).await) });
                tasks.lock().unwrap().push(serving);
            }
        });
        server.tasks.lock().unwrap().push(accepting);
        server
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, heard: &Mutex<Vec<Heard>>, script: &Script) -> std::io::Result<()> {
    loop {
        let Some((head, body)) = receive(&mut stream).await? else { return Ok(()) };
        let request = {
            let mut all = heard.lock().unwrap();
            let request = Heard { number: all.len(), head, body };
            all.push(request.clone());
            request
        };
        for act in script(&request) {
            match act {
                Act::Send(bytes) => stream.write_all(&bytes).await?,
                Act::Flood(bytes) => loop {
                    stream.write_all(&bytes).await?;
                },
                Act::Close => return stream.shutdown().await,
                Act::Hang => std::future::pending().await,
            }
        }
    }
}

async fn receive(stream: &mut TcpStream) -> std::io::Result<Option<(String, Value)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.trim().parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((head, serde_json::from_slice(&bytes[end..end + length]).unwrap_or_default())))
}

/// A whole answer.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A whole answer of status 200 in JSON.
pub(super) fn ok(body: &Value) -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", &body.to_string())
}

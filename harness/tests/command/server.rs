//! A `tailmark serve` under way, asked by hand: what is written to its socket, and what comes back.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};

use serde_json::Value;
use sysinfo::{Pid, Signal};

use super::interruption::{children, is_alive, processes, wait_for};
use super::workbench::Workbench;

/// A server, and where it listens.
pub(super) struct Server {
    pub(super) process: Child,
    pub(super) address: SocketAddr,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Server {
    /// Starts one on a port of its own, and waits until it listens.
    pub(super) fn start(bench: &Workbench, arguments: &[&str]) -> Self {
        Self::start_as(
            &mut bench.tailmark(&[&["serve", "--address", "127.0.0.1:0"], arguments].concat()),
            bench,
        )
    }

    /// The same with a command that is there.
    pub(super) fn start_as(command: &mut Command, bench: &Workbench) -> Self {
        let log = fs::File::create(bench.path().join("serve.log")).expect("a file for the server's log");
        let mut process = command.stderr(log).spawn().expect("tailmark was started");
        let mut line = String::new();
        let out = process.stdout.take().expect("standard output is a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let address = line.trim_end().strip_prefix("listening on http://").unwrap_or_else(|| {
            let log = fs::read_to_string(bench.path().join("serve.log")).unwrap_or_default();
            panic!("no address in {line:?}: {log}")
        });
        Self { process, address: address.parse().expect("an address") }
    }

    /// Starts one and waits until it says that it is ready.
    pub(super) fn ready(bench: &Workbench, arguments: &[&str]) -> Self {
        let server = Self::start(bench, arguments);
        server.wait_until_ready();
        server
    }

    pub(super) fn wait_until_ready(&self) {
        wait_for("the server to be ready", || (self.get("/ready").status == 200).then_some(()));
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("a connection")
    }

    pub(super) fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))
    }

    pub(super) fn post(&self, path: &str, body: &str) -> Reply {
        self.post_with(path, "", body)
    }

    /// With more header lines, each ended.
    pub(super) fn post_with(&self, path: &str, headers: &str, body: &str) -> Reply {
        self.send(&posted(path, headers, body))
    }

    fn send(&self, request: &str) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("a request is sent");
        answer(stream)
    }

    /// Asks on a thread of its own.
    pub(super) fn post_meanwhile(&self, path: &str, body: &str) -> std::thread::JoinHandle<Reply> {
        let (mut stream, request) = (self.connect(), posted(path, "", body));
        std::thread::spawn(move || {
            stream.write_all(request.as_bytes()).expect("a request is sent");
            answer(stream)
        })
    }

    /// Waits until the server's metrics have this line.
    pub(super) fn wait_for_metric(&self, line: &str) {
        wait_for(line, || self.get("/metrics").body.lines().any(|found| found == line).then_some(()));
    }

    pub(super) fn workers(&self) -> Vec<Pid> {
        wait_for("a worker", || Some(children(self.process.id())).filter(|found| !found.is_empty()))
    }

    pub(super) fn signal(&self, process: Pid, signal: Signal) {
        let system = processes();
        let found = system.process(process).expect("the process is there");
        assert_eq!(found.kill_with(signal), Some(true), "{signal} was sent");
    }

    /// Tells it to end, and waits until it has, with its workers. Gives its exit code.
    pub(super) fn end(mut self) -> Option<i32> {
        let workers = children(self.process.id());
        self.signal(Pid::from_u32(self.process.id()), Signal::Term);
        let status = wait_for("the server to end", || self.process.try_wait().expect("its status"));
        for worker in workers {
            wait_for("a worker to be gone", || (!is_alive(worker)).then_some(()));
        }
        status.code()
    }
}

impl Drop for Server {
    /// A test that failed leaves no server behind.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A request with a body.
pub(super) fn posted(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

/// What comes until the server closes.
pub(super) fn answer(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A server that refuses a body unread resets the connection once its answer is there.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

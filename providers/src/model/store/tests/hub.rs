//! The store with a hub on this machine: what a hub can do wrong, and how little of it is left behind.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use super::*;

/// A hub for one client: answers each request with the file of the last part of its path, `cut` bytes short of what it
/// promised; ends when asked for `stop`.
fn serve(files: &Path, cut: usize, work: impl FnOnce(&str)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let Some(request) = lines.next() else { break };
                while lines.next().is_some_and(|line| !line.is_empty()) {}
                let mut words = request.split(' ');
                let (method, path) = (words.next().unwrap(), words.next().unwrap());
                let found = fs::read(files.join(path.rsplit('/').next().unwrap()));
                let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
                let length = body.len();
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
                    .unwrap();
                if method == "GET" {
                    stream.write_all(&body[..length.saturating_sub(cut)]).unwrap();
                }
            }
        });
        // Ends the server even if the test fails, by a connection that asks for nothing.
        struct Stop(std::net::SocketAddr);
        impl Drop for Stop {
            fn drop(&mut self) {
                let _ = std::net::TcpStream::connect(self.0);
            }
        }
        let _stop = Stop(address);
        work(&format!("http://{address}"));
    });
}

fn fetch_from_hub(scratch: &Scratch, endpoint: &str) -> Result<ResolvedModel, StoreError> {
    let hub = Hub {
        offline: false,
        endpoint: Some(endpoint.to_owned()),
        cache: Some(scratch.folder.path().join("hub-cache")),
        silence: None,
    };
    scratch.store.resolve(&tiny(), None, &Sources { hub, packages: &NoPackages }, &Silent)
}

#[test]
fn a_hub_fills_the_store() {
    let scratch = Scratch::new();
    let served = scratch.folder.path().join("served");
    write_files(&served, "", b"");
    serve(&served, 0, |endpoint| {
        let model = fetch_from_hub(&scratch, endpoint).unwrap();
        assert_eq!(model.source, "the model hub (someone/tiny, main)");
    });
    assert_eq!(scratch.resolve_with(&NoPackages).unwrap().source, "the model store");
}

#[test]
fn a_hub_with_another_tokenizer_is_refused_with_both_hashes() {
    let scratch = Scratch::new();
    let served = scratch.folder.path().join("served");
    write_files(&served, "tokenizer.json", b"tokenz");
    serve(&served, 0, |endpoint| {
        let error = fetch_from_hub(&scratch, endpoint).unwrap_err().to_string();
        let (found, expected) = (digest::sha256_of(b"tokenz"), digest::sha256_of(b"tokens"));
        assert!(
            error.contains(&format!("tokenizer.json has SHA-256 {found}, expected {expected}")),
            "{error}"
        );
    });
}

#[test]
fn a_hub_that_breaks_off_leaves_no_half_file() {
    let scratch = Scratch::new();
    let served = scratch.folder.path().join("served");
    write_files(&served, "", b"");
    serve(&served, 1, |endpoint| {
        let error = fetch_from_hub(&scratch, endpoint).unwrap_err().to_string();
        assert!(
            error.contains("- the model hub (someone/tiny, main): config.json: no connection ("),
            "{error}"
        );
        assert!(!error.contains("127.0.0.1"), "{error}");
    });
    assert!(scratch.names(&scratch.model()).is_empty());
}

#[test]
fn a_hub_that_sends_too_much_is_stopped() {
    let scratch = Scratch::new();
    let served = scratch.folder.path().join("served");
    write_files(&served, "config.json", &[b'x'; 100_000]);
    serve(&served, 0, |endpoint| {
        let error = fetch_from_hub(&scratch, endpoint).unwrap_err().to_string();
        assert!(error.contains("config.json is longer than 2 bytes"), "{error}");
    });
}

#[test]
fn a_hub_without_the_file_or_without_a_server_says_so() {
    let scratch = Scratch::new();
    serve(scratch.folder.path(), 0, |endpoint| {
        let error = fetch_from_hub(&scratch, endpoint).unwrap_err().to_string();
        assert!(error.contains("config.json: there is no such file"), "{error}");
    });
    // A port that was just given back: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fetch_from_hub(&scratch, &format!("http://{address}")).unwrap_err().to_string();
    assert!(error.contains("config.json: no connection ("), "{error}");
}

#[test]
fn what_the_hub_s_own_tools_have_fetched_is_used_without_a_network() {
    let scratch = Scratch::new();
    let repository = scratch.folder.path().join("hub-cache/models--someone--tiny");
    let commit = "0123456789012345678901234567890123456789";
    write_files(&repository.join("snapshots").join(commit), "", b"");
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), commit).unwrap();
    let model = scratch.resolve_with(&NoPackages).unwrap();
    assert_eq!(model.source, "the model hub (someone/tiny, main)");
}

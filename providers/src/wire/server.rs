//! Serves one backend over two streams: reads a line, answers it, reads the next. Blocking, one thread, buffers that
//! are used again. Knows the protocol and not which backend it serves.
//!
//! A panic in the backend is answered with -32603 and ends the worker: what the backend has half done is unknown, so
//! every later answer would be in doubt, and a fresh process is what the harness knows how to get.

use std::any::Any;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde_json::json;

use super::PROTOCOL_VERSION;
use super::message::{
    EmbedParams, Greeting, Introduction, Peer, read_params, read_request, write_refusal, write_result,
};
use super::method::Method;
use super::refusal::Refusal;
use super::vectors::write_embeddings;
use crate::evidence::ProveRequest;
use crate::provider::{Backend, EmbedRequest, LoadRequest};

/// Takes the standard output for the wire: returns a duplicate of it and points descriptor 1 at standard error, so
/// that whatever a library prints lands in the log. Call it before anything else.
///
/// # Errors
/// When the process has no standard output or no descriptor left.
pub fn take_wire() -> io::Result<File> {
    io::stdout().flush()?;
    let wire = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdout(io::stderr().as_fd())?;
    Ok(wire)
}

/// Answers requests for the backend until the input ends or `shutdown` was answered. `kind` is what it says it is.
///
/// Give it an input with a buffer of some 64 KiB; each answer is one `write_all` and one `flush`.
///
/// # Errors
/// When a stream fails, and after a panic in the backend, which was answered.
pub fn serve(
    kind: &str,
    backend: Box<dyn Backend>,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let mut session = Session { kind, backend, greeted: false, loaded: false };
    let (mut line, mut answer) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let read_at = Instant::now();
        answer.clear();
        let then = session.answer(&line, read_at, &mut answer);
        if !answer.is_empty() {
            output.write_all(&answer)?;
            output.flush()?;
        }
        match then {
            Then::Continue => {}
            Then::End => return Ok(()),
            Then::Fail(why) => return Err(io::Error::other(why)),
        }
    }
}

/// What happens after an answer.
enum Then {
    Continue,
    End,
    Fail(String),
}

/// Why a request has no result.
enum Failure {
    Refused(Refusal),
    Panicked(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

struct Session<'k> {
    kind: &'k str,
    backend: Box<dyn Backend>,
    greeted: bool,
    loaded: bool,
}

impl Session<'_> {
    /// Appends the answer to the line, if it gets one.
    fn answer(&mut self, line: &[u8], read_at: Instant, answer: &mut Vec<u8>) -> Then {
        let request = match read_request(line) {
            Ok(request) => request,
            Err((id, refusal)) => {
                write_refusal(answer, id, &refusal);
                return Then::Continue;
            }
        };
        // The protocol has no notification that means anything, so one is read past.
        let Some(id) = request.id else { return Then::Continue };
        let Some(method) = Method::find(&request.method) else {
            write_refusal(answer, Some(id), &Refusal::unknown_method(&request.method));
            return Then::Continue;
        };
        let done = if !self.greeted && method != Method::Initialize {
            Err(Refusal::too_early(method, Method::Initialize).into())
        } else {
            match method {
                Method::Initialize => self.initialize(id, request.params, answer),
                Method::Load => self.load(id, request.params, answer),
                Method::Embed => self.embed(id, request.params, read_at, answer),
                Method::Prove => self.prove(id, request.params, answer),
                Method::Ping | Method::Shutdown => write(answer, id, &json!({})),
            }
        };
        match done {
            Ok(()) if method == Method::Shutdown => Then::End,
            Ok(()) => Then::Continue,
            Err(Failure::Refused(refusal)) => {
                write_refusal(answer, Some(id), &refusal);
                Then::Continue
            }
            Err(Failure::Panicked(why)) => {
                write_refusal(answer, Some(id), &Refusal::internal(&why));
                Then::Fail(why)
            }
        }
    }

    fn initialize(&mut self, id: &str, params: Params<'_>, answer: &mut Vec<u8>) -> Result<(), Failure> {
        // Another version is answered with ours; whether that ends the conversation is for the caller to say.
        let _: Introduction = read_params(Method::Initialize, params)?;
        self.greeted = true;
        let peer = |name: &str, version: &str| Peer { name: name.to_owned(), version: version.to_owned() };
        let greeting = Greeting {
            protocol: PROTOCOL_VERSION,
            kind: self.kind.to_owned(),
            worker: peer("tailmark", env!("CARGO_PKG_VERSION")),
            // The compiler leaves no trace of its version in a program: this is the language version it was built for.
            language: peer("rust", env!("CARGO_PKG_RUST_VERSION")),
        };
        write(answer, id, &greeting)
    }

    fn load(&mut self, id: &str, params: Params<'_>, answer: &mut Vec<u8>) -> Result<(), Failure> {
        let request: LoadRequest = read_params(Method::Load, params)?;
        if let Some(Err(error)) = request.model.as_ref().map(|model| model.recipe.check()) {
            return Err(Refusal::bad_params(Method::Load, &error.to_string()).into());
        }
        self.loaded = false;
        let loaded = caught(|| self.backend.load(&request))?
            .map_err(|error| Failure::Refused(Refusal::of(Method::Load, &error)))?;
        self.loaded = true;
        write(answer, id, &loaded)
    }

    fn prove(&mut self, id: &str, params: Params<'_>, answer: &mut Vec<u8>) -> Result<(), Failure> {
        if !self.loaded {
            return Err(Refusal::too_early(Method::Prove, Method::Load).into());
        }
        let request: ProveRequest = read_params(Method::Prove, params)?;
        if request.texts.is_empty() || request.runs == 0 {
            let why = "`texts` and `runs` must be at least one";
            return Err(Refusal::bad_params(Method::Prove, why).into());
        }
        let evidence = caught(|| self.backend.prove(&request))?
            .map_err(|error| Failure::Refused(Refusal::of(Method::Prove, &error)))?;
        write(answer, id, &evidence)
    }

    fn embed(
        &mut self,
        id: &str,
        params: Params<'_>,
        read_at: Instant,
        answer: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        if !self.loaded {
            return Err(Refusal::too_early(Method::Embed, Method::Load).into());
        }
        let EmbedParams { texts, normalize, encoding } = read_params(Method::Embed, params)?;
        if texts.is_empty() {
            return Err(Refusal::bad_params(Method::Embed, "`texts` is empty; at least one is needed").into());
        }
        let request = EmbedRequest { texts, normalize };
        let refused = |error| Failure::Refused(Refusal::of(Method::Embed, &error));
        let mut embeddings = caught(|| self.backend.embed(&request))?.map_err(refused)?;
        embeddings.stages.worker_ns = Some(u64::try_from(read_at.elapsed().as_nanos()).unwrap_or(u64::MAX));
        write_embeddings(answer, id, &embeddings, encoding).map_err(refused)
    }
}

type Params<'a> = Option<&'a serde_json::value::RawValue>;

fn write<R: serde::Serialize>(answer: &mut Vec<u8>, id: &str, result: &R) -> Result<(), Failure> {
    write_result(answer, id, result).map_err(|fault| Failure::Refused(Refusal::internal(&fault.to_string())))
}

/// The outcome of the backend's code, or the message of its panic.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| Failure::Panicked(format!("the backend panicked: {}", panic_message(&*panic))))
}

/// What a panic said, as far as it said it in words.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::evidence::Evidence;
    use crate::provider::{Embeddings, Loaded, ProviderError, Runs, StageTimes};

    /// Answers like `null` of one dimension, and fails on the texts `fail` and `panic`.
    struct Moody;

    impl Backend for Moody {
        fn load(&mut self, request: &LoadRequest) -> Result<Loaded, ProviderError> {
            if let Some(path) = request.options.get("missing").and_then(Value::as_str) {
                return Err(ProviderError::ModelFile { path: path.into(), why: "no such file".to_owned() });
            }
            let runs = Runs { engine: Some("moody".to_owned()), ..Runs::default() };
            Ok(Loaded { dimensions: 1, concurrency: 1, runs, import_ns: Some(0), load_ns: Some(0) })
        }

        fn embed(&mut self, request: &EmbedRequest) -> Result<Embeddings, ProviderError> {
            match &*request.texts[0] {
                "fail" => Err(ProviderError::Embed("it would not".to_owned())),
                "panic" => panic!("index 7 is out of bounds"),
                _ => Ok(Embeddings {
                    vectors: vec![1.0; request.texts.len()],
                    dimensions: 1,
                    token_counts: Some(vec![0; request.texts.len()]),
                    tokens_in_all: None,
                    truncated: Some(0),
                    stages: StageTimes::default(),
                }),
            }
        }

        fn prove(&mut self, _: &ProveRequest) -> Result<Evidence, ProviderError> {
            Ok(Evidence::none("moody"))
        }
    }

    const BEGIN: &str = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":2,"client":{"name":"t","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":2,"method":"load","params":{}}"#,
        "\n"
    );

    fn embed(id: u32, text: &str) -> String {
        let params = json!({"texts": [text], "normalize": false});
        json!({"jsonrpc": "2.0", "id": id, "method": "embed", "params": params}).to_string() + "\n"
    }

    fn converse(lines: &str) -> (io::Result<()>, Vec<Value>) {
        let mut output = Vec::new();
        let ended = serve("moody", Box::new(Moody), lines.as_bytes(), &mut output);
        let text = String::from_utf8(output).unwrap();
        (ended, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn the_end_of_the_input_ends_the_worker() {
        let (ended, answers) = converse("");
        ended.unwrap();
        assert!(answers.is_empty());
    }

    #[test]
    fn a_last_line_without_a_line_break_is_answered() {
        let (ended, answers) = converse(BEGIN.trim_end());
        ended.unwrap();
        assert_eq!(answers[1]["result"]["dimensions"], 1);
    }

    #[test]
    fn nothing_is_read_after_shutdown() {
        let shutdown = r#"{"jsonrpc":"2.0","id":3,"method":"shutdown"}"#;
        let (ended, answers) = converse(&format!("{BEGIN}{shutdown}\n{}", embed(4, "late")));
        ended.unwrap();
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[2], json!({"jsonrpc": "2.0", "id": 3, "result": {}}));
    }

    #[test]
    fn a_failed_request_leaves_the_worker_as_it_was() {
        let (ended, answers) = converse(&format!("{BEGIN}{}{}", embed(3, "fail"), embed(4, "go on")));
        ended.unwrap();
        let message = "embedding failed: it would not";
        let error = json!({"code": 5, "message": message, "data": {"why": "it would not"}});
        assert_eq!(answers[2], json!({"jsonrpc": "2.0", "id": 3, "error": error}));
        assert_eq!(answers[3]["result"]["vectors"], json!(["AACAPw=="]));
    }

    #[test]
    fn a_panic_in_the_backend_is_answered_and_ends_the_worker() {
        let (ended, answers) = converse(&format!("{BEGIN}{}{}", embed(3, "panic"), embed(4, "go on")));
        let why = "the backend panicked: index 7 is out of bounds";
        assert_eq!(ended.unwrap_err().to_string(), why);
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[2], json!({"jsonrpc": "2.0", "id": 3, "error": {"code": -32603, "message": why}}));
    }

    #[test]
    fn after_a_failed_load_nothing_is_loaded() {
        let load =
            r#"{"jsonrpc":"2.0","id":3,"method":"load","params":{"options":{"missing":"/m/model.onnx"}}}"#;
        let (ended, answers) = converse(&format!("{BEGIN}{load}\n{}", embed(4, "too early")));
        ended.unwrap();
        assert_eq!(answers[2]["error"]["data"], json!({"path": "/m/model.onnx", "why": "no such file"}));
        assert_eq!(answers[3]["error"]["code"], 6);
    }

    #[test]
    fn an_id_is_echoed_as_it_was_written() {
        let lines = r#"{"jsonrpc":"2.0","id":"a\u0062","method":"ping"}"#;
        let mut output = Vec::new();
        serve("moody", Box::new(Moody), lines.as_bytes(), &mut output).unwrap();
        let message = "`ping` before `initialize`";
        let expected = format!(
            r#"{{"jsonrpc":"2.0","id":"a\u0062","error":{{"code":6,"message":"{message}"}}}}{}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(output).unwrap(), expected);
    }
}

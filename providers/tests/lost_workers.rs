//! Workers that are lost while they are asked, as real processes: what is asked of them then, and that nothing of them
//! is left.

mod shell_worker;

use std::process::Command;
use std::time::Duration;

use shell_worker::{GREET, LOAD, NEVER, PATIENT, SOON, is_there, loaded, nothing, one_text, shell, start};
use tailmark_providers::provider::{Provider as _, ProviderError};
use tailmark_providers::worker::{Deadlines, HUNG_AFTER, WorkerProcess};

/// Vectors of one text, as the worker writes them.
const FIRST: &str = r#""\"result\":{\"vectors\":[[1,0]],$stages}""#;
const SECOND: &str = r#""\"result\":{\"vectors\":[[0,1]],$stages}""#;

fn killed(error: &ProviderError) -> &str {
    match error {
        ProviderError::Killed { why, .. } => why,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_stopped_worker_is_killed_after_three_requests_without_an_answer() {
    let deadlines = Deadlines { request: SOON, ..PATIENT };
    let worker = loaded("echo 'about to stop' >&2; kill -STOP $$", deadlines).await;
    for _ in 1..HUNG_AFTER {
        let error = worker.embed(&one_text()).await.unwrap_err();
        assert_eq!(error, ProviderError::Timeout { method: "embed".to_owned(), after: SOON });
    }
    let error = worker.embed(&one_text()).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    no answer to 3 requests in a row within 300ms; the worker hung and was killed; its last words:
    about to stop
    ");
    let later = worker.embed(&one_text()).await.unwrap_err();
    assert_eq!(killed(&later), "no answer to 3 requests in a row within 300ms");
    let pid = worker.pid();
    worker.shutdown().await;
    assert!(!is_there(pid));
}

#[tokio::test]
async fn a_worker_that_answers_too_late_is_slow_and_does_not_hang() {
    // It answers each request only when the next one has come, which is after the deadline of the first.
    let script = format!("read -r request; for id in 3 4 5 6 7; do answer $id {FIRST}; done; read -r rest");
    let worker = loaded(&script, Deadlines { request: SOON, ..PATIENT }).await;
    for _ in 0..2 * HUNG_AFTER - 1 {
        let error = worker.embed(&one_text()).await.unwrap_err();
        assert_eq!(error, ProviderError::Timeout { method: "embed".to_owned(), after: SOON });
    }
    assert!(is_there(worker.pid()));
}

#[tokio::test]
async fn a_worker_that_is_killed_from_another_thread_fails_its_requests_with_the_reason() {
    let worker = loaded("echo 'growing' >&2; read -r request; exec sleep 1000", PATIENT).await;
    let (killer, request) = (worker.killer(), one_text());
    let killing = tokio::task::spawn_blocking(move || killer.kill("its memory grew"));
    let error = worker.embed(&request).await.unwrap_err();
    killing.await.unwrap();
    assert_eq!(killed(&error), "its memory grew");
    let pid = worker.pid();
    worker.shutdown().await;
    assert!(!is_there(pid));
}

#[tokio::test]
async fn answers_out_of_order_reach_the_requests_they_belong_to() {
    let script = format!(
        "read -r a; read -r b; answer 4 {SECOND} < /dev/null; answer 3 {FIRST} < /dev/null; read -r rest"
    );
    let worker = loaded(&script, PATIENT).await;
    let (first, second) = (one_text(), one_text());
    let (first, second) = tokio::join!(worker.embed(&first), worker.embed(&second));
    assert_eq!((first.unwrap().vectors, second.unwrap().vectors), (vec![1.0, 0.0], vec![0.0, 1.0]));
}

#[tokio::test]
async fn a_line_of_a_hundred_megabytes_is_given_up_at_a_few() {
    let script = "read -r request; head -c 100000000 /dev/zero | tr '\\0' x; echo; exec sleep 1000";
    let worker = loaded(script, PATIENT).await;
    let error = worker.embed(&one_text()).await.unwrap_err().to_string();
    let head = "x".repeat(120);
    assert!(error.starts_with(&format!("the worker broke the protocol: the line `{head}...`")), "{error}");
    // Four mebibytes, and room for a vector of two numbers.
    assert!(error.contains("(longer than 4194432 bytes)"), "{error}");
    let pid = worker.pid();
    worker.shutdown().await;
    assert!(!is_there(pid));
}

#[tokio::test]
async fn bytes_that_are_no_text_break_the_protocol() {
    let worker = loaded("read -r request; printf '\\377\\376\\000\\001\\n'; exec sleep 1000", PATIENT).await;
    let error = worker.embed(&one_text()).await.unwrap_err().to_string();
    assert!(error.starts_with("the worker broke the protocol: the line `"), "{error}");
    assert!(!error.contains(|character: char| character.is_control() && character != '\n'), "{error:?}");
}

#[tokio::test]
async fn a_line_without_its_end_is_no_answer() {
    let script = "read -r request; printf '{\"jsonrpc\":\"2.0\",\"id\":3,'; exec sleep 1000";
    let worker = loaded(script, Deadlines { request: SOON, ..PATIENT }).await;
    let error = worker.embed(&one_text()).await.unwrap_err();
    assert_eq!(error, ProviderError::Timeout { method: "embed".to_owned(), after: SOON });
}

/// Set in the process that panics; names the file that it writes the worker's id to.
const PANICS: &str = "TAILMARK_TEST_PANICS";

#[test]
fn a_panic_of_whoever_started_a_worker_kills_it() {
    if let Some(file) = std::env::var_os(PANICS) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // It neither ends with its input nor at a signal that can be caught.
            let script = format!("trap '' TERM INT HUP; {GREET}{LOAD} while :; do sleep 1; done");
            let log = std::path::Path::new(&file).with_extension("log");
            let worker = WorkerProcess::start(&shell(&script), "null", &log, PATIENT).await.unwrap();
            worker.load(&nothing()).await.unwrap();
            std::fs::write(&file, worker.pid().to_string()).unwrap();
            panic!("a panic while worker {} is there", worker.pid());
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_panic_of_whoever_started_a_worker_kills_it", "--nocapture"])
        .env(PANICS, &file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("a panic while worker"), "{said}");
    let pid: u32 = std::fs::read_to_string(file).unwrap().parse().unwrap();
    // Whoever has taken the orphan over may not have reaped it yet.
    let began = std::time::Instant::now();
    while is_there(pid) {
        assert!(began.elapsed() < NEVER, "the worker {pid} is still there");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_worker_that_ends_between_two_requests_fails_the_next() {
    let worker = start(&format!("{GREET}{LOAD} echo 'had enough' >&2; exit 9"), PATIENT).await.unwrap();
    worker.load(&nothing()).await.unwrap();
    let error = worker.embed(&one_text()).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    the worker ended (exit status: 9); its last words:
    had enough
    ");
    assert!(worker.spawn_time() > Duration::ZERO);
}

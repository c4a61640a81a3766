//! Workers that go wrong, as real processes: each is a few lines of shell that play a worker up to its fault.

#![expect(clippy::unwrap_used, reason = "a test that panics has said what it found")]

mod shell_worker;

use std::path::Path;
use std::time::Duration;

use shell_worker::{GREET, LOAD, NEVER, PATIENT, SOON, is_there, loaded, nothing, one_text, shell, start};
use tailmark_providers::provider::{Provider as _, ProviderError};
use tailmark_providers::worker::{Deadlines, Ended, WorkerProcess};
use tailmark_providers::worker_command::WorkerCommand;

/// Why the worker did not start.
async fn refusal(script: &str, deadlines: Deadlines) -> ProviderError {
    start(script, deadlines).await.map(|worker| worker.pid()).unwrap_err()
}

#[tokio::test]
async fn a_program_that_is_not_there() {
    let command =
        WorkerCommand { program: "/nowhere/worker".into(), args: Vec::new(), ..WorkerCommand::default() };
    let folder = tempfile::tempdir().unwrap();
    let error = WorkerProcess::start(&command, "null", &folder.path().join("stderr.log"), PATIENT)
        .await
        .map(|worker| worker.pid())
        .unwrap_err();
    insta::assert_snapshot!(error, @"
    could not start `/nowhere/worker`: there is no such program

    hint: check the path, or install it and make sure that it is on PATH
    ");
}

#[tokio::test]
async fn a_log_that_cannot_be_opened() {
    let log = Path::new("/nowhere/stderr.log");
    let error = WorkerProcess::start(&shell("exit 0"), "null", log, PATIENT)
        .await
        .map(|worker| worker.pid())
        .unwrap_err();
    insta::assert_snapshot!(error, @"could not start `sh`: its log /nowhere/stderr.log cannot be opened: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_worker_that_dies_at_start_is_quoted() {
    let error = refusal("echo 'ImportError: no module named onnxruntime' >&2; exit 3", PATIENT).await;
    insta::assert_snapshot!(error, @"
    the worker ended (exit status: 3); its last words:
    ImportError: no module named onnxruntime
    ");
}

#[tokio::test]
async fn a_worker_that_dies_without_a_word() {
    let error = refusal("kill -9 $$", PATIENT).await;
    insta::assert_snapshot!(error, @"the worker ended (signal: 9 (SIGKILL)), and wrote nothing to stderr");
}

#[tokio::test]
async fn a_worker_that_hangs_at_start_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let script = format!("echo $$ > '{}'; exec sleep 1000", pid_file.display());
    let after = 3 * SOON;
    let error = refusal(&script, Deadlines { start: after, ..PATIENT }).await;
    assert_eq!(error, ProviderError::Timeout { method: "initialize".to_owned(), after });
    let pid: u32 = std::fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
    assert!(!is_there(pid));
}

#[tokio::test]
async fn a_worker_that_prints_a_banner_to_standard_output() {
    let error = refusal("echo 'Loading weights: 100%'; exec sleep 1000", PATIENT).await;
    insta::assert_snapshot!(error, @"
    the worker broke the protocol: the line `Loading weights: 100%` on its standard output (not a JSON object), expected one answer per line and nothing else

    hint: a worker must print to stderr, because its standard output carries the protocol
    ");
}

#[tokio::test]
async fn a_long_line_is_quoted_by_its_head() {
    let error = refusal("printf 'progress %0500d\\n' 7; exec sleep 1000", PATIENT).await.to_string();
    let quoted = error.split('`').nth(1).unwrap();
    assert_eq!(quoted, format!("progress {}...", "0".repeat(111)));
}

#[tokio::test]
async fn a_worker_of_another_version() {
    let error = refusal(&GREET.replace("\"protocol\":2", "\"protocol\":1"), PATIENT).await;
    insta::assert_snapshot!(error, @"
    the worker broke the protocol: protocol version 1, expected version 2

    hint: use the worker that comes with this tailmark; this one is sh 1
    ");
}

#[tokio::test]
async fn a_worker_of_another_kind() {
    let error = refusal(&GREET.replace("null", "onnx"), PATIENT).await;
    insta::assert_snapshot!(error, @"the worker broke the protocol: a worker that serves the kind `onnx`, expected the kind `null`");
}

#[tokio::test]
async fn a_worker_says_who_it_is() {
    let worker = start(&format!("{GREET} read -r rest"), PATIENT).await.unwrap();
    assert_eq!((worker.greeting().kind.as_str(), worker.greeting().worker.name.as_str()), ("null", "sh"));
    assert!(is_there(worker.pid()));
    assert!(worker.spawn_time() > Duration::ZERO);
}

#[tokio::test]
async fn an_answer_under_an_id_that_was_never_asked_breaks_the_connection() {
    let worker = loaded("answer 99 '\"result\":{}'; exec sleep 1000", PATIENT).await;
    let error = worker.embed(&one_text()).await.unwrap_err();
    insta::assert_snapshot!(error, @r#"
    the worker broke the protocol: the line `{"jsonrpc":"2.0","id":99,"result":{}}` on its standard output (the id 99 was never asked, or has been answered before), expected one answer per line and nothing else

    hint: a worker must print to stderr, because its standard output carries the protocol
    "#);
    assert_eq!(worker.embed(&one_text()).await.unwrap_err(), error);
    let pid = worker.pid();
    worker.shutdown().await;
    assert!(!is_there(pid));
}

#[tokio::test]
async fn a_second_answer_to_one_request_breaks_the_connection() {
    let script = r#"answer 3 "\"result\":{\"vectors\":[\"AACAPwAAAAA=\"],$stages}"; answer 3 '"result":{}'; exec sleep 1000"#;
    let worker = loaded(script, PATIENT).await;
    assert_eq!(worker.embed(&one_text()).await.unwrap().vectors, [1.0, 0.0]);
    let error = worker.embed(&one_text()).await.unwrap_err().to_string();
    assert!(error.contains("the id 3 was never asked, or has been answered before"), "{error}");
}

/// What comes of a worker that answers the first embed with this result.
async fn embedded(vectors: &str) -> String {
    let script = format!("answer 3 \"\\\"result\\\":{{\\\"vectors\\\":{vectors},$stages}}\"; read -r rest");
    let worker = loaded(&script, PATIENT).await;
    worker.embed(&one_text()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_vector_of_the_wrong_dimension() {
    insta::assert_snapshot!(embedded("[[1,0,0]]").await, @"the backend answered vectors of 3 numbers, expected 2, as `load` said");
}

#[tokio::test]
async fn a_vector_with_a_number_that_is_none() {
    insta::assert_snapshot!(embedded("[\\\"AADAfwAAAAA=\\\"]").await, @"the backend answered NaN in the vector of text 0, expected finite numbers");
}

#[tokio::test]
async fn more_vectors_than_texts() {
    insta::assert_snapshot!(embedded("[[1,0],[0,1]]").await, @"the backend answered 4 numbers for 1 texts, expected 2: one vector of 2 for each text");
}

#[tokio::test]
async fn a_result_that_is_none() {
    let error = embedded("7").await;
    assert!(
        error.starts_with("the worker broke the protocol: a result of `embed` that cannot be read ("),
        "{error}"
    );
}

#[tokio::test]
async fn a_worker_that_dies_in_the_middle_of_requests_fails_them_all() {
    let script = "read -r first; read -r second; echo 'Segmentation fault' >&2; exit 139";
    let worker = loaded(script, PATIENT).await;
    let (first, second) = tokio::join!(worker.ping(), worker.ping());
    let error = first.unwrap_err();
    insta::assert_snapshot!(error, @"
    the worker ended (exit status: 139); its last words:
    Segmentation fault
    ");
    assert_eq!(second.unwrap_err(), error);
    assert_eq!(worker.embed(&one_text()).await.unwrap_err(), error);
}

#[tokio::test]
async fn a_worker_that_dies_in_the_middle_of_an_answer_has_ended_and_not_broken_the_protocol() {
    let worker = loaded("read -r request; printf '{\"jsonrpc\":\"2.0\",\"id\":3,'; exit 1", PATIENT).await;
    let error = worker.embed(&one_text()).await.unwrap_err();
    insta::assert_snapshot!(error, @"the worker ended (exit status: 1), and wrote nothing to stderr");
}

#[tokio::test]
async fn a_worker_that_closes_its_output_and_lives_is_killed() {
    let worker = loaded("exec >&-; exec sleep 1000", PATIENT).await;
    let error = worker.embed(&one_text()).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    the worker broke the protocol: the end of its standard output, while the worker went on, expected an answer to every request

    hint: a worker must keep its standard output open until it ends
    ");
    let pid = worker.pid();
    worker.shutdown().await;
    assert!(!is_there(pid));
}

#[tokio::test]
async fn a_worker_that_ends_when_it_is_asked_to() {
    let worker = loaded("answer 3 '\"result\":{}'; exit 0", PATIENT).await;
    let pid = worker.pid();
    let Ended { status, killed } = worker.shutdown().await;
    assert_eq!((status.map(|status| status.code()), killed), (Some(Some(0)), false));
    assert!(!is_there(pid));
}

#[tokio::test]
async fn a_worker_that_ends_only_when_its_input_does() {
    let worker = loaded("answer 3 '\"result\":{}'; read -r rest || exit 7", PATIENT).await;
    let Ended { status, killed } = worker.shutdown().await;
    assert_eq!((status.map(|status| status.code()), killed), (Some(Some(7)), false));
}

#[tokio::test]
async fn a_worker_that_ignores_shutdown_is_killed_with_its_children() {
    use std::io::Read as _;
    use std::os::unix::process::ExitStatusExt as _;

    // The shell and its child hold the writing end of a named pipe, so its reader sees the end once both are gone.
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let script = format!(
        "exec 9> '{}'; trap '' TERM INT HUP; sleep 1000 & answer 3 '\"result\":{{}}'; while :; do wait; done",
        pipe.display()
    );
    // A thread of its own, because the runtime would wait for a blocking task even once this test has failed.
    let (read, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = read.send(std::fs::File::open(pipe).and_then(|mut pipe| pipe.read_to_end(&mut Vec::new())));
    });
    let worker = loaded(&script, Deadlines { shutdown: SOON, ..PATIENT }).await;
    worker.ping().await.unwrap();
    let pid = worker.pid();
    let Ended { status, killed } = worker.shutdown().await;
    assert_eq!((status.map(|status| status.signal()), killed), (Some(Some(9)), true));
    assert!(!is_there(pid));
    let end = tokio::time::timeout(NEVER, end).await.expect("the child is still there");
    assert_eq!(end.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_worker_that_is_dropped_is_killed() {
    let worker = loaded("exec sleep 1000", PATIENT).await;
    let pid = worker.pid();
    drop(worker);
    while is_there(pid) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_signal_to_the_terminals_processes_does_not_reach_the_worker() {
    let worker = loaded("read -r rest", PATIENT).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(worker.pid()).unwrap()).unwrap();
    assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid);
    assert_ne!(rustix::process::getpgrp(), pid);
}

#[tokio::test]
async fn a_megabyte_on_standard_error_does_not_block_the_worker_and_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("stderr.log");
    let script = format!(
        "{GREET}{LOAD}yes 'a warning nobody reads' | head -c 1000000 >&2; echo the end >&2; answer 3 '\"result\":{{}}'; exit 4"
    );
    let worker = WorkerProcess::start(&shell(&script), "null", &log, PATIENT).await.unwrap();
    worker.load(&nothing()).await.unwrap();
    assert_eq!(worker.ping().await, Ok(()));
    match worker.ping().await.unwrap_err() {
        ProviderError::Exited { status, stderr_tail } => {
            assert_eq!(status, "exit status: 4");
            assert!(stderr_tail.ends_with("the end"), "{stderr_tail}");
            assert_eq!(stderr_tail.lines().count(), 20);
        }
        other => panic!("{other}"),
    }
    assert_eq!(std::fs::metadata(log).unwrap().len(), 1_000_000 + "the end\n".len() as u64);
}

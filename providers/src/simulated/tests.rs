//! The two front ends: the provider under a paused clock, to the nanosecond; the backend by what it says, not by how long
//! it takes.

use serde_json::json;
use tokio::time::Instant as TokioInstant;

use super::*;

const DEADLINE: Duration = Duration::from_secs(60);

fn load_request(options: serde_json::Value) -> LoadRequest {
    LoadRequest { model: None, options: options.as_object().expect("an object").clone() }
}

fn one_text() -> EmbedRequest {
    EmbedRequest { texts: vec![Arc::from("text")], normalize: true }
}

#[tokio::test(start_paused = true)]
async fn under_a_paused_clock_a_request_takes_its_service_time_exactly() {
    let provider = SimulatedProvider::with_deadline(DEADLINE);
    let begun = TokioInstant::now();
    let options = json!({
        "distribution": {"kind": "constant", "time": "2ms"}, "load": "200ms", "first": "30ms", "dimensions": 4
    });
    let loaded = provider.load(&load_request(options)).await.expect("loaded");
    assert_eq!((begun.elapsed(), loaded.load_ns), (Duration::from_millis(200), Some(200_000_000)));

    for milliseconds in [32, 2, 2] {
        let started = TokioInstant::now();
        let answer = provider.embed(&one_text()).await.expect("embedded");
        assert_eq!(started.elapsed(), Duration::from_millis(milliseconds));
        assert_eq!(answer.stages.infer_ns, Some(milliseconds * 1_000_000));
        assert_eq!(answer.check(1, 4), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_concurrency_wait_for_a_slot() {
    let provider = Arc::new(SimulatedProvider::with_deadline(DEADLINE));
    let options = json!({"distribution": {"kind": "constant", "time": "10ms"}, "concurrency": 2});
    assert_eq!(provider.load(&load_request(options)).await.expect("loaded").concurrency, 2);
    let begun = TokioInstant::now();
    let requests: Vec<_> = (0..5)
        .map(|_| {
            let provider = Arc::clone(&provider);
            tokio::spawn(async move {
                let answer = provider.embed(&one_text()).await.expect("embedded");
                (begun.elapsed().as_millis(), answer.stages)
            })
        })
        .collect();
    let mut finished = Vec::new();
    for request in requests {
        let (at, stages) = request.await.expect("no panic");
        assert_eq!(
            (stages.infer_ns, stages.worker_ns.map(u128::from)),
            (Some(10_000_000), Some(at * 1_000_000))
        );
        finished.push(at);
    }
    assert_eq!(finished, [10, 10, 20, 20, 30]);
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_counted_from_the_end_of_load() {
    let provider = SimulatedProvider::with_deadline(DEADLINE);
    let options = json!({
        "distribution": {"kind": "constant", "time": "10ms"}, "load": "1s",
        "stall": {"every": "100ms", "length": "40ms"}
    });
    provider.load(&load_request(options)).await.expect("loaded");
    tokio::time::advance(Duration::from_millis(95)).await;
    let answer = provider.embed(&one_text()).await.expect("embedded");
    assert_eq!(answer.stages.infer_ns, Some(50_000_000));
}

#[tokio::test(start_paused = true)]
async fn a_failure_takes_its_time_and_a_hang_ends_with_the_deadline() {
    let provider = SimulatedProvider::with_deadline(DEADLINE);
    let constant = json!({"kind": "constant", "time": "3ms"});
    provider.load(&load_request(json!({"distribution": constant, "failures": 1}))).await.expect("loaded");
    let started = TokioInstant::now();
    let error = provider.embed(&one_text()).await.expect_err("all fail");
    assert_eq!(error, ProviderError::Embed("simulated failure".to_owned()));
    assert_eq!(started.elapsed(), Duration::from_millis(3));

    provider.load(&load_request(json!({"distribution": constant, "hangs": 1}))).await.expect("loaded");
    let started = TokioInstant::now();
    let error = provider.embed(&one_text()).await.expect_err("all hang");
    assert_eq!(error, ProviderError::Timeout { method: "embed".to_owned(), after: DEADLINE });
    assert_eq!(started.elapsed(), DEADLINE);
}

#[tokio::test]
async fn embedding_before_loading_is_an_error() {
    assert_eq!(SimulatedProvider::with_deadline(DEADLINE).embed(&one_text()).await, Err(not_loaded()));
    assert_eq!(SimulatedBackend::default().embed(&one_text()), Err(not_loaded()));
}

#[test]
fn the_backend_says_the_times_that_were_drawn_and_is_never_faster() {
    let options = json!({
        "distribution": {"kind": "lognormal", "median": "100us", "sigma": 0.5}, "load": "1ms", "dimensions": 2
    });
    let request = load_request(options);
    let settings = options::parse::<SimulatedOptions>(&request.options).expect("options");
    let mut drawn = ServiceTimes::new(&settings);
    let mut backend = SimulatedBackend::default();
    assert!(backend.load(&request).expect("loaded").load_ns >= Some(1_000_000));
    for _ in 0..5 {
        let stages = backend.embed(&one_text()).expect("embedded").stages;
        assert_eq!(stages.infer_ns.map(u128::from), Some(drawn.next(Duration::ZERO).time.as_nanos()));
        assert!(stages.worker_ns >= stages.infer_ns);
    }
}

#[test]
fn a_worker_refuses_to_work_on_several_requests_at_once() {
    let error = SimulatedBackend::default()
        .load(&load_request(json!({"concurrency": 4})))
        .expect_err("one at a time");
    assert!(matches!(&error, ProviderError::Option { key, .. } if key == "concurrency"), "{error}");
}

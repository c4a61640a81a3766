//! The driver against simulated backends on a paused clock: exact times, exact counts.

use std::time::Duration;

use tailmark_providers::kinds::{self, Runtime};
use tailmark_providers::provider::{LoadRequest, Provider};
use tailmark_providers::worker::Deadlines;
use tailmark_reports::record::Phase;
use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::load;
use crate::scenario::LoadSection;
use crate::workload::Corpus;

async fn simulated(options: serde_json::Value) -> Box<dyn Provider> {
    let kind = kinds::find("simulated").expect("the kind");
    let serde_json::Value::Object(options) = options else { panic!("options are an object") };
    assert_eq!((kind.check_options)(&options), []);
    let Runtime::Rust { in_process, .. } = kind.runtime else { panic!("simulated is a Rust backend") };
    let second = Duration::from_secs(1);
    let provider = in_process(Deadlines { start: second, load: second, request: second, shutdown: second });
    let request = LoadRequest { model: None, options: (kind.resolve_options)(&options) };
    provider.load(&request).await.expect("simulated loads");
    provider
}

fn quota(max_requests: u64, max_time: Duration) -> Quota {
    Quota { max_requests, max_time }
}

async fn samples(
    options: serde_json::Value,
    concurrency: u32,
    quota: Quota,
    stop_after: Option<Duration>,
) -> (Vec<Sample>, Ended) {
    drive_it(options, concurrency, quota, stop_after, usize::MAX).await
}

async fn samples_until(options: serde_json::Value, concurrency: u32, enough: usize) -> (Vec<Sample>, Ended) {
    drive_it(options, concurrency, quota(u64::MAX, Duration::from_secs(60)), None, enough).await
}

async fn drive_it(
    options: serde_json::Value,
    concurrency: u32,
    quota: Quota,
    stop_after: Option<Duration>,
    enough: usize,
) -> (Vec<Sample>, Ended) {
    let provider = simulated(options).await;
    let section = LoadSection { concurrency: Some(concurrency), ..LoadSection::default() };
    let rule = (load::find("closed").expect("closed").read)(&section).expect("a load model");
    let corpus = Corpus { name: "c".into(), texts: vec!["a".into(), "b".into()] };
    let batches = Batches::new(&corpus, 1, 1);
    let (sender, cancelled) = watch::channel(false);
    if let Some(after) = stop_after {
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            sender.send_replace(true);
        });
    }
    let leg = Leg {
        backend: 0,
        restart: 1,
        phase: Phase::Steady,
        first_number: 7,
        batches: &batches,
        epoch: Instant::now(),
    };
    let mut samples = Vec::new();
    let ended = drive(&*provider, &*rule, leg, quota, cancelled, |sample| {
        samples.push(sample.clone());
        if samples.len() >= enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await;
    (samples, ended)
}

fn constant(milliseconds: u64) -> serde_json::Value {
    serde_json::json!({ "distribution": { "kind": "constant", "time": format!("{milliseconds}ms") } })
}

fn milliseconds(sample: &Sample) -> [u64; 3] {
    [sample.scheduled_ns, sample.started_ns, sample.finished_ns].map(|ns| ns / 1_000_000)
}

#[tokio::test(start_paused = true)]
async fn a_closed_model_asks_again_as_soon_as_it_was_answered() {
    let quota = quota(3, Duration::from_secs(60));
    let (samples, ended) = samples(constant(10), 1, quota, None).await;
    assert_eq!(ended, Ended::Done);
    assert_eq!(
        samples.iter().map(milliseconds).collect::<Vec<_>>(),
        [[0, 0, 10], [10, 10, 20], [20, 20, 30]]
    );
    assert_eq!(samples.iter().map(|sample| sample.number).collect::<Vec<_>>(), [7, 8, 9]);
    assert!(samples.iter().all(|sample| sample.response_ns() == Some(10_000_000)));
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_has_seen_enough_ends_it_and_requests_in_flight_are_finished() {
    let (samples, ended) = samples_until(constant(10), 2, 3).await;
    assert_eq!((samples.len(), ended), (4, Ended::Done), "one more was in flight when the third ended");
}

#[tokio::test(start_paused = true)]
async fn the_most_time_ends_it_before_the_least_count() {
    let quota = quota(1_000_000, Duration::from_millis(25));
    let (samples, ended) = samples(constant(10), 1, quota, None).await;
    assert_eq!((samples.len(), ended), (3, Ended::Done));
}

#[tokio::test(start_paused = true)]
async fn failed_requests_are_kept_and_have_no_response_time() {
    let mut options = constant(10);
    options["failures"] = 1.0.into();
    let (samples, ended) = samples(options, 1, quota(4, Duration::from_secs(60)), None).await;
    assert_eq!((samples.len(), ended), (4, Ended::Done));
    assert!(samples.iter().all(|sample| sample.response_ns().is_none() && sample.outcome.name() == "failed"));
}

#[tokio::test(start_paused = true)]
async fn a_request_past_its_deadline_timed_out_and_the_next_one_starts() {
    let (samples, ended) = samples(constant(5_000), 1, quota(2, Duration::from_secs(60)), None).await;
    assert_eq!(ended, Ended::Done);
    assert_eq!(
        samples.iter().map(|sample| sample.outcome.clone()).collect::<Vec<_>>(),
        [Outcome::TimedOut, Outcome::TimedOut]
    );
    assert_eq!(milliseconds(&samples[1]), [1_000, 1_000, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_at_once_with_what_was_finished() {
    let quota = quota(1_000, Duration::from_secs(60));
    let (samples, ended) = samples(constant(10), 1, quota, Some(Duration::from_millis(35))).await;
    assert_eq!((samples.len(), ended), (3, Ended::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_slot_counts_as_response_time_only_where_the_backend_takes_it() {
    // Two callers, one at a time: the second waits inside the backend, and its caller waits with it.
    let (samples, _) = samples(constant(10), 2, quota(4, Duration::from_secs(60)), None).await;
    let responses: Vec<u64> =
        samples.iter().filter_map(Sample::response_ns).map(|nanoseconds| nanoseconds / 1_000_000).collect();
    assert_eq!(responses, [10, 20, 20, 20]);
}

//! The driver against simulated backends on a paused clock: exact times, exact counts.

use std::time::Duration;

use tailmark_providers::kinds::{self, OwnBackend};
use tailmark_providers::provider::{LoadRequest, Provider};
use tailmark_providers::worker::Deadlines;
use tailmark_reports::record::Phase;
use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::load::{self, LoadModel};
use crate::scenario::LoadSection;
use crate::workload::Corpus;

async fn simulated(options: serde_json::Value) -> Box<dyn Provider> {
    simulated_with_deadline(options, Duration::from_secs(1)).await
}

async fn simulated_with_deadline(options: serde_json::Value, deadline: Duration) -> Box<dyn Provider> {
    let kind = kinds::find("simulated").expect("the kind");
    let serde_json::Value::Object(options) = options else { panic!("options are an object") };
    assert_eq!(kind.options.check(&options), []);
    let Some(OwnBackend { in_process, .. }) = kind.own else { panic!("simulated is written in Rust") };
    let deadlines = Deadlines { start: deadline, load: deadline, request: deadline, shutdown: deadline };
    let provider = in_process(deadlines);
    let request = LoadRequest { model: None, options: kind.options.resolve(&options) };
    provider.load(&request).await.expect("simulated loads");
    provider
}

fn stage(max_requests: u64, max_time: Duration) -> Stage {
    Stage { phase: Phase::Steady, first_number: 7, max_requests, max_time }
}

const MINUTE: Duration = Duration::from_secs(60);

/// What a drive is told, beside its backend.
struct Told {
    load: LoadModel,
    stages: Vec<Stage>,
    stop_after: Option<Duration>,
    /// After so many samples the observer has seen enough of each stage.
    enough: usize,
}

fn closed(concurrency: u32) -> Told {
    told(load::callers(concurrency, Duration::ZERO))
}

fn told(load: LoadModel) -> Told {
    Told { load, stages: vec![stage(u64::MAX, MINUTE)], stop_after: None, enough: usize::MAX }
}

fn open(kind: &str, section: &LoadSection) -> LoadModel {
    load::find(kind).expect(kind).read(section, None).expect("a load model")
}

fn every(milliseconds: u64, more: LoadSection) -> LoadModel {
    let rate = Some(format!("{}/s", 1000.0 / milliseconds as f64));
    open("constant", &LoadSection { rate, ..more })
}

async fn drive_it(options: serde_json::Value, at_once: usize, told: Told) -> (Vec<Sample>, Driven) {
    let provider = simulated(options).await;
    let corpus = Corpus { name: "c".into(), texts: vec!["a".into(), "b".into()] };
    let batches = Batches::new(&corpus, 1, 1);
    let (sender, cancelled) = watch::channel(false);
    if let Some(after) = told.stop_after {
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            sender.send_replace(true);
        });
    }
    let block =
        Block { backend: 0, restart: 1, batches: &batches, epoch: Instant::now(), at_once, stream: 1 };
    let alarm = Alarm::of_the_runtime();
    let mut samples = Vec::new();
    let driven = drive(&*provider, &*told.load, &alarm, block, &told.stages, cancelled, |sample| {
        samples.push(sample.clone());
        if samples.len() >= told.enough { Step::NextStage } else { Step::GoOn }
    })
    .await;
    (samples, driven)
}

fn constant(milliseconds: u64) -> serde_json::Value {
    serde_json::json!({ "distribution": { "kind": "constant", "time": format!("{milliseconds}ms") } })
}

fn milliseconds(sample: &Sample) -> [u64; 3] {
    [sample.scheduled_ns, sample.started_ns, sample.finished_ns].map(|ns| ns / 1_000_000)
}

#[tokio::test(start_paused = true)]
async fn a_closed_model_asks_again_as_soon_as_it_was_answered() {
    let told = Told { stages: vec![stage(3, MINUTE)], ..closed(1) };
    let (samples, driven) = drive_it(constant(10), 1, told).await;
    assert_eq!(driven.ended, Ended::Done);
    assert_eq!(
        samples.iter().map(milliseconds).collect::<Vec<_>>(),
        [[0, 0, 10], [10, 10, 20], [20, 20, 30]]
    );
    assert_eq!(samples.iter().map(|sample| sample.number).collect::<Vec<_>>(), [7, 8, 9]);
    assert!(samples.iter().all(|sample| sample.response_ns() == Some(10_000_000)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_thinks_is_waited_for_and_its_thinking_is_no_ones_latency() {
    let load = load::callers(1, Duration::from_millis(100));
    let told = Told { stages: vec![stage(3, MINUTE)], ..told(load) };
    let (samples, _) = drive_it(constant(10), 1, told).await;
    assert_eq!(
        samples.iter().map(milliseconds).collect::<Vec<_>>(),
        [[0, 0, 10], [110, 110, 120], [220, 220, 230]]
    );
}

/// Warm-up and steady state of two seconds each.
fn two_stages() -> Vec<Stage> {
    let window = stage(u64::MAX, Duration::from_secs(2));
    vec![Stage { phase: Phase::WarmUp, ..window }, window]
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_caller_that_thinks_longer_than_a_stage_lasts_is_time_of_the_stage() {
    let load = load::callers(1, Duration::from_secs(3));
    let begun = Instant::now();
    let (samples, driven) = drive_it(constant(10), 1, Told { stages: two_stages(), ..told(load) }).await;
    let phases: Vec<_> = samples.iter().map(|sample| (sample.phase, milliseconds(sample)[0])).collect();
    assert_eq!(phases, [(Phase::WarmUp, 0), (Phase::Steady, 3_010)], "a stage begins with its first request");
    assert_eq!((driven.ended, driven.stages[1].elapsed), (Ended::Done, Duration::from_secs(2)));
    assert_eq!(begun.elapsed().as_millis(), 5_010, "it was waited out");
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_is_too_low_for_the_stages_uses_their_time_up_and_waits_no_longer() {
    let begun = Instant::now();
    let load = every(1_000_000, LoadSection::default());
    let (samples, driven) = drive_it(constant(10), 1, Told { stages: two_stages(), ..told(load) }).await;
    assert_eq!(samples.iter().map(|sample| sample.phase).collect::<Vec<_>>(), [Phase::WarmUp]);
    let steady = driven.stages[1];
    assert_eq!((steady.arrived, steady.elapsed), (0, Duration::from_secs(2)));
    assert_eq!(begun.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn what_an_observer_has_seen_enough_of_is_not_waited_out() {
    let begun = Instant::now();
    let load = load::callers(1, Duration::from_secs(3));
    let told = Told { enough: 1, stages: vec![stage(u64::MAX, Duration::from_secs(2))], ..told(load) };
    let (samples, driven) = drive_it(constant(10), 1, told).await;
    assert_eq!((samples.len(), driven.stages[0].elapsed), (1, Duration::from_millis(10)));
    assert_eq!(begun.elapsed(), Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_has_seen_enough_ends_it_and_requests_in_flight_are_finished() {
    let (samples, driven) = drive_it(constant(10), 2, Told { enough: 3, ..closed(2) }).await;
    assert_eq!(
        (samples.len(), driven.ended),
        (4, Ended::Done),
        "one more was in flight when the third ended"
    );
}

#[tokio::test(start_paused = true)]
async fn the_most_time_ends_it_before_the_least_count() {
    let told = Told { stages: vec![stage(1_000_000, Duration::from_millis(25))], ..closed(1) };
    let (samples, driven) = drive_it(constant(10), 1, told).await;
    assert_eq!((samples.len(), driven.ended), (3, Ended::Done));
}

#[tokio::test(start_paused = true)]
async fn failed_requests_are_kept_and_have_no_response_time() {
    let mut options = constant(10);
    options["failures"] = 1.0.into();
    let told = Told { stages: vec![stage(4, MINUTE)], ..closed(1) };
    let (samples, driven) = drive_it(options, 1, told).await;
    assert_eq!((samples.len(), driven.ended), (4, Ended::Done));
    assert!(samples.iter().all(|sample| sample.response_ns().is_none() && sample.outcome.name() == "failed"));
}

#[tokio::test(start_paused = true)]
async fn a_request_past_its_deadline_timed_out_and_the_next_one_starts() {
    let told = Told { stages: vec![stage(2, MINUTE)], ..closed(1) };
    let (samples, driven) = drive_it(constant(5_000), 1, told).await;
    assert_eq!(driven.ended, Ended::Done);
    assert_eq!(
        samples.iter().map(|sample| sample.outcome.clone()).collect::<Vec<_>>(),
        [Outcome::TimedOut, Outcome::TimedOut]
    );
    assert_eq!(milliseconds(&samples[1]), [1_000, 1_000, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_at_once_with_what_was_finished() {
    let told = Told { stop_after: Some(Duration::from_millis(35)), ..closed(1) };
    let (samples, driven) = drive_it(constant(10), 1, told).await;
    assert_eq!((samples.len(), driven.ended), (3, Ended::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_slot_counts_as_response_time_only_where_the_backend_takes_it() {
    // Two callers, one at a time: the second waits inside the backend, and its caller waits with it.
    let (samples, _) = drive_it(constant(10), 2, Told { stages: vec![stage(4, MINUTE)], ..closed(2) }).await;
    let responses: Vec<u64> =
        samples.iter().filter_map(Sample::response_ns).map(|nanoseconds| nanoseconds / 1_000_000).collect();
    assert_eq!(responses, [10, 20, 20, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_has_seen_enough_hands_over_to_the_next_without_a_gap() {
    let warm_up = Stage { phase: Phase::WarmUp, first_number: 0, ..stage(1_000, MINUTE) };
    let load = every(20, LoadSection::default());
    let told = Told { stages: vec![warm_up, stage(3, MINUTE)], enough: 2, ..told(load) };
    let (samples, driven) = drive_it(constant(30), 2, told).await;
    let seen: Vec<(Phase, u64, u64)> =
        samples.iter().map(|sample| (sample.phase, sample.number, milliseconds(sample)[0])).collect();
    use Phase::{Steady, WarmUp};
    // One is worked on at a time. The second answer comes at 60 ms: what was due before is warm-up, what is due from then
    // on is not. The first answer of the steady state comes at 120 ms, and what was due before it is finished.
    assert_eq!(
        seen,
        [
            (WarmUp, 0, 0),
            (WarmUp, 1, 20),
            (WarmUp, 2, 40),
            (Steady, 7, 60),
            (Steady, 8, 80),
            (Steady, 9, 100)
        ]
    );
    assert_eq!((driven.stages[0].arrived, driven.stages[1].arrived), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_fixed_count_of_warm_up_is_followed_by_the_steady_state_and_none_is_none() {
    for (count, phases) in [(2, [Phase::WarmUp, Phase::WarmUp, Phase::Steady]), (0, [Phase::Steady; 3])] {
        let warm_up = Stage { phase: Phase::WarmUp, first_number: 0, ..stage(count, MINUTE) };
        let told = Told { stages: vec![warm_up, stage(3 - count.min(2), MINUTE)], ..closed(1) };
        let (samples, driven) = drive_it(constant(10), 1, told).await;
        assert_eq!(samples.iter().map(|sample| sample.phase).collect::<Vec<_>>(), phases);
        assert_eq!(driven.stages.iter().map(|flow| flow.elapsed.as_millis()).sum::<u128>(), 30);
    }
}

#[tokio::test(start_paused = true)]
async fn in_an_open_model_a_request_that_finds_no_slot_waits_with_its_time_running() {
    let load = every(10, LoadSection::default());
    let told = Told { stages: vec![stage(4, MINUTE)], ..told(load) };
    let (samples, driven) = drive_it(constant(15), 1, told).await;
    assert_eq!(
        samples.iter().map(milliseconds).collect::<Vec<_>>(),
        [[0, 0, 15], [10, 15, 30], [20, 30, 45], [30, 45, 60]]
    );
    let queued: Vec<u64> = samples.iter().map(|sample| sample.queued_ns / 1_000_000).collect();
    assert_eq!(queued, [0, 5, 10, 15], "what it waited for a slot is the backend's");
    assert!(samples.iter().all(|sample| sample.lateness_ns() == 0), "and none of it is the generator's");
    assert_eq!(samples.iter().filter_map(Sample::response_ns).max(), Some(30_000_000));
    assert_eq!((driven.stages[0].most_in_flight, driven.stages[0].most_waiting), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_charged_to_every_request_that_was_scheduled_during_it_and_in_a_closed_model_to_one() {
    let stalling = serde_json::json!({
        "distribution": { "kind": "constant", "time": "2ms" },
        "stall": { "every": "500ms", "length": "400ms" },
    });
    let slow = |samples: &[Sample]| {
        samples.iter().filter_map(Sample::response_ns).filter(|response| *response > 50_000_000).count()
    };
    let load = every(10, LoadSection::default());
    let told = Told { stages: vec![stage(95, MINUTE)], ..told(load) };
    let (samples, _) = drive_it(stalling.clone(), 1, told).await;
    // Due at 500, 510, ..., 840 ms, these end after 900 ms; the later ones of the stall wait less than 50 ms.
    assert!((35..=45).contains(&slow(&samples)), "{}", slow(&samples));
    let told = Told { stages: vec![stage(300, MINUTE)], ..closed(1) };
    let (samples, _) = drive_it(stalling, 1, told).await;
    assert_eq!(slow(&samples), 1, "a closed model's caller waits and asks nothing meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_outgrows_its_bound_ends_the_load_and_each_request_in_it_has_failed() {
    let bounded = LoadSection { max_queue: Some(5), ..LoadSection::default() };
    let (samples, driven) = drive_it(constant(100), 1, told(every(10, bounded))).await;
    assert_eq!(driven.ended, Ended::Overloaded);
    let flow = driven.stages[0];
    assert_eq!((flow.arrived, flow.started, flow.given_up), (7, 1, 6));
    assert_eq!(samples.len(), 7, "each is a sample, none is left out");
    assert_eq!(samples.iter().filter(|sample| sample.outcome.name() == "failed").count(), 6);
}

#[tokio::test(start_paused = true)]
async fn littles_law_holds_between_what_is_counted_over_time_and_what_each_request_waited() {
    let load = open("poisson", &LoadSection { rate: Some("60/s".to_owned()), ..LoadSection::default() });
    let told = Told { stages: vec![stage(5_000, 10 * MINUTE)], ..told(load) };
    let (samples, driven) = drive_it(constant(10), 1, told).await;
    let flow = driven.stages[0];
    let seconds = flow.elapsed.as_secs_f64();
    let in_system = flow.in_system_ns as f64 / 1e9 / seconds;
    let response = samples.iter().filter_map(Sample::response_ns).sum::<u64>() as f64 / 1e9 / 5_000.0;
    let product = 5_000.0 / seconds * response;
    assert!((in_system / product - 1.0).abs() < 0.01, "L {in_system}, lambda W {product}");
}

/// 100/s for 60 s against 2 ms of service and a stall of 1 s every 10 s, of which five lie within. The request that is due
/// with the beginning of a stall ends 1,002 ms later; each one after it is due 10 ms later and ends 2 ms later, so it waits 8 ms
/// less, until after 125 of them the backlog is gone. So the k-th largest of all 6,000 is `1,002 - 8 * floor((k - 1) / 5)`
/// milliseconds, and those from the 626th on are the service time.
#[tokio::test(start_paused = true)]
async fn the_percentiles_of_a_stalling_backend_are_those_worked_out_by_hand() {
    let stalling = serde_json::json!({
        "distribution": { "kind": "constant", "time": "2ms" },
        "stall": { "every": "10s", "length": "1s" },
    });
    let load = every(10, LoadSection::default());
    let provider = simulated_with_deadline(stalling, MINUTE).await;
    let mut responses = Vec::new();
    let mut figures = crate::statistics::Accumulator::new(None);
    let batches = Batches::new(&Corpus { name: "c".into(), texts: vec!["a".into()] }, 1, 1);
    let block =
        Block { backend: 0, restart: 1, batches: &batches, epoch: Instant::now(), at_once: 1, stream: 1 };
    let (_sender, cancelled) = watch::channel(false);
    let stages = [stage(6_000, MINUTE)];
    let driven = drive(&*provider, &*load, &Alarm::of_the_runtime(), block, &stages, cancelled, |sample| {
        responses.extend(sample.response_ns());
        figures.record(sample);
        Step::GoOn
    })
    .await;
    assert_eq!((driven.ended, responses.len()), (Ended::Done, 6_000));
    let slow = responses.iter().filter(|response| **response > 3_000_000).count();
    assert_eq!(slow, 625);
    for (quantile, larger) in [(0.90, 600), (0.95, 300), (0.99, 60), (0.999, 6)] {
        let by_hand = f64::from(1_002 - 8 * (larger / 5)) * 1e6;
        let measured = figures.quantile(quantile).expect("enough requests").value;
        assert!(
            (measured / by_hand - 1.0).abs() < 0.02,
            "P{}: {measured} ns, by hand {by_hand} ns",
            quantile * 100.0
        );
    }
    assert_eq!(figures.quantile(0.5).map(|median| (median.value / 1e6).round()), Some(2.0));
}

#[tokio::test]
async fn the_alarm_that_spins_is_never_early_and_can_be_begun_again() {
    let alarm = Alarm::start().expect("a thread");
    for wait in [Duration::ZERO, Duration::from_micros(50), Duration::from_millis(3)] {
        let at = Instant::now() + wait;
        let given_up = tokio::time::timeout(Duration::from_micros(1), alarm.until(at + MINUTE)).await;
        assert!(given_up.is_err());
        alarm.until(at).await;
        assert!(Instant::now() >= at);
    }
}

#[tokio::test(start_paused = true)]
async fn what_became_due_while_the_driver_did_not_run_is_no_overload() {
    let queue = LoadSection { max_queue: Some(20), ..LoadSection::default() };
    let stalls = |after: u64, stall: u64, answer: u64, queue: &LoadSection| {
        let told = Told { stages: vec![stage(400, MINUTE)], ..told(every(20, queue.clone())) };
        let options = constant(answer);
        async move {
            // The clock leaps, as it does for a process that is stopped and continued.
            let leap = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                tokio::time::advance(Duration::from_millis(stall)).await;
            });
            let driven = drive_it(options, 1, told).await;
            leap.abort();
            driven
        }
    };
    let (samples, driven) = stalls(1_005, 3_000, 5, &queue).await;
    assert_eq!((samples.len(), driven.ended), (400, Ended::Done));
    let stalled = driven.stages[0].stalled.as_millis();
    assert!((2_900..=3_000).contains(&stalled), "{stalled} ms");
    assert!(driven.stages[0].most_waiting > 100, "{:?}", driven.stages[0]);
    let (_, driven) = stalls(1_005, 3_000, 25, &queue).await;
    assert!(driven.stages[0].stalled > Duration::ZERO);
    assert_eq!(driven.ended, Ended::Overloaded, "a backend that is too slow is overloaded all the same");
    let (_, driven) = stalls(1_005, 100, 5, &queue).await;
    assert_eq!(driven.stages[0].stalled, Duration::ZERO, "a little late is not stalled");
}

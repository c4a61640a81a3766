//! The figures of a phase, from samples that were made up.

use tailmark_providers::provider::StageTimes;

use super::*;

fn sample(response_ns: u64, outcome: Outcome) -> Sample {
    Sample {
        backend: 0,
        restart: 1,
        phase: Phase::Steady,
        number: 0,
        texts: 2,
        tokens: Some(20),
        scheduled_ns: 1_000,
        started_ns: 1_100,
        queued_ns: 0,
        finished_ns: 1_000 + response_ns,
        outcome,
        stages: StageTimes {
            serialize_ns: 10,
            tokenize_ns: Some(20),
            infer_ns: Some(300),
            pool_ns: Some(5),
            worker_ns: Some(330),
            deserialize_ns: 7,
            network: None,
        },
    }
}

fn filled(count: u64, failures: u64) -> Accumulator {
    let mut accumulator = Accumulator::new(Some(Duration::from_micros(900)));
    for n in 1..=count {
        accumulator.record(&sample(n * 1_000, Outcome::Answered));
    }
    for _ in 0..failures {
        accumulator.record(&sample(1, Outcome::Failed("broken".into())));
    }
    accumulator
}

#[test]
fn percentiles_are_nearest_ranks_within_the_histograms_three_digits() {
    let summary = filled(1000, 0).summary(Phase::Steady);
    let latency = summary.response_time.expect("answered requests");
    let p95 = &latency.percentiles[2];
    for (found, exact) in [(p95.value_ns, 950_000.0), (p95.low_ns, 936_000.0), (p95.high_ns, 964_000.0)] {
        let found = found.expect("carried") as f64;
        assert!((found / exact - 1.0).abs() < 1e-3, "{found} against {exact}");
    }
    assert_eq!(latency.percentiles.len(), 4, "1,000 requests do not carry P99.9");
}

#[test]
fn failures_are_infinitely_slow() {
    let accumulator = filled(940, 60);
    let summary = accumulator.summary(Phase::Steady);
    assert_eq!((summary.requests, summary.failures), (1000, 60));
    let latency = summary.response_time.expect("answered requests");
    assert_eq!(latency.percentiles[2].value_ns, None, "P95 falls among the failures");
    assert!(latency.percentiles[1].value_ns.is_some(), "P90 does not");
    assert_eq!(accumulator.quantile(0.95), None);
    assert_eq!(summary.failure_reasons, [FailureReason { why: "broken".into(), requests: 60 }]);
}

#[test]
fn a_stage_that_one_request_does_not_tell_is_not_known_and_the_residual_has_its_time() {
    let mut accumulator = Accumulator::new(None);
    accumulator.record(&sample(2_000, Outcome::Answered));
    let mut quiet = sample(2_000, Outcome::Answered);
    (quiet.stages.infer_ns, quiet.stages.worker_ns) = (None, None);
    accumulator.record(&quiet);
    let stages = accumulator.summary(Phase::Steady).stages.expect("answered requests");
    assert_eq!((stages.infer_ns, stages.worker_other_ns), (None, None));
    assert_eq!((stages.tokenize_ns, stages.pool_ns), (Some(20.0), Some(5.0)));
    let told = stages.queue_ns + stages.serialize_ns + 25.0 + stages.deserialize_ns;
    assert!((told + 300.0 / 2.0 + 5.0 / 2.0 + stages.pipe_ns - 2_000.0).abs() < 1e-9, "{stages:?}");
}

#[test]
fn the_stages_add_up_to_the_mean_response_time() {
    let summary = filled(3, 0).summary(Phase::Steady);
    let stages = summary.stages.expect("answered requests");
    let told = [stages.tokenize_ns, stages.infer_ns, stages.pool_ns, stages.worker_other_ns];
    let sum = stages.queue_ns
        + stages.serialize_ns
        + told.into_iter().sum::<Option<f64>>().expect("this backend tells all of its stages")
        + stages.deserialize_ns
        + stages.pipe_ns;
    assert!((sum - 2_000.0).abs() < 1e-9, "{stages:?}");
    assert!(
        stages.worker_other_ns.is_some_and(|other| (other - 5.0).abs() < 1e-9)
            && (stages.queue_ns - 100.0).abs() < 1e-9
    );
}

#[test]
fn merging_is_the_same_as_recording_everything_in_one() {
    let mut merged = filled(500, 3);
    merged.merge(&filled(700, 2));
    let mut together = filled(500, 3);
    for n in 1..=700 {
        together.record(&sample(n * 1_000, Outcome::Answered));
    }
    for _ in 0..2 {
        together.record(&sample(1, Outcome::Failed("broken".into())));
    }
    assert_eq!(merged.summary(Phase::Mixed), together.summary(Phase::Mixed));
    assert_eq!(merged.stages_over_limit(), together.stages_over_limit());
}

#[test]
fn the_curve_rises_and_ends_where_the_count_does() {
    let curve = filled(1000, 0).curve();
    assert!(curve.windows(2).all(|pair| pair[0].value_ns <= pair[1].value_ns));
    let last = curve.last().expect("a curve");
    assert!(last.quantile > 0.998 && last.quantile <= 0.999 + 1e-12, "{}", last.quantile);
    assert_eq!(last.high_ns, None, "the last value bounds nothing from above");
}

#[test]
fn time_in_which_tailmark_did_not_run_is_no_falling_behind() {
    let second = Duration::from_secs(1);
    let fell_behind = |starting: Duration, stalled: Duration| {
        let mut accumulator = Accumulator::new(None);
        let flow =
            Flow { arrived: 501, arriving: 10 * second, started: 501, starting, stalled, ..Flow::default() };
        accumulator.add_flow(&flow, true);
        accumulator.fell_behind(0.95)
    };
    assert!(!fell_behind(10 * second, Duration::ZERO));
    assert!(fell_behind(13 * second, Duration::ZERO), "the last request was started three seconds late");
    assert!(!fell_behind(13 * second, 3 * second), "and nobody was there to start it");
}

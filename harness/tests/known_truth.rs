//! Simulated backends whose P95 is known, driven by the real driver on a paused clock, end as they must.

use std::time::Duration;

use tailmark::driver::{Alarm, Block, Ended, Stage, Step, drive};
use tailmark::load;
use tailmark::objective::Objective;
use tailmark::scenario::ObjectiveSection;
use tailmark::statistics::steady::{WarmUp, WarmUpState};
use tailmark::verdict::{Bounds, Figures, Horizon, Judge};
use tailmark::workload::{Batches, Corpus};
use tailmark_providers::kinds::{self, OwnBackend};
use tailmark_providers::provider::{LoadRequest, Provider};
use tailmark_providers::worker::Deadlines;
use tailmark_reports::record::{ObjectiveVerdict, Phase, Verdict};
use tokio::sync::watch;
use tokio::time::Instant;

const SIGMA: f64 = 0.05;
const MOST_REQUESTS: u64 = 20_000;

/// A simulated backend whose P95 is `p95_ms`; `rho` is the correlation of successive latencies.
async fn simulated(p95_ms: f64, rho: f64, seed: u64) -> Box<dyn Provider> {
    // The median of a lognormal lies 1.645 standard deviations of its logarithm below the P95.
    let median = format!("{}ms", p95_ms / f64::exp(1.644_854 * SIGMA));
    let options = serde_json::json!({
        "distribution": { "kind": "ar1", "median": median, "sigma": SIGMA, "rho": rho },
        "seed": seed,
    });
    let serde_json::Value::Object(options) = options else { panic!("options are an object") };
    let kind = kinds::find("simulated").expect("the kind");
    assert_eq!(kind.options.check(&options), []);
    let Some(OwnBackend { in_process, .. }) = kind.own else { panic!("simulated is written in Rust") };
    let minute = Duration::from_secs(60);
    let provider = in_process(Deadlines { start: minute, load: minute, request: minute, shutdown: minute });
    let request = LoadRequest { model: None, options: kind.options.resolve(&options) };
    provider.load(&request).await.expect("simulated loads");
    provider
}

/// Measures until `P95 response time < 20ms` is decided: fresh backends, warm-up and steady state as a run has them.
async fn judge(p95_ms: f64, rho: f64, horizon: Horizon) -> ObjectiveVerdict {
    let section = ObjectiveSection {
        indicator: Some("p95 response time".to_owned()),
        below: Some("20ms".to_owned()),
        ..ObjectiveSection::default()
    };
    let objective = Objective::read(&section).expect("an objective");
    let mut judge = Judge::new(0, &objective, Bounds { horizon, most_requests: MOST_REQUESTS });
    let (rule, alarm) = (load::one_caller(), Alarm::of_the_runtime());
    let batches = Batches::new(&Corpus { name: "c".into(), texts: vec!["a".into(), "b".into()] }, 1, 1);
    let (_sender, cancelled) = watch::channel(false);
    let epoch = Instant::now();
    for restart in 1.. {
        judge.begin_restart();
        let provider = simulated(p95_ms, rho, u64::from(restart)).await;
        let block = Block { backend: 0, restart, batches: &batches, epoch, at_once: 1, stream: 0 };
        let only = |phase| {
            let max_time = Duration::from_secs(100_000);
            [Stage { phase, first_number: 0, max_requests: MOST_REQUESTS, max_time }]
        };
        let mut warm_up = WarmUp::new(50, 1_000);
        let stages = only(Phase::WarmUp);
        let warmed = drive(&*provider, &*rule, &alarm, block, &stages, cancelled.clone(), |sample| {
            let latency = sample.response_ns().expect("simulated answers");
            warm_up.observe((latency as f64).ln(), judge.is_missed_by(sample));
            if warm_up.state() == WarmUpState::WarmingUp { Step::GoOn } else { Step::NextStage }
        });
        assert_eq!(warmed.await.ended, Ended::Done);
        if warm_up.state() == WarmUpState::NoSteadyState {
            judge.no_steady_state();
        }
        let mut decided = false;
        let stages = only(Phase::Steady);
        let measured = drive(&*provider, &*rule, &alarm, block, &stages, cancelled.clone(), |sample| {
            judge.observe(sample);
            decided = judge.is_decided();
            let enough = decided || judge.wants_fresh_process() == Some(true);
            if enough { Step::NextStage } else { Step::GoOn }
        });
        assert_eq!(measured.await.ended, Ended::Done);
        if decided {
            break;
        }
    }
    judge.opinion(Figures { steady: None, cold_starts_ns: &[], peak_rss_bytes: None, min_cosine: None })
}

const DEFAULT: Horizon = Horizon::AtLeast { requests: 2_000, restarts: 3 };

#[tokio::test(start_paused = true)]
async fn a_p95_of_19_ms_passes_and_20_5_and_25_ms_fail_when_requests_are_independent() {
    for (p95_ms, expected) in [(19.0, Verdict::Pass), (20.5, Verdict::Fail), (25.0, Verdict::Fail)] {
        for horizon in [DEFAULT, Horizon::Quick] {
            let judged = judge(p95_ms, 0.0, horizon).await;
            assert_eq!(judged.verdict, expected, "{p95_ms} ms, {horizon:?}: {}", judged.why);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn correlated_requests_end_the_same_way_and_count_for_less() {
    for (p95_ms, expected) in [(19.0, Verdict::Pass), (20.5, Verdict::Fail), (25.0, Verdict::Fail)] {
        let judged = judge(p95_ms, 0.8, DEFAULT).await;
        assert_eq!(judged.verdict, expected, "{p95_ms} ms: {}", judged.why);
        let (effective, requests) = (judged.effective_requests.expect("requests"), judged.requests as f64);
        assert!(effective <= requests, "{effective} of {requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_p95_exactly_at_the_limit_is_not_decided_and_the_verdict_says_why() {
    for rho in [0.0, 0.8] {
        let judged = judge(20.0, rho, DEFAULT).await;
        assert_eq!(judged.verdict, Verdict::Inconclusive, "rho {rho}: {}", judged.why);
        assert!(
            judged.requests >= MOST_REQUESTS && !judged.why.is_empty() && judged.next.is_some(),
            "{judged:?}"
        );
    }
}

//! The main cells of the error table, with fixed seeds and few runs. The whole table: `--example verdict_errors`.

use tailmark::verdict::simulation::{Backend, Outcome, Process, default_rules, measure};
use tailmark::verdict::{Decision, Horizon, Rules};

const RUNS: usize = 150;

fn outcomes(process: Process, exceedance: f64, rules: Rules) -> Vec<Outcome> {
    outcomes_of(RUNS, process, exceedance, rules)
}

fn outcomes_of(runs: usize, process: Process, exceedance: f64, rules: Rules) -> Vec<Outcome> {
    (0..runs as u64).map(|seed| measure(&mut Backend::new(process, exceedance, seed), rules)).collect()
}

fn count(outcomes: &[Outcome], decision: Decision, within: u64) -> usize {
    outcomes.iter().filter(|outcome| outcome.decision == decision && outcome.requests <= within).count()
}

fn median_requests(outcomes: &[Outcome]) -> u64 {
    let mut requests: Vec<u64> = outcomes.iter().map(|outcome| outcome.requests).collect();
    requests.sort_unstable();
    requests[requests.len() / 2]
}

fn quick() -> Rules {
    Rules { horizon: Horizon::Quick, ..default_rules() }
}

fn auto_regressive(rho: f64) -> Process {
    Process::AutoRegressive { rho }
}

/// With a true share of 1 %, more than this many of 150 has probability 0.02 %.
const ONE_PER_CENT: usize = 6;

#[test]
fn at_the_limit_a_backend_seldom_passes_however_its_latencies_are_correlated() {
    for (rho, rules) in
        [(0.0, quick()), (0.0, default_rules()), (0.8, default_rules()), (0.95, default_rules())]
    {
        let found = outcomes(auto_regressive(rho), 0.05, rules);
        let (pass, fail) = (count(&found, Decision::Pass, u64::MAX), count(&found, Decision::Fail, u64::MAX));
        assert!(pass <= ONE_PER_CENT, "rho {rho}, {:?}: {pass} of {RUNS} passed", rules.horizon);
        assert!(fail <= ONE_PER_CENT, "rho {rho}, {:?}: {fail} of {RUNS} failed", rules.horizon);
    }
}

#[test]
fn over_the_limit_hot_phases_and_failures_do_not_pass_either() {
    for process in [Process::HotCold { hot: 50.0 }, Process::Failing] {
        let pass = count(&outcomes(process, 0.06, default_rules()), Decision::Pass, u64::MAX);
        assert!(pass <= ONE_PER_CENT, "{process:?}: {pass} of {RUNS} passed");
    }
}

#[test]
fn a_run_that_saw_a_single_hot_phase_waits_for_more() {
    // Half of the runs that pass here never met a hot phase; without waiting for the pattern twice as many would pass.
    let runs = 800;
    let found = outcomes_of(runs, Process::HotCold { hot: 200.0 }, 0.05, default_rules());
    let pass = count(&found, Decision::Pass, u64::MAX);
    assert!(pass <= runs * 5 / 100, "{pass} of {runs} passed");
}

#[test]
fn failures_alone_make_a_backend_fail() {
    let found = outcomes(Process::Failing, 0.10, default_rules());
    assert!(count(&found, Decision::Fail, 2_000) >= RUNS * 98 / 100);
}

#[test]
fn quick_runs_decide_in_the_requests_they_promise() {
    for (exceedance, decision, requests) in [
        (0.01, Decision::Pass, 175),
        (0.02, Decision::Pass, 600),
        (0.10, Decision::Fail, 400),
        (0.20, Decision::Fail, 60),
    ] {
        let found = outcomes(auto_regressive(0.0), exceedance, quick());
        let right = count(&found, decision, u64::MAX);
        assert!(right >= RUNS - ONE_PER_CENT, "{exceedance}: {right} of {RUNS} are {decision:?}");
        let median = median_requests(&found);
        assert!(median <= requests, "{exceedance}: median {median} requests");
    }
}

#[test]
fn default_runs_decide_in_the_requests_they_promise() {
    for (rho, exceedance, decision, share, requests) in [
        (0.0, 0.02, Decision::Pass, 0.99, 2_000),
        (0.0, 0.10, Decision::Fail, 0.99, 2_000),
        (0.0, 0.06, Decision::Fail, 0.95, 20_000),
        (0.8, 0.01, Decision::Pass, 0.95, 6_000),
        (0.8, 0.10, Decision::Fail, 0.90, 6_000),
        (0.95, 0.01, Decision::Pass, 0.90, 20_000),
    ] {
        let found = count(&outcomes(auto_regressive(rho), exceedance, default_rules()), decision, requests);
        let fewest = (share * RUNS as f64).floor() as usize - 3;
        assert!(
            found >= fewest,
            "rho {rho}, {exceedance}: {found} of {RUNS} are {decision:?} within {requests}"
        );
    }
}

#[test]
fn a_stricter_error_takes_more_requests_on_its_own_side_only() {
    let requests = |alpha, beta, exceedance| {
        median_requests(&outcomes(auto_regressive(0.0), exceedance, Rules { alpha, beta, ..quick() }))
    };
    assert!(requests(0.001, 0.01, 0.01) > requests(0.01, 0.01, 0.01) + 30);
    assert!(requests(0.01, 0.01, 0.01) > requests(0.1, 0.01, 0.01) + 30);
    assert!(requests(0.01, 0.001, 0.2) > requests(0.01, 0.1, 0.2) + 10);
    assert_eq!(requests(0.01, 0.001, 0.01), requests(0.01, 0.1, 0.01));
}

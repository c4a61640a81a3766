//! The stopping procedure, request by request.

use tailmark::verdict::{Decision, Horizon, Procedure, Reason, Rules};

const LIMIT: u64 = 20_000_000;

fn rules() -> Rules {
    Rules {
        allowed: 0.05,
        alpha: 0.01,
        beta: 0.01,
        limit_ns: Some(LIMIT),
        horizon: Horizon::AtLeast { requests: 2_000, restarts: 3 },
        most_requests: 20_000,
    }
}

/// A latency that varies without pattern: fast, or over the limit for `over` of every 1,000 requests.
fn response(request: u64, over: u64) -> Option<u64> {
    let scattered =
        request.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33;
    Some(if scattered % 1_000 < over {
        LIMIT + 1 + scattered % 997
    } else {
        LIMIT / 2 + scattered % 5_000_000
    })
}

/// Feeds the procedure as a driver would until it decides; returns it, the decision and the lengths of the restarts.
fn drive(
    rules: Rules,
    mut respond: impl FnMut(u64, usize) -> Option<u64>,
) -> (Procedure, Decision, Vec<u64>) {
    let mut procedure = Procedure::new(rules);
    let mut lengths = Vec::new();
    let mut requests = 0;
    let mut fresh = true;
    loop {
        if fresh {
            procedure.begin_restart();
            lengths.push(0);
        }
        procedure.observe(respond(requests, lengths.len() - 1));
        requests += 1;
        if let Some(length) = lengths.last_mut() {
            *length += 1;
        }
        match procedure.decide() {
            Decision::Continue { fresh_process } => fresh = fresh_process,
            decision => return (procedure, decision, lengths),
        }
    }
}

#[test]
fn latencies_far_from_the_limit_show_their_own_correlation_and_none_of_exceedances() {
    // Waves of a hundred requests between a twentieth and a tenth of the limit.
    let waves = |request: u64| LIMIT / 20 + (request % 100) * (LIMIT / 2_000);
    let (procedure, decision, _) = drive(rules(), |request, _| Some(waves(request)));
    let findings = procedure.findings();
    assert_eq!((decision, findings.correlation_was_seen), (Decision::Pass, false));
    assert_eq!(findings.effective_requests, 2_000.0);
    assert!(findings.latency_correlation.is_some_and(|own| own.time > 10.0), "{findings:?}");
    let (procedure, ..) = drive(rules(), |request, _| response(request, 10));
    assert!(procedure.findings().correlation_was_seen);
}

#[test]
fn nothing_is_decided_before_the_horizon_and_its_restarts_are_equally_long() {
    let (_, decision, lengths) = drive(rules(), |request, _| response(request, 0));
    assert_eq!((decision, lengths), (Decision::Pass, vec![667, 667, 666]));
}

#[test]
fn beyond_the_horizon_each_restart_is_a_third_as_long_as_all_before_it() {
    let (_, decision, lengths) = drive(rules(), |request, _| response(request, 50));
    assert_eq!(decision, Decision::Inconclusive(Reason::TooCloseToTheLimit));
    assert_eq!(lengths.iter().sum::<u64>(), 20_000);
    assert_eq!(&lengths[..7], &[667, 667, 666, 667, 889, 1_186, 1_581]);
    assert_eq!(lengths.len(), 12);
}

#[test]
fn a_quick_run_has_one_process_and_needs_116_requests_without_an_exceedance() {
    let rules = Rules { horizon: Horizon::Quick, ..rules() };
    let (procedure, decision, lengths) = drive(rules, |request, _| response(request, 0));
    // The looks are 2 % apart, so it may be a little later than the first request at which the evidence suffices.
    assert_eq!((decision, lengths), (Decision::Pass, vec![116]));
    assert_eq!(procedure.findings().requests_to_settle, Some(0));
}

#[test]
fn a_response_exactly_at_the_limit_does_not_exceed_and_a_failure_does() {
    let mut procedure = Procedure::new(rules());
    for response in [Some(LIMIT), Some(LIMIT + 1), None, Some(0), Some(u64::MAX)] {
        procedure.observe(response);
    }
    let findings = procedure.findings();
    assert_eq!((findings.requests, findings.exceedances), (5, 3));
}

#[test]
fn without_a_limit_only_failures_exceed() {
    let (procedure, decision, _) =
        drive(
            Rules { limit_ns: None, ..rules() },
            |request, _| {
                if request % 10 == 0 { None } else { Some(u64::MAX) }
            },
        );
    assert_eq!(decision, Decision::Fail);
    assert_eq!(procedure.findings().share, Some(0.1));
}

#[test]
fn what_is_decided_stays_decided() {
    let (mut procedure, decision, _) = drive(rules(), |request, _| response(request, 0));
    for _ in 0..50_000 {
        procedure.observe(None);
        assert_eq!(procedure.decide(), decision);
    }
    assert_eq!(procedure.conclude(), decision);
}

#[test]
fn a_budget_that_ends_early_says_what_is_missing() {
    let mut procedure = Procedure::new(rules());
    procedure.begin_restart();
    (0..400).for_each(|request| procedure.observe(response(request, 0)));
    assert_eq!(
        procedure.conclude(),
        Decision::Inconclusive(Reason::HorizonNotReached { requests: 2_000, restarts: 3 })
    );
    assert_eq!(procedure.findings().requests_to_settle, Some(1_600));
}

#[test]
fn a_run_without_a_request_is_inconclusive() {
    let mut procedure = Procedure::new(rules());
    assert!(matches!(procedure.conclude(), Decision::Inconclusive(Reason::HorizonNotReached { .. })));
    let findings = procedure.findings();
    assert_eq!((findings.share, findings.requests_to_settle), (None, None));
    assert!(procedure.band().is_empty());
}

#[test]
fn one_restart_without_a_steady_state_is_enough_to_be_inconclusive_at_the_horizon() {
    let mut procedure = Procedure::new(rules());
    procedure.no_steady_state();
    let decision = (0..2_000).fold(None, |_, request| {
        procedure.observe(response(request, 0));
        Some(procedure.decide())
    });
    assert_eq!(decision, Some(Decision::Inconclusive(Reason::NoSteadyState { restarts: 1 })));
}

#[test]
fn restarts_that_differ_by_more_than_chance_are_named() {
    // 0.2 %, 0.2 % and 8 %: fewer than 5 % in all, and the third process misses the limit.
    let (procedure, decision, _) = drive(Rules { most_requests: 2_001, ..rules() }, |request, restart| {
        response(request, if restart == 2 { 80 } else { 2 })
    });
    assert!(matches!(decision, Decision::Inconclusive(Reason::RestartsDisagree { .. })), "{decision:?}");
    assert!(procedure.findings().agreement < 0.001);
}

#[test]
fn restarts_that_differ_but_all_fail_make_a_fail() {
    let (procedure, decision, _) =
        drive(rules(), |request, restart| response(request, if restart == 0 { 500 } else { 250 }));
    assert_eq!(decision, Decision::Fail);
    assert!(procedure.findings().agreement < 0.001);
}

#[test]
fn a_rise_that_would_cross_the_limit_is_named_and_one_far_below_it_is_not() {
    let rising = |from: f64, to: f64| {
        let mut at = 0;
        let mut of = 0;
        drive(Rules { most_requests: 2_001, ..rules() }, move |request, restart| {
            at = if restart == of { at + 1 } else { 0 };
            of = restart;
            let level = (from + (to - from) * f64::from(at) / 667.0) * LIMIT as f64;
            response(request, 0)
                .map(|scatter| (level * (0.98 + 0.04 * (scatter % 1_000) as f64 / 1_000.0)) as u64)
        })
        .1
    };
    let near = rising(0.7, 0.95);
    assert!(
        matches!(near, Decision::Inconclusive(Reason::Drifts { drift }) if drift.change_per_thousand > 0.3),
        "{near:?}"
    );
    assert_eq!(rising(0.2, 0.27), Decision::Pass);
}

#[test]
fn a_hot_phase_makes_the_run_wait_until_it_is_long_against_it() {
    // 40 slow requests in a row, once; 2 % of the first 2,000, which would pass if they were independent.
    let (procedure, decision, _) =
        drive(
            rules(),
            |request, _| {
                if (700..740).contains(&request) { Some(2 * LIMIT) } else { response(request, 0) }
            },
        );
    assert_eq!(decision, Decision::Pass);
    assert!(procedure.requests() >= 4_800, "{} requests", procedure.requests());
}

#[test]
fn the_band_has_a_point_for_every_look_and_its_last_interval_is_the_verdict() {
    let (procedure, decision, _) = drive(rules(), |request, _| response(request, 100));
    assert_eq!(decision, Decision::Fail);
    let band = procedure.band();
    let findings = procedure.findings();
    assert_eq!(
        band.last().map(|point| (point.requests, point.interval)),
        Some((findings.requests, findings.interval))
    );
    assert!(findings.interval.low >= 0.05, "{findings:?}");
    assert!(band.windows(2).all(|pair| pair[0].requests < pair[1].requests));
}

#[test]
fn what_is_said_to_settle_it_does() {
    let (procedure, decision, _) =
        drive(Rules { most_requests: 3_000, ..rules() }, |request, _| response(request, 40));
    assert_eq!(decision, Decision::Inconclusive(Reason::TooCloseToTheLimit));
    let more = procedure.findings().requests_to_settle.unwrap();
    let (_, decision, _) =
        drive(Rules { most_requests: 3_000 + 2 * more, ..rules() }, |request, _| response(request, 40));
    assert_eq!(decision, Decision::Pass, "{more} more requests");
}

#[test]
fn every_reason_is_a_sentence_without_its_remedy() {
    let reasons = [
        (Reason::TooCloseToTheLimit, "the exceedance is too close to the limit for this many requests"),
        (Reason::NoSteadyState { restarts: 2 }, "2 restarts never reached a steady state"),
        (
            Reason::HorizonNotReached { requests: 2_000, restarts: 3 },
            "the budget ran out before 2,000 requests over 3 restarts were measured",
        ),
        (
            Reason::RestartsDisagree { chance: 0.000_12 },
            "restarts differ by more than chance (equal ones would differ this much with probability 1.2e-4)",
        ),
    ];
    for (reason, sentence) in reasons {
        assert_eq!(reason.to_string(), sentence);
    }
}

#[test]
fn a_lost_restart_and_the_one_after_it_do_one_share_and_count_as_one() {
    let mut procedure = Procedure::new(rules());
    let mut lengths = Vec::new();
    let mut requests = 0;
    // The second process is lost after 100 requests; everything else goes as it should.
    let decision = 'run: loop {
        procedure.begin_restart();
        lengths.push(0_u64);
        loop {
            procedure.observe(response(requests, 0));
            requests += 1;
            *lengths.last_mut().expect("a restart has begun") += 1;
            match procedure.decide() {
                _ if lengths.len() == 2 && lengths[1] == 100 => {
                    procedure.lose_restart();
                    break;
                }
                Decision::Continue { fresh_process: true } => break,
                Decision::Continue { fresh_process: false } => {}
                decision => break 'run decision,
            }
        }
    };
    assert_eq!((decision, lengths), (Decision::Pass, vec![667, 100, 567, 666]));
}

#[test]
fn a_restart_that_was_lost_before_its_steady_state_counts_for_nothing() {
    let mut procedure = Procedure::new(rules());
    procedure.begin_restart();
    procedure.lose_restart();
    procedure.begin_restart();
    for request in 0..666 {
        procedure.observe(response(request, 0));
        assert!(!procedure.wants_fresh_process());
    }
    procedure.observe(response(666, 0));
    assert!(procedure.wants_fresh_process());
    assert_eq!(procedure.findings().restarts, 1);
}

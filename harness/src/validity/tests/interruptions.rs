//! Time in which tailmark could not run: a quota that throttles, and pauses.

use super::*;

#[test]
fn a_quota_that_throttles_is_named_with_its_figures() {
    let held = |throttled| {
        raised(|conditions, _| {
            let throttling = Throttling { processors: 0.3, periods: 36, throttled };
            conditions.quota = Some(CpuQuota::Limited(throttling));
        })
    };
    let (doubt, weight) = held(34);
    assert_eq!(weight, Weight::Serious);
    assert_eq!(doubt.what(), "a CPU quota of 0.3 processors throttled tailmark's group in 34 of 36 periods");
    assert!(doubt.remedy().starts_with("raise the quota, or give the backends fewer threads"));
    assert_eq!(held(1).1, Weight::Note);
    let mut conditions = idle();
    conditions.quota = Some(CpuQuota::Limited(Throttling { processors: 0.3, periods: 36, throttled: 0 }));
    assert_eq!(doubts(&conditions, &facts()), [], "a quota that was not used up");
}

fn pause(at: u64, length: u64, cause: PauseCause) -> Pause {
    Pause { at: Duration::from_millis(at), length: Duration::from_millis(length), cause }
}

#[test]
fn a_pause_of_tailmark_is_serious_and_says_how_long_when_and_why() {
    let paused = |pauses: &[Pause]| raised(|conditions, _| conditions.pauses = Some(pauses.to_vec()));
    let (doubt, weight) = paused(&[pause(4_100, 3_000, PauseCause::Suspended)]);
    assert_eq!(weight, Weight::Serious);
    assert_eq!(
        doubt.what(),
        "tailmark did not run for at least 3.00 s, 4.10 s after it began to measure: it was suspended, or the whole machine stood still"
    );
    assert!(doubt.remedy().starts_with("run it again without suspending it"), "{}", doubt.remedy());
    assert_eq!(adjust(Verdict::Pass, std::slice::from_ref(&doubt), false).0, Verdict::Inconclusive);
    assert_eq!(adjust(Verdict::Fail, &[doubt], false).0, Verdict::Inconclusive);
    let (doubt, _) =
        paused(&[pause(1_000, 600, PauseCause::NoProcessor), pause(9_000, 40_000, PauseCause::Asleep)]);
    assert_eq!(
        doubt.what(),
        "tailmark did not run for at least 40.6 s in all, 2 times; the longest was 40.0 s, 9.00 s after it began to measure: the machine \
         slept"
    );
    assert!(doubt.remedy().contains("keep the machine from going to sleep"), "{}", doubt.remedy());
    let (doubt, _) = paused(&[pause(1_000, 600, PauseCause::NoProcessor)]);
    assert!(doubt.remedy().starts_with("close other programs"), "{}", doubt.remedy());
}

#[test]
fn what_a_pause_explains_is_not_blamed_on_anything_else() {
    let (doubt, _) = raised(|conditions, facts| {
        conditions.pauses = Some(vec![pause(4_100, 3_000, PauseCause::Suspended)]);
        conditions.jitter = Some(Jitter { largest_gap: Duration::from_secs(3), ..lost(0.9, Some(0.0)) });
        facts.backends[0].lateness_p99 = Some(Duration::from_secs(2));
    });
    assert!(matches!(doubt, Doubt::DidNotRun { .. }), "{doubt:?}");
}

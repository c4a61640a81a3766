//! Every doubt is raised by its figures and by no others, and the verdict turns as the table says.

mod interruptions;

use super::*;
use crate::environment::{Clock, Frequency, Jitter, OthersCpu, Pause, PauseCause, Swap, Thermal, Throttling};

/// An ordinary idle machine with two processors: everything there is to read, and nothing quite at zero.
fn idle() -> Conditions {
    Conditions {
        watched: Duration::from_secs(60),
        build_opt_level: Some("2".to_owned()),
        others: Some(OthersCpu { mean_share: 0.02, disturbed_share: Some(0.0), busiest_share: Some(0.12) }),
        steal_share: Some(0.003),
        load_at_start: Some(1.8),
        load_at_end: Some(1.1),
        clock: Some(Clock { resolution: Duration::from_nanos(28), cost: Duration::from_nanos(28) }),
        jitter: Some(Jitter {
            probes: 9,
            spun: Duration::from_millis(180),
            largest_gap: Duration::from_micros(900),
            lost_share: 0.012,
            lost_share_without_worst: Some(0.006),
        }),
        frequency: Some(Frequency {
            now_mhz: 1200.0,
            max_mhz: Some(4000.0),
            loaded_mhz: Some((3300.0, 3900.0)),
            governor: Some("powersave".to_owned()),
            driver: Some("intel_pstate".to_owned()),
        }),
        thermal: Some(Thermal {
            events: Some(0),
            throttled_share: Some(0.0),
            speed_limit: Some(1.0),
            warning_level: Some(0),
        }),
        power: Some(PowerSource::Mains),
        swap: Some(Swap { used_at_start_bytes: 3 << 20, used_bytes: 3 << 20, pages_moved: Some(0) }),
        quota: Some(CpuQuota::Unlimited),
        pauses: Some(Vec::new()),
        unread: Vec::new(),
    }
}

fn facts() -> RunFacts {
    let backend = BackendFacts {
        name: "onnx-cpu".to_owned(),
        lateness_p99: Some(Duration::from_micros(40)),
        threads: Some(2),
        overload: None,
        caching: None,
        losses: 0,
    };
    RunFacts { processors: 2, tightest_limit: Some(Duration::from_millis(20)), backends: vec![backend] }
}

/// The one doubt that a change to the idle machine raises, and how heavily it weighs.
fn raised(change: impl FnOnce(&mut Conditions, &mut RunFacts)) -> (Doubt, Weight) {
    let (mut conditions, mut facts) = (idle(), facts());
    change(&mut conditions, &mut facts);
    let mut doubts = doubts(&conditions, &facts);
    assert_eq!(doubts.len(), 1, "{doubts:#?}");
    let doubt = doubts.remove(0);
    let weight = doubt.weight();
    assert!(!doubt.remedy().is_empty() && !doubt.remedy().ends_with('.'), "{doubt:?}");
    (doubt, weight)
}

fn others(mean_share: f64, disturbed_share: Option<f64>) -> (String, Weight) {
    let (doubt, weight) = raised(|conditions, _| {
        conditions.others = Some(OthersCpu { mean_share, disturbed_share, busiest_share: None });
    });
    (doubt.what(), weight)
}

#[test]
fn an_idle_machine_raises_no_doubt_and_neither_does_one_that_tells_nothing() {
    assert_eq!(doubts(&idle(), &facts()), []);
    assert_eq!(doubts(&Conditions::default(), &RunFacts::default()), []);
}

#[test]
fn a_busy_loop_on_both_processors_is_serious() {
    let (what, weight) = others(0.61, Some(1.0));
    assert_eq!(weight, Weight::Serious);
    assert_eq!(what, "other processes used 61 % of the machine's CPU time");
    assert_eq!(others(0.26, None).1, Weight::Serious, "the mean alone is enough");
}

#[test]
fn a_burst_is_serious_although_the_mean_hides_it_and_a_steady_tenth_is_a_note() {
    let (what, weight) = others(0.09, Some(0.06));
    assert_eq!(weight, Weight::Serious);
    assert_eq!(
        what,
        "other processes used 9 % of the machine's CPU time, and more than a quarter of it during 6 % of the run"
    );
    assert_eq!(others(0.15, Some(0.04)).1, Weight::Note);
}

#[test]
fn time_given_to_other_guests_is_noted_first_and_serious_later() {
    let stolen = |share| raised(|conditions, _| conditions.steal_share = Some(share));
    assert_eq!(stolen(0.02).1, Weight::Note);
    let (doubt, weight) = stolen(0.08);
    assert_eq!(weight, Weight::Serious);
    assert_eq!(doubt.what(), "the hypervisor gave 8 % of the CPU time to other guests");
}

#[test]
fn one_probe_that_lost_its_processor_is_a_note_and_two_are_serious() {
    let jitter = |lost_share, without_worst| {
        raised(|conditions, _| conditions.jitter = Some(lost(lost_share, without_worst)))
    };
    assert_eq!(jitter(0.3, None).1, Weight::Note);
    assert_eq!(jitter(0.3, Some(0.05)).1, Weight::Note);
    let (doubt, weight) = jitter(0.3, Some(0.2));
    assert_eq!(weight, Weight::Serious);
    assert_eq!(
        doubt.what(),
        "a loop that does nothing but read the clock lost 30 % of its time, up to 4.00 ms at once; other processes used 2 % and other \
         guests 0.3 %, too little to explain it"
    );
}

fn lost(lost_share: f64, lost_share_without_worst: Option<f64>) -> Jitter {
    Jitter {
        probes: 3,
        spun: Duration::from_millis(60),
        largest_gap: Duration::from_millis(4),
        lost_share,
        lost_share_without_worst,
    }
}

#[test]
fn what_to_do_about_lost_time_follows_from_who_is_known_to_have_had_it() {
    let remedy = |others: Option<f64>, stolen: Option<f64>, throttled: u64| {
        let mut conditions = idle();
        conditions.jitter = Some(lost(0.026, Some(0.01)));
        conditions.others = others.map(|mean_share| OthersCpu {
            mean_share,
            disturbed_share: Some(0.0),
            busiest_share: Some(0.1),
        });
        conditions.steal_share = stolen;
        let throttling = Throttling { processors: 0.3, periods: 1_000, throttled };
        conditions.quota = Some(CpuQuota::Limited(throttling));
        let doubts = doubts(&conditions, &facts());
        let jitter = doubts.into_iter().find(|doubt| matches!(doubt, Doubt::Jitter { .. })).unwrap();
        jitter.remedy()
    };
    assert!(remedy(Some(0.0), Some(0.000_5), 0).starts_with("run it again; if it stays, interrupts"));
    assert_eq!(remedy(Some(0.02), Some(0.0), 0), "close other programs (top lists them)");
    assert!(remedy(Some(0.001), Some(0.02), 0).starts_with("measure on a machine, or an instance type"));
    assert!(remedy(Some(0.0), None, 0).starts_with("close other programs; on a virtual machine"));
    assert!(remedy(None, Some(0.0), 0).starts_with("close other programs; on a virtual machine"));
    let busy = OthersCpu { mean_share: 0.85, disturbed_share: Some(1.0), busiest_share: None };
    let always = Throttling { processors: 0.3, periods: 38, throttled: 38 };
    let conditions = Conditions { others: Some(busy), quota: Some(CpuQuota::Limited(always)), ..idle() };
    assert_eq!(taken_by(&conditions, lost(0.7, None)), TakenBy::Quota, "throttled all the time");
    let quota = "raise the CPU quota, or give the backends fewer threads";
    assert_eq!(remedy(Some(0.02), Some(0.02), 300), quota);
    assert_eq!(remedy(Some(0.02), Some(0.0), 3), "close other programs (top lists them)", "rarely throttled");
}

#[test]
fn load_before_the_run_is_only_a_note() {
    let (doubt, weight) = raised(|conditions, _| conditions.load_at_start = Some(3.4));
    assert_eq!(weight, Weight::Note);
    assert_eq!(doubt.what(), "the machine was busy when the run began (load average 3.40 on 2 processors)");
}

#[test]
fn a_processor_kept_at_a_third_of_its_speed_is_serious_and_one_that_varies_is_noted() {
    let loaded = |low, high| {
        raised(|conditions, _| {
            conditions.frequency.as_mut().unwrap().loaded_mhz = Some((low, high));
        })
    };
    let (doubt, weight) = loaded(1300.0, 1300.0);
    assert_eq!(weight, Weight::Serious);
    assert_eq!(doubt.what(), "the processor ran at 1300 MHz under load, although it can reach 4000 MHz");
    let (doubt, weight) = loaded(2500.0, 3900.0);
    assert_eq!(weight, Weight::Note);
    assert_eq!(doubt.what(), "the processor's frequency under load varied between 2500 and 3900 MHz");
}

#[test]
fn a_governor_is_noted_only_where_it_means_slow() {
    let governed = |governor: &str, driver: Option<&str>| {
        let mut conditions = idle();
        let frequency = conditions.frequency.as_mut().unwrap();
        frequency.governor = Some(governor.to_owned());
        frequency.driver = driver.map(str::to_owned);
        doubts(&conditions, &facts())
    };
    assert_eq!(governed("performance", None), []);
    assert_eq!(governed("schedutil", Some("acpi-cpufreq")), []);
    assert_eq!(governed("powersave", Some("amd-pstate-epp")), []);
    for (governor, driver) in
        [("powersave", Some("acpi-cpufreq")), ("powersave", None), ("conservative", None)]
    {
        let found = governed(governor, driver);
        assert_eq!(found.len(), 1, "{governor}");
        assert_eq!(found[0].weight(), Weight::Note);
        assert_eq!(found[0].what(), format!("the CPU frequency governor is `{governor}`"));
    }
}

#[test]
fn heat_is_serious_when_it_lasts_and_a_note_when_it_does_not() {
    let hot = |thermal| {
        let (doubt, weight) = raised(|conditions, _| conditions.thermal = Some(thermal));
        (doubt.what(), weight)
    };
    let brief = hot(Thermal { events: Some(3), throttled_share: Some(0.01), ..Thermal::default() });
    assert_eq!(brief.1, Weight::Note);
    assert_eq!(brief.0, "heat or a power limit held the processor back for 1 % of the run, in 3 events");
    let long = hot(Thermal { throttled_share: Some(0.2), ..Thermal::default() });
    assert_eq!(long.1, Weight::Serious);
    let held = hot(Thermal { speed_limit: Some(0.62), ..Thermal::default() });
    assert_eq!(held.1, Weight::Serious);
    assert_eq!(held.0, "heat or a power limit held the processor back to 62 % of full speed");
    assert_eq!(hot(Thermal { speed_limit: Some(0.97), ..Thermal::default() }).1, Weight::Note);
    assert_eq!(hot(Thermal { warning_level: Some(1), ..Thermal::default() }).1, Weight::Serious);
}

#[test]
fn a_battery_is_a_note_and_an_unoptimised_build_is_serious() {
    let (doubt, weight) = raised(|conditions, _| conditions.power = Some(PowerSource::Battery));
    assert_eq!((&doubt, weight), (&Doubt::OnBattery, Weight::Note));
    assert_eq!((doubt.to_record().backend, doubt.to_record().serious), (None, false));
    let (doubt, weight) = raised(|conditions, _| conditions.build_opt_level = Some("0".to_owned()));
    assert_eq!(weight, Weight::Serious);
    assert_eq!(doubt.what(), "tailmark was built without optimization (level 0)");
}

#[test]
fn a_clock_is_judged_by_the_limit_it_has_to_tell() {
    let clock = Clock { resolution: Duration::from_micros(100), cost: Duration::from_micros(1) };
    let (mut conditions, mut facts) = (idle(), facts());
    conditions.clock = Some(clock);
    assert_eq!(doubts(&conditions, &facts), [], "0.5 % of 20 ms");
    facts.tightest_limit = None;
    assert_eq!(doubts(&conditions, &facts), [], "20 ms is the limit where there is none");
    facts.tightest_limit = Some(Duration::from_millis(2));
    let found = doubts(&conditions, &facts);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].weight(), Weight::Serious);
    assert_eq!(
        found[0].what(),
        "the clock ticks in steps of 100 µs and takes 1.00 µs to read, too coarse for a limit of 2.00 ms"
    );
}

#[test]
fn swapping_is_judged_by_its_pace_or_else_by_its_growth() {
    let swapping = |pages_moved, grown: u64| {
        let (doubt, weight) = raised(|conditions, _| {
            conditions.swap =
                Some(Swap { used_at_start_bytes: 1 << 20, used_bytes: (1 << 20) + grown, pages_moved });
        });
        (doubt.what(), weight)
    };
    assert_eq!(swapping(Some(60), 0), ("the machine swapped 1.00 pages a second".to_owned(), Weight::Note));
    assert_eq!(swapping(Some(12_000), 0).1, Weight::Serious);
    assert_eq!(swapping(Some(0), 128 << 20).1, Weight::Note, "where pages are counted, they decide");
    assert_eq!(swapping(None, 2 << 20).1, Weight::Note);
    let grown = swapping(None, 128 << 20);
    assert_eq!(grown, ("swap usage grew by 128 MiB".to_owned(), Weight::Serious));
}

#[test]
fn a_late_generator_is_serious_and_concerns_its_backend_only() {
    let (doubt, weight) =
        raised(|_, facts| facts.backends[0].lateness_p99 = Some(Duration::from_micros(1_200)));
    assert_eq!(weight, Weight::Serious);
    assert_eq!(
        doubt.what(),
        "tailmark itself started 1 % of the requests to onnx-cpu at least 1.20 ms late, against a limit of 20.0 ms"
    );
    let record = doubt.to_record();
    assert_eq!((record.backend.as_deref(), record.serious), (Some("onnx-cpu"), true));
    assert_eq!((record.what, record.remedy), (doubt.what(), doubt.remedy()));
    let all = [doubt, Doubt::OnBattery];
    assert_eq!(concerning(&all, "onnx-cpu"), all);
    assert_eq!(concerning(&all, "rten-cpu"), [Doubt::OnBattery]);
}

#[test]
fn more_threads_than_processors_are_noted() {
    let (doubt, weight) = raised(|_, facts| facts.backends[0].threads = Some(8));
    assert_eq!(weight, Weight::Note);
    assert_eq!(doubt.what(), "it runs 8 threads on 2 processors");
    assert_eq!(doubt.remedy(), "give it 2 threads or fewer");
}

#[test]
fn serious_doubts_come_first() {
    let mut conditions = idle();
    conditions.power = Some(PowerSource::Battery);
    conditions.build_opt_level = Some("0".to_owned());
    let found = doubts(&conditions, &facts());
    let weights: Vec<Weight> = found.iter().map(Doubt::weight).collect();
    assert_eq!(weights, [Weight::Serious, Weight::Note]);
}

#[test]
fn a_serious_doubt_turns_a_pass_and_a_fail_that_noise_may_have_made() {
    let serious = Doubt::Stolen { share: 0.2 };
    let build = Doubt::UnoptimizedBuild { opt_level: "0".to_owned() };
    let (pass, unsure, fail) = (Verdict::Pass, Verdict::Inconclusive, Verdict::Fail);
    let nothing: &[Doubt] = &[];
    let note = [Doubt::OnBattery];
    let noise = [serious, Doubt::OnBattery, build];
    for doubts in [nothing, &note] {
        for fastest_over in [false, true] {
            for verdict in [pass, unsure, fail] {
                assert_eq!(adjust(verdict, doubts, fastest_over), (verdict, None));
            }
        }
    }
    let named = |would_be: &str| {
        Some(format!(
            "{would_be}, but the hypervisor gave 20 % of the CPU time to other guests; \
             tailmark was built without optimization (level 0)"
        ))
    };
    for fastest_over in [false, true] {
        assert_eq!(adjust(pass, &noise, fastest_over), (unsure, named("PASS")));
        assert_eq!(adjust(unsure, &noise, fastest_over), (unsure, None));
    }
    assert_eq!(adjust(fail, &noise, false), (unsure, named("FAIL")));
    assert_eq!(adjust(fail, &noise, true), (fail, None), "even the spared tenth is too slow");
}

#[test]
fn an_overloaded_backend_cannot_pass_and_its_fail_stands() {
    let mut facts = facts();
    facts.backends[0].overload = Some((400.0, 212.0));
    let doubts = doubts(&Conditions::default(), &facts);
    let said: Vec<String> = doubts.iter().map(Doubt::what).collect();
    assert_eq!(said, ["it was overloaded: offered 400/s, achieved 212/s"]);
    let (verdict, why) = adjust(Verdict::Pass, &doubts, false);
    assert_eq!(verdict, Verdict::Inconclusive);
    assert_eq!(why.as_deref(), Some("PASS, but it was overloaded: offered 400/s, achieved 212/s"));
    assert_eq!(adjust(Verdict::Fail, &doubts, false), (Verdict::Fail, None));
}

#[test]
fn a_lost_worker_is_shown_and_turns_nothing() {
    let (doubt, weight) = raised(|_, facts| facts.backends[0].losses = 1);
    assert_eq!(
        doubt.what(),
        "1 of its workers was lost; the time that callers would have waited for a new one is in no figure"
    );
    assert_eq!((weight, doubt.backend()), (Weight::Note, Some("onnx-cpu")));
    assert_eq!(adjust(Verdict::Pass, &[doubt], false), (Verdict::Pass, None));
}

#[test]
fn a_backend_that_answers_from_a_cache_cannot_pass_and_its_fail_stands() {
    let (repeated, new) = (Duration::from_micros(40), Duration::from_millis(6));
    let (doubt, weight) = raised(|_, facts| facts.backends[0].caching = Some((repeated, new)));
    assert_eq!(
        doubt.what(),
        "a text that it had just seen took 40.0 µs and new texts of the same length took 6.00 ms, so it hardly computes repeated texts"
    );
    assert_eq!((weight, doubt.backend()), (Weight::Serious, Some("onnx-cpu")));
    assert_eq!(adjust(Verdict::Pass, std::slice::from_ref(&doubt), true).0, Verdict::Inconclusive);
    assert_eq!(adjust(Verdict::Fail, &[doubt], false), (Verdict::Fail, None));
}

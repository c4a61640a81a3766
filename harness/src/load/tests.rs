//! The table of load models, and what their schedules give.

use std::io::Write as _;

use super::*;
use crate::scenario::LoadSection;

fn open(kind: &str, section: &LoadSection) -> LoadModel {
    find(kind).expect(kind).read(section, None).expect(kind)
}

fn first(model: &LoadModel, stream: u64, count: usize) -> Vec<f64> {
    let mut schedule = model.schedule(stream);
    (0..count).map_while(|_| schedule.next()).map(|at| at.as_secs_f64()).collect()
}

fn at(rate: &str) -> LoadSection {
    LoadSection { rate: Some(rate.to_owned()), ..LoadSection::default() }
}

fn trace(content: &str, speed: Option<f64>) -> Result<LoadModel, String> {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a file");
    file.write_all(content.as_bytes()).expect("written");
    let section = LoadSection { file: Some(file.path().to_path_buf()), speed, ..LoadSection::default() };
    let shown = file.path().display().to_string();
    find("trace").expect("trace").read(&section, None).map_err(|faults| {
        faults.iter().map(|(key, why)| format!("{key}: {}", why.replace(&shown, "FILE"))).collect()
    })
}

#[test]
fn load_models_have_names_of_their_own_and_say_what_they_are() {
    let ramp = LoadSection {
        from: Some("1/s".into()),
        to: Some("2/s".into()),
        over: Some("10s".parse().expect("a span")),
        ..LoadSection::default()
    };
    let models = [
        open("closed", &LoadSection::default()),
        open("constant", &at("30/s")),
        open("poisson", &at("30/s")),
        open("ramp", &ramp),
        trace("at\n0\n1\n", None).expect("a trace"),
    ];
    assert_eq!(models.len(), KINDS.len());
    for (kind, model) in KINDS.iter().zip(&models) {
        assert_eq!(model.kind(), kind.name);
        assert!(model.text().starts_with(kind.name) && !model.note().is_empty());
        assert_eq!(model.limits().is_open(), kind.name != "closed");
        assert_eq!(model.note().starts_with("open model"), kind.name != "closed", "{}", model.note());
    }
}

#[test]
fn even_gaps_do_not_drift_over_ten_million_requests() {
    let mut schedule = open("constant", &at("30/s")).schedule(1);
    let mut last = Duration::ZERO;
    for _ in 0..=10_000_000_u32 {
        last = schedule.next().expect("endless");
    }
    assert!((last.as_secs_f64() - 10_000_000.0 / 30.0).abs() < 1e-6, "{last:?}");
}

#[test]
fn poisson_arrivals_have_the_rate_and_the_scatter_of_their_process_and_each_stream_its_own() {
    let model = open("poisson", &at("50/s"));
    let times = first(&model, 1, 100_001);
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    // The standard error of the mean is 0.3 %, that of the coefficient of variation about 0.3 % too.
    assert!((mean * 50.0 - 1.0).abs() < 0.015, "mean gap {mean}");
    assert!(
        (variance.sqrt() / mean - 1.0).abs() < 0.02,
        "coefficient of variation {}",
        variance.sqrt() / mean
    );
    assert_eq!(first(&model, 1, 10), times[..10]);
    assert_ne!(first(&model, 2, 10), times[..10]);
}

#[test]
fn a_ramp_offers_what_the_integral_of_its_rate_says() {
    for (from, to) in [("10/s", "30/s"), ("30/s", "10/s"), ("20/s", "20/s")] {
        let section = LoadSection {
            from: Some(from.into()),
            to: Some(to.into()),
            over: Some("10s".parse().expect("a span")),
            ..LoadSection::default()
        };
        let times = first(&open("ramp", &section), 1, 1_000);
        let within = times.iter().filter(|at| **at < 10.0 - 1e-9).count();
        assert_eq!(within, 200, "{from} to {to}: a mean of 20/s for 10 s");
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
        let end: f64 = to.trim_end_matches("/s").parse().expect("a rate");
        let later = &times[200..];
        assert!(later.windows(2).all(|pair| (pair[1] - pair[0] - 1.0 / end).abs() < 1e-6), "{from} to {to}");
    }
}

#[test]
fn a_trace_is_replayed_from_its_first_request_at_its_speed_with_its_texts() {
    let model = trace("at,text\n5,one\n5.5,\"two, three\"\n7,four\n", Some(2.0)).expect("a trace");
    assert_eq!(first(&model, 1, 9), [0.0, 0.25, 1.0]);
    assert_eq!(
        model.texts().map(|texts| texts.iter().map(ToString::to_string).collect()),
        Some(vec!["one".to_owned(), "two, three".to_owned(), "four".to_owned()])
    );
    assert!(model.warms_up_apart());
    let stamps = trace("at\n2026-01-31T08:00:00Z\n2026-01-31T08:00:00.25Z\n", None).expect("a trace");
    assert_eq!(first(&stamps, 1, 9), [0.0, 0.25]);
    assert!(stamps.texts().is_none());
}

#[test]
fn a_bad_trace_is_refused_with_the_line_at_fault() {
    for (content, said) in [
        ("at\n1\n0.5\n", "line 3: `0.5`: it is earlier than the time before it; sort the trace by time"),
        (
            "at\n0\n8000\n",
            "line 3: `8000`: a gap of 133 min 20 s, but the longest allowed is an hour; cut the trace there",
        ),
        ("at\n0\nsoon\n", "line 3: `soon` is not a time; write seconds"),
        ("at\n0\nNaN\n", "line 3: `NaN` is not a time"),
        ("at,text\n0,a\n1,b,c\n", "line 3: found 3 fields, expected 2"),
        ("at,text\n0,\n", "line 2: an empty text"),
        ("time\n0\n", "line 1: found the columns `time`; the first line must be `at` or `at,text`"),
        ("at\n", "has no requests"),
    ] {
        let why = trace(content, None).expect_err(content);
        assert!(why.contains(said), "{content:?}: {why}");
    }
    let why = trace("at\n0\n1\n", Some(0.0)).expect_err("no speed");
    assert!(why.starts_with("speed: 0; must be between"), "{why}");
}

#[test]
fn rates_that_are_none_are_refused_with_the_rule() {
    for (rate, said) in [
        ("0/s", "is not a rate: write a number above 0"),
        ("-5/s", "is not a rate"),
        ("NaN/s", "is not a rate"),
        ("inf/s", "is not a rate"),
        ("30", "for example"),
        ("1e9/s", "1000000000/s; must be between 0.001/s and 1000000/s"),
    ] {
        for kind in ["constant", "poisson"] {
            let faults = find(kind).expect(kind).read(&at(rate), None).expect_err(rate);
            assert!(faults.len() == 1 && faults[0].0 == "rate" && faults[0].1.contains(said), "{faults:?}");
        }
    }
    let faults =
        find("constant").expect("constant").read(&LoadSection::default(), None).expect_err("no rate");
    assert!(faults[0].1.starts_with("missing; write requests per second"), "{faults:?}");
}

#[test]
fn no_slots_and_absurdly_many_are_refused_by_name() {
    for concurrency in [0, 1_001] {
        let section = LoadSection { concurrency: Some(concurrency), ..LoadSection::default() };
        let faults = find("closed").expect("closed").read(&section, None).expect_err("refused");
        assert!(faults[0].0 == "concurrency" && faults[0].1.contains(&concurrency.to_string()), "{faults:?}");
    }
}

#[test]
fn a_key_of_another_load_model_is_refused_and_not_passed_over() {
    let section = LoadSection { concurrency: Some(2), ..at("30/s") };
    let faults = find("poisson").expect("poisson").read(&section, None).expect_err("refused");
    assert_eq!(faults[0].0, "concurrency");
    assert!(faults[0].1.contains("it reads rate, seed, max_in_flight, max_queue"), "{faults:?}");
    let faults = find("closed").expect("closed").read(&section, None).expect_err("refused");
    assert_eq!(faults[0].0, "rate");
}

#[test]
fn a_caller_asks_again_its_think_time_after_its_answer() {
    let mut schedule = callers(2, Duration::from_millis(10)).schedule(1);
    assert_eq!(
        (schedule.next(), schedule.next(), schedule.next()),
        (Some(Duration::ZERO), Some(Duration::ZERO), None)
    );
    schedule.answered(Duration::from_millis(5));
    schedule.answered(Duration::from_millis(7));
    assert_eq!(schedule.next(), Some(Duration::from_millis(15)));
    assert_eq!(schedule.next(), Some(Duration::from_millis(17)));
    assert_eq!(schedule.next(), None);
}

#[test]
fn a_speed_that_is_no_number_is_a_fault_of_the_speed_alone() {
    for speed in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
        let why = trace("at\n0\n1\n", Some(speed)).expect_err("refused");
        assert!(why.starts_with("speed: ") && !why.contains("file: "), "{why}");
    }
}

#[test]
fn what_becomes_due_in_a_time_is_what_the_schedule_has_in_it() {
    let ramp = LoadSection {
        from: Some("10/s".into()),
        to: Some("30/s".into()),
        over: Some("10s".parse().expect("a span")),
        ..LoadSection::default()
    };
    for (model, seconds, due) in [
        (open("constant", &at("30/s")), 2, 60.0),
        (open("poisson", &at("0.5/s")), 10, 5.0),
        (open("ramp", &ramp), 5, 75.0),
        (open("ramp", &ramp), 20, 500.0),
        (trace("at\n0\n1\n2\n5\n", None).expect("a trace"), 2, 2.0),
        (trace("at\n0\n1\n2\n5\n", None).expect("a trace"), 10, 8.0),
        (callers(3, Duration::from_secs(4)), 10, 9.0),
        (callers(3, Duration::ZERO), 10, f64::INFINITY),
    ] {
        assert_eq!(model.due_within(Duration::from_secs(seconds)), due, "{}", model.text());
    }
}

//! Setting keys of a small scenario, and every way in which that can be wrong.

use super::super::parse::{Parsed, parse_with};
use super::super::{Step, TimeSpan};

const FILE: &str = "\
    title = \"a\"\n\
    [phases.steady]\nmin_requests = 10\nmax_seconds = 1\n\
    [[objective]]\nindicator = \"p95 response time\"\nbelow = \"1s\"\n\
    [[backend]]\nkind = \"onnx\"\noptions = { threads = 1 }\n\
    [[backend]]\nkind = \"rten\"\nname = \"rten-1.2\"\n\
    [[backend]]\nkind = \"rten\"\nname = \"rten-1\"\n";

fn with(overrides: &[&str]) -> Parsed {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    parse_with(FILE, &overrides)
}

/// What is said of one override that has a fault.
fn fault(text: &str) -> String {
    let parsed = with(&[text]);
    let faults: Vec<String> = parsed.faults.iter().map(|fault| parsed.describe(fault)).collect();
    let [fault] = &faults[..] else { panic!("{text}: one fault: {faults:#?}") };
    fault.clone()
}

#[test]
fn a_value_is_toml_and_what_is_no_toml_is_a_string() {
    let parsed = with(&[
        "phases.steady.max_seconds=60",
        "phases.steady.min_seconds = 0.5",
        "title=Is it fast?",
        "objective[1].below=30ms",
        "workload.corpus='passages_128'",
        "deadlines.request = \"2s\"",
        "objective[1].backends=[\"onnx\", 'rten-1']",
        "backend[1].options={ threads = 2, x = 1 }",
        "backend[1].optional=true",
        "model.name=a=b",
        "load.kind=\"\"",
        "name=7_days",
        "load.rate=2026-01-31",
    ]);
    assert_eq!(parsed.faults, []);
    let scenario = parsed.scenario;
    assert_eq!(scenario.phases.steady.max_seconds, Some(60.0));
    assert_eq!(scenario.phases.steady.min_seconds, Some(0.5));
    assert_eq!(scenario.phases.steady.min_requests, Some(10), "its neighbours stay");
    assert_eq!(scenario.title.as_deref(), Some("Is it fast?"));
    assert_eq!(scenario.objective[0].below.as_deref(), Some("30ms"));
    assert_eq!(scenario.workload.corpus.as_deref(), Some("passages_128"));
    assert_eq!(scenario.deadlines.request, "2s".parse::<TimeSpan>().ok());
    assert_eq!(scenario.objective[0].backends, Some(vec!["onnx".to_owned(), "rten-1".to_owned()]));
    assert_eq!(scenario.backend[0].options, "threads = 2\nx = 1".parse().ok());
    assert_eq!(scenario.backend[0].optional, Some(true));
    assert_eq!(scenario.model.name.as_deref(), Some("a=b"));
    assert_eq!(scenario.load.kind.as_deref(), Some(""));
    assert_eq!(scenario.name.as_deref(), Some("7_days"), "it begins like a number and is none");
    assert_eq!(scenario.load.rate.as_deref(), Some("2026-01-31"), "no key takes a date");
}

#[test]
fn a_backend_is_found_by_its_name_by_its_kind_and_by_its_number() {
    let parsed = with(&[
        "backend.onnx.options.threads=4",
        "backend.rten-1.2.batch_size=2",
        "backend.rten-1.batch_size=3",
        "backend.\"rten-1\".restarts=7",
        "backend[2].restarts=8",
    ]);
    assert_eq!(parsed.faults, []);
    let backend = parsed.scenario.backend;
    assert_eq!(backend[0].options, "threads = 4".parse().ok());
    assert_eq!((backend[1].batch_size, backend[1].restarts), (Some(2), Some(8)));
    assert_eq!((backend[2].batch_size, backend[2].restarts), (Some(3), Some(7)));
}

#[test]
fn the_last_of_several_holds_and_each_sees_those_before_it() {
    let parsed = with(&["title=b", "title=c", "backend[1].name=first", "backend.first.batch_size=9"]);
    assert_eq!(parsed.faults, []);
    assert_eq!(parsed.scenario.title.as_deref(), Some("c"));
    assert_eq!(parsed.scenario.backend[0].batch_size, Some(9));
}

#[test]
fn a_fault_in_what_was_set_is_named_as_it_was_typed_and_has_no_line() {
    for (text, parts) in [
        (
            "phases.steady.max_secs=3",
            &["--set phases.steady.max_secs: unknown key `max_secs`; did you mean `max_seconds`?"][..],
        ),
        (
            "phasse.steady.max_seconds=3",
            &["--set phasse.steady.max_seconds: unknown key `phasse`; did you mean `phases`?"],
        ),
        ("phases={steady={max_secs=3}}", &["--set phases.steady.max_secs: unknown key `max_secs`"]),
        ("backend.rten-1.batchsize=3", &["--set backend.rten-1.batchsize: unknown key", "`batch_size`"]),
        (
            "phases.steady.max_seconds=long",
            &["--set phases.steady.max_seconds: found \"long\"; it must be a number"],
        ),
        ("deadlines.load=20 parsecs", &["--set deadlines.load: `20 parsecs` is not a length of time"]),
        ("objective[1].backends=[\"onnx\", 3]", &["--set objective[1].backends: found 3; it must be text"]),
        ("backend=3", &["--set backend: found 3; it must be an array"]),
        ("phases.steady=5", &["--set phases.steady: found 5; it must be a table"]),
        (
            "phases.steady.max_seconds=\"\"",
            &["--set phases.steady.max_seconds: found an empty value; it must be a number"],
        ),
        (
            "phases.steady.max_requests=99999999999999999999",
            &[
                "--set phases.steady.max_requests: found 99999999999999999999; it must be a whole number of at most",
            ],
        ),
        ("phases.restarts=-1", &["--set phases.restarts: found -1; it must be a whole number of at least 0"]),
    ] {
        let fault = fault(text);
        for part in parts {
            assert!(fault.contains(part), "{text}: {part:?} is not in {fault:?}");
        }
        assert!(!fault.contains("line "), "{fault}");
    }
}

#[test]
fn what_cannot_be_set_is_a_fault_that_says_what_could_be() {
    for (text, expected) in [
        (
            "phases.steady.max_seconds",
            "it has no `=`; write --set key=value, as in --set phases.steady.max_seconds=60",
        ),
        ("phases.steady.max_seconds=", "it has no value; write one after the `=`, or \"\" for an empty text"),
        ("=3", "one of its keys is empty; separate keys with single dots, as in phases.steady.max_seconds"),
        (
            "phases..x=3",
            "one of its keys is empty; separate keys with single dots, as in phases.steady.max_seconds",
        ),
        ("title.x=3", "`title` has type string, so it has no keys; set it as a whole, with --set title=..."),
        (
            "phases.steady.min_requests.x=3",
            "`phases.steady.min_requests` has type integer, so it has no keys; set it as a whole, with --set \
             phases.steady.min_requests=...",
        ),
        ("objective[2].below=3", "there is no objective[2]; the scenario has only objective[1]"),
        ("backend[0].name=x", "there is no backend[0]; the scenario has backend[1] to backend[3]"),
        ("backend[x].name=x", "there is no backend[x]; the scenario has backend[1] to backend[3]"),
        ("backend[1.name=x", "a [ is not closed"),
        ("backend.\"onnx.name=x", "a \" is not closed"),
        ("backend[1]=3", "`backend[1]` is a whole entry; set one of its keys, as in backend[1].KEY=..."),
        ("backend[1]name=3", "`name` follows `backend[1]`, but a `.` and a key belong there"),
        ("objective.below=3", "`objective` is an array; say which entry, as in objective[1].KEY=..."),
        ("phases[1].x=3", "`[1].x` follows `phases`, but a `.` and a key belong there"),
        ("load[1].x=3", "the scenario has no entry in `load` yet; add the first one to the file"),
        (
            "backend.onx.batch_size=3",
            "no backend is named `onx`; did you mean `onnx`? (the scenario has onnx, rten-1.2, rten-1)",
        ),
    ] {
        let typed = text.split('=').next().unwrap_or_default();
        assert_eq!(fault(text), format!("--set {typed}: {expected}"));
    }
}

#[test]
fn more_keys_within_one_another_than_a_file_can_have_are_a_fault() {
    // Deep enough to overflow a stack, were the tables made.
    let set = format!("{}a=1", "a.".repeat(100_000));
    let parsed = parse_with("", &[set]);
    assert_eq!(parsed.faults.len(), 1);
    assert_eq!(parsed.faults[0].message, "it has more than 80 keys within one another");
}

#[test]
fn faults_of_the_file_and_of_what_was_set_are_told_together() {
    let overrides = ["titel=x".to_owned(), "backend[9].x=1".to_owned()];
    let parsed = parse_with(&format!("titl = 3\n{FILE}"), &overrides);
    let faults: Vec<String> = parsed.faults.iter().map(|fault| parsed.describe(fault)).collect();
    assert_eq!(faults.len(), 3, "{faults:#?}");
    assert!(faults[0].starts_with("--set backend[9].x: there is no backend[9]"), "{faults:#?}");
    assert!(faults[1].starts_with("--set titel: unknown key `titel`"), "{faults:#?}");
    assert!(faults[2].starts_with("line 1, titl: unknown key `titl`"), "{faults:#?}");
}

#[test]
fn what_was_set_has_no_line_and_its_neighbours_keep_theirs() {
    let parsed = with(&["phases.steady.min_requests=3", "workload.seed=4"]);
    let key = |key: &str| Step::Key(key.to_owned());
    assert_eq!(parsed.line_of(&[key("phases"), key("steady"), key("min_requests")]), None);
    assert_eq!(parsed.line_of(&[key("phases"), key("steady"), key("max_seconds")]), Some(4));
    assert_eq!(parsed.line_of(&[key("workload"), key("seed")]), None);
    assert_eq!(parsed.line_of(&[key("backend"), Step::Index(0), key("kind")]), Some(9));
}

//! Two runs side by side: planted changes are found, unlike runs are refused, and what is damaged is told.

use std::fs;

use serde_json::{Deserializer, Value};

use super::workbench::{Finished, Workbench, finish, flat};

const SCENARIO: &str = "[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 4\n\
                        [phases.warm_up]\nmin_requests = 0\nmax_requests = 0\n\
                        [phases.steady]\nmin_requests = 400\nmax_requests = 400\n\
                        [[backend]]\nkind = \"simulated\"\n\
                        options = { distribution = { kind = \"constant\", time = \"100us\" } }\n";

/// A run whose folder is `name`, with times that are no longer the clock's: 5 ms and a little, times a factor.
fn run(bench: &Workbench, name: &str, factor: f64) {
    let ended = bench.run_scenario(SCENARIO);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let target = bench.path().join(name);
    fs::rename(bench.run_folder(), &target).expect("moved");
    change(bench, name, |record| record["id"] = name.into());
    let rows = fs::read_to_string(target.join("samples.csv")).expect("the samples");
    let mut lines = rows.lines();
    let mut made = format!("{}\n", lines.next().expect("a head"));
    for (number, line) in (0_u64..).zip(lines) {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        let restart: u64 = cells[1].parse().expect("a restart");
        let began = 1_000_000_000 * restart + 10_000_000 * number;
        let took = factor * (5_000_000 + 20_000 * (number % 7) + 3_000 * restart) as f64;
        for at in [6, 7] {
            cells[at] = began.to_string();
        }
        "0".clone_into(&mut cells[8]);
        cells[9] = (began + took as u64).to_string();
        made.push_str(&cells.join(","));
        made.push('\n');
    }
    fs::write(target.join("samples.csv"), made).expect("written");
}

/// Changes the record of a run.
fn change(bench: &Workbench, name: &str, how: impl FnOnce(&mut Value)) {
    let path = bench.path().join(name).join("run.json");
    let text = fs::read_to_string(&path).expect("the record");
    let mut record: Value = serde_json::from_str(&text).expect("JSON");
    how(&mut record);
    fs::write(&path, record.to_string()).expect("written");
}

fn compare(bench: &Workbench, arguments: &[&str]) -> Finished {
    finish(&mut bench.tailmark(&[&["compare"], arguments].concat()))
}

#[test]
fn a_planted_slowdown_of_a_tenth_is_a_regression_and_the_same_again_is_none() {
    let bench = Workbench::new();
    for (name, factor) in [("first", 1.0), ("again", 1.001), ("slower", 1.1), ("faster", 0.8)] {
        run(&bench, name, factor);
    }
    let again = compare(&bench, &["first", "again", "--fail-on-regression"]);
    assert_eq!(again.code, Some(0), "{}\n{}", again.stdout, again.stderr);
    assert!(again.stdout.contains("No regression"), "{}", again.stdout);
    assert!(flat(&again.stdout).contains("P95 response time equivalent 5."), "{}", again.stdout);

    let slower = compare(&bench, &["first", "slower", "--fail-on-regression"]);
    assert_eq!(slower.code, Some(1), "{}\n{}", slower.stdout, slower.stderr);
    let said = flat(&slower.stdout);
    assert!(said.starts_with("Regression: simulated: P50 response time slower (1.10 (1."), "{said}");
    let told = compare(&bench, &["first", "slower"]);
    assert_eq!(told.code, Some(0), "without the flag it is told and fails nothing");
    let allowed = compare(&bench, &["first", "slower", "--fail-on-regression", "--within", "20%"]);
    assert_eq!(allowed.code, Some(0), "what is allowed is no regression: {}", allowed.stdout);

    let faster = compare(&bench, &["first", "faster", "again", "--fail-on-regression", "--format", "json"]);
    assert_eq!(faster.code, Some(0), "{}", faster.stderr);
    let mut all = Deserializer::from_str(&faster.stdout).into_iter::<Value>();
    let first = all.next().expect("a comparison").expect("JSON");
    let figures = first["backends"][0]["figures"].as_array().expect("figures");
    let p95 = figures.iter().find(|figure| figure["indicator"]["quantile"] == 0.95).expect("the P95");
    assert_eq!((&p95["outcome"], &p95["confirmed"]), (&"better".into(), &true.into()), "{p95}");
    let ratio = p95["ratio"]["value"].as_f64().expect("a ratio");
    assert!((ratio - 0.8).abs() < 0.002, "{ratio}");
    assert!(all.next().is_some(), "one for each later run");

    let itself = compare(&bench, &["first", "first/run.json", "--fail-on-regression"]);
    assert_eq!(itself.code, Some(0), "{}", itself.stderr);
    let said = flat(&itself.stdout);
    assert!(said.contains("every figure is equivalent") && said.contains("both are the same run"), "{said}");

    for format in ["markdown", "html"] {
        let shown = compare(&bench, &["first", "slower", "--format", format]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.contains("Regression: simulated: "), "{format}: {}", shown.stdout);
    }
}

#[test]
fn unlike_runs_are_refused_with_everything_in_which_they_differ() {
    let bench = Workbench::new();
    run(&bench, "first", 1.0);
    run(&bench, "other", 1.0);
    change(&bench, "other", |record| {
        record["machine"]["cpu"] = "another <processor> | \u{202e}x".into();
        record["workload"]["corpus"] = "other texts".into();
        record["backends"][0]["batch_size"] = 32.into();
    });
    let refused = compare(&bench, &["first", "other"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    for part in [
        "are unlike",
        "texts: the texts: ",
        "machine: the machine: ",
        "another <processor>",
        "batch_size: texts per request of simulated: 1, and 32",
        "hint: --ignore texts --ignore batch_size --ignore machine compares them all the same",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let ignored = ["--ignore", "texts", "--ignore", "batch_size", "--ignore", "machine"];
    let gone_on = compare(&bench, &[&["first", "other"], &ignored[..]].concat());
    assert_eq!(gone_on.code, Some(0), "{}", gone_on.stderr);
    let said = flat(&gone_on.stdout);
    assert!(said.contains("unlike, and compared all the same: the machine: "), "{said}");
    assert!(!said.contains('\u{202e}'), "{said}");
    let page = compare(&bench, &[&["first", "other", "--format", "html"], &ignored[..]].concat());
    assert!(page.stdout.contains("another &lt;processor&gt; | x"), "{}", page.stdout);
}

#[test]
fn what_is_no_run_or_has_lost_its_samples_is_told() {
    let bench = Workbench::new();
    run(&bench, "first", 1.0);
    run(&bench, "bare", 1.0);
    fs::remove_file(bench.path().join("bare/samples.csv")).expect("removed");
    let bare = compare(&bench, &["first", "bare"]);
    assert_eq!(bare.code, Some(0), "{}", bare.stderr);
    let said = flat(&bare.stdout);
    assert!(said.contains("Nothing can be compared") && said.contains("no samples.csv any more"), "{said}");

    fs::create_dir(bench.path().join("empty")).expect("a folder");
    let text = fs::read_to_string(bench.path().join("first/run.json")).expect("the record");
    let newer = text.replacen("\"record_version\":4", "\"record_version\":99", 1);
    for (name, content, words) in [
        ("truncated", &text[..text.len() / 2], "is not a run record: EOF"),
        ("newer", &newer, "has record version 99"),
        ("list", "[]", "is not a run record"),
    ] {
        let folder = bench.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("run.json"), content).expect("written");
        let refused = compare(&bench, &["first", name]);
        assert!([Some(2), Some(4)].contains(&refused.code), "{name}: {}", refused.stdout);
        assert!(refused.stderr.contains(words), "{name}: {}", refused.stderr);
    }
    for (arguments, words) in [
        (&["first", "empty"][..], "give the folder of a run"),
        (&["first", "nowhere"], "give the folder of a run"),
        (&["first", "bare", "--within", "0%"], "--within: `0%` is not a share"),
        (&["first", "bare", "--within", "90%"], "--within: 90 %; must be at most 50 %"),
        (&["first"], "2 values required"),
        (&["first", "bare", "--ignore", "colour"], "invalid value 'colour'"),
    ] {
        let refused = compare(&bench, arguments);
        assert!([Some(2), Some(4)].contains(&refused.code), "{arguments:?}: {}", refused.stdout);
        assert!(refused.stderr.contains(words), "{arguments:?}: {}", refused.stderr);
    }
    // A torn last line is what a killed run leaves, and is left out; one before it is damage.
    let samples = bench.path().join("first/samples.csv");
    let rows = fs::read_to_string(&samples).expect("the samples");
    fs::write(&samples, rows.replacen(",steady,", ",stead,", 1)).expect("written");
    let torn = compare(&bench, &["first", "bare"]);
    assert_eq!(torn.code, Some(4), "{}", torn.stdout);
    assert!(torn.stderr.contains("samples.csv"), "{}", torn.stderr);
}

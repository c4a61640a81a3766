//! Scenario text: it is a plan that can be carried out, or a list of faults, each with a line or a key.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tailmark::load::{Limits, Rule};
use tailmark::plan::{Plan, Selection, resolve};
use tailmark::scenario::{self, Fault, Parsed, parse, parse_with};

use super::examples::{Example, in_repository, made};
use super::from_schema::{Known, documents, learn};
use super::scratch::Scratch;
use super::target::{Seen, Target};

/// Arrivals that are asked for of each load.
const ARRIVALS: usize = 200;

/// The most backends that a scenario can come to, by its matrix.
const MOST_BACKENDS: usize = 64;

#[test]
fn every_scenario_is_a_plan_or_a_list_of_faults_with_their_places() {
    let mut examples = shipped();
    examples.extend(in_repository("harness/tests/data", ".toml"));
    examples.extend(in_repository("ci/peers", ".toml"));
    let made = documents(scenario::schema().to_value(), known(&examples));
    let made = proptest::strategy::Strategy::prop_map(made, |document| written(&document).into_bytes());
    let made = Some(proptest::strategy::Strategy::boxed(made));
    Target { name: "scenario", cases: 1_000, examples, made, check }.run();
}

/// The shipped scenarios.
pub(super) fn shipped() -> Vec<Example> {
    scenario::SCENARIOS.iter().map(|shipped| made(shipped.name, shipped.text)).collect()
}

fn check(input: &[u8]) -> Result<Seen, String> {
    match std::str::from_utf8(input) {
        Ok(text) => check_text(text, &[], None),
        Err(_) => {
            let folder = Scratch::new();
            let path = folder.write("scenario.toml", input);
            let why = scenario::open(&path).err().ok_or("text that is not UTF-8 was read")?.to_string();
            if why.contains("scenario.toml") { Ok(Seen::Refused) } else { Err(format!("no file in: {why}")) }
        }
    }
}

/// What must hold for any scenario text and any overrides.
pub(super) fn check_text(text: &str, sets: &[String], folder: Option<&Path>) -> Result<Seen, String> {
    let parsed = parse_with(text, sets);
    let lines = text.lines().count().max(1) + 1;
    match resolve(&parsed, "fuzzed", folder, &Selection::default()) {
        Err(faults) => check_faults(&parsed, &faults, lines, text.len() + sets.concat().len()),
        Ok(plan) => check_plan(&plan, folder),
    }
}

fn check_faults(parsed: &Parsed, faults: &[Fault], lines: usize, length: usize) -> Result<Seen, String> {
    if faults.is_empty() {
        return Err("refused without a fault".to_owned());
    }
    for fault in faults {
        let told = parsed.describe(fault);
        if fault.line.is_none() && fault.key.is_empty() {
            return Err(format!("neither line nor key: {told}"));
        }
        if fault.line.is_some_and(|line| line == 0 || line > lines) {
            return Err(format!("the file has {lines} lines: {told}"));
        }
        if fault.message.trim().is_empty() || told.len() > 4 * length + 4_000 {
            return Err(format!("{} characters are no help: {told:.300}", told.len()));
        }
        if let Some(word) = words_of_rust(&fault.message) {
            return Err(format!("`{word}` is a word of Rust's, not of the format's: {told}"));
        }
    }
    // Each fault is of one value, or of one backend under one rule.
    let most = 20 * lines * MOST_BACKENDS + length;
    if faults.len() > most { Err(format!("{} faults", faults.len())) } else { Ok(Seen::Refused) }
}

/// A word that only the program's own text can have brought into a message.
fn words_of_rust(message: &str) -> Option<&'static str> {
    // What is quoted may be the user's own word.
    let own: String = message.split(['`', '"']).step_by(2).collect();
    let words =
        ["struct ", "enum ", "tuple", "u32", "u64", "i64", "i128", "f64", "usize", "Option<", "newtype"];
    words.into_iter().find(|word| own.contains(word))
}

fn check_plan(plan: &Plan, folder: Option<&Path>) -> Result<Seen, String> {
    let again = parse(&plan.resolved);
    let again = resolve(&again, "again", folder, &Selection::default())
        .map_err(|faults| format!("the resolved text has faults: {faults:?}\n{}", plan.resolved))?;
    if again.resolved != plan.resolved {
        return Err(format!("resolved twice:\n{}\nafter once:\n{}", again.resolved, plan.resolved));
    }
    if format!("{again:?}") != format!("{plan:?}") {
        return Err(format!("the resolved text is another plan:\n{again:?}\n{plan:?}"));
    }
    if plan.backends.iter().filter(|backend| backend.cell.is_some()).count() > MOST_BACKENDS {
        return Err(format!("{} backends", plan.backends.len()));
    }
    let deadlines = plan.deadlines;
    for span in [deadlines.start, deadlines.load, deadlines.request, deadlines.shutdown] {
        fits_a_clock(span, "a deadline")?;
    }
    for backend in &plan.backends {
        fits_a_clock(backend.phases.steady.max_time, "max_seconds")?;
        check_load(&*backend.load)?;
    }
    check_load(&*plan.load)?;
    Ok(Seen::Taken)
}

/// What must hold for a load that was read: it can be followed, one request after the other.
pub(super) fn check_load(load: &dyn Rule) -> Result<(), String> {
    let text = format!("{}{}", load.text(), load.note());
    if text.contains("NaN") || text.contains("inf/") {
        return Err(format!("a load without a number: {text}"));
    }
    let mut schedule = load.schedule(1);
    let (mut last, mut answered) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ARRIVALS {
        let due = match schedule.next() {
            Some(due) => due,
            None if matches!(load.limits(), Limits::Callers(_)) => {
                answered = answered.max(last) + Duration::from_millis(1);
                schedule.answered(answered);
                schedule.next().ok_or("a caller was answered and asks no more")?
            }
            None => break,
        };
        if due < last {
            return Err(format!("{text}: due after {due:?}, and the one before after {last:?}"));
        }
        fits_a_clock(due, &text)?;
        last = due;
    }
    Ok(())
}

fn fits_a_clock(span: Duration, what: &str) -> Result<(), String> {
    let ends = std::time::Instant::now().checked_add(span);
    ends.map(|_| ()).ok_or_else(|| format!("{what}: no clock goes as far as {span:?} from now"))
}

fn known(examples: &[Example]) -> Known {
    let mut known = Known::new();
    for example in examples {
        let text = String::from_utf8_lossy(&example.bytes);
        if let Ok(table) = text.parse::<toml::Table>() {
            learn(&mut known, "", &serde_json::to_value(table).unwrap());
        }
    }
    // A name that several backends share is a fault, and would leave little else to be seen.
    known.remove("name");
    known
}

/// A document as TOML, which has no null.
fn written(document: &Value) -> String {
    fn without_null(value: &Value) -> Value {
        match value {
            Value::Object(members) => members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_null(value)))
                .collect(),
            Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(without_null).collect(),
            plain => plain.clone(),
        }
    }
    // A number that TOML cannot hold leaves an empty scenario, which is one too.
    toml::to_string(&without_null(document)).unwrap_or_default()
}

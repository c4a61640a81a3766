//! From text to a [`Scenario`] and the list of everything that is wrong with it, each with its line and key.
//!
//! serde stops at the first fault. So a faulty entry is recorded, taken out of the parsed table, and the rest is read
//! again, until nothing is left to complain about.

use std::ops::Range;

use serde::Deserialize as _;
use tailmark_providers::format_words::in_words;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::Scenario;
use super::fault::{Fault, Step, dotted};
use super::overrides::{self, DEEPEST, Override};
use super::renamed::{self, OldKey, Twice};

/// What reading a scenario gave.
#[derive(Debug)]
pub struct Parsed {
    /// The scenario, without the entries that could not be read.
    pub scenario: Scenario,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// Keys that are written under a name they no longer have.
    pub old_keys: Vec<OldKey>,
    lines: Vec<(Vec<Step>, Option<usize>)>,
    overrides: Vec<Override>,
}

impl Parsed {
    /// The line a value stands on, or the nearest table around it that is there; `None` for what was set on the command
    /// line.
    #[must_use]
    pub fn line_of(&self, path: &[Step]) -> Option<usize> {
        (1..=path.len()).rev().find_map(|length| {
            self.lines.iter().find(|(at, _)| at == &path[..length]).map(|(_, line)| *line)
        })?
    }

    /// A fault in words, with its line, or with the `--set` that it comes from.
    #[must_use]
    pub fn describe(&self, fault: &Fault) -> String {
        let typed = self.overrides.iter().rev().find_map(|set| set.as_typed(&fault.key));
        match (fault.line, typed) {
            (None, Some(typed)) => format!("--set {typed}: {}", fault.message),
            _ => fault.to_string(),
        }
    }
}

/// Reads a scenario file's text.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    parse_with(text, &[])
}

/// Reads a scenario file's text with some of its keys changed, each as `key=value`. What cannot be changed is a fault
/// among the others.
#[must_use]
pub fn parse_with(text: &str, overrides: &[String]) -> Parsed {
    let (mut root, syntax) = DeTable::parse_recoverable(text);
    let line = |span: Option<Range<usize>>| span.and_then(|span| line_at(text, span.start));
    let mut faults: Vec<Fault> = syntax
        .iter()
        .map(|error| Fault {
            line: line(error.span()).or_else(|| Some(first_line_with(text, error.message()))),
            key: String::new(),
            message: plain_syntax(error.message()),
        })
        .collect();
    let mut overrides = overrides::apply(root.get_mut(), text.len(), overrides, &mut faults);
    let (old_keys, twice) = renamed::rename(root.get_mut(), text.len(), &mut overrides);
    faults.extend(twice.into_iter().map(|Twice { key, place, message }| Fault {
        line: line(Some(place)),
        key,
        message,
    }));
    let mut lines = Vec::new();
    index_table(text, root.get_ref(), &mut Vec::new(), &mut lines);

    let scenario = loop {
        match Scenario::deserialize(Deserializer::from(root.clone())) {
            Ok(scenario) => break scenario,
            Err(error) => {
                let message = in_words(error.message());
                let found = error.span().and_then(|span| remove(root.get_mut(), &span, &mut Vec::new()));
                let Some(path) = found else {
                    faults.push(Fault { line: line(error.span()), key: String::new(), message });
                    break Scenario::default();
                };
                faults.push(Fault { line: line(error.span()), key: dotted(&path), message });
            }
        }
    };
    faults.sort_by_key(|fault| fault.line);
    Parsed { scenario, faults, old_keys, lines, overrides }
}

/// The line that an error without a place is on: the last of the shortest beginning of the text that has it.
fn first_line_with(text: &str, message: &str) -> usize {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).chain([text.len()]).collect();
    let is_without = |end: &usize| {
        let (_, errors) = DeTable::parse_recoverable(&text[..*end]);
        errors.iter().all(|error| error.message() != message)
    };
    ends.partition_point(is_without) + 1
}

/// What the parser says of tables and arrays within one another, in words of the format.
fn plain_syntax(message: &str) -> String {
    match message {
        "recursion limit" | "cannot recurse further; max recursion depth met" => {
            format!("keys and brackets within one another, deeper than {DEEPEST}")
        }
        other => other.to_owned(),
    }
}

/// The line of a place, from 1; `None` behind the end, where what was set on the command line stands.
fn line_at(text: &str, offset: usize) -> Option<usize> {
    let before = text.as_bytes().get(..offset)?;
    Some(before.iter().filter(|byte| **byte == b'\n').count() + 1)
}

fn index_table(
    text: &str,
    table: &DeTable<'_>,
    path: &mut Vec<Step>,
    lines: &mut Vec<(Vec<Step>, Option<usize>)>,
) {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().to_string()));
        lines.push((path.clone(), line_at(text, key.span().start)));
        index_value(text, value, path, lines);
        path.pop();
    }
}

fn index_value(
    text: &str,
    value: &Spanned<DeValue<'_>>,
    path: &mut Vec<Step>,
    lines: &mut Vec<(Vec<Step>, Option<usize>)>,
) {
    match value.get_ref() {
        DeValue::Table(table) => index_table(text, table, path, lines),
        DeValue::Array(array) => {
            for (index, item) in array.iter().enumerate() {
                path.push(Step::Index(index));
                lines.push((path.clone(), line_at(text, item.span().start)));
                index_value(text, item, path, lines);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Takes the innermost entry that the span points at out of the table and says where it was.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>, path: &mut Vec<Step>) -> Option<Vec<Step>> {
    let mut here = None;
    for (key, value) in table.iter_mut() {
        path.push(Step::Key(key.get_ref().to_string()));
        let inner = remove_inside(value, span, path);
        let this = path.clone();
        path.pop();
        if inner.is_some() {
            return inner;
        }
        let covers = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
        if covers(key.span()) || covers(value.span()) {
            here = Some((key.get_ref().to_string(), this));
        }
    }
    let (key, place) = here?;
    table.remove(key.as_str())?;
    Some(place)
}

fn remove_inside(
    value: &mut Spanned<DeValue<'_>>,
    span: &Range<usize>,
    path: &mut Vec<Step>,
) -> Option<Vec<Step>> {
    match value.get_mut() {
        DeValue::Table(table) => remove(table, span, path),
        DeValue::Array(array) => array.iter_mut().enumerate().find_map(|(index, item)| {
            path.push(Step::Index(index));
            let found = remove_inside(item, span, path);
            path.pop();
            found
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported_at_once_with_its_line_and_key() {
        let parsed = parse(
            "titel = \"x\"\n\n[model]\nname = 3\n\n[phases.steady]\nmin_requests = \"many\"\nmax_secs = 2\n\n\
             [[backend]]\nkind = \"onnx\"\nbatchsize = 1\n\n[deadlines]\nload = \"20 parsecs\"\n",
        );
        let faults: Vec<(Option<usize>, &str)> =
            parsed.faults.iter().map(|fault| (fault.line, fault.key.as_str())).collect();
        assert_eq!(
            faults,
            [
                (Some(1), "titel"),
                (Some(4), "model.name"),
                (Some(7), "phases.steady.min_requests"),
                (Some(8), "phases.steady.max_secs"),
                (Some(12), "backend[1].batchsize"),
                (Some(15), "deadlines.load"),
            ],
            "{:#?}",
            parsed.faults
        );
        assert!(parsed.faults[0].message.contains("did you mean `title`?"), "{}", parsed.faults[0].message);
        assert!(parsed.faults[5].message.contains("`parsecs` is not a unit of time"));
        assert_eq!(parsed.scenario.backend[0].kind.as_deref(), Some("onnx"), "what is right is still read");
    }

    #[test]
    fn what_is_nested_too_deep_is_a_fault_with_its_line() {
        for deep in ["a.".repeat(200) + "a = 1", format!("x = {}1{}", "[".repeat(200), "]".repeat(200))] {
            let parsed = parse(&format!("title = \"a\"\n\n{deep}\n[model]\nname = \"x\"\n"));
            assert!(parsed.faults.iter().all(|fault| fault.line == Some(3)), "{:?}", parsed.faults);
            let told = |fault: &Fault| fault.message.contains("within one another, deeper than 80");
            assert!(parsed.faults.iter().any(told), "{:?}", parsed.faults);
        }
    }

    #[test]
    fn broken_syntax_is_a_fault_with_its_line() {
        let parsed = parse("title = \"a\"\nmodel = [\n");
        assert!(!parsed.faults.is_empty());
        assert!(parsed.faults.iter().all(|fault| fault.line.is_some()), "{:?}", parsed.faults);
    }

    #[test]
    fn a_missing_value_is_placed_at_the_table_that_lacks_it() {
        let parsed = parse("title = \"a\"\n[[backend]]\nname = \"x\"\n");
        let path = [Step::Key("backend".into()), Step::Index(0), Step::Key("kind".into())];
        assert_eq!(parsed.line_of(&path), Some(2));
    }
}

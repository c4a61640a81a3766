//! Two trees of figures side by side: how many there are, and where they part.

use std::fmt;

use serde_json::{Map, Value};
use tailmark_reports::units;

/// A figure that is not what the record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which, for example `onnx-cpu steady response_time p95`.
    pub place: String,
    /// What the record says.
    pub recorded: String,
    /// What the samples give.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, recorded, found } = self;
        write!(out, "{place}: the record says {recorded}, the samples give {found}")
    }
}

/// What names an entry of a list; no figure by itself.
const NAMES: [&str; 6] = ["phase", "quantile", "restart", "objective", "backend", "worker"];

/// Words that say what was decided; all other words are no figures, but must be the same.
const DECIDED: [&str; 4] = ["verdict", "overall", "standing", "answer"];

/// What was compared so far.
#[derive(Debug, Default)]
pub(super) struct Differences {
    figures: u64,
    list: Vec<Difference>,
}

impl Differences {
    pub(super) fn into_parts(self) -> (u64, Vec<Difference>) {
        (self.figures, self.list)
    }

    pub(super) fn add(&mut self, place: &str, recorded: String, found: String) {
        self.list.push(Difference { place: place.trim().to_owned(), recorded, found });
    }

    /// Compares two texts as a whole.
    pub(super) fn texts(&mut self, place: &str, recorded: &str, found: &str) {
        if recorded != found {
            let line = recorded.lines().zip(found.lines()).position(|(a, b)| a != b);
            let line = line.unwrap_or_else(|| recorded.lines().count().min(found.lines().count()));
            let at = |text: &str| format!("`{}`", text.lines().nth(line).unwrap_or("nothing more"));
            let place = format!("{place}, line {}", line + 1);
            self.list.push(Difference { place, recorded: at(recorded), found: at(found) });
        }
    }

    /// Compares all figures of two trees, and names each that differs.
    pub(super) fn trees(&mut self, place: &str, recorded: &Value, found: &Value) {
        let mut walk = Walk::default();
        walk.compare(&[place.to_owned()], "", recorded, found);
        self.figures += walk.figures;
        self.list.extend(walk.list);
    }

    /// Compares long series, and names only how many of their figures differ.
    pub(super) fn series(&mut self, place: &str, recorded: &Value, found: &Value) {
        let mut walk = Walk::default();
        walk.compare(&[String::new()], "", recorded, found);
        self.figures += walk.figures;
        if !walk.list.is_empty() {
            let (differ, all) = (units::count(walk.list.len() as u64), units::count(walk.figures));
            self.add(place, format!("{all} figures"), format!("others for {differ} of them"));
        }
    }
}

#[derive(Default)]
struct Walk {
    figures: u64,
    list: Vec<Difference>,
}

impl Walk {
    fn compare(&mut self, path: &[String], key: &str, recorded: &Value, found: &Value) {
        match (recorded, found) {
            (Value::Object(a), Value::Object(b)) => self.objects(path, a, b),
            (Value::Array(a), Value::Array(b)) => {
                for index in 0..a.len().max(b.len()) {
                    let (a, b) = (a.get(index).unwrap_or(&Value::Null), b.get(index).unwrap_or(&Value::Null));
                    let name = name_of(if a.is_null() { b } else { a }, index);
                    self.compare(&[path, &[name]].concat(), key, a, b);
                }
            }
            _ => self.leaves(path, key, recorded, found),
        }
    }

    fn objects(&mut self, path: &[String], a: &Map<String, Value>, b: &Map<String, Value>) {
        let more = b.keys().filter(|key| !a.contains_key(*key));
        for key in a.keys().chain(more) {
            let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
            let name = if key == "percentiles" { "" } else { key.as_str() };
            let name = name.trim_end_matches("_ns").trim_end_matches("value").to_owned();
            self.compare(&[path, &[name]].concat(), key, &of(a), &of(b));
        }
    }

    fn leaves(&mut self, path: &[String], key: &str, recorded: &Value, found: &Value) {
        let is_figure =
            recorded.is_number() && !NAMES.contains(&key) || DECIDED.contains(&key) && recorded.is_string();
        self.figures += u64::from(is_figure);
        if recorded == found {
            return;
        }
        let words: Vec<&str> = path.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        let (mut a, mut b) = (shown(key, recorded), shown(key, found));
        if a == b {
            (a, b) = (recorded.to_string(), found.to_string());
        }
        self.list.push(Difference { place: words.join(" "), recorded: a, found: b });
    }
}

/// What an entry of a list is called.
fn name_of(entry: &Value, index: usize) -> String {
    let number = |key: &str| entry.get(key).and_then(Value::as_f64);
    let word = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    word("phase")
        .filter(|_| entry.get("requests_per_second").is_some())
        .or_else(|| word("backend"))
        .or_else(|| word("worker"))
        .or_else(|| number("quantile").map(|share| units::percentile(share).to_lowercase()))
        .or_else(|| number("objective").map(|index| format!("{}", index + 1.0)))
        .or_else(|| number("restart").map(|restart| format!("of restart {restart}")))
        .unwrap_or_else(|| format!("{}", index + 1))
}

fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if key.ends_with("_ns") => units::duration(number.as_f64().unwrap_or_default()),
        Value::Number(number) => match number.as_u64() {
            Some(count) => units::count(count),
            None => number.to_string(),
        },
        Value::Array(entries) => units::counted(entries.len() as u64, "entry").replace("entrys", "entries"),
        Value::Object(_) => "an entry".to_owned(),
        Value::Bool(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(recorded: &Value, found: &Value) -> (u64, Vec<String>) {
        let mut all = Differences::default();
        all.trees("a", recorded, found);
        let (figures, list) = all.into_parts();
        (figures, list.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_figure_is_named_by_its_place_and_shown_in_its_unit() {
        let with = |value: u64| {
            json!([{"phase": "steady", "requests_per_second": 1.5,
                    "response_time": {"percentiles": [{"quantile": 0.95, "value_ns": value}]}}])
        };
        let (figures, list) = lines(&with(7_200_000), &with(7_900_000));
        let expected = "a steady response_time p95: the record says 7.20 ms, the samples give 7.90 ms";
        assert_eq!((figures, list), (2, vec![expected.to_owned()]));
        let (_, list) = lines(&with(7_200_000), &with(7_200_001));
        assert_eq!(list, ["a steady response_time p95: the record says 7200000, the samples give 7200001"]);
    }

    #[test]
    fn the_last_digit_of_a_fraction_is_a_difference_as_is_an_entry_that_is_missing() {
        let (figures, list) = lines(&json!([0.1, 3]), &json!([0.100_000_000_000_000_02, 3]));
        assert_eq!((figures, list.len()), (2, 1), "{list:?}");
        let (_, list) = lines(&json!([1]), &json!([1, 2]));
        assert_eq!(list, ["a 2: the record says nothing, the samples give 2"]);
        let mut all = Differences::default();
        all.series("a curve", &json!([1, 2, 3]), &json!([1, 5, 6]));
        let list = all.into_parts().1;
        assert_eq!(
            list[0].to_string(),
            "a curve: the record says 3 figures, the samples give others for 2 of them"
        );
    }
}

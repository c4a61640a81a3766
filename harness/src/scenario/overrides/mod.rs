//! `--set key=value`: changes keys of a parsed scenario before it is read, so that every later check sees them.
//!
//! What is set gets places behind the end of the file, by which a fault in it is told from one in the file.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::fault::{Fault, Step, did_you_mean, dotted};

/// The most tables within one another, as many as a file can have.
pub(super) const DEEPEST: usize = 80;

/// A key that was set.
#[derive(Debug)]
pub(super) struct Override {
    /// As it was typed, up to the `=`.
    typed: String,
    /// The same by numbers, as faults name it.
    key: String,
    /// The tables around it that the file did not have, as faults name them.
    made: Vec<String>,
}

impl Override {
    /// The key of a fault as it was typed, if this is where it comes from.
    pub(super) fn as_typed(&self, key: &str) -> Option<String> {
        if self.made.iter().any(|made| made == key) {
            return Some(self.typed.clone());
        }
        let within = key.strip_prefix(&self.key)?;
        (within.is_empty() || within.starts_with(['.', '['])).then(|| format!("{}{within}", self.typed))
    }

    /// The key has another name now; it is still told as it was typed.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        if self.key == old {
            new.clone_into(&mut self.key);
        }
    }
}

/// Sets each of `overrides` (`key=value`) in the table of a file of `length` bytes, in their order. What cannot be set is
/// left out and is a fault.
pub(super) fn apply<'t>(
    root: &mut DeTable<'t>,
    length: usize,
    overrides: &'t [String],
    faults: &mut Vec<Fault>,
) -> Vec<Override> {
    let mut done = Vec::new();
    let mut behind = length + 1;
    for text in overrides {
        let (typed, value) = match text.split_once('=') {
            Some((typed, value)) => (typed.trim(), Some(value.trim())),
            None => (text.trim(), None),
        };
        let set = match value {
            Some("") => Err("it has no value; write one after the `=`, or \"\" for an empty text".to_owned()),
            Some(value) => set(root, typed, value, behind),
            None => {
                Err("it has no `=`; write --set key=value, as in --set phases.steady.max_seconds=60"
                    .to_owned())
            }
        };
        match set {
            Ok(set) => done.push(set),
            Err(message) => faults.push(Fault { line: None, key: format!("--set {typed}"), message }),
        }
        behind += text.len() + 1;
    }
    done
}

fn set<'t>(
    root: &mut DeTable<'t>,
    typed: &'t str,
    value: &'t str,
    behind: usize,
) -> Result<Override, String> {
    let mut rest = Rest { typed, at: 0, keys: 0 };
    let mut path = Vec::new();
    let mut table = root;
    loop {
        let (key, place) = rest.key()?;
        path.push(Step::Key(key.to_owned()));
        let place = place.start + behind..place.end + behind;
        if rest.is_empty() || !table.contains_key(key) {
            let (value, made) = rest.around(value_of(value, behind + typed.len() + 1), &mut path, behind)?;
            // Taken out first, because the table would keep the key's place in the file.
            table.remove(key);
            table.insert(Spanned::new(place, Cow::Borrowed(key)), value);
            return Ok(Override { typed: typed.to_owned(), key: dotted(&path), made });
        }
        let here = table.get_mut(key).expect("a key that was there just now: this is a bug");
        table = match here.get_mut() {
            DeValue::Table(table) => table,
            DeValue::Array(items) => {
                let index = rest.index(items, &path)?;
                path.push(Step::Index(index));
                let item = items.get_mut(index).expect("an index within the array: this is a bug");
                match item.get_mut() {
                    DeValue::Table(table) => table,
                    _ => {
                        return Err(format!(
                            "set the whole array, as in {}=[...]",
                            dotted(&path[..path.len() - 1])
                        ));
                    }
                }
            }
            other => {
                let (name, kind) = (dotted(&path), other.type_str());
                return Err(format!(
                    "`{name}` has type {kind}, so it has no keys; set it as a whole, with --set {name}=..."
                ));
            }
        };
        rest.dot(&path)?;
    }
}

/// A value as TOML has it; what is no TOML is a string.
fn value_of(text: &str, place: usize) -> Spanned<DeValue<'_>> {
    match DeValue::parse(text) {
        Ok(value) if is_what_it_looks_like(value.get_ref()) => moved(value, place),
        _ => Spanned::new(place..place + text.len(), DeValue::String(Cow::Borrowed(text))),
    }
}

/// Whether a value can be what its first characters make it: `7_days` is kept as a number until somebody reads it. No key takes
/// a date, so what looks like one is text.
fn is_what_it_looks_like(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Integer(number) => {
            let digits = number.as_str().trim_start_matches(['+', '-']);
            digits.chars().all(|digit| digit.is_digit(number.radix()))
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().is_ok(),
        DeValue::Datetime(_) => false,
        _ => true,
    }
}

/// The value with every place in it moved on.
fn moved(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let place = |place: Range<usize>| place.start + by..place.end + by;
    let at = place(value.span());
    let value = match value.into_inner() {
        DeValue::Array(items) => {
            let mut array = DeArray::new();
            for item in items {
                array.push(moved(item, by));
            }
            DeValue::Array(array)
        }
        DeValue::Table(table) => {
            let entry = |(key, value): (Spanned<_>, _)| {
                (Spanned::new(place(key.span()), key.into_inner()), moved(value, by))
            };
            DeValue::Table(table.into_iter().map(entry).collect())
        }
        plain => plain,
    };
    Spanned::new(at, value)
}

/// What is left of a typed key.
struct Rest<'t> {
    typed: &'t str,
    at: usize,
    /// How many keys there were.
    keys: usize,
}

impl<'t> Rest<'t> {
    fn text(&self) -> &'t str {
        &self.typed[self.at..]
    }

    fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// The next key, plain or in quotes, and where it stands.
    fn key(&mut self) -> Result<(&'t str, Range<usize>), String> {
        self.keys += 1;
        if self.keys > DEEPEST {
            return Err(format!("it has more than {DEEPEST} keys within one another"));
        }
        let text = self.text();
        let start = self.at;
        let quote = text.chars().next().filter(|first| ['"', '\''].contains(first));
        let key = match quote {
            Some(quote) => {
                let end = text[1..].find(quote).ok_or_else(|| format!("a {quote} is not closed"))?;
                self.at += end + 2;
                &text[1..=end]
            }
            None => {
                let end = text.find(['.', '[']).unwrap_or(text.len());
                self.at += end;
                &text[..end]
            }
        };
        if key.is_empty() {
            return Err("one of its keys is empty; separate keys with single dots, as in \
                        phases.steady.max_seconds"
                .to_owned());
        }
        Ok((key, start..self.at))
    }

    /// Passes the dot before the next key.
    fn dot(&mut self, path: &[Step]) -> Result<(), String> {
        if self.text().starts_with('.') {
            self.at += 1;
            return Ok(());
        }
        let path = dotted(path);
        if self.is_empty() {
            return Err(format!("`{path}` is a whole entry; set one of its keys, as in {path}.KEY=..."));
        }
        Err(format!("`{}` follows `{path}`, but a `.` and a key belong there", self.text()))
    }

    /// Which item of an array: `[2]`, counted from 1, or `.name` for a backend.
    fn index(&mut self, items: &DeArray<'_>, path: &[Step]) -> Result<usize, String> {
        let array = dotted(path);
        let text = self.text();
        if let Some(inside) = text.strip_prefix('[') {
            let (number, _) = inside.split_once(']').ok_or_else(|| "a [ is not closed".to_owned())?;
            self.at += number.len() + 2;
            let count = items.len();
            return match number.trim().parse::<usize>() {
                Ok(index) if (1..=count).contains(&index) => Ok(index - 1),
                _ => {
                    let there = match count {
                        0 => "has none".to_owned(),
                        1 => format!("has only {array}[1]"),
                        _ => format!("has {array}[1] to {array}[{count}]"),
                    };
                    Err(format!("there is no {array}[{number}]; the scenario {there}"))
                }
            };
        }
        if array != "backend" {
            return Err(format!("`{array}` is an array; say which entry, as in {array}[1].KEY=..."));
        }
        let names: Vec<&str> = items.iter().filter_map(|item| name_of(item.get_ref())).collect();
        let text = text.strip_prefix('.').unwrap_or(text);
        let quoted = text.starts_with(['"', '\'']);
        // A name may hold dots, so the longest that fits is the one that is meant.
        let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        let plain = names.iter().filter(|name| !quoted && text.strip_prefix(**name).is_some_and(ends));
        self.at += 1;
        let name = match plain.max_by_key(|name| name.len()) {
            Some(name) => {
                self.at += name.len();
                (*name).to_owned()
            }
            None => self.key()?.0.to_owned(),
        };
        names.iter().position(|known| *known == name).ok_or_else(|| {
            let guess = did_you_mean(&name, names.iter().copied());
            format!("no backend is named `{name}`{guess} (the scenario has {})", names.join(", "))
        })
    }

    /// The value within tables for the keys that are left, and which tables those are.
    fn around<'v>(
        &mut self,
        value: Spanned<DeValue<'v>>,
        path: &mut Vec<Step>,
        behind: usize,
    ) -> Result<(Spanned<DeValue<'v>>, Vec<String>), String>
    where
        't: 'v,
    {
        let mut made = Vec::new();
        let mut keys = Vec::new();
        while !self.is_empty() {
            if self.text().starts_with('[') {
                let array = dotted(path);
                return Err(format!(
                    "the scenario has no entry in `{array}` yet; add the first one to the file"
                ));
            }
            made.push(dotted(path));
            self.dot(path)?;
            let (key, place) = self.key()?;
            path.push(Step::Key(key.to_owned()));
            keys.push((key, place));
        }
        let end = value.span().end;
        let value = keys.into_iter().rev().fold(value, |value, (key, place)| {
            let place = place.start + behind..place.end + behind;
            let whole = place.start..end;
            let entry = (Spanned::new(place, Cow::Borrowed(key)), value);
            Spanned::new(whole, DeValue::Table(DeTable::from_iter([entry])))
        });
        Ok((value, made))
    }
}

/// The name that a backend has in the report.
fn name_of<'a>(backend: &'a DeValue<'_>) -> Option<&'a str> {
    let table = backend.as_table()?;
    table.get("name").or_else(|| table.get("kind"))?.get_ref().as_str()
}

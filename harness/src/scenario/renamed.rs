//! Keys that had another name: the old one is still read for a version, and whoever uses it is told the new one.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::fault::{Step, dotted};
use super::overrides::Override;

/// A key under its old name and its new one.
#[derive(Debug)]
struct Renamed {
    /// The tables around it, from the top of the file on; entries of an array are all meant.
    within: &'static [&'static str],
    old: &'static str,
    new: &'static str,
    /// The version that reads the old name no more.
    gone_in: &'static str,
}

const RENAMED: &[Renamed] = &[
    Renamed { within: &["workers"], old: "max_restarts", new: "max_replacements", gone_in: "0.3" },
    Renamed {
        within: &["backend", "options"],
        old: "graph_optimisation",
        new: "graph_optimization",
        gone_in: "0.3",
    },
];

/// A key that was found under its old name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldKey {
    /// The old name with the tables around it, as in `workers.max_restarts`.
    pub key: String,
    /// The new name alone.
    pub new: &'static str,
    /// The version that reads the old name no more.
    pub gone_in: &'static str,
}

/// A key that is there under both names.
pub(super) struct Twice {
    pub(super) key: String,
    pub(super) place: Range<usize>,
    pub(super) message: String,
}

/// Gives every key its new name. What was set on the command line stands behind the `length` bytes of the file, and the last of
/// two names holds there; a file that has both is at fault.
pub(super) fn rename(
    root: &mut DeTable<'_>,
    length: usize,
    overrides: &mut [Override],
) -> (Vec<OldKey>, Vec<Twice>) {
    let (mut found, mut twice) = (Vec::new(), Vec::new());
    for renamed in RENAMED {
        in_tables(root, renamed.within, &mut Vec::new(), &mut |table, path| {
            let Some((key, value)) = table.remove_entry(renamed.old) else { return };
            let place = key.span();
            let name_it = |name: &str| dotted(&[path, &[Step::Key(name.to_owned())]].concat());
            let (old, new) = (name_it(renamed.old), name_it(renamed.new));
            let other = table.get_key_value(renamed.new).map(|(key, _)| key.span().start);
            if other.is_some_and(|other| other.max(place.start) < length) {
                let message = format!("the old name of `{}`, which is there too; leave it out", renamed.new);
                twice.push(Twice { key: old, place, message });
                return;
            }
            if other.is_none_or(|other| other < place.start) {
                table.remove(renamed.new);
                table.insert(toml::Spanned::new(place, renamed.new.into()), value);
            }
            overrides.iter_mut().for_each(|set| set.rename(&old, &new));
            found.push(OldKey { key: old, new: renamed.new, gone_in: renamed.gone_in });
        });
    }
    (found, twice)
}

/// Calls `visit` with each table at the end of a way of keys, and with the way.
fn in_tables<'t>(
    table: &mut DeTable<'t>,
    keys: &[&str],
    path: &mut Vec<Step>,
    visit: &mut impl FnMut(&mut DeTable<'t>, &[Step]),
) {
    let Some((key, rest)) = keys.split_first() else { return visit(table, path) };
    let Some(value) = table.get_mut(*key) else { return };
    path.push(Step::Key((*key).to_owned()));
    match value.get_mut() {
        DeValue::Table(inner) => in_tables(inner, rest, path, visit),
        DeValue::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                if let DeValue::Table(inner) = item.get_mut() {
                    path.push(Step::Index(index));
                    in_tables(inner, rest, path, visit);
                    path.pop();
                }
            }
        }
        _ => {}
    }
    path.pop();
}

#[cfg(test)]
mod tests {
    use super::super::{Parsed, parse_with};
    use super::*;

    const OPTIONS: &str = "[[backend]]\nkind = \"rten\"\n[[backend]]\nkind = \"onnx\"\noptions = { graph_optimisation = \"all\" }\n";

    fn with(text: &str, overrides: &[&str]) -> Parsed {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        parse_with(text, &overrides)
    }

    fn old_keys(parsed: &Parsed) -> Vec<(&str, &str)> {
        parsed.old_keys.iter().map(|old| (old.key.as_str(), old.new)).collect()
    }

    #[test]
    fn an_old_name_is_read_as_the_new_one_and_told() {
        let parsed = with(&format!("[workers]\nmax_restarts = 1\n{OPTIONS}"), &[]);
        assert_eq!(parsed.faults, []);
        assert_eq!(parsed.scenario.workers.max_replacements, Some(1));
        assert_eq!(parsed.scenario.backend[1].options, "graph_optimization = \"all\"".parse().ok());
        let told = [
            ("workers.max_restarts", "max_replacements"),
            ("backend[2].options.graph_optimisation", "graph_optimization"),
        ];
        assert_eq!(old_keys(&parsed), told);
        let new = with("[workers]\nmax_replacements = 1\n", &[]);
        assert!(new.faults.is_empty() && new.old_keys.is_empty());
    }

    #[test]
    fn an_old_name_can_be_set_and_the_last_of_both_holds() {
        for (text, set, expected) in [
            ("", &["workers.max_restarts=3"][..], 3),
            ("[workers]\nmax_restarts = 1\n", &["workers.max_replacements=3"], 3),
            ("[workers]\nmax_replacements = 1\n", &["workers.max_restarts=3"], 3),
            ("", &["workers.max_restarts=3", "workers.max_replacements=4"], 4),
            ("", &["workers={max_restarts=3}"], 3),
        ] {
            let parsed = with(text, set);
            assert_eq!(
                (parsed.faults, parsed.scenario.workers.max_replacements),
                (vec![], Some(expected)),
                "{text}{set:?}"
            );
        }
        let parsed = with("", &["workers.max_restarts=many"]);
        let fault = parsed.describe(&parsed.faults[0]);
        assert_eq!(
            fault,
            "--set workers.max_restarts: found \"many\"; it must be a whole number of at least 0"
        );
    }

    #[test]
    fn a_file_with_both_names_is_at_fault_on_the_line_of_the_old_one() {
        let parsed = with("[workers]\nmax_replacements = 1\nmax_restarts = 2\n", &[]);
        let faults: Vec<String> = parsed.faults.iter().map(|fault| parsed.describe(fault)).collect();
        let said = "line 3, workers.max_restarts: the old name of `max_replacements`, which is there too; leave it out";
        assert_eq!(faults, [said]);
    }

    #[test]
    fn an_old_name_goes_when_its_version_has_come() {
        let numbers = |version: &str| -> Vec<u32> {
            version.split('.').map(|part| part.parse().expect("a number")).collect()
        };
        for Renamed { old, gone_in, .. } in RENAMED {
            assert!(numbers(env!("CARGO_PKG_VERSION")) < numbers(gone_in), "take `{old}` off the list");
        }
    }
}

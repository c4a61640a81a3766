//! The table of backends: what each is called, can be told, and how it is started. Adding a backend is a file here and a line
//! in [`KINDS`]. Starts nothing, and knows no scenario.

mod http;
mod kind;
mod null;
mod onnx;
mod python_onnx;
mod python_torch;
mod rten;
mod simulated;
mod static_table;

pub use kind::{Ask, Kind, OwnBackend};

/// Every kind of backend there is.
pub const KINDS: &[Kind] = &[
    onnx::KIND,
    rten::KIND,
    python_onnx::KIND,
    python_torch::KIND,
    static_table::KIND,
    http::KIND,
    null::KIND,
    simulated::KIND,
];

/// The kind of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::platform::Platform;

    /// Options without a default: they are in the schema, and not among those that are written out.
    const WITHOUT_DEFAULT: &[(&str, &str)] = &[
        ("http", "api_key"),
        ("http", "ca_file"),
        ("http", "dimensions"),
        ("http", "encoding_format"),
        ("http", "model"),
        ("http", "server"),
        ("onnx", "library"),
        ("simulated", "stall"),
    ];

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        for kind in KINDS {
            assert_eq!(find(kind.name).map(|found| found.summary), Some(kind.summary));
        }
        assert!(find("onxx").is_none());
    }

    #[test]
    fn defaults_written_out_are_options_that_nothing_is_wrong_with() {
        for kind in KINDS {
            let resolved = kind.options.resolve(&kind.options.example());
            assert_eq!(kind.options.check(&resolved), [], "{}", kind.name);
            assert_eq!(kind.options.resolve(&resolved), resolved, "{}", kind.name);
        }
    }

    #[test]
    fn every_mandatory_option_comes_with_an_example_that_is_right() {
        for kind in KINDS {
            let example = kind.options.example();
            assert_eq!(kind.options.check(&example), [], "{}", kind.name);
            let keys: Vec<_> = kind.options.mandatory().into_iter().map(|mandatory| mandatory.key).collect();
            assert_eq!(example.keys().collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>(), "{}", kind.name);
        }
    }

    #[test]
    fn the_schema_lists_the_options_there_are_and_describes_each() {
        for kind in KINDS {
            let schema = kind.options.schema();
            let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            let mut written: BTreeSet<String> =
                kind.options.resolve(&kind.options.example()).keys().cloned().collect();
            written.extend(
                WITHOUT_DEFAULT
                    .iter()
                    .filter(|(name, _)| *name == kind.name)
                    .map(|(_, key)| (*key).to_owned()),
            );
            assert_eq!(properties.keys().cloned().collect::<BTreeSet<_>>(), written, "{}", kind.name);
            assert_eq!(schema.get("additionalProperties"), Some(&Value::Bool(false)), "{}", kind.name);
            for (key, property) in properties {
                assert!(property.get("description").is_some(), "{}: {key} is not described", kind.name);
            }
        }
    }

    #[test]
    fn every_kind_refuses_an_unknown_option_and_loads_nothing_with_it() {
        for kind in KINDS {
            let mut options = kind.options.example();
            options.insert("no_such_option".to_owned(), Value::from(1));
            let faults = kind.options.check(&options);
            assert_eq!(faults.len(), 1, "{}", kind.name);
            assert!(faults[0].why.starts_with("unknown option"), "{}: {}", kind.name, faults[0].why);
            assert!((kind.available)(&options, &Platform::here()).is_err(), "{}", kind.name);
        }
    }

    #[test]
    fn with_no_more_options_than_it_needs_every_kind_can_be_on_every_machine() {
        for (os, arch) in
            [("linux", "x86_64"), ("linux", "aarch64"), ("macos", "aarch64"), ("windows", "x86_64")]
        {
            let platform = Platform { os: os.to_owned(), arch: arch.to_owned() };
            for kind in KINDS {
                assert_eq!(
                    (kind.available)(&kind.options.example(), &platform),
                    Ok(()),
                    "{} on {os}",
                    kind.name
                );
            }
        }
    }
}

//! How a backend's options are checked: every key by itself, so that all faults are found in one go, then the rules
//! between keys. Knows no backend and no option.

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::format_words::in_words;
use crate::nearest::nearest;
use crate::provider::{Options, ProviderError};

/// One thing that is wrong with a backend's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFault {
    /// The key as it was written.
    pub key: String,
    /// The value found, the rule, and where there is one, the remedy.
    pub why: String,
}

/// The options of one kind of backend: a struct with `#[serde(default, deny_unknown_fields)]`.
pub trait OptionSet: Default + Serialize + DeserializeOwned + JsonSchema {
    /// Rules between keys. Only asked when each key is right by itself.
    fn conflicts(&self) -> Vec<OptionFault> {
        Vec::new()
    }
}

/// Everything that is wrong with `options`, in the order they are written; empty when they can be used.
#[must_use]
pub fn check<T: OptionSet>(options: &Options) -> Vec<OptionFault> {
    match read::<T>(options) {
        Ok(_) => Vec::new(),
        Err(faults) => faults,
    }
}

/// The options as a backend uses them.
///
/// # Errors
/// [`ProviderError::Option`] for the first fault; [`check`] finds all of them.
pub fn parse<T: OptionSet>(options: &Options) -> Result<T, ProviderError> {
    read(options).map_err(|mut faults| {
        let OptionFault { key, why } = faults.swap_remove(0);
        ProviderError::Option { key, why }
    })
}

/// The options with every default written out. To be called on options that [`check`] found nothing wrong with; others
/// come back as they are.
#[must_use]
pub fn resolve<T: OptionSet>(options: &Options) -> Options {
    match read::<T>(options) {
        Ok(settings) => written_out(&settings),
        Err(_) => options.clone(),
    }
}

/// The JSON Schema of the options.
#[must_use]
pub fn schema<T: OptionSet>() -> Schema {
    schemars::schema_for!(T)
}

/// Either the settings or at least one fault.
fn read<T: OptionSet>(options: &Options) -> Result<T, Vec<OptionFault>> {
    let known = known_keys::<T>();
    let mut faults = Vec::new();
    for (key, value) in options {
        if !known.contains(key) {
            faults.push(OptionFault { key: key.clone(), why: unknown_key(key, &known) });
        } else if let Err(error) =
            T::deserialize(Value::Object(Map::from_iter([(key.clone(), value.clone())])))
        {
            let why = match in_words(&error.to_string()) {
                words if words.starts_with("found ") || words.starts_with("unknown `") => words,
                rule => format!("found {value}: {rule}"),
            };
            faults.push(OptionFault { key: key.clone(), why });
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    // Each key was read by itself, and the structs have a default for the others, so this cannot fail but by a rule
    // between keys that a struct hides in its `Deserialize`; such a fault belongs to no key.
    let settings = T::deserialize(Value::Object(options.clone()))
        .map_err(|error| vec![OptionFault { key: String::new(), why: error.to_string() }])?;
    let faults = settings.conflicts();
    if faults.is_empty() { Ok(settings) } else { Err(faults) }
}

fn known_keys<T: OptionSet>() -> Vec<String> {
    let schema = schema::<T>();
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut known: Vec<_> =
        properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect();
    known.sort_unstable();
    known
}

fn unknown_key(key: &str, known: &[String]) -> String {
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest(key, known.iter().map(String::as_str)) {
        Some(name) => format!("unknown option; known are {list}\n\nhint: did you mean `{name}`?"),
        None if known.is_empty() => "unknown option; this backend has none".to_owned(),
        None => format!("unknown option; known are {list}"),
    }
}

fn written_out<T: Serialize>(settings: &T) -> Options {
    match serde_json::to_value(settings) {
        Ok(Value::Object(options)) => options,
        other => unreachable!("an options struct serialises to an object, not {other:?}: this is a bug"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::option_values::{DELAY_RULE, Delay, Share, Threads};

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        threads: Threads,
        pause: Delay,
        share: Share,
    }

    impl Default for Example {
        fn default() -> Self {
            Self { threads: Threads::fixed(1), pause: Delay::default(), share: Share::default() }
        }
    }

    impl OptionSet for Example {
        fn conflicts(&self) -> Vec<OptionFault> {
            if self.share.get() > 0.0 && self.pause == Delay::default() {
                vec![OptionFault { key: "share".to_owned(), why: "needs a pause".to_owned() }]
            } else {
                Vec::new()
            }
        }
    }

    fn options(value: Value) -> Options {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn every_fault_is_found_in_one_go_with_its_value_and_rule() {
        let written =
            serde_json::json!({"pause": "2 minutes", "share": 2, "therads": 3, "threads": 0, "zzz": 1});
        let faults = check::<Example>(&options(written));
        let lines: Vec<_> = faults.iter().map(|fault| format!("{}: {}", fault.key, fault.why)).collect();
        assert_eq!(
            lines,
            [
                format!("pause: found \"2 minutes\": {DELAY_RULE}"),
                "share: found 2: allowed are numbers from 0 to 1".to_owned(),
                "therads: unknown option; known are `pause`, `share`, `threads`\n\nhint: did you mean `threads`?"
                    .to_owned(),
                "threads: found 0: allowed are whole numbers from 1 to 1024".to_owned(),
                "zzz: unknown option; known are `pause`, `share`, `threads`".to_owned(),
            ]
        );
    }

    #[test]
    fn rules_between_keys_are_asked_once_each_key_is_right() {
        let faults = check::<Example>(&options(serde_json::json!({"share": 0.5})));
        assert_eq!(faults, [OptionFault { key: "share".to_owned(), why: "needs a pause".to_owned() }]);
    }

    #[test]
    fn defaults_are_written_out() {
        let resolved = resolve::<Example>(&options(serde_json::json!({"pause": "1.5ms"})));
        assert_eq!(
            Value::Object(resolved),
            serde_json::json!({"threads": 1, "pause": "1500us", "share": 0.0})
        );
    }

    #[test]
    fn a_number_that_is_not_whole_is_refused() {
        for wrong in [serde_json::json!(1.5), serde_json::json!("4"), serde_json::json!(-1), Value::Null] {
            assert_eq!(check::<Example>(&options(serde_json::json!({"threads": wrong}))).len(), 1, "{wrong}");
        }
    }
}

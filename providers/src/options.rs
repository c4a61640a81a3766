//! How a backend's options are checked: every key by itself, so that all faults are found in one go, then the rules
//! between keys. Knows no backend and no option.

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::format_words::in_words;
use crate::nearest::nearest;
use crate::provider::{Options, ProviderError};

/// One thing that is wrong with a backend's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFault {
    /// The key as it was written.
    pub key: String,
    /// The value found, the rule, and the remedy if there is one.
    pub why: String,
}

/// The options of one kind of backend: a struct with `#[serde(deny_unknown_fields)]`. A field that has no default is
/// mandatory, and has an example (`#[schemars(example = ...)]`); a set without such fields is `#[serde(default)]`.
pub trait OptionSet: Serialize + DeserializeOwned + JsonSchema {
    /// Rules between keys. Only asked when each key is right by itself.
    fn conflicts(&self) -> Vec<OptionFault> {
        Vec::new()
    }
}

/// An option that has no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mandatory {
    /// Its key.
    pub key: String,
    /// What it is, as the middle of a sentence.
    pub what: String,
    /// A value that it can have.
    pub example: Value,
}

/// What can be asked of an option set whose type is not known.
#[derive(Clone, Copy, Debug)]
pub struct OptionRules {
    check: fn(&Options) -> Vec<OptionFault>,
    resolve: fn(&Options) -> Options,
    schema: fn() -> Schema,
}

impl OptionRules {
    /// The rules of an option set.
    #[must_use]
    pub const fn of<T: OptionSet>() -> Self {
        Self { check: check::<T>, resolve: resolve::<T>, schema: || schemars::schema_for!(T) }
    }

    /// Everything that is wrong with options, in the order they are written; empty when they can be used.
    #[must_use]
    pub fn check(&self, options: &Options) -> Vec<OptionFault> {
        (self.check)(options)
    }

    /// The options with every default written out. To be called on options that [`check`](Self::check) found nothing wrong
    /// with; others come back as they are.
    #[must_use]
    pub fn resolve(&self, options: &Options) -> Options {
        (self.resolve)(options)
    }

    /// The JSON Schema of the options.
    #[must_use]
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// Every key there is.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        keys(&self.schema())
    }

    /// The options that have no default.
    #[must_use]
    pub fn mandatory(&self) -> Vec<Mandatory> {
        mandatory(&self.schema())
    }

    /// The fewest options that can be used: the examples of those that are mandatory.
    #[must_use]
    pub fn example(&self) -> Options {
        example(&self.mandatory())
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

/// Either the settings or at least one fault.
fn read<T: OptionSet>(options: &Options) -> Result<T, Vec<OptionFault>> {
    let schema = schemars::schema_for!(T);
    let (known, mandatory) = (keys(&schema), mandatory(&schema));
    // What must be there stands in for itself while another key is looked at.
    let right = example(&mandatory);
    let mut faults = Vec::new();
    for (key, value) in options {
        if !known.contains(key) {
            faults.push(OptionFault { key: key.clone(), why: unknown_key(key, &known) });
            continue;
        }
        let mut alone = right.clone();
        alone.insert(key.clone(), value.clone());
        if let Err(error) = T::deserialize(Value::Object(alone)) {
            let why = match in_words(&error.to_string()) {
                words if words.starts_with("found ") || words.starts_with("unknown `") => words,
                rule => format!("found {value}: {rule}"),
            };
            faults.push(OptionFault { key: key.clone(), why });
        }
    }
    let missing = mandatory.into_iter().filter(|option| !options.contains_key(&option.key));
    faults.extend(missing.map(|Mandatory { key, what, example }| OptionFault {
        key,
        why: format!("missing; it is {what}, for example {example}"),
    }));
    if !faults.is_empty() {
        return Err(faults);
    }
    // Each key was read by itself, and those that have no default are there, so this cannot fail but by a rule between
    // keys that a struct hides in its `Deserialize`; such a fault belongs to no key.
    let settings = T::deserialize(Value::Object(options.clone()))
        .map_err(|error| vec![OptionFault { key: String::new(), why: error.to_string() }])?;
    let faults = settings.conflicts();
    if faults.is_empty() { Ok(settings) } else { Err(faults) }
}

fn keys(schema: &Schema) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut known: Vec<_> =
        properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect();
    known.sort_unstable();
    known
}

fn mandatory(schema: &Schema) -> Vec<Mandatory> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let mut found: Vec<_> = required
        .filter_map(Value::as_str)
        .map(|key| {
            let property = schema.get("properties").and_then(|properties| properties.get(key));
            let of = |name: &str| property.and_then(|property| property.get(name));
            let description = of("description").and_then(Value::as_str).unwrap_or_default();
            Mandatory {
                key: key.to_owned(),
                what: mid_sentence(description),
                example: of("examples").and_then(|examples| examples.get(0)).cloned().unwrap_or_default(),
            }
        })
        .collect();
    found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    found
}

fn example(mandatory: &[Mandatory]) -> Options {
    mandatory.iter().map(|option| (option.key.clone(), option.example.clone())).collect()
}

/// The first sentence of a description, to go on with a sentence that has begun.
fn mid_sentence(description: &str) -> String {
    let sentence = description.split_once(". ").map_or(description, |(first, _)| first);
    let mut rest = sentence.trim_end_matches('.').chars();
    rest.next().map(|first| first.to_lowercase().chain(rest).collect()).unwrap_or_default()
}

fn unknown_key(key: &str, known: &[String]) -> String {
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest(key, known.iter().map(String::as_str)) {
        Some(name) => format!("unknown option; the options are {list}\n\nhint: did you mean `{name}`?"),
        None if known.is_empty() => "unknown option; this backend has none".to_owned(),
        None => format!("unknown option; the options are {list}"),
    }
}

fn written_out<T: Serialize>(settings: &T) -> Options {
    match serde_json::to_value(settings) {
        Ok(Value::Object(options)) => options,
        other => unreachable!("an options struct serializes to an object, not {other:?}: this is a bug"),
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

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Client {
        /// The server's address. More of it is said elsewhere.
        #[schemars(example = "http://127.0.0.1:8080")]
        url: String,
        #[serde(default)]
        share: Share,
    }

    impl OptionSet for Client {}

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
                "therads: unknown option; the options are `pause`, `share`, `threads`\n\nhint: did you mean `threads`?"
                    .to_owned(),
                "threads: found 0: allowed are whole numbers from 1 to 1024".to_owned(),
                "zzz: unknown option; the options are `pause`, `share`, `threads`".to_owned(),
            ]
        );
    }

    #[test]
    fn rules_between_keys_are_asked_once_each_key_is_right() {
        let faults = check::<Example>(&options(serde_json::json!({"share": 0.5})));
        assert_eq!(faults, [OptionFault { key: "share".to_owned(), why: "needs a pause".to_owned() }]);
    }

    #[test]
    fn an_option_that_must_be_there_is_asked_for_with_what_it_is_and_an_example() {
        let found = |written: Value| -> Vec<String> {
            let faults = check::<Client>(&options(written));
            faults.iter().map(|fault| format!("{}: {}", fault.key, fault.why)).collect()
        };
        let missing = "url: missing; it is the server's address, for example \"http://127.0.0.1:8080\"";
        assert_eq!(found(serde_json::json!({})), [missing]);
        assert_eq!(
            found(serde_json::json!({"share": 2})),
            ["share: found 2: allowed are numbers from 0 to 1", missing],
            "one that is missing hides no other fault"
        );
        assert_eq!(found(serde_json::json!({"url": 1})).len(), 1);
        assert_eq!(found(serde_json::json!({"url": "http://here"})), Vec::<String>::new());
    }

    #[test]
    fn the_examples_of_what_is_mandatory_are_options_that_can_be_used() {
        let rules = OptionRules::of::<Client>();
        let example = rules.example();
        assert_eq!(Value::Object(example.clone()), serde_json::json!({"url": "http://127.0.0.1:8080"}));
        assert_eq!(rules.check(&example), []);
        assert_eq!(OptionRules::of::<Example>().example(), Options::new());
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

//! Documents made from nothing but their JSON Schema, so that every field and variant that there will ever be is tried.
//!
//! A document follows from a list of choices. The shorter the list and the smaller its numbers, the simpler the document,
//! which is how a failing one is made small.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::{Strategy as _, any};
use proptest::strategy::BoxedStrategy;
use serde_json::{Map, Number, Value};

use super::mutate::{NUMBERS, WORDS};

/// Values that stand under a key in valid documents. A schema says `string` where only a few words mean something.
pub(super) type Known = BTreeMap<String, Vec<Value>>;

/// Documents of a schema.
pub(super) fn documents(schema: Value, known: Known) -> BoxedStrategy<Value> {
    (vec(any::<u16>(), 0..600), any::<bool>())
        .prop_map(move |(choices, wild)| {
            let mut maker = Maker { schema: &schema, known: &known, choices: choices.into_iter(), wild };
            maker.value(&schema, "")
        })
        .boxed()
}

/// The document in which every list is empty and every choice the first.
pub(super) fn simplest(schema: &Value) -> Value {
    let choices = Vec::new().into_iter();
    Maker { schema, known: &Known::new(), choices, wild: false }.value(schema, "")
}

/// Adds the values of a valid document to what is known.
pub(super) fn learn(known: &mut Known, key: &str, value: &Value) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| learn(known, key, value)),
        Value::Array(items) => items.iter().for_each(|item| learn(known, key, item)),
        plain => {
            let values = known.entry(key.to_owned()).or_default();
            if !values.contains(plain) {
                values.push(plain.clone());
            }
        }
    }
}

struct Maker<'a> {
    schema: &'a Value,
    known: &'a Known,
    choices: std::vec::IntoIter<u16>,
    /// Whether values may be absurd as well as merely allowed.
    wild: bool,
}

impl Maker<'_> {
    /// A number below `count`; 0 once the choices are used up.
    fn choose(&mut self, count: usize) -> usize {
        usize::from(self.choices.next().unwrap_or(0)) % count.max(1)
    }

    fn value(&mut self, schema: &Value, key: &str) -> Value {
        if let Some(known) = self.known.get(key).filter(|known| !known.is_empty()) {
            // Which of several variants a list of numbers or of objects is, only the schema can say.
            if !matches!(type_of(schema), Some("object" | "array")) && self.choose(4) < 3 {
                return known[self.choose(known.len())].clone();
            }
        }
        if let Some(place) = schema.get("$ref").and_then(Value::as_str) {
            let at = self.schema.pointer(place.trim_start_matches('#'));
            return self.value(at.unwrap_or_else(|| panic!("the schema has no {place}")), key);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values[self.choose(values.len())].clone();
        }
        for several in ["oneOf", "anyOf"] {
            if let Some(variants) = schema.get(several).and_then(Value::as_array) {
                let at = self.choose(variants.len());
                return self.value(&variants[at], key);
            }
        }
        match type_of(schema) {
            _ if nullable(schema) && self.choose(3) == 0 => Value::Null,
            Some("object") => self.object(schema),
            Some("array") => self.array(schema, key),
            Some("string") => self.text(schema),
            Some("integer") => self.integer(schema),
            Some("number") => self.number(schema),
            Some("boolean") => Value::Bool(self.choose(2) == 1),
            _ => Value::Null,
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        let mut members = Map::new();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(&key.as_str()) || self.choose(2) == 1 {
                let value = self.value(property, key);
                members.insert(key.clone(), value);
            }
        }
        if let Some(more @ Value::Object(_)) = schema.get("additionalProperties") {
            for _ in 0..self.choose(3) {
                let name = WORDS[self.choose(WORDS.len())].to_owned();
                let value = self.value(more, &name);
                members.insert(name, value);
            }
        }
        Value::Object(members)
    }

    fn array(&mut self, schema: &Value, key: &str) -> Value {
        if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
            return items.iter().map(|item| self.value(item, key)).collect();
        }
        let (least, most) =
            (schema["minItems"].as_u64().unwrap_or(0), schema["maxItems"].as_u64().unwrap_or(3));
        let count = least as usize + self.choose(1 + most.saturating_sub(least).min(3) as usize);
        (0..count).map(|_| self.value(&schema["items"], key)).collect()
    }

    fn text(&mut self, schema: &Value) -> Value {
        if schema.get("pattern").is_some() {
            return Value::from(["20ms", "1.5s", "0.000001ns", "9h", "250us", "1 min"][self.choose(6)]);
        }
        if self.wild {
            return Value::from(WORDS[self.choose(WORDS.len())]);
        }
        Value::from(["a", "b-1", "two words", "smoke", "c_2"][self.choose(5)])
    }

    fn integer(&mut self, schema: &Value) -> Value {
        let format = schema["format"].as_str().unwrap_or_default();
        let most = schema["maximum"].as_u64().unwrap_or(match format {
            "uint8" => u64::from(u8::MAX),
            "uint32" | "uint" => u64::from(u32::MAX),
            _ => u64::MAX,
        });
        let (small, large) = (self.choose(100) as u64, self.choose(60_000) as u64);
        let ordinary = [small, large, large * 10_000];
        let absurd = [small, most, most - 1, most / 2 + 1, 1 << 53, u64::from(u32::MAX)];
        let among = if self.wild { &absurd[..] } else { &ordinary[..] };
        let least = schema["minimum"].as_u64().unwrap_or(0);
        Value::from(among[self.choose(among.len())].clamp(least.min(most), most))
    }

    fn number(&mut self, schema: &Value) -> Value {
        let absurd = self.wild && self.choose(2) == 1;
        let number = if absurd {
            NUMBERS[self.choose(NUMBERS.len())].parse().unwrap_or(-1.0)
        } else {
            // Three magnitudes, because shares, seconds and rates all are plain numbers.
            self.choose(1_001) as f64 / 1_000.0 * [1.0, 60.0, 10_000.0][self.choose(3)]
        };
        let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
        let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
        Number::from_f64(number.clamp(least, most)).map_or(Value::from(0), Value::Number)
    }
}

fn type_of(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

fn nullable(schema: &Value) -> bool {
    schema["type"].as_array().is_some_and(|names| names.iter().any(|name| name == "null"))
}

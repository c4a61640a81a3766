//! Reference vectors (`reference.json`): those of the model at hand, or refused with what is wrong.

use serde_json::Value;
use tailmark_providers::model::known;

use super::examples::{Example, made};
use super::target::{Seen, Target};

/// The committed reference vectors of the first model that is known.
const COMMITTED: &str = include_str!("../../../providers/models/all-MiniLM-L6-v2/reference.json");

#[test]
fn every_file_of_reference_vectors_is_the_models_or_is_refused() {
    Target { name: "reference", cases: 500, examples: examples(), made: None, check }.run();
}

/// The committed ones, with two of everything that there is one of for each text.
fn examples() -> Vec<Example> {
    let mut reference: Value = serde_json::from_str(COMMITTED).unwrap();
    for list in ["/texts", "/token_counts", "/vectors", "/graded_pairs/pairs", "/graded_pairs/cosines"] {
        if let Some(Value::Array(items)) = reference.pointer_mut(list) {
            items.truncate(2);
        }
    }
    let mut plain = reference.clone();
    if let Value::Object(members) = &mut plain {
        members.retain(|name, _| !["neighbours", "graded_pairs"].contains(&name.as_str()));
    }
    if let Some(neighbours) = reference.get_mut("neighbours") {
        neighbours["texts"] = ["one", "two"].into_iter().collect();
        neighbours["nearest"] = serde_json::json!([[1], [0]]);
    }
    vec![made("all", reference.to_string()), made("vectors alone", plain.to_string())]
}

fn check(input: &[u8]) -> Result<Seen, String> {
    match known()[0].manifest.check_reference(&String::from_utf8_lossy(input)) {
        Ok(()) => Ok(Seen::Taken),
        Err(why) if why.is_empty() || why.len() > 4 * input.len() + 1_000 => {
            Err(format!("{} characters are no help: {why:.300}", why.len()))
        }
        Err(_) => Ok(Seen::Refused),
    }
}

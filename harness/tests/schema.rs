//! Holds the scenario format together: the JSON Schema, the shipped scenarios, the reference, and the tables of names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tailmark::scenario::{CORPORA, SCENARIOS, Shipped};
use tailmark_providers::kinds::KINDS;

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("scenarios")
}

fn schema() -> Value {
    serde_json::to_value(tailmark::scenario::schema()).expect("a schema is JSON")
}

/// A TOML text as JSON, and what the schema has against it.
fn faults(text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().expect("TOML");
    let value = serde_json::to_value(table).expect("TOML as JSON");
    let validator = jsonschema::validator_for(&schema()).expect("a valid schema");
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The names of the files in a folder that end like this, without the ending if it is to be cut off.
fn names(folder: &Path, ending: &str, cut: bool) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries
        .map(|name| name.to_string_lossy().into_owned())
        .filter_map(|name| {
            name.strip_suffix(ending).map(|stem| if cut { stem.to_owned() } else { name.clone() })
        })
        .collect()
}

/// Every property that the schema names anywhere.
fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(here)) = object.get("properties") {
                found.extend(here.keys().cloned());
            }
            object.values().for_each(|value| properties(value, found));
        }
        Value::Array(array) => array.iter().for_each(|value| properties(value, found)),
        _ => {}
    }
}

/// The names that are not mentioned in backticks in the reference.
fn not_in_the_reference<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let reference = fs::read_to_string(scenarios().join("README.md")).expect("the format reference");
    names.into_iter().filter(|name| !reference.contains(&format!("`{name}`"))).collect()
}

#[test]
fn every_shipped_scenario_fits_the_schema() {
    for Shipped { name, text } in SCENARIOS {
        assert_eq!(faults(text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_cannot_be_a_scenario_does_not_fit_the_schema() {
    for text in [
        "titel = \"a\"",
        "[model]\nname = 3",
        "[workload]\nbatch_size = \"many\"",
        "[deadlines]\nstart = \"30\"",
        "[deadlines]\nstart = \"10 parsecs\"",
        "[phases.warm_up]\nrequests = 50",
        "[[objective]]\nbelow = 20",
        "[[objective]]\nat_least = 0.999",
        "[validity]\non_doubt = true",
        "[[backend]]\nkind = \"onnx\"\nbatchsize = 1",
        "backend = \"onnx\"",
    ] {
        assert_ne!(faults(text), Vec::<String>::new(), "{text}");
    }
    let nonsense = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/nonsense.toml"));
    let found = faults(&nonsense.expect("the faulty scenario"));
    assert!(found.len() >= 6, "{found:#?}");
}

#[test]
fn every_shipped_scenario_is_in_the_table_and_every_entry_of_the_table_is_a_file() {
    let table: BTreeSet<String> = SCENARIOS.iter().map(|shipped| shipped.name.to_owned()).collect();
    assert_eq!(table.len(), SCENARIOS.len(), "names are unique");
    assert_eq!(table, names(&scenarios(), ".toml", false));
}

#[test]
fn every_shipped_corpus_is_in_the_table_and_every_entry_of_the_table_is_a_file() {
    let table: BTreeSet<String> = CORPORA.iter().map(|shipped| shipped.name.to_owned()).collect();
    assert_eq!(table.len(), CORPORA.len(), "names are unique");
    assert_eq!(table, names(&scenarios().join("corpora"), ".txt", true));
}

#[test]
fn every_key_of_the_schema_is_in_the_reference() {
    let mut keys = BTreeSet::new();
    properties(&schema(), &mut keys);
    assert!(keys.contains("min_requests") && keys.contains("objective"), "{keys:?}");
    assert_eq!(not_in_the_reference(keys.iter().map(String::as_str)), Vec::<&str>::new());
}

#[test]
fn every_kind_with_its_options_every_load_model_and_every_shipped_name_is_in_the_reference() {
    let options: Vec<Value> = KINDS
        .iter()
        .map(|kind| serde_json::to_value(kind.options.schema()).expect("a schema is JSON"))
        .collect();
    let keys =
        options.iter().filter_map(|schema| schema["properties"].as_object()).flat_map(|keys| keys.keys());
    let names = KINDS
        .iter()
        .map(|kind| kind.name)
        .chain(tailmark::load::KINDS.iter().map(|kind| kind.name))
        .chain(SCENARIOS.iter().chain(CORPORA).map(|shipped| shipped.name))
        .chain(keys.map(String::as_str));
    assert_eq!(not_in_the_reference(names), Vec::<&str>::new());
}

#[test]
fn every_property_of_the_schema_is_described() {
    fn undescribed(schema: &Value, found: &mut Vec<String>) {
        let Value::Object(object) = schema else { return };
        for (name, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if property.get("description").is_none() {
                found.push(name.clone());
            }
        }
        for value in
            object.get("$defs").and_then(Value::as_object).into_iter().flat_map(serde_json::Map::values)
        {
            undescribed(value, found);
        }
    }
    let mut found = Vec::new();
    undescribed(&schema(), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

/// What the schema of records has against a record.
fn faults_of_record(record: &Value) -> Vec<String> {
    let schema = serde_json::to_value(tailmark_reports::record::schema()).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    validator.iter_errors(record).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_schema_of_records_is_the_committed_one() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports");
    let committed = std::fs::read_to_string(format!("{folder}/run.schema.json")).expect("the schema");
    let schema = serde_json::to_string_pretty(&tailmark_reports::record::schema()).expect("JSON");
    assert!(committed.trim_end() == schema, "make it again: tailmark schema run > reports/run.schema.json");
}

#[test]
fn records_of_this_version_fit_the_schema_and_others_do_not() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/tests/data/run_of_record_version_4");
    // It has keys by their earlier names, which are read and no longer written.
    let record = tailmark_reports::record::read(folder.as_ref()).expect("the record");
    let mut record = serde_json::to_value(record).expect("JSON");
    assert_eq!(faults_of_record(&record), Vec::<String>::new());
    record["backends"][0]["kind"] = 7.into();
    assert_eq!(faults_of_record(&record).len(), 1);
}

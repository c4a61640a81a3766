//! The options of each kind of backend, as TOML below `[backend.options]`. The input is tried on every kind.

use tailmark::plan::{Selection, resolve};
use tailmark::scenario::parse;
use tailmark_providers::kinds::KINDS;

use super::examples::{Example, made};
use super::scenario::check_text;
use super::target::{Seen, Target};

#[test]
fn every_set_of_options_is_taken_or_refused_by_each_kind() {
    let mut examples: Vec<Example> =
        KINDS.iter().map(|kind| made(kind.name, all_options(kind.name))).collect();
    let stalls = "stall = { every = \"1s\", length = \"5ms\" }\nfailures = 0.1\nhangs = 0.001\n";
    let drawn =
        "distribution = { kind = \"ar1\", median = \"2ms\", p95 = \"5ms\", rho = 0.5 }\nconcurrency = 4\n";
    examples.extend([made("stalls", stalls), made("drawn", drawn)]);
    Target { name: "options", cases: 500, examples, made: None, check }.run();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let body = String::from_utf8_lossy(input);
    let mut seen = Seen::Refused;
    for kind in KINDS {
        if check_text(&scenario(kind.name, &body), &[], None)? == Seen::Taken {
            seen = Seen::Taken;
        }
    }
    Ok(seen)
}

fn scenario(kind: &str, body: &str) -> String {
    format!("[[backend]]\nkind = \"{kind}\"\n\n[backend.options]\n{body}")
}

/// The options of a kind with their defaults written out.
fn all_options(kind: &str) -> String {
    let plan = resolve(&parse(&scenario(kind, "")), "defaults", None, &Selection::default());
    let Ok(plan) = plan else { return String::new() };
    let resolved: toml::Table = plan.resolved.parse().unwrap();
    let options = resolved["backend"][0].get("options").and_then(toml::Value::as_table);
    options.map_or_else(String::new, toml::Table::to_string)
}

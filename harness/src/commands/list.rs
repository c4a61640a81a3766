//! The commands that list what there is.

use std::fmt::Write as _;

use tailmark_providers::kinds::KINDS;

use super::{CommandError, Described, Exit, SchemaArguments, output};
use crate::scenario::{self, CORPORA, SCENARIOS};

/// Lists the shipped scenarios and corpora.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn scenarios() -> Result<Exit, CommandError> {
    let mut text = String::from("scenarios\n");
    for shipped in SCENARIOS {
        let title = scenario::parse(shipped.text).scenario.title.unwrap_or_default();
        let _ = writeln!(text, "  {:<24} {title}", shipped.name);
    }
    text.push_str("corpora\n");
    for shipped in CORPORA {
        let _ = writeln!(text, "  {:<24} {} texts", shipped.name, shipped.text.lines().count());
    }
    print(&text)
}

/// Lists the kinds of backends and their options.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn backends() -> Result<Exit, CommandError> {
    let mut text = String::new();
    for kind in KINDS {
        let defaults = kind.options.resolve(&kind.options.example());
        let mandatory = kind.options.mandatory();
        let _ = writeln!(text, "{:<14} {}", kind.name, kind.summary);
        for (key, value) in defaults {
            let needed = mandatory.iter().any(|option| option.key == key);
            let note = if needed { "  (must be given; this is an example)" } else { "" };
            let _ = writeln!(text, "{:<14}   {key} = {value}{note}", "");
        }
    }
    print(&text)
}

/// Prints the JSON Schema of scenario files.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn schema(arguments: &SchemaArguments) -> Result<Exit, CommandError> {
    let schema = match arguments.of {
        Described::Scenario => scenario::schema(),
        Described::Run => tailmark_reports::record::schema(),
    };
    let schema = serde_json::to_string_pretty(&schema).expect("a schema is JSON: this is a bug");
    print(&format!("{schema}\n"))
}

fn print(text: &str) -> Result<Exit, CommandError> {
    output::print(text.as_bytes())?;
    Ok(Exit::Pass)
}

//! What a deserializer says of a value, in the words of the file that a user wrote: tables, numbers and text, not the types of
//! the program that reads them.

use crate::nearest::nearest;

/// The message in words of the format: what was found, and what it must be.
#[must_use]
pub fn in_words(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        return unknown_key(rest).unwrap_or_else(|| message.to_owned());
    }
    if let Some((word, known)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let guess = guess(word, &known);
        return format!("unknown `{word}`{guess} (known: {})", known.join(", "));
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("`{name}` is missing");
    }
    // The reader of TOML keeps what begins like a number as it was written until somebody asks for the number.
    if message.ends_with("number overflowed") {
        return "not a number, or one that is too large; write text in quotes".to_owned();
    }
    if message.ends_with("value was too large") {
        return format!("found a number that is too large; it must be at most {}", i64::MAX);
    }
    // A table's values may be written as an array, in their order. Nobody means that, so the remedy is a table.
    if message.starts_with("invalid length ") && message.contains(", expected struct ") {
        return "found an array; it must be a table".to_owned();
    }
    let about =
        ["invalid type: ", "invalid value: "].into_iter().find_map(|start| message.strip_prefix(start));
    match about.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((value, expected)) => format!("found {}; it must be {}", found(value), must_be(expected, value)),
        None => message.to_owned(),
    }
}

fn unknown_key(rest: &str) -> Option<String> {
    let (key, expected) = rest.split_once('`')?;
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let guess = guess(key, &known);
    Some(format!("unknown key `{key}`{guess} (allowed here: {})", known.join(", ")))
}

fn guess(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied())
        .map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"))
}

fn found(value: &str) -> String {
    let quoted = |start: &str| value.strip_prefix(start).and_then(|rest| rest.split('`').next());
    if value == "string \"\"" {
        return "an empty value".to_owned();
    }
    match value {
        "sequence" => "an array".to_owned(),
        "map" => "a table".to_owned(),
        _ => quoted("integer `")
            .or_else(|| quoted("floating point `"))
            .or_else(|| quoted("boolean `"))
            .or_else(|| value.strip_prefix("string "))
            .unwrap_or(value)
            .to_owned(),
    }
}

fn must_be(expected: &str, value: &str) -> String {
    let is_too_large = value.starts_with("integer `") && !value.contains('-');
    let whole = |most: u64| match is_too_large {
        true => format!("a whole number of at most {most}"),
        false => "a whole number of at least 0".to_owned(),
    };
    match expected {
        "u64" => whole(u64::MAX),
        "u32" => whole(u32::MAX.into()),
        "f64" => "a number".to_owned(),
        "a string" => "text in quotes".to_owned(),
        "path string" => "a path in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "a table".to_owned(),
        _ if expected.starts_with("struct ") || expected.contains(" enum ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_of_the_program_is_in_a_message() {
        for (message, words) in [
            ("invalid type: integer `5`, expected struct SteadySection", "found 5; it must be a table"),
            ("invalid type: string \"\", expected f64", "found an empty value; it must be a number"),
            ("invalid type: string \"long\", expected f64", "found \"long\"; it must be a number"),
            (
                "invalid type: integer `99999999999999999999` as i128, expected u64",
                "found 99999999999999999999; it must be a whole number of at most 18446744073709551615",
            ),
            (
                "invalid value: integer `-1`, expected u64",
                "found -1; it must be a whole number of at least 0",
            ),
            (
                "invalid value: integer `4294967296`, expected u32",
                "found 4294967296; it must be a whole number of at most 4294967295",
            ),
            (
                "invalid type: floating point `1.5`, expected u32",
                "found 1.5; it must be a whole number of at least 0",
            ),
            ("invalid type: boolean `true`, expected a string", "found true; it must be text in quotes"),
            ("invalid length 0, expected struct Stall with 2 elements", "found an array; it must be a table"),
            ("invalid type: map, expected a sequence", "found a table; it must be an array"),
            ("invalid type: sequence, expected a boolean", "found an array; it must be true or false"),
            (
                "unknown field `therads`, expected one of `threads`, `graph`",
                "unknown key `therads`; did you mean `threads`? (allowed here: threads, graph)",
            ),
            ("missing field `kind`", "`kind` is missing"),
            (
                "unknown variant `coremll`, expected one of `cpu`, `coreml`, `cuda`",
                "unknown `coremll`; did you mean `coreml`? (known: cpu, coreml, cuda)",
            ),
            ("unknown variant `x`, expected `time`", "unknown `x` (known: time)"),
            ("integer number overflowed", "not a number, or one that is too large; write text in quotes"),
            (
                "u64 value was too large",
                "found a number that is too large; it must be at most 9223372036854775807",
            ),
            ("`2 parsecs` is not a length of time", "`2 parsecs` is not a length of time"),
        ] {
            assert_eq!(in_words(message), words);
        }
    }
}

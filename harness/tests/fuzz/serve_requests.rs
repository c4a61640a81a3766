//! What clients post to a server: every body is a request in a dialect, or is refused with a message, and is read the same twice.

use tailmark::serve::dialects::{Asked, DIALECTS};

use super::examples::{Example, made};
use super::target::{Seen, Target};

#[test]
fn every_body_is_a_request_or_is_refused_with_the_rule() {
    Target { name: "serve_requests", cases: 2_000, examples: examples(), made: None, check }.run();
}

fn examples() -> Vec<Example> {
    let all = [
        (
            "openai",
            r#"{"model":"a","input":["one","two"],"encoding_format":"base64","dimensions":384,"user":"me"}"#,
        ),
        ("openai, tokens", r#"{"model":"a","input":[[1,2],[3]]}"#),
        ("ollama", r#"{"model":"a:latest","input":"one","truncate":false,"keep_alive":"5m","options":{}}"#),
        (
            "tei",
            r#"{"inputs":["one","\u00e9\ud83d\ude00"],"normalize":true,"truncate":true,"prompt_name":null}"#,
        ),
        ("akidb", r#"{"model":"a","inputs":["one"],"normalize":false}"#),
        ("both keys", r#"{"model":"a","input":"","inputs":[""]}"#),
    ];
    let mut examples: Vec<Example> = all.into_iter().map(|(origin, text)| made(origin, text)).collect();
    examples.push(made("not UTF-8", b"{\"inputs\": \"\xff\"}".to_vec()));
    examples.push(made("deep", "[".repeat(5_000)));
    examples
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let mut seen = Seen::Refused;
    for dialect in DIALECTS {
        match (dialect.read)(input) {
            Ok(asked) => {
                seen = Seen::Taken;
                if (dialect.read)(input) != Ok(asked.clone()) {
                    return Err(format!("{}: it is read in two ways", dialect.name));
                }
                let Asked { texts, .. } = asked;
                if texts.iter().map(|text| text.len()).sum::<usize>() > input.len() {
                    return Err(format!("{}: it has more text than it has bytes", dialect.name));
                }
            }
            Err(fault) => {
                if fault.message.is_empty() || fault.message.len() > 4 * input.len() + 1_000 {
                    return Err(format!("{}: a message of {} bytes", dialect.name, fault.message.len()));
                }
                let body = (dialect.refuse)(&fault).to_string();
                if !fault.status.is_client_error() || !body.contains("error") {
                    return Err(format!("{}: {} {body:.300}", dialect.name, fault.status));
                }
            }
        }
    }
    Ok(seen)
}

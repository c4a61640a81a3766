//! What a client sends: every line is answered with one line of JSON or not at all, and no line ends the worker but
//! `shutdown`.

use serde_json::Value;
use tailmark_providers::null::NullBackend;
use tailmark_providers::wire::message::{read_request, write_request};
use tailmark_providers::wire::server::serve;

use super::examples::{Example, in_repository, made};
use super::target::{Seen, Target};

#[test]
fn every_line_of_a_client_is_answered_or_is_a_notification() {
    let mut examples = conversations("send");
    examples.push(made("not UTF-8", b"\xff\xfe{}\n".to_vec()));
    Target { name: "wire_requests", cases: 1_000, examples, made: None, check }.run();
}

/// One side of the conversations that both ends of the wire are held to.
pub(super) fn conversations(side: &str) -> Vec<Example> {
    let lines = |example: Example| {
        let conversation: Value = serde_json::from_slice(&example.bytes).unwrap();
        let said = conversation["exchanges"].as_array().unwrap().iter().map(|exchange| &exchange[side]);
        let lines = said.filter(|message| !message.is_null()).map(|message| match message {
            Value::String(raw) => format!("{raw}\n"),
            message => format!("{message}\n"),
        });
        made(&example.origin, lines.collect::<String>())
    };
    in_repository("providers/conformance", ".json").into_iter().map(lines).collect()
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let mut output = Vec::new();
    serve("null", Box::<NullBackend>::default(), input, &mut output)
        .map_err(|why| format!("the worker ended: {why}"))?;
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    let output = String::from_utf8(output).map_err(|why| format!("an answer is not UTF-8: {why}"))?;
    let answers: Vec<&str> = output.lines().collect();
    if answers.len() > lines.len() {
        return Err(format!("{} answers to {} lines", answers.len(), lines.len()));
    }
    let mut seen = Seen::Refused;
    for answer in answers {
        let value: Value = serde_json::from_str(answer)
            .map_err(|why| format!("the answer is not JSON: {why}: {answer:.300}"))?;
        let (result, error) = (value.get("result"), value.get("error"));
        if value["jsonrpc"] != "2.0" || value.get("id").is_none() || result.is_some() == error.is_some() {
            return Err(format!("not an answer: {answer:.300}"));
        }
        if result.is_some() {
            seen = Seen::Taken;
        }
        let message = error.map_or("-", |error| error["message"].as_str().unwrap_or_default());
        if message.is_empty() || message.len() > 4 * input.len() + 1_000 {
            return Err(format!("an error in {} characters: {message:.300}", message.len()));
        }
    }
    lines.iter().try_for_each(|line| written_again(line))?;
    Ok(seen)
}

/// A request that can be read is the same when it is written and read again.
fn written_again(line: &[u8]) -> Result<(), String> {
    let Ok(request) = read_request(line) else { return Ok(()) };
    let Some(Ok(id)) = request.id.map(str::parse::<u64>) else { return Ok(()) };
    let mut buffer = Vec::new();
    write_request(&mut buffer, id, &request.method, request.params.as_ref())
        .map_err(|why| format!("a request cannot be written: {why}"))?;
    let again =
        read_request(&buffer).map_err(|(_, why)| format!("a request cannot be read again: {why:?}"))?;
    let params = |request: &tailmark_providers::wire::message::Request<'_>| {
        request.params.map(|params| params.get().to_owned())
    };
    if again.method != request.method || params(&again) != params(&request) {
        return Err(format!("{request:?} is written and read again as {again:?}"));
    }
    Ok(())
}

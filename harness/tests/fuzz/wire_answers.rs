//! What a worker writes: every call ends with an answer or an error that can be shown, whatever comes instead of one.

use std::time::Duration;

use serde_json::value::RawValue;
use tailmark_providers::evidence::{Evidence, ProveRequest};
use tailmark_providers::execution::executed;
use tailmark_providers::provider::{EmbedRequest, Embeddings, LoadRequest, Loaded, ProviderError};
use tailmark_providers::wire::client::connect;
use tailmark_providers::wire::message::{Encoding, Greeting, Peer, read_reply, read_result};
use tailmark_providers::wire::vectors::{read_embeddings, write_embeddings};

use super::target::{Seen, Target};
use super::wire_requests::conversations;

#[test]
fn every_call_ends_whatever_the_worker_writes() {
    let examples = conversations("receive");
    Target { name: "wire_answers", cases: 1_000, examples, made: None, check }.run();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let mut seen = Seen::Refused;
    for line in input.split(|byte| *byte == b'\n') {
        if let Ok(reply) = read_reply(line)
            && let Ok(result) = reply.outcome
        {
            seen = Seen::Taken;
            let _ = read_result::<Greeting>("initialize", result);
            let _ = read_result::<Loaded>("load", result);
            if let Ok(evidence) = read_result::<Evidence>("prove", result) {
                let _ = executed(&evidence);
            }
            if let Ok(embeddings) = read_embeddings(result) {
                written_again(&embeddings)?;
            }
        }
    }
    called(input)?;
    Ok(seen)
}

/// Vectors are the same when they are written and read again, in either encoding.
fn written_again(embeddings: &Embeddings) -> Result<(), String> {
    for encoding in [Encoding::Base64, Encoding::Float] {
        let mut line = Vec::new();
        match write_embeddings(&mut line, "1", embeddings, encoding) {
            Ok(()) => {}
            Err(_) if embeddings.vectors.iter().any(|number| !number.is_finite()) => continue,
            Err(why) => return Err(format!("finite vectors cannot be written: {why}")),
        }
        let reply = read_reply(&line)?;
        let result: &RawValue =
            reply.outcome.map_err(|why| format!("vectors are read as a refusal: {why:?}"))?;
        let again = read_embeddings(result).map_err(|why| format!("vectors cannot be read again: {why}"))?;
        let bits = |embeddings: &Embeddings| -> Vec<u32> {
            embeddings.vectors.iter().map(|number| number.to_bits()).collect()
        };
        if bits(&again) != bits(embeddings) || again.token_counts != embeddings.token_counts {
            return Err(format!("{encoding:?}: {embeddings:?} is written and read again as {again:?}"));
        }
    }
    Ok(())
}

/// Calls everything that a worker can be asked, with the input as what it answers.
fn called(input: &[u8]) -> Result<(), String> {
    // The clock stands still and jumps to the next deadline, so that a call that nobody answers costs no time.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (errors, answers) = runtime.block_on(async {
        let (client, listener) = connect(input, tokio::io::sink());
        let deadline = Duration::from_secs(5);
        let texts = vec!["one".into(), "two".into()];
        let caller = Peer { name: "fuzz".to_owned(), version: "1".to_owned() };
        let load = LoadRequest { model: None, options: serde_json::Map::new() };
        let embed = EmbedRequest { texts: texts.clone(), normalize: true };
        let prove = ProveRequest { texts, runs: 1 };
        let calls = async {
            tokio::join!(
                client.initialize(caller, deadline),
                client.load(&load, deadline),
                client.embed(&embed, Encoding::Base64, deadline),
                client.embed(&embed, Encoding::Float, deadline),
                client.prove(&prove, deadline),
                client.ping(deadline),
                client.call("more", None, deadline),
                client.shutdown(deadline),
            )
        };
        let (calls, _) = tokio::join!(calls, listener.run());
        let (initialize, load, one, two, prove, ping, call, shutdown) = calls;
        let answers = [one.as_ref().ok().cloned(), two.as_ref().ok().cloned()];
        let errors = [
            initialize.err(),
            load.err(),
            one.err(),
            two.err(),
            prove.err(),
            ping.err(),
            call.err(),
            shutdown.err(),
        ];
        (errors, answers)
    });
    if let Some(embeddings) = answers.into_iter().flatten().find(|embeddings| !adds_up(embeddings)) {
        return Err(format!("an answer that no figure can hold was taken: {embeddings:?}"));
    }
    errors.into_iter().flatten().try_for_each(|error| can_be_shown(&error, input.len()))
}

/// Whether what figures add up of an answer fits where they keep it.
fn adds_up(embeddings: &Embeddings) -> bool {
    let tokens: u64 = embeddings.token_counts.iter().flatten().map(|count| u64::from(*count)).sum();
    let stages = embeddings.stages;
    let mut stages =
        [stages.tokenize_ns, stages.infer_ns, stages.pool_ns, stages.worker_ns].into_iter().flatten();
    tokens <= u64::from(u32::MAX) && stages.try_fold(0_u64, u64::checked_add).is_some()
}

fn can_be_shown(error: &ProviderError, length: usize) -> Result<(), String> {
    let told = error.to_string();
    if told.is_empty() || told.len() > 4 * length + 2_000 {
        return Err(format!("an error in {} characters: {told:.300}", told.len()));
    }
    Ok(())
}

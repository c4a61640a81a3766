//! What a verdict says of failed requests: how many there were and why, before anything else is said.

use tailmark_reports::units;

use crate::statistics::Accumulator;

/// Reasons that are named; the record has all of them.
const NAMED: usize = 2;

/// A failure may quote a whole answer of a server.
const LONGEST_REASON: usize = 160;

/// What failed and why, when at least half of the requests that were over the limit failed; then no other figure explains
/// the verdict. The latencies of the others are a matter of their own.
pub fn foremost(steady: &Accumulator, exceeded: u64) -> Option<String> {
    let failures = steady.failures();
    (failures > 0 && 2 * failures >= exceeded).then(|| in_words(steady))
}

fn in_words(steady: &Accumulator) -> String {
    let (failures, requests) = (steady.failures(), steady.requests());
    let reasons = steady.failure_reasons();
    let named: Vec<String> = reasons
        .iter()
        .take(NAMED)
        .map(|reason| match reasons.len() {
            1 => shortened(&reason.why),
            _ => format!("{} with {}", units::count(reason.requests), shortened(&reason.why)),
        })
        .collect();
    let more = if reasons.len() > NAMED { ", the others for other reasons" } else { "" };
    let who = if failures == requests {
        format!("all {} failed", units::counted(requests, "request"))
    } else {
        format!("{} of {} failed", units::count(failures), units::counted(requests, "request"))
    };
    format!("{who}: {}{more}", named.join(", "))
}

fn shortened(why: &str) -> String {
    match why.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("`{}...`", &why[..end]),
        None => format!("`{why}`"),
    }
}

/// What to do about failures.
pub(super) const REMEDY: &str =
    "find out why requests fail before looking at latencies; the worker's stderr log may say more";

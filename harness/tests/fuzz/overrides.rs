//! `--set key=value`: one override for each line of the input, on scenarios that are right without them.

use std::sync::LazyLock;

use super::examples::{Example, made};
use super::scenario::{check_text, shipped};
use super::target::{Seen, Target};

static SCENARIOS: LazyLock<Vec<Example>> = LazyLock::new(shipped);

#[test]
fn every_override_changes_the_plan_or_is_a_fault_under_its_own_name() {
    let examples = vec![
        made("keys", "title=other\nphases.steady.max_seconds=60\nload.think_time=[\"0ms\", \"10ms\"]"),
        made(
            "backends",
            "backend[1].replicas=2\nbackend.null.options.dimensions=8\nbackend[1].require.min_time_share=0.5",
        ),
        made("tables", "load={kind=\"poisson\", rate=\"30/s\"}\nobjective=[]\nmatrix=[{batch_size=[1, 2]}]"),
        made("quoted", "\"title\"='a = b'\nbackend.\"null\".name=\"x\""),
    ];
    Target { name: "overrides", cases: 1_000, examples, made: None, check }.run();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    // What the system hands over as an argument that is not UTF-8 never comes this far.
    let text = String::from_utf8_lossy(input);
    let sets: Vec<String> = text.split('\n').take(50).map(str::to_owned).collect();
    let which = input.len() % SCENARIOS.len();
    let scenario = std::str::from_utf8(&SCENARIOS[which].bytes).unwrap();
    check_text(scenario, &sets, None)
}

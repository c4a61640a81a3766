//! ONNX Runtime's profile of a probe run: which kernel ran on which execution provider, from the file that the runtime
//! writes. Knows the file's form and nothing of what it comes to.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use crate::evidence::Kernel;

/// The ending of the events that time a node's computation.
const KERNEL: &str = "_kernel_time";

/// An event of the profile, as far as it is of use. Others have other arguments.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    /// Microseconds.
    #[serde(default)]
    dur: u64,
    #[serde(default)]
    args: Arguments,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Arguments {
    op_name: String,
    provider: String,
    node_index: String,
}

/// The kernels of a profile file of `runs` recorded runs and one before them, which is left out where it can be told
/// apart: it is the first of one event too many.
///
/// # Errors
/// One sentence, when the file cannot be read or is not a profile.
pub(super) fn read(path: &Path, runs: u32) -> Result<Vec<Kernel>, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let events: Vec<Event> = serde_json::from_slice(&text)
        .map_err(|error| format!("the profile {} cannot be read: {error}", path.display()))?;
    Ok(kernels(&events, runs))
}

fn kernels(events: &[Event], runs: u32) -> Vec<Kernel> {
    let mut order: Vec<(Kernel, Vec<u64>)> = Vec::new();
    let mut known: HashMap<(&str, &str, &str, &str), usize> = HashMap::new();
    for event in events.iter().filter(|event| event.cat == "Node") {
        let Some(name) = event.name.strip_suffix(KERNEL) else { continue };
        let Arguments { op_name, provider, node_index } = &event.args;
        let at = *known.entry((name, node_index, op_name, provider)).or_insert_with(|| {
            let kernel = Kernel {
                name: name.to_owned(),
                op: op_name.clone(),
                on: provider.clone(),
                calls: 0,
                ns: None,
            };
            order.push((kernel, Vec::new()));
            order.len() - 1
        });
        order[at].1.push(event.dur);
    }
    order
        .into_iter()
        .map(|(kernel, times)| {
            let first = usize::from(times.len() as u64 == u64::from(runs) + 1);
            let times = &times[first..];
            Kernel { calls: times.len() as u64, ns: Some(times.iter().sum::<u64>() * 1_000), ..kernel }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_node_is_a_kernel_and_the_run_before_the_recorded_ones_is_left_out() {
        let node = |name: &str, op: &str, provider: &str, dur: u64| {
            json!({"cat": "Node", "name": format!("{name}_kernel_time"), "dur": dur, "ph": "X", "ts": 1, "pid": 1,
                   "tid": 1, "args": {"op_name": op, "provider": provider, "node_index": name}})
        };
        let profile = json!([
            {"cat": "Session", "name": "model_loading_uri", "dur": 900, "args": {}},
            node("/a/MatMul", "MatMul", "CPUExecutionProvider", 500),
            {"cat": "Node", "name": "/a/MatMul_fence_before", "dur": 9, "args": {"op_name": "MatMul"}},
            node("part_0", "OpenVINO-EP-subgraph_1", "OpenVINOExecutionProvider", 900),
            node("/a/MatMul", "MatMul", "CPUExecutionProvider", 10),
            node("part_0", "OpenVINO-EP-subgraph_1", "OpenVINOExecutionProvider", 20),
            node("/a/MatMul", "MatMul", "CPUExecutionProvider", 30),
            node("part_0", "OpenVINO-EP-subgraph_1", "OpenVINOExecutionProvider", 40),
        ]);
        let events: Vec<Event> = serde_json::from_value(profile).expect("events");
        let found: Vec<_> = kernels(&events, 2)
            .into_iter()
            .map(|kernel| (kernel.name, kernel.op, kernel.on, kernel.calls, kernel.ns))
            .collect();
        let row =
            |name: &str, op: &str, on: &str, ns| (name.to_owned(), op.to_owned(), on.to_owned(), 2, Some(ns));
        assert_eq!(
            found,
            [
                row("/a/MatMul", "MatMul", "CPUExecutionProvider", 40_000),
                row("part_0", "OpenVINO-EP-subgraph_1", "OpenVINOExecutionProvider", 60_000),
            ]
        );
    }

    #[test]
    fn a_file_that_is_no_profile_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("profile.json");
        std::fs::write(&path, "{").expect("a file");
        let error = read(&path, 1).expect_err("no profile");
        assert!(error.contains("profile.json cannot be read"), "{error}");
    }
}

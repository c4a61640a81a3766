//! What evidence comes to. The evidence of Core ML and of MPS is made up after the form of the runtimes' own records; no
//! Mac was there to record it on.

use super::*;
use crate::evidence::Kernel;

const CORE_ML: &str = "CoreMLExecutionProvider";
const ON_CPU: &str = "CPUExecutionProvider";

fn kernel(name: &str, op: &str, on: &str, calls: u64, us: Option<u64>) -> Kernel {
    let ns = us.map(|us| us * 1_000);
    Kernel { name: name.to_owned(), op: op.to_owned(), on: on.to_owned(), calls, ns }
}

/// A graph of ten nodes of which Core ML takes four in two pieces.
fn core_ml() -> Evidence {
    let node = |index: u32, on| kernel(&format!("/layer/{index}"), "MatMul", on, 2, Some(10));
    let piece = |name: &str, us| kernel(name, name, CORE_ML, 2, Some(us));
    let mut gather = node(0, ON_CPU);
    gather.op = "Gather".to_owned();
    let mut slow = node(9, ON_CPU);
    (slow.op, slow.ns) = ("LayerNormalization".to_owned(), Some(500_000));
    Evidence {
        source: "ONNX Runtime's profile".to_owned(),
        runs: 2,
        asked: Some(CORE_ML.to_owned()),
        kernels: vec![
            gather.clone(),
            piece("CoreMLExecutionProvider_CoreML_1_0", 40),
            // Fused from nodes 3, 4 and 5, which no provider but the CPU has a kernel for.
            kernel("fused", "FusedMatMul", ON_CPU, 2, Some(30)),
            piece("CoreMLExecutionProvider_CoreML_1_1", 60),
            slow.clone(),
        ],
        ungrouped: Some(Ungrouped {
            asked: vec![
                gather,
                piece("CoreMLExecutionProvider_CoreML_1_0", 40),
                kernel("inserted_cast_0", "Cast", ON_CPU, 2, Some(1)),
                node(3, ON_CPU),
                node(4, ON_CPU),
                node(5, ON_CPU),
                piece("CoreMLExecutionProvider_CoreML_1_1", 60),
                node(8, ON_CPU),
                slow,
            ],
            cpu: (0..10).map(|index| node(index, ON_CPU)).collect(),
        }),
        ..Evidence::default()
    }
}

#[test]
fn a_partition_counts_for_the_nodes_it_swallowed_and_shares_add_up() {
    let executed = executed(&core_ml()).expect("recorded");
    assert_eq!((executed.asked.as_str(), executed.nodes), ("CoreML", Some(10)));
    let [core_ml, cpu] = &executed.parts[..] else { panic!("{:?}", executed.parts) };
    assert_eq!((core_ml.on.as_str(), core_ml.nodes, core_ml.partitions), ("CoreML", Some(4), Some(2)));
    assert_eq!((cpu.on.as_str(), cpu.nodes, cpu.partitions), ("CPU", Some(6), Some(3)));
    assert_eq!((core_ml.node_share, cpu.node_share), (0.4, 0.6));
    // 100 of 640 microseconds in two runs.
    assert_eq!(core_ml.ns_per_run, Some(50_000.0));
    assert_eq!(core_ml.time_share, Some(100.0 / 640.0));
    let whole: f64 = executed.parts.iter().filter_map(|part| part.time_share).sum();
    assert!((whole - 1.0).abs() < 1e-12, "{whole}");
}

#[test]
fn operators_that_were_left_are_named_the_dearest_first() {
    let executed = executed(&core_ml()).expect("recorded");
    let named: Vec<_> =
        executed.elsewhere.iter().map(|one| (one.op.as_str(), one.on.as_str(), one.count)).collect();
    assert_eq!(named, [("LayerNormalization", "CPU", 1), ("FusedMatMul", "CPU", 1), ("Gather", "CPU", 1)]);
    assert_eq!(executed.elsewhere[0].time_share, Some(500.0 / 640.0));
}

#[test]
fn a_provider_that_takes_nothing_has_a_part_of_nothing() {
    let mut evidence = core_ml();
    let cpu = evidence.ungrouped.take().expect("there").cpu;
    evidence.kernels.clone_from(&cpu);
    evidence.ungrouped = Some(Ungrouped { asked: cpu.clone(), cpu });
    let executed = executed(&evidence).expect("recorded");
    let first = &executed.parts[0];
    assert_eq!((first.on.as_str(), first.nodes, first.partitions), ("CoreML", Some(0), Some(0)));
    assert_eq!((first.node_share, first.time_share), (0.0, Some(0.0)));
    assert_eq!((executed.parts[1].nodes, executed.parts[1].partitions), (Some(10), Some(1)));
}

#[test]
fn a_provider_with_kernels_of_its_own_counts_nodes_and_stretches() {
    let mut evidence = core_ml();
    let cuda = "CUDAExecutionProvider";
    evidence.asked = Some(cuda.to_owned());
    let ungrouped = evidence.ungrouped.as_mut().expect("there");
    ungrouped.asked.clone_from(&ungrouped.cpu);
    for index in [1, 2, 3, 7] {
        cuda.clone_into(&mut ungrouped.asked[index].on);
    }
    evidence.kernels = ungrouped.asked.clone();
    let executed = executed(&evidence).expect("recorded");
    let counted: Vec<_> =
        executed.parts.iter().map(|part| (part.on.as_str(), part.nodes, part.partitions)).collect();
    assert_eq!(counted, [("CUDA", Some(4), Some(2)), ("CPU", Some(6), Some(3))]);
}

#[test]
fn the_cpu_alone_is_all_of_it() {
    let mut evidence = core_ml();
    evidence.asked = Some(ON_CPU.to_owned());
    evidence.kernels = evidence.ungrouped.take().expect("there").cpu;
    let executed = executed(&evidence).expect("recorded");
    assert_eq!(executed.parts.len(), 1);
    assert_eq!((executed.parts[0].nodes, executed.parts[0].time_share), (Some(10), Some(1.0)));
    assert_eq!(executed.elsewhere, []);
}

#[test]
fn an_operator_that_mps_moved_to_the_cpu_counts_there_although_its_result_came_back() {
    let op = |name: &str, on: &str, calls| kernel(name, name, on, calls, None);
    let evidence = Evidence {
        source: "torch's dispatcher".to_owned(),
        runs: 2,
        asked: Some("mps".to_owned()),
        kernels: vec![
            op("aten::addmm", "mps", 14),
            op("aten::linalg_vector_norm", "mps", 2),
            op("aten::_to_copy", "cpu", 4),
        ],
        fell_back: vec!["aten::linalg_vector_norm".to_owned()],
        ..Evidence::default()
    };
    let executed = executed(&evidence).expect("recorded");
    assert_eq!(executed.nodes, None);
    let parts: Vec<_> = executed
        .parts
        .iter()
        .map(|part| (part.on.as_str(), part.nodes, part.node_share, part.time_share))
        .collect();
    assert_eq!(parts, [("mps", None, 0.7, None), ("cpu", None, 0.3, None)]);
    let named: Vec<_> = executed.elsewhere.iter().map(|one| (one.op.as_str(), one.count)).collect();
    assert_eq!(named, [("aten::_to_copy", 2), ("aten::linalg_vector_norm", 1)]);
}

#[test]
fn without_a_record_there_is_nothing_to_say() {
    assert_eq!(executed(&Evidence::none("it answers without a model")), None);
}

/// Recorded by the Python worker with onnxruntime-openvino 1.24.1 on Linux: all-MiniLM-L6-v2, fused and with int8 weights per
/// channel, of which OpenVINO takes all but eleven nodes.
const OPENVINO: &str = include_str!("openvino_int8.json");

#[test]
fn a_partial_execution_that_was_recorded_adds_up_and_names_what_was_left() {
    let evidence: Evidence = serde_json::from_str(OPENVINO).expect("evidence");
    let found = executed(&evidence).expect("recorded");
    assert_eq!((found.asked.as_str(), found.nodes), ("OpenVINO", Some(124)));
    let [openvino, cpu] = &found.parts[..] else { panic!("{:?}", found.parts) };
    assert_eq!((openvino.nodes, openvino.partitions, cpu.nodes), (Some(113), Some(6), Some(11)));
    for shares in [[openvino.time_share, cpu.time_share], [Some(openvino.node_share), Some(cpu.node_share)]] {
        let whole: f64 = shares.into_iter().flatten().sum();
        assert!((whole - 1.0).abs() < 1e-12, "{shares:?}");
    }
    assert!(openvino.time_share.is_some_and(|share| share > 0.5 && share < 1.0), "{openvino:?}");
    let left: BTreeMap<&str, u32> = found.elsewhere.iter().map(|one| (one.op.as_str(), one.count)).collect();
    assert_eq!(left.values().sum::<u32>(), 11, "{left:?}");
    assert!(left.contains_key("QAttention"), "{left:?}");
    // The same graph on the CPU alone has nothing elsewhere.
    let on_cpu = Evidence {
        asked: Some(ON_CPU.to_owned()),
        kernels: evidence.ungrouped.expect("recorded").cpu,
        ungrouped: None,
        ..Evidence { runs: evidence.runs, ..Evidence::default() }
    };
    let found = executed(&on_cpu).expect("recorded");
    assert_eq!((found.parts.len(), found.parts[0].nodes, found.elsewhere.len()), (1, Some(124), 0));
}

#[test]
fn numbers_as_large_as_a_worker_can_write_them_are_added_without_overflow() {
    let mut evidence = core_ml();
    for kernel in &mut evidence.kernels {
        (kernel.calls, kernel.ns) = (u64::MAX, Some(u64::MAX));
    }
    assert!(executed(&evidence).is_some_and(|executed| executed.parts.len() == 2));
    evidence.asked = Some("mps".to_owned());
    assert!(executed(&evidence).is_some_and(|executed| !executed.elsewhere.is_empty()));
}

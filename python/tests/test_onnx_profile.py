"""onnxruntime's profile: what is counted of it, and that a probe leaves the sessions that serve alone."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from conftest import model_in

from tailmark_worker.evidence import Kernel
from tailmark_worker.onnx_profile import Recorded, kernels_of, united
from tailmark_worker.python_onnx import OnnxBackend

COREML = "CoreMLExecutionProvider"
CPU = "CPUExecutionProvider"


def call(ts: int, dur: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur, "args": {}}


def node(name: str, op: str, provider: str, ts: int, dur: int, index: int = 0) -> dict[str, Any]:
    args = {"op_name": op, "provider": provider, "node_index": str(index)}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": args}


def coreml_profile() -> list[dict[str, Any]]:
    """Two calls in which CoreML has two partitions and leaves two nodes to the CPU.

    Composed after the format of onnxruntime's profile, not recorded on a Mac. A provider that compiles names
    the operator of a partition itself, `CoreML_<hash of the model>_<number>` here, and onnxruntime names the
    node `<provider>_<operator>_<number>`.
    """
    first, second = "CoreML_12715953440113264640_0", "CoreML_12715953440113264640_1"
    events: list[dict[str, Any]] = [
        {"cat": "Session", "name": "model_loading_uri", "ts": 1, "dur": 50, "args": {}},
        {"cat": "Session", "name": "session_initialization", "ts": 60, "dur": 900, "args": {}},
    ]
    for start, slower in ((1_000, 7), (3_000, 1)):
        events += [
            node("/embeddings/Gather", "Gather", CPU, start + 1, 10 * slower, 4),
            node(f"{COREML}_{first}_0", first, COREML, start + 100, 30 * slower, 439),
            node("/pooler/Gather", "Gather", CPU, start + 400, 5 * slower, 17),
            node(f"{COREML}_{second}_1", second, COREML, start + 500, 40 * slower, 440),
            {"cat": "Session", "name": "SequentialExecutor::Execute", "ts": start, "dur": 900, "args": {}},
            call(start, 901),
        ]
    return events


def test_partitions_of_coreml_and_nodes_left_to_the_cpu_are_told_apart() -> None:
    first, second = "CoreML_12715953440113264640_0", "CoreML_12715953440113264640_1"
    assert kernels_of(coreml_profile(), dropped_calls=1) == Recorded(
        kernels=[
            Kernel("/embeddings/Gather", "Gather", CPU, calls=1, ns=10_000),
            Kernel(f"{COREML}_{first}_0", first, COREML, calls=1, ns=30_000),
            Kernel("/pooler/Gather", "Gather", CPU, calls=1, ns=5_000),
            Kernel(f"{COREML}_{second}_1", second, COREML, calls=1, ns=40_000),
        ],
        calls=1,
    )


def test_calls_that_are_kept_are_added_up() -> None:
    both = kernels_of(coreml_profile(), dropped_calls=0)
    assert (both.calls, [kernel.calls for kernel in both.kernels]) == (2, [2, 2, 2, 2])
    assert [kernel.ns for kernel in both.kernels] == [80_000, 240_000, 40_000, 320_000]


def test_a_node_that_runs_several_times_in_a_call_is_counted_as_often() -> None:
    events = [call(0, 10), call(20, 10)]
    events += [node("/loop/Add", "Add", CPU, ts, 2) for ts in (1, 4, 7, 21, 24, 27)]
    assert kernels_of(events, dropped_calls=1) == Recorded([Kernel("/loop/Add", "Add", CPU, 3, 6_000)], 1)


def test_namesakes_are_told_apart_by_their_place_in_the_graph() -> None:
    events = [call(0, 10), node("Add", "Add", CPU, 1, 2, index=1), node("Add", "Add", CPU, 4, 3, index=2)]
    assert kernels_of(events, dropped_calls=0).kernels == [
        Kernel("Add", "Add", CPU, 1, 2_000),
        Kernel("Add", "Add", CPU, 1, 3_000),
    ]


def test_fences_and_what_happened_outside_of_calls_are_not_kernels() -> None:
    fence = {"cat": "Node", "name": "Add_fence_before", "ts": 1, "dur": 1, "args": {"op_name": "Add"}}
    events = [call(0, 10), fence, node("Add", "Add", CPU, 11, 2)]
    assert kernels_of(events, dropped_calls=0) == Recorded([], 1)


def test_sessions_over_the_same_graph_are_one() -> None:
    one = Recorded([Kernel("a", "Add", CPU, 2, 20), Kernel("b", "Mul", CPU, 2, 4)], 2)
    other = Recorded([Kernel("a", "Add", CPU, 4, 50)], 4)
    assert united([one, other]) == [Kernel("a", "Add", CPU, 6, 70), Kernel("b", "Mul", CPU, 2, 4)]


def test_a_probe_on_the_cpu_has_every_node_there(
    zero_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    backend = OnnxBackend()
    backend.load(model_in(zero_model, 16), {})
    evidence = backend.prove(["a man is eating food", "food"], runs=4)
    assert (evidence.source, evidence.runs, evidence.asked) == ("ONNX Runtime's profile", 4, CPU)
    assert {(kernel.on, kernel.calls) for kernel in evidence.kernels} == {(CPU, 4)}
    assert len({kernel.name for kernel in evidence.kernels}) == len(evidence.kernels) > 100
    assert {"MatMul", "LayerNormalization", "Softmax"} <= {kernel.op for kernel in evidence.kernels}
    assert sum(kernel.ns or 0 for kernel in evidence.kernels) > 0
    assert (evidence.ungrouped, evidence.fell_back, evidence.notes) == (None, (), [])
    assert set(tmp_path.iterdir()) == before, "the profile was left behind"


def test_a_probe_runs_at_the_level_of_optimization_that_is_timed(zero_model: Path) -> None:
    nodes = {}
    for level in ("disable", "all"):
        backend = OnnxBackend()
        backend.load(model_in(zero_model, 16), {"graph_optimization": level})
        nodes[level] = {kernel.op for kernel in backend.prove(["food"], runs=1).kernels}
    assert "BiasGelu" in nodes["all"] - nodes["disable"]


def test_sessions_that_serve_are_never_profiled(zero_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    profiled: list[bool] = []

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        def run(self, *arguments: Any) -> Any:
            profiled.append(self.get_session_options().enable_profiling)
            return super().run(*arguments)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    backend = OnnxBackend()
    backend.load(model_in(zero_model, 16), {})
    backend.embed(["food"], normalize=True)
    backend.prove(["food"], runs=2)
    backend.embed(["food"], normalize=True)
    assert profiled == [False, True, True, True, False]

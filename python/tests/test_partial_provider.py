"""Execution proof on a real provider that takes a graph whole or in part: OpenVINO, which runs on Linux.

Its onnxruntime is another one than that of the tests, under the same module name. So the worker is a process
of the interpreter that `TAILMARK_TEST_OPENVINO_PYTHON` names; it needs `python/requirements/openvino.txt`.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DEADLINE, Message, converse, initialize, recipe, request

CPU, OPENVINO = "CPUExecutionProvider", "OpenVINOExecutionProvider"
TEXTS = ["A man is eating food.", "What is the capital of Norway, and how many people live there?"]
RUNS = 3
INT8 = "fused-int8-per-channel.onnx"


@dataclass(frozen=True)
class Told:
    """What a worker said: what it runs on, where its model ran, and its vectors."""

    runs: dict[str, Any]
    evidence: dict[str, Any]
    vectors: np.ndarray


@pytest.fixture(scope="module")
def interpreter() -> str:
    given = os.environ.get("TAILMARK_TEST_OPENVINO_PYTHON")
    if not given:
        pytest.skip("TAILMARK_TEST_OPENVINO_PYTHON does not name a Python with onnxruntime-openvino")
    return given


@pytest.fixture(scope="module")
def model(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real model, with a second graph: fused, with int8 weights that have a scale for each channel.

    Fusing leaves operators of onnxruntime's own, and quantizing makes some of those into ones that the
    provider does not know. Quantized without being fused, it takes the graph whole.
    """
    onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model

    work = tmp_path_factory.mktemp("quantize")
    # The weights of `real_model` may be a second name of a file, and onnx reads none of those.
    for name in ("model.onnx", "model.onnx_data"):
        shutil.copyfile(real_model / name, work / name)
    config = json.loads((real_model / "config.json").read_text(encoding="utf-8"))
    fused = optimize_model(
        str(work / "model.onnx"),
        model_type="bert",
        num_heads=config["num_attention_heads"],
        hidden_size=config["hidden_size"],
    )
    fused.save_model_to_file(str(work / "fused.onnx"))
    quantize_dynamic(
        work / "fused.onnx",
        real_model / INT8,
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    return real_model


@cache
def ask(
    interpreter: str,
    model: Path,
    provider: str,
    graph: str = "model.onnx",
    buckets: tuple[tuple[int, int], ...] = (),
) -> Told:
    """A worker's answers; what was asked once is not asked again, for each takes seconds."""
    described = {"folder": str(model), "recipe": recipe(256)}
    options = {"execution_provider": provider, "graph": graph, "static_shapes": buckets}
    lines: list[Message | str] = [
        initialize(),
        request(2, "load", model=described, options=options),
        request(3, "prove", texts=TEXTS, runs=RUNS),
        request(4, "embed", texts=TEXTS, normalize=True, encoding="float"),
    ]
    done = converse("python-onnx", lines, interpreter=interpreter)
    assert all("result" in answer for answer in done.answers), (done.answers, done.stderr)
    loaded, evidence, embedded = (answer["result"] for answer in done.answers[1:])
    return Told(loaded["runs"], evidence, np.array(embedded["vectors"]))


def on(kernels: list[dict[str, Any]]) -> Counter[str]:
    """How many nodes each provider ran."""
    return Counter(kernel["on"] for kernel in kernels)


def left_to_the_cpu(evidence: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The names of the nodes that the provider left, and of all that the graph has."""
    asked, cpu = evidence["ungrouped"]["asked"], evidence["ungrouped"]["cpu"]
    return {kernel["name"] for kernel in asked if kernel["on"] == CPU}, {kernel["name"] for kernel in cpu}


def test_a_graph_that_the_provider_takes_whole_runs_there_alone(interpreter: str, model: Path) -> None:
    told = ask(interpreter, model, "openvino")
    evidence = told.evidence
    assert (told.runs["execution_provider"], evidence["asked"]) == (OPENVINO, OPENVINO)
    assert (evidence["source"], evidence["runs"]) == ("ONNX Runtime's profile", RUNS)
    assert set(on(evidence["kernels"])) == set(on(evidence["ungrouped"]["asked"])) == {OPENVINO}
    assert all(kernel["calls"] == RUNS and kernel["ns"] > 0 for kernel in evidence["kernels"])
    left, whole = left_to_the_cpu(evidence)
    assert left == set()
    # One partition swallowed them all: the count of kernels says nothing of the share of nodes.
    assert len(whole) > 100 > len(evidence["kernels"])


def test_a_graph_that_the_provider_takes_in_part_runs_in_both_places(interpreter: str, model: Path) -> None:
    evidence = ask(interpreter, model, "openvino", INT8).evidence
    assert set(on(evidence["kernels"])) == set(on(evidence["ungrouped"]["asked"])) == {OPENVINO, CPU}
    assert set(on(evidence["ungrouped"]["cpu"])) == {CPU}
    left, whole = left_to_the_cpu(evidence)
    assert left < whole, "a node that was left to the CPU is one of the graph's, by its name"
    assert 0 < len(left) < len(whole) / 2
    assert len(left) == on(evidence["ungrouped"]["asked"])[CPU]
    assert len(whole) == on(evidence["ungrouped"]["cpu"])[CPU]
    # Each partition is one kernel. There are several, and fewer than the nodes that they took.
    assert 1 < on(evidence["ungrouped"]["asked"])[OPENVINO] < len(whole - left)
    times = Counter[str]()
    for kernel in evidence["kernels"]:
        times[kernel["on"]] += kernel["ns"]
    assert min(times.values()) > 0


ASSIGNMENT = """
import json, sys
import onnxruntime
settings = onnxruntime.SessionOptions()
settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
session = onnxruntime.InferenceSession(sys.argv[1], settings, providers=json.loads(sys.argv[2]))
parts = session.get_provider_graph_assignment_info()
print(json.dumps([[part.ep_name, [node.op_type for node in part.get_nodes()]] for part in parts]))
"""


@pytest.mark.parametrize("graph", ["model.onnx", INT8])
def test_the_nodes_that_were_left_are_those_of_the_record_that_the_runtime_keeps(
    interpreter: str, model: Path, graph: str
) -> None:
    # This onnxruntime can list what it assigned where. Not every version can, so a probe does not rely on it.
    # Operators are compared and not names: the list has none for nodes that have none in the graph.
    done = subprocess.run(
        [interpreter, "-c", ASSIGNMENT, str(model / graph), json.dumps([OPENVINO, CPU])],
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    assigned: dict[str, Counter[str]] = {CPU: Counter(), OPENVINO: Counter()}
    for provider, operators in json.loads(done.stdout.splitlines()[-1]):
        assigned[provider].update(operators)
    ungrouped = ask(interpreter, model, "openvino", graph).evidence["ungrouped"]
    left = Counter(kernel["op"] for kernel in ungrouped["asked"] if kernel["on"] == CPU)
    whole = Counter(kernel["op"] for kernel in ungrouped["cpu"])
    assert (left, whole - left) == (assigned[CPU], assigned[OPENVINO])


@pytest.mark.parametrize("graph", ["model.onnx", INT8])
def test_on_the_cpu_the_same_runtime_runs_every_node_there(interpreter: str, model: Path, graph: str) -> None:
    told = ask(interpreter, model, "cpu", graph)
    assert (told.runs["execution_provider"], told.evidence["asked"]) == (CPU, CPU)
    assert set(on(told.evidence["kernels"])) == {CPU}
    # Fused by hand and then by the runtime, a layer of this model is still a handful of nodes.
    assert len(told.evidence["kernels"]) > 40
    assert all(kernel["calls"] == RUNS for kernel in told.evidence["kernels"])
    assert "ungrouped" not in told.evidence


def test_the_vectors_do_not_depend_on_the_provider(interpreter: str, model: Path) -> None:
    expected = ask(interpreter, model, "cpu").vectors
    found = ask(interpreter, model, "openvino").vectors
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_buckets_of_fixed_shapes_give_the_provider_static_graphs(interpreter: str, model: Path) -> None:
    buckets = ((1, 256), (2, 32))
    expected = ask(interpreter, model, "cpu").vectors
    told = ask(interpreter, model, "openvino", buckets=buckets)
    np.testing.assert_allclose(told.vectors, expected, atol=1e-3)
    made = "static shapes [1, 256], [2, 32] (batch, tokens)"
    assert told.evidence["notes"] == [f"{made}; the probe ran in [2, 32]"]
    assert set(on(told.evidence["kernels"])) == {OPENVINO}

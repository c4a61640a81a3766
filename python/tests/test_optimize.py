"""The optimizer: what it fuses, what it refuses, and that fused graphs give torch's vectors."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from conftest import ExportedFolders

from tailmark_worker.comparison import Baseline, Comparison
from tailmark_worker.graph_file import link_or_copy, load_graph
from tailmark_worker.optimize import main, optimize
from tailmark_worker.tool import ToolError

pytest.importorskip("torch", reason="needs the extra `export`")
onnx = pytest.importorskip("onnx", reason="needs the extra `export`")


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet"])
def test_a_fused_graph_says_what_was_fused_and_gives_the_vectors_of_torch(
    exported_folders: ExportedFolders, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    exported = exported_folders(kind)
    output = tmp_path / "fused.onnx"
    arguments = ["--model", str(exported.folder), "--graph", str(exported.graph), "--output", str(output)]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    last = json.loads(lines[-1])
    assert len(lines) == 5
    assert lines[1].startswith("fused: ")
    assert "CoreML and RTen do not know them" in lines[3]
    assert last["form"] == "fused"
    assert last["fusions"]["BiasGelu"] == 2
    assert last["max_abs_difference"] < 1e-4
    assert last["neighbour_agreement"] > 0.99
    if kind == "bert":
        assert last["fusions"]["Attention"] == 2
    # What was counted is in the file, which needs no other.
    nodes = [node.op_type for node in onnx.load(output).graph.node]
    assert {name: nodes.count(name) for name in last["fusions"]} == last["fusions"]
    assert [path.name for path in tmp_path.iterdir()] == ["fused.onnx"]


def test_in_half_precision_the_weights_are_halved_and_inputs_and_outputs_stay(
    exported_folders: ExportedFolders, tmp_path: Path
) -> None:
    exported = exported_folders("bert")
    output = tmp_path / "half.onnx"
    optimized = optimize(exported.folder, exported.graph, output, half=True)
    assert optimized.form == "float16"
    assert 0.999 < optimized.comparison.min_cosine < 0.9999999
    weights = [tensor for tensor in onnx.load(output).graph.initializer if len(tensor.dims) == 2]
    assert weights
    assert {tensor.data_type for tensor in weights} == {onnx.TensorProto.FLOAT16}
    session = onnxruntime.InferenceSession(str(output), providers=["CPUExecutionProvider"])
    types = {put.name: put.type for put in [*session.get_inputs(), *session.get_outputs()]}
    assert types.pop("last_hidden_state") == "tensor(float)"
    assert set(types.values()) == {"tensor(int64)"}


def test_a_graph_with_nothing_left_to_fuse_is_refused(
    exported_folders: ExportedFolders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = exported_folders("bert")
    fused, again = tmp_path / "fused.onnx", tmp_path / "again.onnx"
    optimize(exported.folder, exported.graph, fused)
    arguments = ["--model", str(exported.folder), "--graph", str(fused), "--output", str(again)]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: the optimizer fused nothing in {fused}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["fused.onnx"]


def test_the_weights_are_found_in_the_model_folder_when_none_lie_beside_the_graph(
    exported_folders: ExportedFolders, tmp_path: Path
) -> None:
    exported = exported_folders("bert")
    alone = tmp_path / "alone" / "model.onnx"
    alone.parent.mkdir()
    link_or_copy(exported.graph, alone)
    optimize(exported.folder, alone, tmp_path / "one.onnx")
    optimize(exported.folder, exported.graph, tmp_path / "two.onnx")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_a_fused_graph_of_other_weights_is_not_written(
    exported_folders: ExportedFolders, tmp_path: Path
) -> None:
    exported = exported_folders("bert")
    graph = load_graph(exported.graph, exported.folder / "model.safetensors")
    name = next(tensor.name for tensor in graph.graph.initializer if "word_embeddings" in tensor.name)
    for tensor in graph.graph.initializer:
        if tensor.name == name:
            array = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(array[::-1]), name))
    onnx.save(graph, tmp_path / "other.onnx")
    with pytest.raises(ToolError, match="the fused graph differs from torch by up to"):
        optimize(exported.folder, tmp_path / "other.onnx", tmp_path / "fused.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["other.onnx"]


def test_half_precision_that_left_its_range_is_refused(
    exported_folders: ExportedFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Comparison(0.42, 0.6, 0.3, 0.1, None, None)
    monkeypatch.setattr(Baseline, "compare", lambda *_: moved)
    exported = exported_folders("bert")
    with pytest.raises(
        ToolError, match=r"the smallest cosine to torch is 0\.4200, and at least 0\.99 is required"
    ):
        optimize(exported.folder, exported.graph, tmp_path / "half.onnx", half=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a graph"])
def test_a_file_that_is_no_graph_is_named(
    exported_folders: ExportedFolders,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
) -> None:
    graph = tmp_path / "graph.onnx"
    graph.write_bytes(content)
    folder = exported_folders("bert").folder
    arguments = ["--model", str(folder), "--graph", str(graph), "--output", str(tmp_path / "out.onnx")]
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith(f"error: model file {graph}: it is not an ONNX file: ")

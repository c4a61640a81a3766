"""The quantizer: what becomes int8, what that costs, and what it says of it."""

import json
from pathlib import Path

import pytest
from conftest import ExportedFolders

from tailmark_worker.optimize import optimize
from tailmark_worker.quantize import main, quantize
from tailmark_worker.tool import ToolError

pytest.importorskip("torch", reason="needs the extra `export`")
onnx = pytest.importorskip("onnx", reason="needs the extra `export`")


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet"])
def test_the_products_with_weights_become_int8_per_channel(
    exported_folders: ExportedFolders, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    exported = exported_folders(kind)
    output = tmp_path / "int8.onnx"
    arguments = ["--model", str(exported.folder), "--graph", str(exported.graph), "--output", str(output)]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    last = json.loads(captured.out.splitlines()[-1])
    assert last["form"] == "int8 per channel"
    assert 0.9 < last["min_cosine"] < 0.99999
    assert last["min_cosine"] <= last["mean_cosine"]
    graph = onnx.load(output).graph
    # Six matrices in each of two layers: query, key, value, output and the two of the feed-forward part.
    assert [node.op_type for node in graph.node].count("MatMulInteger") == 12
    matrices = {node.input[1] for node in graph.node if node.op_type == "MatMulInteger"}
    scales = [f"{name.removesuffix('_quantized')}_scale" for name in matrices]
    lengths = [list(tensor.dims) for tensor in graph.initializer if tensor.name in scales]
    assert sorted(lengths) == [[32]] * 10 + [[64]] * 2
    # No matrix is kept in single precision beside its int8 twin.
    large = [tensor.name for tensor in graph.initializer if len(tensor.dims) == 2 and tensor.data_type == 1]
    assert [name for name in large if "weight" in name or "MatMul" in name] == []
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]


def test_per_tensor_comes_with_a_warning_that_has_the_figures_of_this_run(
    exported_folders: ExportedFolders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = exported_folders("bert")
    output = tmp_path / "int8.onnx"
    arguments = ["--model", str(exported.folder), "--graph", str(exported.graph), "--output", str(output)]
    assert main([*arguments, "--per-tensor"]) == 0
    captured = capsys.readouterr()
    last = json.loads(captured.out.splitlines()[-1])
    assert last["form"] == "int8 per tensor"
    finer = last["per_channel"]
    assert captured.err == (
        f"warning: per tensor moved the vectors to a cosine of {last['min_cosine']:.3f} at worst and "
        f"{last['mean_cosine']:.3f} on average; per channel it is {finer['min_cosine']:.3f} at worst and "
        f"{finer['mean_cosine']:.3f} on average\n"
    )
    assert finer["mean_cosine"] > last["mean_cosine"]
    per_channel = quantize(exported.folder, exported.graph, tmp_path / "finer.onnx")
    assert per_channel.comparison.mean_cosine == pytest.approx(finer["mean_cosine"], abs=1e-6)
    scales = [tensor for tensor in onnx.load(output).graph.initializer if tensor.name.endswith("_scale")]
    assert scales
    assert all(list(tensor.dims) in ([], [1]) for tensor in scales)


def test_a_fused_graph_can_be_quantized_too(exported_folders: ExportedFolders, tmp_path: Path) -> None:
    exported = exported_folders("bert")
    fused, output = tmp_path / "fused.onnx", tmp_path / "int8.onnx"
    optimize(exported.folder, exported.graph, fused)
    quantised = quantize(exported.folder, fused, output)
    # Two attentions, which hold three of the matrices each, and three others in each layer.
    assert quantised.integer_products == 2 + 6
    assert quantised.comparison.min_cosine > 0.9
    nodes = [node.op_type for node in onnx.load(output).graph.node]
    assert nodes.count("QAttention") == 2


def test_what_is_already_quantized_or_halved_is_refused(
    exported_folders: ExportedFolders, tmp_path: Path
) -> None:
    exported = exported_folders("bert")
    int8, half = tmp_path / "int8.onnx", tmp_path / "half.onnx"
    quantize(exported.folder, exported.graph, int8)
    optimize(exported.folder, exported.graph, half, half=True)
    output = tmp_path / "again.onnx"
    with pytest.raises(ToolError, match=r"has the operators .*DynamicQuantizeLinear, MatMulInteger"):
        quantize(exported.folder, int8, output)
    with pytest.raises(ToolError, match=r"it has \d+ float16 weights"):
        quantize(exported.folder, half, output)
    with pytest.raises(ToolError, match="is not a single-precision graph"):
        optimize(exported.folder, int8, output)
    assert not output.exists()


def test_a_graph_without_its_weights_names_the_file(
    exported_folders: ExportedFolders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = exported_folders("bert")
    graph = onnx.load(exported.graph, load_external_data=False)
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "elsewhere.bin"
    (tmp_path / "graph.onnx").write_bytes(graph.SerializeToString())
    arguments = ["--model", str(exported.folder), "--graph", str(tmp_path / "graph.onnx")]
    assert main([*arguments, "--output", str(tmp_path / "int8.onnx")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: model file {tmp_path / 'elsewhere.bin'}: there is no such file")
    assert error.count("\n") == 1

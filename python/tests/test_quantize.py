"""The quantizer: what becomes int8, what that costs, and what it says of it.

What a graph is worth is asked where sums of products are exact, so that the answer does not depend on the
processor that runs the tests. What this processor makes of it is compared with what the tool says.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ExportedFolders

from tailmark_worker import int8_kernels, ranking
from tailmark_worker.committed_texts import reference_texts
from tailmark_worker.comparison import (
    OUTPUT_NAME,
    Comparison,
    TextVectors,
    TokenVectors,
    graph_token_vectors,
    torch_token_vectors,
)
from tailmark_worker.int8_kernels import KnownSum
from tailmark_worker.loading import load_transformer
from tailmark_worker.model_folder import read_model
from tailmark_worker.optimize import optimize
from tailmark_worker.quantize import Candidate, Quantized, choose_range, main, quantize, range_in_words
from tailmark_worker.tokenizer import Batch
from tailmark_worker.tool import ToolError

pytest.importorskip("torch", reason="needs the extra `export`")
onnx = pytest.importorskip("onnx", reason="needs the extra `export`")

CLOSE = 0.98
"""Sound int8 graphs of the small models come to 0.99 and more; saturated ones to 0.7 and 0.87."""

CUT_OFF = KnownSum(expected=2_072_640, found=1_048_544)
"""What a processor with AVX2 and without VNNI answers."""


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
    assert last["form"] == "int8 per channel" + (", reduced range" if last["reduced_range"] else "")
    # By default the graph is one that this processor runs well, whichever processor it is.
    assert CLOSE < last["min_cosine"] < 0.99999
    assert CLOSE < last["exact"]["min_cosine"] < 0.99999
    assert last["min_cosine"] <= last["mean_cosine"]
    assert last["kernels_saturate"] == int8_kernels.add_known_sum().saturates
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


@pytest.mark.parametrize("kind", ["bert", "mpnet"])
def test_a_graph_in_full_range_is_close_to_torch_where_integers_are_exact(
    exported_folders: ExportedFolders, tmp_path: Path, kind: str
) -> None:
    exported = exported_folders(kind)
    output = tmp_path / "int8.onnx"
    quantize(exported.folder, exported.graph, output, reduce_range="no")
    model = read_model(exported.folder)
    texts = reference_texts()[:12]

    def vectors(token_vectors: TokenVectors) -> Any:
        return TextVectors(model, token_vectors).together(texts, 1)

    evaluated = vectors(evaluator_token_vectors(output))
    torch_vectors = vectors(torch_token_vectors(load_transformer(exported.folder)))
    assert ranking.cosines(evaluated, torch_vectors).min() > CLOSE
    # What `quantize` calls exact arithmetic is that of ONNX's own definition of the operators.
    exact = vectors(graph_token_vectors(output, exact_sums=True))
    assert ranking.cosines(exact, evaluated).min() > 0.999


def evaluator_token_vectors(path: Path) -> TokenVectors:
    """Token vectors by onnx's evaluator, which adds in numpy's 32 bits and knows no processor."""
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    class DequantizeLinear(OpRun):  # type: ignore[misc]
        """The evaluator has this operator for newer graphs alone."""

        op_domain = ""

        def _run(self, numbers: Any, scale: Any, zero: Any, **_: Any) -> tuple[Any]:
            assert np.size(scale) == 1, "only the embeddings have this operator, with one scale for all"
            return (((numbers.astype(np.int32) - zero.astype(np.int32)) * scale).astype(np.float32),)

    evaluator = ReferenceEvaluator(onnx.load(path), new_ops=[DequantizeLinear])

    def run(batch: Batch) -> Any:
        everything = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "token_type_ids": np.zeros_like(batch.input_ids),
        }
        wanted = {name: everything[name] for name in evaluator.input_names}
        return np.asarray(evaluator.run([OUTPUT_NAME], wanted)[0], np.float32)

    return run


def test_exact_sums_are_exact_on_every_processor() -> None:
    known = int8_kernels.add_known_sum(exact=True)
    assert known == KnownSum(expected=64 * 255 * 127, found=64 * 255 * 127)
    assert not known.saturates
    assert CUT_OFF.saturates


def test_in_a_reduced_range_no_two_products_leave_16_bits(
    exported_folders: ExportedFolders, tmp_path: Path
) -> None:
    exported = exported_folders("bert")
    made = quantize(exported.folder, exported.graph, tmp_path / "int8.onnx", reduce_range="yes")
    assert made.form == "int8 per channel, reduced range"
    assert made.graph.here.min_cosine > CLOSE
    assert made.other_range is None
    graph = onnx.load(tmp_path / "int8.onnx").graph
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2
    ]
    assert len(weights) == 12
    assert max(int(np.abs(matrix.astype(np.int32)).max()) for matrix in weights) * 255 * 2 < 2**15


def test_where_kernels_saturate_both_ranges_are_measured_and_the_closer_one_is_taken(
    exported_folders: ExportedFolders,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(int8_kernels, "add_known_sum", lambda: CUT_OFF)
    exported = exported_folders("bert")
    output = tmp_path / "int8.onnx"
    arguments = ["--model", str(exported.folder), "--graph", str(exported.graph), "--output", str(output)]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    last = json.loads(captured.out.splitlines()[-1])
    assert last["kernels_saturate"]
    assert last["min_cosine"] >= last["other_range"]["min_cosine"]
    reason = captured.out.splitlines()[2]
    assert reason.startswith("reduced range, because" if last["reduced_range"] else "full range, although")
    assert "the int8 kernels of this processor saturate" in reason

    assert main([*arguments, "--reduce-range", "no"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("warning: full range, as asked, although the int8 kernels of this proc")
    assert not json.loads(captured.out.splitlines()[-1])["reduced_range"]


def a_comparison(min_cosine: float) -> Comparison:
    return Comparison(
        min_cosine=min_cosine,
        mean_cosine=(1 + min_cosine) / 2,
        max_abs_difference=0.01,
        neighbour_agreement=0.9,
        spearman=None,
        torch_spearman=None,
    )


def graphs(full: float, reduced: float) -> tuple[Callable[[bool], Candidate], list[bool]]:
    """A maker of graphs with these cosines here, and a list of what it was asked to make."""
    asked: list[bool] = []

    def make(reduced_range: bool) -> Candidate:
        asked.append(reduced_range)
        here = a_comparison(reduced if reduced_range else full)
        exact = here if reduced_range else a_comparison(0.9997)
        return Candidate(Path("int8.onnx"), True, reduced_range, 12, here, exact)

    return make, asked


def test_a_bit_is_given_away_only_where_that_brings_vectors_closer() -> None:
    for wanted, saturates, full, reduced, made, taken in [
        ("measure", False, 0.9997, 0.999, [False], False),
        ("measure", True, 0.846, 0.999, [False, True], True),
        ("measure", True, 0.842, 0.548, [False, True], False),
        ("yes", False, 0.9997, 0.999, [True], True),
        ("no", True, 0.846, 0.999, [False], False),
    ]:
        make, asked = graphs(full, reduced)
        graph, other = choose_range(make, wanted, saturates=saturates)  # type: ignore[arg-type]
        assert (asked, graph.reduced_range) == (made, taken), (wanted, saturates)
        assert (other is None) == (len(made) == 1)


def test_the_range_that_was_taken_is_explained_with_the_figures_that_decided() -> None:
    def said(wanted: Any, saturates: bool, full: float = 0.846, reduced: float = 0.999) -> str:
        make, _ = graphs(full, reduced)
        graph, other = choose_range(make, wanted, saturates=saturates)
        return range_in_words(Quantized(Path("int8.onnx"), graph, saturates, other, None), wanted)

    cut = (
        "the int8 kernels of this processor saturate, as they do without VNNI: in full range the vectors "
        "have a cosine of 0.8460 at worst here, and 0.9997 in exact arithmetic"
    )
    assert said("measure", True) == f"reduced range, because {cut}; in reduced range 0.9990"
    assert said("no", True) == f"full range, as asked, although {cut}"
    assert said("measure", True, reduced=0.548) == (
        f"full range, although {cut}; in reduced range 0.5480, which is no closer"
    )
    assert said("measure", False).startswith("full range: this processor adds int8 products exactly.")
    assert said("no", False).startswith("full range, as asked: this processor adds int8 products exactly.")
    assert said("yes", True) == said("yes", False)
    assert said("yes", True).startswith("reduced range, as asked: weights of 7 bits")


def test_per_tensor_comes_with_the_figures_of_both_scales_and_warns_only_of_what_is_worse(
    exported_folders: ExportedFolders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = exported_folders("bert")
    output = tmp_path / "int8.onnx"
    arguments = ["--model", str(exported.folder), "--graph", str(exported.graph), "--output", str(output)]
    assert main([*arguments, "--per-tensor"]) == 0
    captured = capsys.readouterr()
    last = json.loads(captured.out.splitlines()[-1])
    assert last["form"].startswith("int8 per tensor")
    coarse, finer = last["exact"], last["per_channel"]
    figures = (
        f"per tensor the vectors have a cosine of {coarse['min_cosine']:.3f} at worst and "
        f"{coarse['mean_cosine']:.3f} on average; per channel, {finer['min_cosine']:.3f} and "
        f"{finer['mean_cosine']:.3f}, which is "
    )
    if coarse["mean_cosine"] < finer["mean_cosine"]:
        assert captured.err == f"warning: {figures}closer to torch\n"
    else:
        assert captured.err == ""
        assert f"{figures}no closer to torch for this model" in captured.out.splitlines()
    # The scales are compared in one range and in exact arithmetic, so the processor has no part in it.
    per_channel = quantize(
        exported.folder,
        exported.graph,
        tmp_path / "finer.onnx",
        reduce_range="yes" if last["reduced_range"] else "no",
    )
    assert per_channel.graph.exact.mean_cosine == pytest.approx(finer["mean_cosine"], abs=1e-6)
    scales = [tensor for tensor in onnx.load(output).graph.initializer if tensor.name.endswith("_scale")]
    assert scales
    assert all(list(tensor.dims) in ([], [1]) for tensor in scales)


def test_a_fused_graph_can_be_quantized_too(exported_folders: ExportedFolders, tmp_path: Path) -> None:
    exported = exported_folders("bert")
    fused, output = tmp_path / "fused.onnx", tmp_path / "int8.onnx"
    optimize(exported.folder, exported.graph, fused)
    quantized = quantize(exported.folder, fused, output)
    # Two attentions, which hold three of the matrices each, and three others in each layer.
    assert quantized.graph.integer_products == 2 + 6
    assert quantized.graph.here.min_cosine > CLOSE
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

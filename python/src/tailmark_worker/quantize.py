"""Quantizes the weights of a graph to int8, with scales of the activations found at run time.

A scale for each channel by default. One scale for a whole matrix is coarser: the outliers of one channel
take the digits of all others.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailmark_worker.comparison import Comparison, TorchBaseline, graph_token_vectors, load_torch
from tailmark_worker.graph_file import (
    GRAPH_NAME,
    load_graph,
    operators,
    refuse_what_is_not_single_precision,
    serialise,
    strip,
)
from tailmark_worker.sentence_model import read_sentence_model
from tailmark_worker.tool import (
    ToolError,
    last_line,
    library,
    made_with,
    run,
    say,
    warn,
    workspace,
    written_file,
)

DESCRIPTION = "Quantize the weights of an exported or fused graph to int8."

INTEGER_PRODUCTS = ("MatMulInteger", "QAttention")
"""What a product of matrices becomes; a graph with none of them has small weights and runs as before."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """An int8 graph that was written."""

    path: Path
    form: str
    integer_products: int
    """Nodes that multiply in int8."""
    comparison: Comparison
    per_channel: Comparison | None
    """What a scale per channel gives, where the file has one per tensor."""


def quantize(folder: Path, graph: Path, output: Path, *, per_tensor: bool = False) -> Quantised:
    """Quantize ``graph``, compare the vectors with those of torch, and write it to ``output``.

    Raises:
        ModelFileError: a file is missing or is not what its name says.
        NotAvailableError: the extra `export` is not installed.
        ToolError: there is nothing to quantize, or the vectors are no vectors any more.
    """
    model = read_sentence_model(folder)
    made_with("the quantizer")
    loaded = load_graph(graph, model.file("model.safetensors"))
    refuse_what_is_not_single_precision(loaded, graph)
    _fold_transposed_weights(loaded)
    with workspace(output) as aside:
        whole = aside / "whole.onnx"
        whole.write_bytes(serialise(loaded))
        del loaded
        candidate = aside / GRAPH_NAME
        products = _quantize(whole, candidate, per_channel=not per_tensor)
        if products == 0:
            raise ToolError(f"{graph} has no product of a matrix with weights that could be quantized")
        baseline = TorchBaseline(model, load_torch(model.folder))
        comparison = baseline.compare(graph_token_vectors(candidate))
        finer = None
        if per_tensor:
            other = aside / "per-channel.onnx"
            _quantize(whole, other, per_channel=True)
            finer = baseline.compare(graph_token_vectors(other))
        candidate.replace(output)
    return Quantised(
        path=output,
        form="int8 per tensor" if per_tensor else "int8 per channel",
        integer_products=products,
        comparison=comparison,
        per_channel=finer,
    )


def _fold_transposed_weights(graph: Any) -> None:
    """Replace each transposition of a weight by the transposed weight.

    `export` leaves them open so that the weights are those of the safetensors file. The quantizer sees a
    product with something computed there, and would leave all but the embeddings as they are.
    """
    from onnx import numpy_helper

    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    folded = [
        node
        for node in graph.graph.node
        if node.op_type == "Transpose" and node.domain == "" and node.input[0] in weights
    ]
    for node in folded:
        order = next((list(entry.ints) for entry in node.attribute if entry.name == "perm"), None)
        array = numpy_helper.to_array(weights[node.input[0]]).transpose(order)
        graph.graph.initializer.append(numpy_helper.from_array(array.copy(), node.output[0]))
        graph.graph.node.remove(node)
    used = {name for node in graph.graph.node for name in node.input}
    for name in {node.input[0] for node in folded} - used:
        graph.graph.initializer.remove(weights[name])


def _quantize(graph: Path, output: Path, *, per_channel: bool) -> int:
    """Write the quantized graph; returns how many nodes multiply in int8."""
    import onnx

    with library("onnxruntime's quantizer"):
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            str(graph),
            str(output),
            per_channel=per_channel,
            weight_type=QuantType.QInt8,
            # The type of what a fused operator puts out cannot be inferred.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        quantized = onnx.load_model(str(output))
    strip(quantized)
    output.write_bytes(serialise(quantized))
    counts = operators(quantized)
    return sum(count for (_, name), count in counts.items() if name in INTEGER_PRODUCTS)


def main(arguments: Sequence[str]) -> int:
    """The command line `quantize`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tailmark_worker quantize", description=DESCRIPTION)
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="holds model.safetensors")
    parser.add_argument(
        "--graph",
        type=Path,
        required=True,
        metavar="FILE.onnx",
        help="what `export` wrote, or `optimize` without --half",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument(
        "--per-tensor", action="store_true", help="one scale for each matrix: coarser, and hardly smaller"
    )
    given = parser.parse_args(arguments)

    def work() -> None:
        quantised = quantize(given.model, given.graph, given.output, per_tensor=given.per_tensor)
        file = written_file(quantised.path)
        say(
            f"{quantised.path}: {file['bytes']} bytes, {quantised.form}, "
            f"{quantised.integer_products} nodes multiply in int8"
        )
        say(str(quantised.comparison))
        line = {
            **file,
            "form": quantised.form,
            **quantised.comparison.as_json(),
            "made_with": made_with("the quantizer"),
        }
        finer = quantised.per_channel
        if finer is not None:
            line["per_channel"] = finer.as_json()
            moved = quantised.comparison
            warn(
                f"per tensor moved the vectors to a cosine of {moved.min_cosine:.3f} at worst and "
                f"{moved.mean_cosine:.3f} on average; per channel it is {finer.min_cosine:.3f} at worst and "
                f"{finer.mean_cosine:.3f} on average"
            )
        last_line(line)

    return run(work)

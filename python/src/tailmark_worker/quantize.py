"""Quantizes the weights of a graph to int8; the scales of activations are found at run time.

By default, each channel has a scale. One scale for a whole matrix is coarser, because the outliers of one
channel cost all others their precision.

The weights have 8 bits, or 7 in a *reduced range*: then two products with a u8 fit into the 16 bits that are
all that some processors have for them. Which of the two is closer to torch here is measured, not guessed.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tailmark_worker import int8_kernels
from tailmark_worker.comparison import Comparison, graph_token_vectors, torch_baseline
from tailmark_worker.graph_file import (
    GRAPH_NAME,
    load_graph,
    operators,
    refuse_what_is_not_single_precision,
    serialize,
    strip,
)
from tailmark_worker.loading import load_transformer
from tailmark_worker.model_folder import add_model_arguments, read_model
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

ReduceRange = Literal["measure", "yes", "no"]
"""Weights of 7 bits: where that brings the vectors closer to torch's on this processor, always, or never."""

INTEGER_PRODUCTS = ("MatMulInteger", "QAttention")
"""What matrix products become. A graph without any has smaller weights but runs as before."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An int8 graph, and how far it is from torch."""

    path: Path
    per_channel: bool
    reduced_range: bool
    integer_products: int
    """Nodes that multiply in int8."""
    here: Comparison
    """As onnxruntime computes it on this processor."""
    exact: Comparison
    """As the graph says: no sum cut off."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """An int8 graph that was written."""

    path: Path
    graph: Candidate
    saturates: bool
    """Whether int8 kernels saturate on this processor."""
    other_range: Candidate | None
    """The graph in the range that was not taken, if both were measured."""
    per_channel: Candidate | None
    """What a scale per channel gives, if the graph has one per tensor."""

    @property
    def form(self) -> str:
        """What it is, in a few words."""
        scales = "per channel" if self.graph.per_channel else "per tensor"
        return f"int8 {scales}{', reduced range' if self.graph.reduced_range else ''}"


def quantize(
    folder: Path,
    graph: Path,
    output: Path,
    *,
    per_tensor: bool = False,
    reduce_range: ReduceRange = "measure",
    recipe: str | None = None,
) -> Quantized:
    """Quantize ``graph``, compare the vectors with those of torch, and write it to ``output``.

    Raises:
        ModelFileError: a file is missing or is not what its name says.
        NotAvailableError: the extra `export` is not installed.
        ToolError: there is nothing to quantize, or the vectors cannot be compared any more.
    """
    model = read_model(folder, recipe)
    made_with("the quantizer")
    loaded = load_graph(graph, model.folder / "model.safetensors")
    refuse_what_is_not_single_precision(loaded, graph)
    _fold_transposed_weights(loaded)
    saturates = int8_kernels.add_known_sum().saturates
    with workspace(output) as aside:
        whole = aside / "whole.onnx"
        whole.write_bytes(serialize(loaded))
        del loaded
        baseline = torch_baseline(model, load_transformer(model.folder))

        def make(*, per_channel: bool, reduced_range: bool) -> Candidate:
            name = f"{per_channel:d}{reduced_range:d}-{GRAPH_NAME}"
            products = _quantize(whole, aside / name, per_channel=per_channel, reduced_range=reduced_range)
            if products == 0:
                raise ToolError(f"{graph} has no product with weights that could be quantized")
            here = baseline.compare(graph_token_vectors(aside / name, model.recipe))
            # A reduced range cannot saturate, and without saturation every sum is exact.
            if saturates and not reduced_range:
                exact = baseline.compare(graph_token_vectors(aside / name, model.recipe, exact_sums=True))
            else:
                exact = here
            return Candidate(aside / name, per_channel, reduced_range, products, here, exact)

        taken, other = choose_range(
            lambda reduced: make(per_channel=not per_tensor, reduced_range=reduced),
            reduce_range,
            saturates=saturates,
        )
        finer = make(per_channel=True, reduced_range=taken.reduced_range) if per_tensor else None
        taken.path.replace(output)
    return Quantized(output, taken, saturates, other, finer)


def choose_range(
    make: Callable[[bool], Candidate], wanted: ReduceRange, *, saturates: bool
) -> tuple[Candidate, Candidate | None]:
    """The graph to take, and the one that was measured beside it.

    Seven bits are coarser than eight, so nobody gives one away without a reason. Saturation is one, but not
    always enough: with one scale for a whole matrix, the lost bit can cost more than the sums cut off. So if
    kernels saturate, both graphs are made, and the one whose worst vector is closer to torch's here is taken.
    The worst is what tailmark's check of vectors goes by.

    ``make`` is told whether the range is reduced.
    """
    if wanted == "yes":
        return make(True), None
    full = make(False)
    if wanted == "no" or not saturates:
        return full, None
    reduced = make(True)
    if reduced.here.min_cosine > full.here.min_cosine:
        return reduced, full
    return full, reduced


def range_in_words(made: Quantized, wanted: ReduceRange) -> str:
    """Which range was taken and why, with the figures that decided."""
    if wanted == "yes":
        return "reduced range, as asked: weights of 7 bits, whose sums of products no processor cuts off"
    if not made.saturates:
        asked = ", as asked" if wanted == "no" else ""
        return (
            f"full range{asked}: this processor adds int8 products exactly. One without VNNI may not; "
            "for that, make the graph on it or with --reduce-range yes"
        )
    graph, other = made.graph, made.other_range
    full = graph if other is None or not graph.reduced_range else other
    cut = (
        "the int8 kernels of this processor saturate, as they do without VNNI: in full range the vectors "
        f"have a cosine of {full.here.min_cosine:.4f} at worst here, "
        f"and {full.exact.min_cosine:.4f} in exact arithmetic"
    )
    if other is None:
        return f"full range, as asked, although {cut}"
    reduced = graph if graph.reduced_range else other
    closer = f"in reduced range {reduced.here.min_cosine:.4f}"
    if graph.reduced_range:
        return f"reduced range, because {cut}; {closer}"
    return f"full range, although {cut}; {closer}, which is no closer"


def _fold_transposed_weights(graph: Any) -> None:
    """Replace each transposition of a weight by the transposed weight.

    `export` keeps them so that the weights are those of the safetensors file. The quantizer would take such
    an operand for a computed one, and would quantize nothing but the embeddings.
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


def _quantize(graph: Path, output: Path, *, per_channel: bool, reduced_range: bool) -> int:
    """Write the quantized graph; returns how many nodes multiply in int8."""
    import onnx

    with library("onnxruntime's quantizer"):
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            str(graph),
            str(output),
            per_channel=per_channel,
            reduce_range=reduced_range,
            weight_type=QuantType.QInt8,
            # The output type of a fused operator cannot be inferred.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        quantized = onnx.load_model(str(output))
    strip(quantized)
    output.write_bytes(serialize(quantized))
    counts = operators(quantized)
    return sum(count for (_, name), count in counts.items() if name in INTEGER_PRODUCTS)


def main(arguments: Sequence[str]) -> int:
    """The command line `quantize`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tailmark_worker quantize", description=DESCRIPTION)
    add_model_arguments(parser)
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
    parser.add_argument(
        "--reduce-range",
        choices=get_args(ReduceRange),
        default="measure",
        help="weights of 7 bits instead of 8, which saturate on no processor: if this one's kernels saturate "
        "and it helps (measure, the default), always (yes), or never (no)",
    )
    given = parser.parse_args(arguments)

    def work() -> None:
        made = quantize(
            given.model,
            given.graph,
            given.output,
            per_tensor=given.per_tensor,
            reduce_range=given.reduce_range,
            recipe=given.recipe,
        )
        graph = made.graph
        file = written_file(made.path)
        say(
            f"{made.path}: {file['bytes']} bytes, {made.form}, "
            f"{graph.integer_products} nodes multiply in int8"
        )
        say(str(graph.here))
        reason = range_in_words(made, given.reduce_range)
        # Only what was asked for can be a mistake; what was measured is no reason for a warning.
        (warn if made.saturates and given.reduce_range == "no" else say)(reason)
        line = {
            **file,
            "form": made.form,
            **graph.here.as_json(),
            "reduced_range": graph.reduced_range,
            "kernels_saturate": made.saturates,
            "exact": graph.exact.as_json(),
            "made_with": made_with("the quantizer"),
        }
        if made.other_range is not None:
            line["other_range"] = made.other_range.here.as_json()
        if made.per_channel is not None:
            line["per_channel"] = made.per_channel.exact.as_json()
            _compare_scales(graph.exact, made.per_channel.exact)
        last_line(line)

    return run(work)


def _compare_scales(per_tensor: Comparison, per_channel: Comparison) -> None:
    """Say what one scale for each matrix costs. In exact arithmetic: scales are compared, not kernels."""
    figures = (
        f"per tensor the vectors have a cosine of {per_tensor.min_cosine:.3f} at worst and "
        f"{per_tensor.mean_cosine:.3f} on average; per channel, {per_channel.min_cosine:.3f} and "
        f"{per_channel.mean_cosine:.3f}"
    )
    if per_tensor.mean_cosine < per_channel.mean_cosine:
        warn(f"{figures}, which is closer to torch")
    else:
        say(f"{figures}, which is no closer to torch for this model")

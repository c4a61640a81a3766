"""Fuses the operators of an exported graph with onnxruntime's optimizer, optionally in half precision.

The optimizer looks for patterns of plain operators, which only eager attention has; `export` writes that.
Fused operators are onnxruntime's own, and other runtimes do not know them.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailmark_worker.comparison import Comparison, graph_token_vectors, torch_baseline
from tailmark_worker.graph_file import (
    FUSED_DOMAIN,
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
    workspace,
    written_file,
)

DESCRIPTION = "Fuse the operators of an exported graph with onnxruntime's optimizer."

LARGEST_DIFFERENCE = 1e-3
"""A fused single-precision graph whose vectors differ from torch's by more is not written."""

SMALLEST_HALF_COSINE = 0.99
"""Sound half precision gives more than 0.999. Below this, some value was outside the range of float16."""


@dataclass(frozen=True, slots=True)
class Optimized:
    """A fused graph that was written."""

    path: Path
    form: str
    fusions: dict[str, int]
    """New nodes of each operator."""
    nodes_before: int
    nodes_after: int
    comparison: Comparison


def optimize(
    folder: Path, graph: Path, output: Path, *, half: bool = False, recipe: str | None = None
) -> Optimized:
    """Fuse ``graph``, compare the vectors with those of torch, and write it to ``output``.

    Raises:
        ModelFileError: a file is missing or is not what its name says.
        NotAvailableError: the extra `export` is not installed.
        ToolError: nothing could be fused, or the vectors are too far from torch's.
    """
    model = read_model(folder, recipe)
    made_with("the optimizer")
    loaded = load_graph(graph, model.folder / "model.safetensors")
    refuse_what_is_not_single_precision(loaded, graph)
    before = operators(loaded)
    torch_model = load_transformer(model.folder)
    with workspace(output) as aside:
        whole = aside / "whole.onnx"
        whole.write_bytes(serialize(loaded))
        del loaded
        fused = _fuse(whole, torch_model.config)
        fusions = _fusions(before, operators(fused.model))
        if not fusions:
            raise ToolError(
                f"the optimizer fused nothing in {graph}: "
                "the result would be the same graph under another name\n\n"
                "hint: start from the graph that `export` writes, which has eager attention and is not fused"
            )
        if half:
            with library("the conversion to float16"):
                fused.convert_float_to_float16(keep_io_types=True)
        strip(fused.model)
        candidate = aside / GRAPH_NAME
        candidate.write_bytes(serialize(fused.model))
        comparison = torch_baseline(model, torch_model).compare(graph_token_vectors(candidate, model.recipe))
        _refuse_what_moved(comparison, half=half)
        candidate.replace(output)
    return Optimized(
        path=output,
        form="float16" if half else "fused",
        fusions=fusions,
        nodes_before=before.total(),
        nodes_after=len(fused.model.graph.node),
        comparison=comparison,
    )


def _fuse(graph: Path, config: Any) -> Any:
    with library("onnxruntime's optimizer"):
        from onnxruntime.transformers.optimizer import optimize_model

        return optimize_model(
            str(graph),
            model_type="bert",
            num_heads=int(config.num_attention_heads),
            hidden_size=int(config.hidden_size),
            # Level 1 folds the constants that `export` leaves, mainly transposed weights. Higher levels would
            # fit the graph to the machine that optimizes it, not to the one that runs it.
            opt_level=1,
        )


def _fusions(before: Counter[tuple[str, str]], after: Counter[tuple[str, str]]) -> dict[str, int]:
    """How many nodes of each fused operator are new."""
    return {
        name: count - before[domain, name]
        for (domain, name), count in sorted(after.items())
        if domain == FUSED_DOMAIN and count > before[domain, name]
    }


def _refuse_what_moved(comparison: Comparison, *, half: bool) -> None:
    if half and not comparison.min_cosine >= SMALLEST_HALF_COSINE:
        raise ToolError(
            f"in float16 the smallest cosine to torch is {comparison.min_cosine:.4f}, and at least "
            f"{SMALLEST_HALF_COSINE} is required; nothing was written\n\n"
            "hint: some values of this model are outside the range of float16; leave out --half"
        )
    if not half and not comparison.max_abs_difference <= LARGEST_DIFFERENCE:
        raise ToolError(
            f"the fused graph differs from torch by up to {comparison.max_abs_difference:.2e}, "
            f"and at most {LARGEST_DIFFERENCE:.0e} is allowed; nothing was written"
        )


def main(arguments: Sequence[str]) -> int:
    """The command line `optimize`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tailmark_worker optimize", description=DESCRIPTION)
    add_model_arguments(parser)
    parser.add_argument("--graph", type=Path, required=True, metavar="FILE.onnx", help="what `export` wrote")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument(
        "--half",
        action="store_true",
        help="compute in float16; inputs and outputs keep their types",
    )
    given = parser.parse_args(arguments)

    def work() -> None:
        optimized = optimize(given.model, given.graph, given.output, half=given.half, recipe=given.recipe)
        file = written_file(optimized.path)
        say(
            f"{optimized.path}: {file['bytes']} bytes, {optimized.form}, "
            f"{optimized.nodes_before} nodes became {optimized.nodes_after}"
        )
        say("fused: " + ", ".join(f"{count} {name}" for name, count in optimized.fusions.items()))
        say(str(optimized.comparison))
        say(f"note: only onnxruntime runs operators of {FUSED_DOMAIN}; CoreML and RTen do not know them")
        last_line(
            {
                **file,
                "form": optimized.form,
                **optimized.comparison.as_json(),
                "fusions": optimized.fusions,
                "made_with": made_with("the optimizer"),
            }
        )

    return run(work)

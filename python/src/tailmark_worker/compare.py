"""Compares a graph, or torch in another precision, with torch in single precision. Writes nothing."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tailmark_worker.comparison import (
    Comparison,
    graph_token_vectors,
    torch_baseline,
    torch_token_vectors,
)
from tailmark_worker.loading import load_transformer
from tailmark_worker.model_folder import add_model_arguments, read_model
from tailmark_worker.tool import last_line, made_with, run, say

DESCRIPTION = "Compare the vectors of a graph, or of torch in another precision, with torch's."
DTYPES = ("float32", "float16", "bfloat16")


def compare(folder: Path, graph: Path | None, dtype: str, *, recipe: str | None = None) -> Comparison:
    """Compare ``graph``, or without one the model in torch with ``dtype``.

    Raises:
        ModelFileError: a file is missing or is not what its name says.
        NotAvailableError: the extra `export` is not installed.
        ToolError: the vectors cannot be computed, or cannot be compared.
    """
    model = read_model(folder, recipe)
    made_with("the comparison")
    if graph is None:
        candidate = torch_token_vectors(load_transformer(model.folder, dtype=dtype))
    else:
        candidate = graph_token_vectors(graph, model.recipe)
    return torch_baseline(model, load_transformer(model.folder)).compare(candidate)


def main(arguments: Sequence[str]) -> int:
    """The command line `compare`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tailmark_worker compare", description=DESCRIPTION)
    add_model_arguments(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--graph", type=Path, metavar="FILE.onnx", help="run by onnxruntime on the CPU")
    what.add_argument("--dtype", choices=DTYPES, default="float32", help="run by torch on the CPU")
    given = parser.parse_args(arguments)

    def work() -> None:
        comparison = compare(given.model, given.graph, given.dtype, recipe=given.recipe)
        say(f"{given.graph or f'torch in {given.dtype}'}")
        say(str(comparison))
        compared = {"dtype": given.dtype} if given.graph is None else {"graph": str(given.graph)}
        last_line({**compared, **comparison.as_json(), "made_with": made_with("the comparison")})

    return run(work)

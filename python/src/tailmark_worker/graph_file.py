"""Reads and writes ONNX files: weights inside, or taken from `model.safetensors` under another name.

Knows the file format; knows nothing of what a graph computes.
"""

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tailmark_worker.backend import ModelFileError
from tailmark_worker.tool import ToolError

GRAPH_NAME = "model.onnx"
WEIGHTS_NAME = "model.onnx_data"
"""What the weights are called beside the graph. Some runtimes insist on the ending."""

DATA_ENDING = ".onnx_data"

FUSED_DOMAIN = "com.microsoft"
"""Where onnxruntime keeps the operators that it has beside those of the standard."""


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or make a copy where the file system has no links. Replaces ``target``."""
    target.unlink(missing_ok=True)
    source = source.resolve()  # a link to it would lead out of the folder, and runtimes refuse that
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextlib.contextmanager
def runnable(graph: Path, weights: Path) -> Iterator[Path]:
    """The graph in a passing folder, with the weights under the name by which it may look for them."""
    if not graph.is_file():
        raise ModelFileError(graph, "there is no such file")
    with tempfile.TemporaryDirectory(prefix=f".{graph.name}-", dir=graph.parent) as folder:
        place = Path(folder) / GRAPH_NAME
        link_or_copy(graph, place)
        link_or_copy(weights, place.with_name(WEIGHTS_NAME))
        yield place


def load_graph(path: Path, weights: Path) -> Any:
    """A graph with all of its weights inside, wherever the file has them.

    ``weights`` is read where the graph names `model.onnx_data` and there is no such file beside it.
    """
    import onnx

    if not path.is_file():
        raise ModelFileError(path, "there is no such file")
    try:
        graph = onnx.load_model(str(path), load_external_data=False)
    except Exception as error:  # protobuf's exceptions and those of onnx have no common base
        raise ModelFileError(path, f"it is not an ONNX file: {error}") from error
    if not graph.graph.node:
        raise ModelFileError(path, "it is not an ONNX file: it has no nodes")
    for tensor in graph.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _take_in(tensor, path, weights)
    return graph


def _take_in(tensor: Any, path: Path, weights: Path) -> None:
    import onnx

    entries = {entry.key: entry.value for entry in tensor.external_data}
    # Only the last part of the name: a graph from elsewhere has no business in other folders.
    place = path.parent / Path(entries.get("location", "")).name
    if place.name == WEIGHTS_NAME and not place.is_file():
        place = weights
    if not place.is_file():
        raise ModelFileError(place, f"there is no such file; {path.name} takes `{tensor.name}` from it")
    start = int(entries.get("offset", 0))
    length = int(entries.get("length", place.stat().st_size - start))
    with place.open("rb") as file:
        file.seek(start)
        data = file.read(length)
    if len(data) != length:
        raise ModelFileError(place, f"it ends before `{tensor.name}` of {path.name} does")
    tensor.raw_data = data
    tensor.ClearField("external_data")
    tensor.data_location = onnx.TensorProto.DEFAULT


def strip(graph: Any) -> None:
    """Remove what names this machine or this moment, so that the same model gives the same bytes."""
    graph.producer_name = "tailmark"
    graph.producer_version = ""
    graph.doc_string = ""
    del graph.metadata_props[:]
    graph.graph.name = "model"
    graph.graph.doc_string = ""
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del graph.graph.value_info[:]


def serialize(graph: Any) -> bytes:
    """The bytes of the file."""
    try:
        return bytes(graph.SerializeToString(deterministic=True))
    except Exception as error:  # protobuf's limit of two gibibytes has another exception in each version
        raise ToolError(
            f"the graph with its weights is too large for one file, which ends at 2 GiB: {error}"
        ) from error


def operators(graph: Any) -> Counter[tuple[str, str]]:
    """How many nodes there are of each operator, by domain and name."""
    return Counter((node.domain, node.op_type) for node in graph.graph.node)


def refuse_what_is_not_single_precision(graph: Any, path: Path) -> None:
    """Refuse a graph that has already been through half precision or int8."""
    import onnx

    quantized = sorted({name for _, name in operators(graph) if "Quant" in name or name == "MatMulInteger"})
    half = sum(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in graph.graph.initializer)
    if quantized or half:
        found = f"the operators {', '.join(quantized)}" if quantized else f"{half} float16 weights"
        raise ToolError(
            f"{path} is not a single-precision graph: it has {found}\n\n"
            "hint: start from the file that `export` wrote"
        )

"""Writes the ONNX graph of a BERT-like model folder, by default without the weights.

A graph-only file says of each weight where it lies in `model.safetensors`; runtimes find it under the name
`model.onnx_data` beside the graph. So the graph is some hundred kilobytes and can live in a repository, and
the weights stay in the file everyone already has. Knows nothing of serving.

Model and inputs are both put on the CPU before tracing. Where a library moves the model to Apple's GPU by
itself and the example inputs stay behind, the exporter fails with "Unhandled FakeTensor Device Propagation
... mps:0, cpu".
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailmark_worker.backend import BackendError, ModelFileError, ModelFolder, NotAvailableError

GRAPH_NAME = "model.onnx"
WEIGHTS_NAME = "model.onnx_data"
"""What the weights are called beside the graph. Some runtimes insist on the ending."""

DESCRIPTION = "Write the ONNX graph of a BERT-like model folder."
OPSET = 17
LARGE_BYTES = 1024
"""An initializer below this is a constant of the graph (a shape, an epsilon) and stays in it."""

LARGEST_DIFFERENCE = 1e-3
"""A graph whose vectors are further than this from torch's is not written. Healthy ones are near 1e-6."""

CHECK_TEXTS = (
    "A man is eating food.",
    "What is the capital of Norway, and how many people live there?",
    "Yes",
)
"""Of unequal lengths, so that a graph that froze the batch size, the length or the mask is found out."""


class ExportError(BackendError):
    """The graph could not be made, or is not good enough to be written."""

    code = 4

    def __init__(self, why: str) -> None:
        """``why`` says what is wrong and what to do."""
        super().__init__(why, {"why": why})


@dataclass(frozen=True, slots=True)
class Exported:
    """A graph that was written."""

    path: Path
    bytes: int
    matched: int
    """Initializers that are taken from `model.safetensors`; zero in a self-contained file."""
    initializers: int
    """All initializers of at least `LARGE_BYTES`."""
    difference: float
    """Largest absolute difference between torch's and onnxruntime's vectors."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies in `model.safetensors`, counted from the file's first byte."""

    name: str
    offset: int
    length: int


Fingerprint = tuple[str, tuple[int, ...], str]
"""Element type, shape and SHA-256 of the bytes: equal for tensors that can stand for each other."""

SAFETENSORS_TYPES = {
    "F64": "DOUBLE",
    "F32": "FLOAT",
    "F16": "FLOAT16",
    "BF16": "BFLOAT16",
    "I64": "INT64",
    "I32": "INT32",
    "I8": "INT8",
    "U8": "UINT8",
    "BOOL": "BOOL",
}


def export(folder: Path, output: Path, *, self_contained: bool = False) -> Exported:
    """Export the model in ``folder``, compare its vectors with torch's, and write the graph to ``output``.

    Raises:
        ModelFileError: a file of the model is missing or is not what its name says.
        NotAvailableError: the extra `export` is not installed.
        ExportError: an initializer is not in the weights file, or the graph's vectors differ from torch's.
    """
    model_folder = ModelFolder(folder.resolve(), max_tokens=256)
    weights = model_folder.file("model.safetensors")
    model_folder.file("config.json")
    model_folder.file("tokenizer.json")
    try:
        import onnx
        import onnxruntime  # noqa: F401  the check needs it: better to fail before the export than after
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise NotAvailableError("the exporter", f"{error}; it needs the extra `export`") from error

    torch_model = _load(folder)
    graph = onnx.load_model_from_string(_trace(torch_model))
    _strip(graph)
    large = [tensor for tensor in graph.graph.initializer if len(tensor.raw_data) >= LARGE_BYTES]
    matched = 0 if self_contained else _point_into(weights, large)

    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent) as aside:
        candidate = Path(aside) / GRAPH_NAME
        candidate.write_bytes(_serialise(graph))
        if not self_contained:
            link_or_copy(weights, candidate.with_name(WEIGHTS_NAME))
        difference = _largest_difference(torch_model, candidate, model_folder)
        if not difference <= LARGEST_DIFFERENCE:
            raise ExportError(
                f"the exported graph differs from torch by up to {difference:.2e}, "
                f"allowed is {LARGEST_DIFFERENCE:.0e}; nothing was written"
            )
        size = candidate.stat().st_size
        candidate.replace(output)
    return Exported(output, size, matched, len(large), difference)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or make a copy where the file system has no links. Replaces ``target``."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def read_safetensors(path: Path) -> dict[Fingerprint, StoredTensor]:
    """Every tensor of the file by its fingerprint; of tensors that are equal, the first.

    The format: eight bytes of little-endian header length, a JSON header with offsets counted from its end,
    the data.
    """
    tensors: dict[Fingerprint, StoredTensor] = {}
    with path.open("rb") as file:
        try:
            # A length that is nonsense is cut to the file's size, and what is read is then not JSON.
            length = min(int.from_bytes(file.read(8), "little"), path.stat().st_size)
            header = json.loads(file.read(length))
            entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
            entries.sort(key=lambda item: item[1]["data_offsets"][0])
            for name, entry in entries:
                start, end = entry["data_offsets"]
                file.seek(8 + length + start)
                digest = hashlib.sha256(file.read(end - start)).hexdigest()
                element = SAFETENSORS_TYPES.get(entry["dtype"], entry["dtype"])
                fingerprint = (element, tuple(entry["shape"]), digest)
                tensors.setdefault(fingerprint, StoredTensor(name, 8 + length + start, end - start))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(path, f"it is not a safetensors file: {error}") from error
    return tensors


def _load(folder: Path) -> Any:
    import torch
    import transformers

    transformers.logging.disable_progress_bar()
    try:
        # The eager attention is made of plain operators; the fused one would reach the graph in another form.
        model = transformers.AutoModel.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="eager",
            dtype=torch.float32,
        )
    except Exception as error:  # whatever the library raises, there is no model
        raise ExportError(f"transformers could not load {folder}: {type(error).__name__}: {error}") from error
    return model.to("cpu").eval()


def _trace(model: Any) -> bytes:
    import torch

    from tailmark_worker.python_torch import takes_token_types

    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if takes_token_types(model) else [])

    class LastHiddenState(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
        """The model with one output, called by position as the tracer wants it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> Any:
            return self.model(**dict(zip(names, tensors, strict=True))).last_hidden_state

    ids = torch.ones((2, 8), dtype=torch.int64, device="cpu")
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    examples = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    buffer = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        # The tracer warns of every shape it turns into a constant, and of being the older of two exporters.
        # What matters of that is decided below, by running the graph on other shapes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            # A new module is in training mode, and the exporter puts back the mode it found, in the model
            # inside too.
            LastHiddenState().eval(),
            tuple(examples[name] for name in names),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            # Folding would transpose the weights, and they would no longer be the bytes of the safetensors
            # file.
            do_constant_folding=False,
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes={name: {0: "batch", 1: "sequence"} for name in [*names, "last_hidden_state"]},
        )
    return buffer.getvalue()


def _strip(graph: Any) -> None:
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


def _point_into(weights: Path, large: Sequence[Any]) -> int:
    """Turn each initializer into a reference to the weights file; returns how many there were."""
    import onnx

    stored = read_safetensors(weights)
    missing = []
    places = []
    for tensor in large:
        element = onnx.TensorProto.DataType.Name(tensor.data_type)
        digest = hashlib.sha256(tensor.raw_data).hexdigest()
        place = stored.get((element, tuple(tensor.dims), digest))
        if place is None:
            missing.append(f"{tensor.name} ({element}, {list(tensor.dims)})")
        else:
            places.append((tensor, place))
    if missing:
        raise ExportError(
            f"{len(missing)} of {len(large)} initializers are not in {weights}: {', '.join(missing[:5])}"
            f"{', ...' if len(missing) > 5 else ''}\n\n"
            "hint: --self-contained writes one large file with the weights inside"
        )
    for tensor, place in places:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entries = {"location": WEIGHTS_NAME, "offset": str(place.offset), "length": str(place.length)}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    return len(places)


def _serialise(graph: Any) -> bytes:
    try:
        return bytes(graph.SerializeToString(deterministic=True))
    except ValueError as error:  # protobuf's limit of two gibibytes
        raise ExportError(f"the graph with its weights is too large for one file: {error}") from error


def _largest_difference(torch_model: Any, graph: Path, model: ModelFolder) -> float:
    """Compare token vectors, padding left out, over each text alone and all of them in one batch."""
    import numpy as np
    import onnxruntime
    import torch

    from tailmark_worker.tokenise import Tokeniser

    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    wanted = {put.name for put in session.get_inputs()}
    tokeniser = Tokeniser(model)
    largest = 0.0
    for texts in [*([text] for text in CHECK_TEXTS), list(CHECK_TEXTS)]:
        batch = tokeniser.encode(texts)
        everything: Mapping[str, Any] = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "token_type_ids": np.zeros_like(batch.input_ids),
        }
        inputs = {name: array for name, array in everything.items() if name in wanted}
        found = session.run(["last_hidden_state"], inputs)[0]
        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
            expected = torch_model(**tensors).last_hidden_state.numpy()
        kept = batch.attention_mask == 1
        difference = np.abs(found[kept] - expected[kept]).max(initial=0.0)
        largest = max(largest, float(difference)) if np.isfinite(difference) else float("inf")
    return largest


def main(arguments: Sequence[str]) -> int:
    """The command line `export`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tailmark_worker export", description=DESCRIPTION)
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="holds model.safetensors")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.onnx")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--graph-only",
        action="store_true",
        help=f"the default: the weights are read from {WEIGHTS_NAME}",
    )
    form.add_argument("--self-contained", action="store_true", help="put the weights into the file")
    parser.add_argument(
        "--link-weights", action="store_true", help=f"also put the weights beside the graph as {WEIGHTS_NAME}"
    )
    given = parser.parse_args(arguments)
    if given.self_contained and given.link_weights:
        parser.error("--link-weights has no use with --self-contained: that file carries its weights")
    try:
        exported = export(given.model, given.output, self_contained=given.self_contained)
        if given.link_weights:
            link_or_copy(given.model / "model.safetensors", given.output.with_name(WEIGHTS_NAME))
    except (BackendError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    form_written = (
        "self-contained"
        if given.self_contained
        else f"{exported.matched} of {exported.initializers} initializers in {WEIGHTS_NAME}"
    )
    sys.stdout.write(
        f"{exported.path}: {exported.bytes} bytes, {form_written}, "
        f"largest difference from torch {exported.difference:.1e}\n"
    )
    return 0

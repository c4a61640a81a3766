"""Writes the ONNX graph of a BERT-like model folder, where possible without the weights.

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
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailmark_worker.comparison import (
    OUTPUT_NAME,
    Comparison,
    TorchBaseline,
    graph_token_vectors,
    largest_token_difference,
    load_torch,
    torch_token_vectors,
)
from tailmark_worker.graph_file import GRAPH_NAME, WEIGHTS_NAME, link_or_copy, serialize, strip
from tailmark_worker.model_folder import add_model_arguments, read_model
from tailmark_worker.safetensors_file import StoredTensor, read_safetensors
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

DESCRIPTION = "Write the ONNX graph of a BERT-, RoBERTa- or MPNet-like model folder."
FORMS = ("auto", "graph-only", "self-contained")
OPSET = 17
LARGE_BYTES = 1024
"""An initializer below this is a constant of the graph (a shape, an epsilon) and stays in it."""

LARGEST_DIFFERENCE = 1e-3
"""A graph whose vectors are further than this from torch's is not written. Healthy ones are near 1e-6."""

NAMED_AT_MOST = 5

CHECK_TEXTS = (
    "A man is eating food.",
    "What is the capital of Norway, and how many people live there?",
    "Yes",
)
"""Of unequal lengths, so that a graph that froze the batch size, the length or the mask is found out."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A graph that was written."""

    path: Path
    form: str
    bytes: int
    matched: int
    """Initializers that are taken from `model.safetensors`; zero in a self-contained file."""
    initializers: int
    """All initializers of at least `LARGE_BYTES`."""
    unmatched: tuple[str, ...]
    """Those of them that are not in `model.safetensors`, with type and shape; looked for unless the file was
    asked to be self-contained."""
    difference: float
    """Largest absolute difference between torch's and onnxruntime's token vectors."""
    comparison: Comparison


def export(folder: Path, output: Path, *, form: str = "auto", recipe: str | None = None) -> Exported:
    """Export the model in ``folder``, compare its vectors with torch's, and write the graph to ``output``.

    Raises:
        ModelFileError: a file of the model is missing or is not what its name says.
        NotAvailableError: the extra `export` is not installed.
        ToolError: an initializer is not in the weights file and ``form`` is `graph-only`, or the graph's
            vectors differ from torch's.
    """
    model = read_model(folder, recipe)
    weights = model.file("model.safetensors")
    made_with("the exporter")
    import onnx

    torch_model = load_torch(model.folder, attention="eager")  # made of plain operators, and can be fused
    with library("tracing the model"):
        graph = onnx.load_model_from_string(_trace(torch_model))
    strip(graph)
    large = [tensor for tensor in graph.graph.initializer if len(tensor.raw_data) >= LARGE_BYTES]
    places: list[StoredTensor] = []
    unmatched: list[str] = []
    if form != "self-contained":
        places, unmatched = _find(weights, large)
    if unmatched and form == "graph-only":
        raise ToolError(
            f"{len(unmatched)} of {len(large)} initializers are not in {weights}: {_named(unmatched)}\n\n"
            "hint: --form self-contained writes one large file with the weights inside"
        )
    graph_only = form != "self-contained" and not unmatched
    if graph_only:
        _point_into(large, places)

    with workspace(output) as aside:
        candidate = aside / GRAPH_NAME
        candidate.write_bytes(serialize(graph))
        if graph_only:
            link_or_copy(weights, candidate.with_name(WEIGHTS_NAME))
        token_vectors = graph_token_vectors(candidate)
        difference = largest_token_difference(
            token_vectors, torch_token_vectors(torch_model), model, CHECK_TEXTS
        )
        if not difference <= LARGEST_DIFFERENCE:
            raise ToolError(
                f"the exported graph differs from torch by up to {difference:.2e}, "
                f"allowed is {LARGEST_DIFFERENCE:.0e}; nothing was written"
            )
        comparison = TorchBaseline(model, torch_model).compare(token_vectors)
        size = candidate.stat().st_size
        candidate.replace(output)
    return Exported(
        path=output,
        form="graph-only" if graph_only else "self-contained",
        bytes=size,
        matched=len(large) if graph_only else 0,
        initializers=len(large),
        unmatched=tuple(unmatched),
        difference=difference,
        comparison=comparison,
    )


def _named(tensors: Sequence[str]) -> str:
    return ", ".join(tensors[:NAMED_AT_MOST]) + (", ..." if len(tensors) > NAMED_AT_MOST else "")


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
            output_names=[OUTPUT_NAME],
            dynamic_axes={name: {0: "batch", 1: "sequence"} for name in [*names, OUTPUT_NAME]},
        )
    return buffer.getvalue()


def _find(weights: Path, large: Sequence[Any]) -> tuple[list[StoredTensor], list[str]]:
    """The place of each initializer in the weights file, and a description of those that have none."""
    import onnx

    stored = read_safetensors(weights)
    places = []
    unmatched = []
    for tensor in large:
        element = onnx.TensorProto.DataType.Name(tensor.data_type)
        digest = hashlib.sha256(tensor.raw_data).hexdigest()
        place = stored.get((element, tuple(tensor.dims), digest))
        if place is None:
            unmatched.append(f"{tensor.name} ({element}, {list(tensor.dims)})")
        else:
            places.append(place)
    return places, unmatched


def _point_into(large: Sequence[Any], places: Sequence[StoredTensor]) -> None:
    """Turn each initializer into a reference to the weights file."""
    import onnx

    for tensor, place in zip(large, places, strict=True):
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entries = {"location": WEIGHTS_NAME, "offset": str(place.offset), "length": str(place.length)}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)


def main(arguments: Sequence[str]) -> int:
    """The command line `export`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tailmark_worker export", description=DESCRIPTION)
    add_model_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.onnx")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--form",
        choices=FORMS,
        default="auto",
        help=f"graph-only: the weights are read from {WEIGHTS_NAME}; self-contained: they are put into the "
        "file; auto, the default: graph-only where model.safetensors has every weight as the graph needs it",
    )
    for spelling in FORMS[1:]:
        form.add_argument(
            f"--{spelling}",
            action="store_const",
            const=spelling,
            dest="form",
            help=f"the same as --form {spelling}",
        )
    parser.add_argument(
        "--link-weights",
        action="store_true",
        help=f"also put the weights beside a graph-only file as {WEIGHTS_NAME}",
    )
    given = parser.parse_args(arguments)
    if given.form == "self-contained" and given.link_weights:
        parser.error("--link-weights has no use with --form self-contained: that file carries its weights")

    def work() -> None:
        exported = export(given.model, given.output, form=given.form, recipe=given.recipe)
        if exported.form == "graph-only":
            place = f"{exported.matched} of {exported.initializers} initializers in {WEIGHTS_NAME}"
            if given.link_weights:
                link_or_copy(given.model / "model.safetensors", given.output.with_name(WEIGHTS_NAME))
        else:
            place = "self-contained"
        say(
            f"{exported.path}: {exported.bytes} bytes, {place}, "
            f"token vectors at most {exported.difference:.1e} from torch's"
        )
        if exported.unmatched:
            say(
                f"note: the weights are in the file, since {len(exported.unmatched)} of "
                f"{exported.initializers} initializers are not in model.safetensors byte for byte: "
                f"{_named(exported.unmatched)}"
            )
        say(str(exported.comparison))
        last_line(
            {
                **written_file(exported.path),
                "form": exported.form,
                **exported.comparison.as_json(),
                "unmatched": list(exported.unmatched),
                "made_with": made_with("the exporter"),
            }
        )

    return run(work)

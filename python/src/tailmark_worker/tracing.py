"""Turns torch's model into an ONNX graph, by the older exporter or by the newer where that one fails.

Knows torch's exporters; knows nothing of where the weights go afterwards.
"""

import warnings
from pathlib import Path
from typing import Any

from tailmark_worker.comparison import OUTPUT_NAME
from tailmark_worker.loading import takes_token_types
from tailmark_worker.tool import ToolError, library, say

OPSET = 17
DYNAMO_OPSET = 18
"""The newer exporter writes no earlier one."""


def trace(model: Any, folder: Path) -> tuple[Any, str]:
    """The graph of a model, its large weights in files below ``folder``, and which exporter made it.

    A graph in memory ends at two gibibytes, one in files does not.

    Raises:
        ToolError: neither exporter can do it, with what each says.
    """
    try:
        with library("tracing the model"):
            return _traced(model, folder / "traced"), "trace"
    except ToolError as first:
        say(f"note: {_one_line(first)}; trying torch's newer exporter")
        try:
            with library("exporting the model with torch.export"):
                return _exported(model, folder / "exported"), "dynamo"
        except ToolError as second:
            raise ToolError(f"{first}\n\n{second}") from second


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def _names(model: Any) -> list[str]:
    return ["input_ids", "attention_mask"] + (["token_type_ids"] if takes_token_types(model) else [])


def _wrapped(model: Any, names: list[str]) -> Any:
    import torch

    class LastHiddenState(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
        """The model with one output, called by position as the tracer wants it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> Any:
            return self.model(**dict(zip(names, tensors, strict=True))).last_hidden_state

    # A new module is in training mode, and the exporter puts back the mode it found, in the model inside too.
    return LastHiddenState().eval()


def _examples(names: list[str]) -> tuple[Any, ...]:
    import torch

    ids = torch.ones((2, 8), dtype=torch.int64, device="cpu")
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    examples = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return tuple(examples[name] for name in names)


def _traced(model: Any, folder: Path) -> Any:
    import onnx
    import torch

    names = _names(model)
    folder.mkdir()
    path = folder / "graph.onnx"
    with torch.inference_mode(), warnings.catch_warnings():
        # The tracer warns of every shape it turns into a constant, and of being the older of two exporters.
        # What matters of that is decided later, by running the graph on other shapes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _wrapped(model, names),
            _examples(names),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            # Folding would transpose the weights, and they would no longer be the bytes of the safetensors
            # file.
            do_constant_folding=False,
            input_names=names,
            output_names=[OUTPUT_NAME],
            dynamic_axes={name: {0: "batch", 1: "sequence"} for name in [*names, OUTPUT_NAME]},
        )
    return onnx.load_model(str(path), load_external_data=False)


def _exported(model: Any, folder: Path) -> Any:
    import onnx
    import torch

    names = _names(model)
    folder.mkdir()
    path = folder / "graph.onnx"
    axes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("sequence", min=1)}
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _wrapped(model, names),
            _examples(names),
            dynamo=True,
            opset_version=DYNAMO_OPSET,
            input_names=names,
            output_names=[OUTPUT_NAME],
            dynamic_shapes=(tuple(axes for _ in names),),
            optimize=True,
            verbose=False,
        )
        program.save(str(path), external_data=True)
    graph = onnx.load_model(str(path), load_external_data=False)
    # The names that fixed shapes are given by, whatever the exporter called them.
    for put in [*graph.graph.input, *graph.graph.output]:
        for axis, name in zip(put.type.tensor_type.shape.dim, ("batch", "sequence"), strict=False):
            axis.dim_param = name
    return graph

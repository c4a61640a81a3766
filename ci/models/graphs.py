"""Shapes that came with an ONNX graph of another maker: other inputs, outputs and data than tailmark's."""

import logging
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
import transformers
from encoders import qwen3
from networks import HIDDEN, LAYERS, bert, save
from onnx import numpy_helper
from shape import EIGHT_BITS, HALF, SHAPES, truth_of
from weights import WEIGHTS, plain
from words import bytes_of_qwen, word_piece

USUAL = "onnx/model.onnx"
QUANTIZED = "onnx/model_quantized.onnx"
BERT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
TOKENS = ("last_hidden_state",)
MODULES = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
TRACED = (2, 8)
KEY_HEADS, KEY_SIZE = 2, 16


def trace(
    folder: Path,
    target: str = USUAL,
    *,
    inputs: Sequence[str] = BERT_INPUTS,
    outputs: Sequence[str] = TOKENS,
    integers: torch.dtype = torch.int64,
    floats: torch.dtype = torch.float32,
    pasts: int = 0,
) -> None:
    """Write the graph of the transformer in ``folder``, with ``pasts`` layers of a cache among its inputs."""
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=floats).eval()
    past_names = [f"past_key_values.{at}.{part}" for at in range(pasts) for part in ("key", "value")]

    class Graph(torch.nn.Module):
        """The model, called by position."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            named = {name: tensor.long() for name, tensor in zip(inputs, tensors, strict=False)}
            hidden = self.model(**named).last_hidden_state
            for past in tensors[len(inputs) :]:
                # Of an empty cache there is nothing to add; a cache that is not empty changes every vector.
                hidden = hidden + past.sum() + past.shape[2]
            mask = named["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            made = {
                "last_hidden_state": hidden,
                "token_embeddings": hidden,
                "sentence_embedding": torch.nn.functional.normalize(mean, dim=1),
            }
            return tuple(made[name] for name in outputs)

    ids = torch.ones(TRACED, dtype=integers)
    examples = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
        "position_ids": torch.arange(TRACED[1], dtype=integers).expand(TRACED).contiguous(),
    }
    empty = torch.zeros((TRACED[0], KEY_HEADS, 0, KEY_SIZE), dtype=floats)
    texts_and_tokens = {0: "batch_size", 1: "sequence_length"}
    axes = dict.fromkeys([*inputs, *outputs], texts_and_tokens)
    axes |= {name: {0: "batch_size"} for name in outputs if name == "sentence_embedding"}
    axes |= {name: {0: "batch_size", 2: "past_sequence_length"} for name in past_names}
    path = folder / target
    path.parent.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Graph().eval(),
            (*(examples[name] for name in inputs), *([empty] * len(past_names))),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=[*inputs, *past_names],
            output_names=[*outputs],
            dynamic_axes=axes,
        )


def quantize(folder: Path) -> None:
    """Write the graph in 8-bit integers beside the usual one; in a range that no processor saturates."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # It advises to prepare the graph first, which is of no use here.
    logging.disable(logging.WARNING)
    quantize_dynamic(
        str(folder / USUAL), str(folder / QUANTIZED), weight_type=QuantType.QInt8, reduce_range=True
    )
    logging.disable(logging.NOTSET)


def split(folder: Path) -> None:
    """Move the usual graph's weights into three files beside it, as a graph of many gigabytes has them."""
    path = folder / USUAL
    graph = onnx.load(str(path))
    heavy = [one for one in graph.graph.initializer if numpy_helper.to_array(one).nbytes >= 1024]
    for at, tensor in enumerate(heavy):
        name = f"{path.name}_data" + (f"_{at % 3}" if at % 3 else "")
        raw = numpy_helper.to_array(tensor).tobytes()
        with (path.parent / name).open("ab") as file:
            offset = file.tell()
            file.write(raw)
        for part in ("raw_data", "float_data", "int64_data"):
            tensor.ClearField(part)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", name), ("offset", offset), ("length", len(raw))):
            tensor.external_data.add(key=key, value=str(value))
    path.write_bytes(graph.SerializeToString())


def without_weights(folder: Path, make: Callable[[Path], None]) -> None:
    """Make a folder as the hub has them for runtimes without torch; the whole model is kept beside it."""
    truth = truth_of(folder)
    make(truth)
    shutil.copytree(truth, folder, dirs_exist_ok=True)
    shutil.rmtree(truth / "onnx")
    (folder / WEIGHTS).unlink()


def without_modules(folder: Path) -> None:
    """Take away what says how tokens are pooled."""
    for name in MODULES:
        (folder / name).unlink()
    shutil.rmtree(folder / "1_Pooling")


def _graph(**about: Any) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        plain(folder)
        trace(folder, **about)

    return make


@SHAPES.add()
def onnx_beside(folder: Path) -> None:
    """Weights, and graphs in onnx/ that are left aside."""
    plain(folder)
    trace(folder)
    quantize(folder)


@SHAPES.add(export=("--graph", USUAL), graph=USUAL)
def onnx_beside_taken(folder: Path) -> None:
    """The same, with the graph that came with it."""
    onnx_beside(folder)


@SHAPES.add(export=("--graph", "model.onnx"))
def onnx_at_the_top(folder: Path) -> None:
    """fastembed's layout: the graph beside the weights."""
    plain(folder)
    trace(folder, "model.onnx")


@SHAPES.of_graph(few=True)
def onnx_only(folder: Path) -> None:
    """onnx-community, Xenova: a graph and a tokenizer, no weights, and nothing that says how it is pooled."""
    without_weights(folder, onnx_beside)
    # Sentence-transformers takes the mean then, too, and does not scale it.
    for place in (folder, truth_of(folder)):
        without_modules(place)


@SHAPES.of_graph(graph=QUANTIZED, limit=EIGHT_BITS)
def onnx_only_quantized(folder: Path) -> None:
    """The same, of which the graph in 8-bit integers is run."""
    onnx_only(folder)


@SHAPES.of_graph()
def onnx_only_cls(folder: Path) -> None:
    """bge as fastembed and others have it: the list of modules is there, and says CLS."""

    def make(place: Path) -> None:
        words = word_piece()
        save(place, bert(words), words, "cls")
        trace(place)

    without_weights(folder, make)


@SHAPES.of_graph()
def graph_position_ids(folder: Path) -> None:
    """The graph wants the tokens' positions."""
    without_weights(folder, _graph(inputs=(*BERT_INPUTS, "position_ids")))


@SHAPES.of_graph()
def graph_int32(folder: Path) -> None:
    """The graph wants integers of 32 bits."""
    without_weights(folder, _graph(integers=torch.int32))


@SHAPES.of_graph()
def graph_token_embeddings(folder: Path) -> None:
    """The graph has sentence-transformers' two outputs."""
    without_weights(folder, _graph(outputs=("token_embeddings", "sentence_embedding")))


@SHAPES.of_graph()
def graph_three_outputs(folder: Path) -> None:
    """The graph has more outputs than are used."""
    without_weights(folder, _graph(outputs=("sentence_embedding", "last_hidden_state")))


@SHAPES.of_graph()
def graph_text_alone(folder: Path) -> None:
    """The graph pools by itself."""
    without_weights(folder, _graph(outputs=("sentence_embedding",)))


@SHAPES.of_graph()
def graph_text_alone_no_modules(folder: Path) -> None:
    """The same without a list of modules."""
    without_weights(folder, _graph(outputs=("sentence_embedding",)))
    without_modules(folder)


@SHAPES.of_graph()
def graph_split_data(folder: Path) -> None:
    """The graph's weights are in three files beside it."""

    def make(place: Path) -> None:
        plain(place)
        trace(place)
        split(place)

    without_weights(folder, make)


@SHAPES.of_graph(limit=HALF)
def graph_half(folder: Path) -> None:
    """The graph computes in half precision, and so are its outputs."""
    without_weights(folder, _graph(floats=torch.float16))


@SHAPES.of_graph()
def graph_past_key_values(folder: Path) -> None:
    """A causal model's graph that wants positions and an empty cache: onnx-community's Qwen3-Embedding."""

    def make(place: Path) -> None:
        words = bytes_of_qwen()
        save(place, qwen3(words), words, "lasttoken", prompts={"query": "Query:"})
        trace(place, inputs=("input_ids", "attention_mask", "position_ids"), pasts=LAYERS)

    without_weights(folder, make)


@SHAPES.refused("audio_features", export=("--graph", USUAL))
def graph_unknown_input(folder: Path) -> None:
    """The graph wants an input that no text gives."""

    def make(place: Path) -> None:
        plain(place)
        trace(place)
        path = place / USUAL
        graph = onnx.load(str(path))
        wanted = onnx.helper.make_tensor_value_info("audio_features", onnx.TensorProto.FLOAT, [HIDDEN])
        graph.graph.input.append(wanted)
        path.write_bytes(graph.SerializeToString())

    without_weights(folder, make)

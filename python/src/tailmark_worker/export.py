"""Writes the ONNX graph of a model folder, where possible without the weights, and the reference vectors.

A graph-only file says of each weight where it lies in `model.safetensors`, or in which shard; runtimes find
it under the name `model.onnx_data` beside the graph. So the graph is some hundred kilobytes and can live in a
repository, and the weights stay in the file everyone already has. Knows nothing of serving.

Model and inputs are both put on the CPU before tracing. Where a library moves the model to Apple's GPU by
itself and the example inputs stay behind, the exporter fails with "Unhandled FakeTensor Device Propagation
... mps:0, cpu".
"""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailmark_worker import encode, reference
from tailmark_worker.comparison import (
    Baseline,
    Comparison,
    graph_token_vectors,
    largest_token_difference,
    torch_baseline,
    torch_token_vectors,
)
from tailmark_worker.graph_file import DATA_ENDING, GRAPH_NAME, WEIGHTS_NAME, link_or_copy, serialize, strip
from tailmark_worker.loading import load_transformer
from tailmark_worker.model_folder import add_model_arguments, read_model
from tailmark_worker.safetensors_file import StoredTensor, read_safetensors
from tailmark_worker.tokenizer import Tokenizer
from tailmark_worker.tool import (
    ToolError,
    last_line,
    made_with,
    run,
    say,
    workspace,
    written_file,
)
from tailmark_worker.tracing import trace

DESCRIPTION = "Write the ONNX graph of a model folder, and with it the reference vectors."
FORMS = ("auto", "graph-only", "self-contained")
LARGEST_FILE = 2**31 - 2**24
"""Weights beyond this are put into a file beside the graph: protobuf ends at two gibibytes."""

ALIGNMENT = 4096
"""Where numbers begin in a file of them: at a page, so that it can be mapped."""

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
    exporter: str
    """Which of torch's exporters made it: `trace` or `dynamo`."""
    bytes: int
    data: tuple[tuple[str, str | None], ...]
    """The files beside it that it takes weights from, each with the file of weights that it is."""
    matched: int
    """Initializers that are taken from the files of weights; zero unless they all are."""
    initializers: int
    """All initializers of at least `LARGE_BYTES`."""
    unmatched: tuple[str, ...]
    """Those of them that are in no file of weights, with type and shape; looked for unless the file was
    asked to be self-contained."""
    difference: float
    """Largest absolute difference between torch's and onnxruntime's token vectors."""
    comparison: Comparison
    checked: encode.Checked | None
    """How close the vectors are to those of sentence-transformers, if they were compared."""


def export(
    folder: Path,
    output: Path,
    *,
    form: str = "auto",
    recipe: str | None = None,
    trust_remote_code: bool = False,
    encoded: tuple[Path, str] | None = None,
) -> Exported:
    """Export the model in ``folder``, compare its vectors with torch's, and write the graph to ``output``.

    With ``encoded``, a file and a name, the vectors are compared with those of sentence-transformers instead,
    which are written to that file as the reference of a model of that name.

    Raises:
        ModelFileError: a file of the model is missing or is not what its name says.
        NotAvailableError: the extra `export` is not installed.
        ToolError: an initializer is not in the weights file and ``form`` is `graph-only`, or the graph's
            vectors differ from torch's.
    """
    model = read_model(folder, recipe)
    versions = made_with("the exporter")
    _one_thread()
    tokenizer = Tokenizer(model)
    texts = [text for text in CHECK_TEXTS if tokenizer.encode([text]).token_counts[0] > 0]
    # Made of plain operators, the attention can be fused.
    torch_model = load_transformer(model.folder, attention="eager", trust_remote_code=trust_remote_code)
    with workspace(output) as aside:
        graph, exporter = trace(torch_model, aside)
        traced = aside / ("traced" if exporter == "trace" else "exported")
        strip(graph)
        weights = reference.weights_of(model)
        large = _large(graph)
        places, unmatched = _find(weights, large, traced, searched=form != "self-contained")
        if unmatched and form == "graph-only":
            raise ToolError(
                f"{len(unmatched)} of {len(large)} initializers are not in "
                f"{', '.join(path.name for path in weights) or 'model.safetensors'}: {_named(unmatched)}\n\n"
                "hint: --form self-contained writes one large file with the weights inside"
            )
        made = aside / "made"
        made.mkdir()
        graph_only = form != "self-contained" and not unmatched and bool(weights)
        if graph_only:
            data = _point_into(large, places, weights)
        elif sum(_length(tensor, traced) for tensor in large) > LARGEST_FILE:
            data = [(_gather(large, traced, made), None)]
        else:
            data = []
            for tensor in large:
                _take_in(tensor, traced)
        candidate = made / GRAPH_NAME
        candidate.write_bytes(serialize(graph))
        for name, of in data:
            if of is not None:
                link_or_copy(model.folder / of, made / name)
        token_vectors = graph_token_vectors(candidate, model.recipe)
        difference = largest_token_difference(token_vectors, torch_token_vectors(torch_model), model, texts)
        if not difference <= LARGEST_DIFFERENCE:
            raise ToolError(
                f"the exported graph differs from torch by up to {difference:.2e}, "
                f"allowed is {LARGEST_DIFFERENCE:.0e}; nothing was written"
            )
        checked = None
        if encoded is None:
            baseline = torch_baseline(model, torch_model)
        else:
            del torch_model
            written, name = encoded
            with encode.opened(model.folder, trust_remote_code=trust_remote_code) as encoder:
                checked = encode.check(encoder, model, token_vectors)
                # The check has shown that company changes no vector.
                baseline = Baseline(model, encoder.vectors, encoder.in_batches)
                say(str(checked))
            about = {
                **{key: versions[key] for key in ("torch", "transformers")},
                checked.library: checked.version,
            }
            reference.write(reference.content(model, name, about, baseline), written)
        comparison = baseline.compare(token_vectors)
        size = candidate.stat().st_size
        for name, of in data:
            if of is None:
                (made / name).replace(output.with_name(name))
        candidate.replace(output)
    return Exported(
        path=output,
        form="graph-only" if graph_only else "data-files" if data else "self-contained",
        exporter=exporter,
        bytes=size,
        data=tuple(data),
        matched=len(large) if graph_only else 0,
        initializers=len(large),
        unmatched=tuple(unmatched),
        difference=difference,
        comparison=comparison,
        checked=checked,
    )


def _one_thread() -> None:
    """Sums in another order have other last digits, and small operators cost more on several threads."""
    import torch

    torch.set_num_threads(1)


def _named(tensors: Sequence[str]) -> str:
    return ", ".join(tensors[:NAMED_AT_MOST]) + (", ..." if len(tensors) > NAMED_AT_MOST else "")


def _large(graph: Any) -> list[Any]:
    """The initializers that are weights, wherever they are."""
    import onnx

    return [
        tensor
        for tensor in graph.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.raw_data) >= LARGE_BYTES
    ]


def _entries(tensor: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _length(tensor: Any, traced: Path) -> int:
    entries = _entries(tensor)
    if not entries:
        return len(tensor.raw_data)
    return int(entries.get("length", (traced / entries["location"]).stat().st_size))


@contextmanager
def _bytes(tensor: Any, traced: Path) -> Iterator[bytes]:
    """The numbers of an initializer, of which only these are in memory."""
    entries = _entries(tensor)
    if not entries:
        yield tensor.raw_data
        return
    with (traced / entries["location"]).open("rb") as file:
        file.seek(int(entries.get("offset", 0)))
        yield file.read(_length(tensor, traced))


def _find(
    weights: Sequence[Path], large: Sequence[Any], traced: Path, *, searched: bool
) -> tuple[list[tuple[int, StoredTensor]], list[str]]:
    """The place of each initializer, with the number of its file, and a description of those without one."""
    import onnx

    if not searched:
        return [], []
    stored: dict[Any, tuple[int, StoredTensor]] = {}
    for at, path in enumerate(weights):
        for fingerprint, tensor in read_safetensors(path).items():
            stored.setdefault(fingerprint, (at, tensor))
    places: list[tuple[int, StoredTensor]] = []
    unmatched: list[str] = []
    for tensor in large:
        element = onnx.TensorProto.DataType.Name(tensor.data_type)
        with _bytes(tensor, traced) as data:
            digest = hashlib.sha256(data).hexdigest()
        place = stored.get((element, tuple(tensor.dims), digest))
        if place is None:
            unmatched.append(f"{tensor.name} ({element}, {list(tensor.dims)})")
        else:
            places.append(place)
    return places, unmatched


def _point_into(
    large: Sequence[Any], places: Sequence[tuple[int, StoredTensor]], weights: Sequence[Path]
) -> list[tuple[str, str | None]]:
    """Turn each initializer into a reference to a file of weights, under a name that runtimes accept."""
    names = [WEIGHTS_NAME] if len(weights) == 1 else [f"{path.stem}{DATA_ENDING}" for path in weights]
    for tensor, (at, place) in zip(large, places, strict=True):
        _refer(tensor, names[at], place.offset, place.length)
    used = sorted({at for at, _ in places})
    return [(names[at], weights[at].name) for at in used]


def _refer(tensor: Any, name: str, offset: int, length: int) -> None:
    import onnx

    tensor.ClearField("raw_data")
    tensor.ClearField("external_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": name, "offset": str(offset), "length": str(length)}.items():
        tensor.external_data.add(key=key, value=value)


def _take_in(tensor: Any, traced: Path) -> None:
    """Put the numbers of an initializer into the graph."""
    import onnx

    with _bytes(tensor, traced) as data:
        tensor.raw_data = data
    tensor.ClearField("external_data")
    tensor.data_location = onnx.TensorProto.DEFAULT


def _gather(large: Sequence[Any], traced: Path, made: Path) -> str:
    """Put the numbers of all initializers into one file beside the graph, and give its name."""
    with (made / WEIGHTS_NAME).open("wb") as file:
        for tensor in large:
            with _bytes(tensor, traced) as data:
                file.write(b"\0" * (-file.tell() % ALIGNMENT))
                offset = file.tell()
                file.write(data)
                length = len(data)
            _refer(tensor, WEIGHTS_NAME, offset, length)
    return WEIGHTS_NAME


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
        "file, or beside it beyond two gibibytes; auto, the default: graph-only where the files of weights "
        "have every weight as the graph needs it",
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
        help=f"also put the weights beside a graph-only file, as {WEIGHTS_NAME}",
    )
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run the Python code that the model's folder brings: it can do whatever you can",
    )
    parser.add_argument(
        "--encoded",
        type=Path,
        metavar="FILE.json",
        help="compare with what SentenceTransformer(FOLDER).encode answers, refuse a graph that answers "
        "otherwise, and write these vectors as the model's reference",
    )
    parser.add_argument("--name", default="", help="the model's name in the reference; needed by --encoded")
    given = parser.parse_args(arguments)
    if given.form == "self-contained" and given.link_weights:
        parser.error("--link-weights has no use with --form self-contained: that file carries its weights")
    if (given.encoded is not None) != bool(given.name):
        parser.error("--encoded and --name are needed together")

    def work() -> None:
        exported = export(
            given.model,
            given.output,
            form=given.form,
            recipe=given.recipe,
            trust_remote_code=given.trust_remote_code,
            encoded=(given.encoded, given.name) if given.encoded else None,
        )
        if exported.form == "graph-only":
            names = ", ".join(name for name, _ in exported.data)
            place = f"{exported.matched} of {exported.initializers} initializers in {names}"
            if given.link_weights:
                for name, of in exported.data:
                    link_or_copy(given.model / str(of), given.output.with_name(name))
        else:
            place = exported.form
        say(
            f"{exported.path}: {exported.bytes} bytes, {place}, "
            f"token vectors at most {exported.difference:.1e} from torch's"
        )
        if exported.unmatched:
            say(
                f"note: the weights are written anew, since {len(exported.unmatched)} of "
                f"{exported.initializers} initializers are in no safetensors file byte for byte: "
                f"{_named(exported.unmatched)}"
            )
        say(str(exported.comparison))
        last_line(
            {
                **written_file(exported.path),
                "form": exported.form,
                "exporter": exported.exporter,
                "data": [{"name": name, "of": of} for name, of in exported.data],
                **exported.comparison.as_json(),
                "unmatched": list(exported.unmatched),
                "checked_against": None if exported.checked is None else exported.checked.as_json(),
                "made_with": made_with("the exporter"),
            }
        )

    return run(work)

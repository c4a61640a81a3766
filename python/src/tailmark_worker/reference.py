"""Writes the reference: what torch in single precision on the CPU makes of the committed texts.

Every backend is compared with it before it is timed: its vectors with the vectors, and what they are used for
with the nearest neighbours and the graded pairs. Each text is embedded alone, so that no padding is in the
reference. With `--encode` the vectors are those that sentence-transformers gives for the folder, and a graph
and a recipe that do not give them are refused.
"""

import argparse
import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tailmark_worker import ranking
from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.committed_texts import neighbour_texts
from tailmark_worker.comparison import (
    NEIGHBOURS,
    Baseline,
    TextVectors,
    graph_token_vectors,
    torch_token_vectors,
)
from tailmark_worker.model_folder import add_model_arguments, read_model
from tailmark_worker.pooling import to_bytes
from tailmark_worker.recipe import as_object
from tailmark_worker.tokenizer import Tokenizer
from tailmark_worker.tool import last_line, made_with, run, say, workspace

WEIGHTS = "model.safetensors"
PICKLED = "pytorch_model.bin"
MODEL_NAME = "sentence-transformers/all-MiniLM-L6-v2"
COSINE_DIGITS = 6
"""Digits after the point. What is beyond differs from one processor to the next."""

INDENTED_LEVELS = 3
"""For people who review the file: one text, one vector or one row of neighbours a line, and no more."""

INVISIBLE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Characters that would make the file look different from what it says: written as escapes."""


def reference(
    folder: Path,
    name: str = MODEL_NAME,
    *,
    recipe: str | None = None,
    by_graph: Path | None = None,
    data: Sequence[str] = (),
) -> dict[str, object]:
    """The reference of a model folder, as it is written: torch's vectors, or those of a graph.

    ``data`` are the files below the folder that the graph takes weights from.

    Raises:
        ModelFileError: a file is missing or is not what its name says.
        NotAvailableError: the extra `torch` is not installed.
        ToolError: the model cannot be loaded.
    """
    model = read_model(folder, recipe)
    if by_graph is not None:
        versions = made_with("the reference", libraries=("onnxruntime",))
        vectors = TextVectors(model, graph_token_vectors(by_graph, model.recipe))
    else:
        from tailmark_worker.loading import load_transformer

        versions = made_with("the reference", libraries=("torch", "transformers"))
        import torch

        torch.set_num_threads(1)  # sums in another order have other last digits
        vectors = TextVectors(model, torch_token_vectors(load_transformer(model.folder)))
    files = [] if by_graph is None else [_below(by_graph, model.folder), *data]
    return content(model, name, versions, Baseline(model, lambda texts: vectors.together(texts, 1)), files)


def _below(path: Path, folder: Path) -> str:
    try:
        return path.resolve().relative_to(folder).as_posix()
    except ValueError:
        raise ModelFileError(path, f"it is not in the model's folder {folder}") from None


def by_table(folder: Path, name: str, *, recipe: str | None = None) -> dict[str, object]:
    """The reference of a table of vectors: each text's rows, pooled by the model's recipe.

    Raises:
        ModelFileError: a file is missing or is not what its name says.
    """
    from tailmark_worker import table

    model = read_model(folder, recipe)
    vectors = TextVectors(model, table.token_vectors(model))
    versions = made_with("the reference", libraries=("numpy",))
    return content(model, name, versions, Baseline(model, lambda texts: vectors.together(texts, 1)))


def content(
    model: ModelFolder,
    name: str,
    versions: Mapping[str, str],
    baseline: Baseline,
    graph_files: Sequence[str] = (),
) -> dict[str, object]:
    """The reference as it is written, of vectors that were made before."""
    tokenizer = Tokenizer(model)
    cosines = [round(float(cosine), COSINE_DIGITS) for cosine in baseline.cosines]
    texts = neighbour_texts()
    return {
        "model": name,
        "weights_sha256": weights_digest(model, graph_files),
        "made_with": dict(versions),
        "recipe": as_object(model.recipe),
        "dimensions": int(baseline.alone.shape[1]),
        "texts": baseline.texts,
        "token_counts": [tokenizer.encode([text]).token_counts[0] for text in baseline.texts],
        "vectors": [base64.b64encode(vector).decode("ascii") for vector in to_bytes(baseline.alone)],
        "neighbours": {
            "corpus_sha256": hashlib.sha256("\n".join(texts).encode()).hexdigest(),
            "of": NEIGHBOURS,
            "texts": texts,
            "nearest": baseline.neighbours,
        },
        "graded_pairs": {
            "pairs": [{"a": pair.a, "b": pair.b, "grade": pair.grade} for pair in baseline.pairs],
            "cosines": cosines,
            "spearman": ranking.spearman(cosines, [pair.grade for pair in baseline.pairs]),
        },
    }


def weights_of(model: ModelFolder) -> list[Path]:
    """The safetensors files of a model, its shards in order; none if it has its weights in another form."""
    whole = model.folder / WEIGHTS
    if whole.is_file():
        return [whole]
    index = model.folder / f"{WEIGHTS}.index.json"
    return [model.folder / name for name in _shards(index)] if index.is_file() else []


def weights_digest(model: ModelFolder, graph_files: Sequence[str] = ()) -> str:
    """What tells the weights of one model from those of another.

    The SHA-256 of their file. For several it is that of a list with a line of hash and name for each, two
    spaces apart, sorted by name; and the same of the graph and its data, if the weights are nowhere else.
    """
    named = weights_of(model) or _pickled(model.folder)
    if len(named) == 1:
        return _sha256(named[0])
    files = named or [model.folder / name for name in graph_files]
    lines = sorted((path.relative_to(model.folder).as_posix(), _sha256(path)) for path in files)
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in lines).encode()).hexdigest()


def _pickled(folder: Path) -> list[Path]:
    whole = folder / PICKLED
    if whole.is_file():
        return [whole]
    index = folder / f"{PICKLED}.index.json"
    return [folder / name for name in _shards(index)] if index.is_file() else []


def _shards(index: Path) -> list[str]:
    try:
        names = {str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(index, f"it does not say which file has which tensor: {error}") from error
    if any("/" in name or "\\" in name or name.startswith(".") for name in names):
        raise ModelFileError(index, "it names a file outside the model's folder")
    return sorted(names)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(made: Mapping[str, object], output: Path) -> None:
    """Write a reference, whole or not at all."""
    with workspace(output) as aside:
        candidate = aside / "reference.json"
        candidate.write_text(as_text(dict(made)) + "\n", encoding="utf-8")
        candidate.replace(output)


def as_text(value: object, level: int = 0) -> str:
    """The value as JSON, indented at the top levels only."""
    if level == INDENTED_LEVELS or not isinstance(value, dict | list) or not value:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        return INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    outer, inner = " " * level, " " * (level + 1)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key)}: {as_text(entry, level + 1)}" for key, entry in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{outer}}}"
    lines = [f"{inner}{as_text(entry, level + 1)}" for entry in value]
    return "[\n" + ",\n".join(lines) + f"\n{outer}]"


def main(arguments: Sequence[str]) -> int:
    """The command line `reference`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tailmark_worker reference",
        description="Write the reference vectors, neighbours and graded pairs made by torch on the CPU.",
    )
    add_model_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.json")
    parser.add_argument(
        "--name", default=MODEL_NAME, help="the model's name in the file (default: %(default)s)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--by-graph",
        type=Path,
        metavar="FILE.onnx",
        help="write what this graph answers on the CPU; needs no torch",
    )
    source.add_argument(
        "--by-table", action="store_true", help="write what a table of vectors answers; needs no torch"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME",
        help="with --by-graph: a file, below FOLDER, that the graph takes weights from; may be repeated",
    )
    given = parser.parse_args(arguments)

    def work() -> None:
        if given.by_table:
            made = by_table(given.model, given.name, recipe=given.recipe)
        else:
            made = reference(
                given.model, given.name, recipe=given.recipe, by_graph=given.by_graph, data=given.data
            )
        write(made, given.output)
        graded, texts, recipe = made["graded_pairs"], made["texts"], made["recipe"]
        # They were made a few lines above.
        assert isinstance(graded, dict) and isinstance(texts, list) and isinstance(recipe, dict)  # noqa: S101, PT018
        spearman = graded["spearman"]
        say(
            f"{given.output}: {len(texts)} texts of at most {recipe['max_tokens']} tokens, "
            f"{made['dimensions']} dimensions, "
            f"Spearman {'undefined' if spearman is None else format(spearman, '.4f')}"
        )
        last_line({"made_with": made["made_with"]})

    return run(work)

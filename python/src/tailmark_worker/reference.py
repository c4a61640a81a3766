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
from collections.abc import Callable, Sequence
from pathlib import Path

from tailmark_worker import encode, ranking
from tailmark_worker.backend import ModelFolder
from tailmark_worker.committed_texts import graded_pairs, neighbour_texts, reference_texts
from tailmark_worker.comparison import (
    NEIGHBOURS,
    TextVectors,
    graph_token_vectors,
    load_torch,
    torch_token_vectors,
)
from tailmark_worker.graph_file import runnable
from tailmark_worker.model_folder import add_model_arguments, read_model
from tailmark_worker.pooling import Floats, to_bytes
from tailmark_worker.recipe import as_object
from tailmark_worker.tokenizer import Tokenizer
from tailmark_worker.tool import made_with, run, say, workspace

MODEL_NAME = "sentence-transformers/all-MiniLM-L6-v2"
COSINE_DIGITS = 6
"""Digits after the point. What is beyond differs from one processor to the next."""

INDENTED_LEVELS = 3
"""For people who review the file: one text, one vector or one row of neighbours a line, and no more."""

INVISIBLE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Characters that would make the file look different from what it says: written as escapes."""


Vectors = Callable[[Sequence[str]], Floats]
"""Texts to vectors of length one, each text embedded alone."""


def reference(
    folder: Path, name: str = MODEL_NAME, *, recipe: str | None = None, encoded_like: Path | None = None
) -> dict[str, object]:
    """The reference of a model folder, as it is written.

    With ``encoded_like`` the vectors are those of sentence-transformers, and those of that graph by the
    recipe have to be the same.

    Raises:
        ModelFileError: a file is missing or is not what its name says.
        NotAvailableError: the extra `torch`, or `export`, is not installed.
        ToolError: the model cannot be loaded, or its vectors are not those of sentence-transformers.
    """
    model = read_model(folder, recipe)
    versions = made_with("the reference", libraries=("torch", "transformers"))
    import torch

    torch.set_num_threads(1)  # sums in another order have other last digits
    tokenizer = Tokenizer(model)
    texts = [text for text in reference_texts() if tokenizer.encode([text]).token_counts[0] > 0]
    if encoded_like is None:
        by_recipe = TextVectors(model, torch_token_vectors(load_torch(model.folder)))
        return _content(model, name, versions, texts, lambda some: by_recipe.together(some, 1))
    with encode.opened(model.folder) as encoder:
        encode.refuse_other_tokens(encoder, model, texts)
        with runnable(encoded_like, model.file("model.safetensors")) as graph:
            of_graph = TextVectors(model, graph_token_vectors(graph)).together(texts, 1)
        cosine = encode.refuse_other_vectors(encoder, encoder.vectors(texts), of_graph, texts)
        say(
            f"compared with {encode.LIBRARY} {encoder.version}: the same tokens, "
            f"and a cosine of {cosine:.7f} at worst to the vectors of `encode`"
        )
        versions[encode.LIBRARY] = encoder.version
        return _content(model, name, versions, texts, encoder.vectors)


def _content(
    model: ModelFolder, name: str, versions: dict[str, str], texts: list[str], vectors: Vectors
) -> dict[str, object]:
    found = vectors(texts)
    tokenizer = Tokenizer(model)
    with model.file("model.safetensors").open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    return {
        "model": name,
        "weights_sha256": digest,
        "made_with": versions,
        "recipe": as_object(model.recipe),
        "dimensions": int(found.shape[1]),
        "texts": texts,
        "token_counts": [tokenizer.encode([text]).token_counts[0] for text in texts],
        "vectors": [base64.b64encode(vector).decode("ascii") for vector in to_bytes(found)],
        "neighbours": _neighbours(vectors),
        "graded_pairs": _graded_pairs(vectors),
    }


def _neighbours(vectors: Vectors) -> dict[str, object]:
    texts = neighbour_texts()
    return {
        "corpus_sha256": hashlib.sha256("\n".join(texts).encode()).hexdigest(),
        "of": NEIGHBOURS,
        "texts": texts,
        "nearest": ranking.nearest(vectors(texts), NEIGHBOURS),
    }


def _graded_pairs(vectors: Vectors) -> dict[str, object]:
    pairs = graded_pairs()
    left = vectors([pair.a for pair in pairs])
    right = vectors([pair.b for pair in pairs])
    cosines = [round(float(cosine), COSINE_DIGITS) for cosine in ranking.cosines(left, right)]
    return {
        "pairs": [{"a": pair.a, "b": pair.b, "grade": pair.grade} for pair in pairs],
        "cosines": cosines,
        "spearman": ranking.spearman(cosines, [pair.grade for pair in pairs]),
    }


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
    parser.add_argument(
        "--encode",
        action="store_true",
        help="write what SentenceTransformer(FOLDER).encode answers; refuse a graph that answers otherwise",
    )
    parser.add_argument(
        "--graph", type=Path, metavar="FILE.onnx", help="what `export` wrote; needed by --encode"
    )
    given = parser.parse_args(arguments)
    if given.encode != (given.graph is not None):
        parser.error(
            "--encode and --graph are needed together: the graph's vectors are compared with those of encode"
        )

    def work() -> None:
        content = reference(given.model, given.name, recipe=given.recipe, encoded_like=given.graph)
        with workspace(given.output) as aside:
            candidate = aside / "reference.json"
            candidate.write_text(as_text(content) + "\n", encoding="utf-8")
            candidate.replace(given.output)
        graded, texts, recipe = content["graded_pairs"], content["texts"], content["recipe"]
        # They were made a few lines above.
        assert isinstance(graded, dict) and isinstance(texts, list) and isinstance(recipe, dict)  # noqa: S101, PT018
        say(
            f"{given.output}: {len(texts)} texts of at most {recipe['max_tokens']} tokens, "
            f"{content['dimensions']} dimensions, Spearman {graded['spearman']:.4f}"
        )

    return run(work)

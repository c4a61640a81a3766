"""Writes the reference: what torch in single precision on the CPU makes of the committed texts.

Every backend is compared with it before it is timed: its vectors with the vectors, and what they are used for
with the nearest neighbours and the graded pairs. Each text is embedded alone, so that no padding is in the
reference.
"""

import argparse
import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from tailmark_worker import ranking
from tailmark_worker.committed_texts import graded_pairs, neighbour_texts, reference_texts
from tailmark_worker.comparison import NEIGHBOURS, TextVectors, load_torch, torch_token_vectors
from tailmark_worker.pooling import to_bytes
from tailmark_worker.sentence_model import read_sentence_model
from tailmark_worker.tool import made_with, run, say, workspace

MODEL_NAME = "sentence-transformers/all-MiniLM-L6-v2"
COSINE_DIGITS = 6
"""Digits after the point. What is beyond differs from one processor to the next."""

INDENTED_LEVELS = 3
"""For people who review the file: one text, one vector or one row of neighbours a line, and no more."""

INVISIBLE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Characters that would make the file look different from what it says: written as escapes."""


def reference(folder: Path, name: str = MODEL_NAME, max_tokens: int | None = None) -> dict[str, object]:
    """The reference of a model folder, as it is written; without ``max_tokens`` its files give the length.

    Raises:
        ModelFileError: a file is missing or is not what its name says.
        NotAvailableError: the extra `torch` is not installed.
        ToolError: the model cannot be loaded.
    """
    model = read_sentence_model(folder, max_tokens)
    versions = made_with("the reference", libraries=("torch", "transformers"))
    import torch

    torch.set_num_threads(1)  # sums in another order have other last digits
    vectors = TextVectors(model, torch_token_vectors(load_torch(model.folder)))
    texts = reference_texts()
    answers = [vectors.batch([text]) for text in texts]
    with model.file("model.safetensors").open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    return {
        "model": name,
        "weights_sha256": digest,
        "made_with": versions,
        "max_tokens": model.max_tokens,
        "pooling": model.pooling,
        "normalize": True,
        "dimensions": int(answers[0][0].shape[1]),
        "texts": texts,
        "token_counts": [counts[0] for _, counts in answers],
        "vectors": [base64.b64encode(to_bytes(found)[0]).decode("ascii") for found, _ in answers],
        "neighbours": _neighbours(vectors),
        "graded_pairs": _graded_pairs(vectors),
    }


def _neighbours(vectors: TextVectors) -> dict[str, object]:
    texts = neighbour_texts()
    return {
        "corpus_sha256": hashlib.sha256("\n".join(texts).encode()).hexdigest(),
        "of": NEIGHBOURS,
        "texts": texts,
        "nearest": ranking.nearest(vectors.together(texts, 1), NEIGHBOURS),
    }


def _graded_pairs(vectors: TextVectors) -> dict[str, object]:
    pairs = graded_pairs()
    left = vectors.together([pair.a for pair in pairs], 1)
    right = vectors.together([pair.b for pair in pairs], 1)
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
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="holds model.safetensors")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.json")
    parser.add_argument(
        "--name", default=MODEL_NAME, help="the model's name in the file (default: %(default)s)"
    )
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="default: the length that the folder's files give"
    )
    given = parser.parse_args(arguments)

    def work() -> None:
        content = reference(given.model, given.name, given.max_tokens)
        with workspace(given.output) as aside:
            candidate = aside / "reference.json"
            candidate.write_text(as_text(content) + "\n", encoding="utf-8")
            candidate.replace(given.output)
        graded = content["graded_pairs"]
        assert isinstance(graded, dict)  # noqa: S101  it was made a few lines above
        say(
            f"{given.output}: {len(reference_texts())} texts of at most {content['max_tokens']} tokens, "
            f"{content['dimensions']} dimensions, Spearman {graded['spearman']:.4f}"
        )

    return run(work)

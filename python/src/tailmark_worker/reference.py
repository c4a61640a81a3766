"""Writes the reference vectors: what torch in single precision on the CPU makes of a fixed list of texts.

Every backend's vectors are compared with these before it is timed. Each text is embedded alone, so that no
padding is in the reference.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from tailmark_worker.backend import BackendError, ModelFolder
from tailmark_worker.python_torch import TorchBackend

MODEL_NAME = "sentence-transformers/all-MiniLM-L6-v2"
MAX_TOKENS = 256


def reference_texts() -> list[str]:
    """The committed texts: every length, several scripts, and what only a machine would ask to embed."""
    data = resources.files("tailmark_worker") / "data" / "reference_texts.json"
    texts = json.loads(data.read_text(encoding="utf-8"))
    return [str(text) for text in texts]


def reference(folder: Path, name: str = MODEL_NAME, max_tokens: int = MAX_TOKENS) -> dict[str, object]:
    """The reference vectors of a model folder, as they are written."""
    model = ModelFolder(folder.resolve(), max_tokens)
    backend = TorchBackend()
    loaded = backend.load(model, {"device": "cpu", "threads": 1, "dtype": "float32"})
    texts = reference_texts()
    answers = [backend.embed([text], normalize=True) for text in texts]
    with model.file("model.safetensors").open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    return {
        "model": name,
        "weights_sha256": digest,
        "made_with": {library: loaded.runs.versions[library] for library in ("torch", "transformers")},
        "max_tokens": max_tokens,
        "pooling": "mean",
        "normalize": True,
        "dimensions": loaded.dimensions,
        "texts": texts,
        "token_counts": [answer.token_counts[0] for answer in answers],
        "vectors": [base64.b64encode(answer.vectors[0]).decode("ascii") for answer in answers],
    }


def main(arguments: Sequence[str]) -> int:
    """The command line `reference`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tailmark_worker reference",
        description="Write reference vectors made by torch on the CPU.",
    )
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="holds model.safetensors")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.json")
    parser.add_argument(
        "--name", default=MODEL_NAME, help="the model's name in the file (default: %(default)s)"
    )
    parser.add_argument(
        "--max-tokens", type=int, default=MAX_TOKENS, metavar="N", help="default: %(default)s"
    )
    given = parser.parse_args(arguments)
    try:
        content = reference(given.model, given.name, given.max_tokens)
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        given.output.write_text(text, encoding="utf-8")
    except (BackendError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{given.output}: {len(reference_texts())} texts, {content['dimensions']} dimensions\n")
    return 0

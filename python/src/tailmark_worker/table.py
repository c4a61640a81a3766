"""A table with a vector for each token, as model2vec and sentence-transformers' `StaticEmbedding` store it.

In numpy, for the reference of such a model; the backend that is measured is another program.
"""

from pathlib import Path
from typing import Any

import numpy as np

from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.comparison import TokenVectors
from tailmark_worker.pooling import Floats
from tailmark_worker.safetensors_file import entries_of
from tailmark_worker.tokenizer import Batch

NAMES = ("embedding.weight", "embeddings")
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I8": "i1", "I64": "<i8", "I32": "<i4"}


def token_vectors(model: ModelFolder) -> TokenVectors:
    """The rows of each text's tokens.

    Raises:
        ModelFileError: there is no table in `model.safetensors`.
    """
    rows = read(model.file("model.safetensors"))

    def run(batch: Batch) -> Floats:
        found: Floats = rows[batch.input_ids]
        return found

    return run


def read(path: Path) -> Floats:
    """The table, with a row for each token.

    Raises:
        ModelFileError: there is none.
    """
    tensors = {entry.name: _array(path, entry) for entry in entries_of(path)}
    name = next((name for name in NAMES if name in tensors), None)
    if name is None:
        raise ModelFileError(path, f"it has no table of vectors: none of its tensors is {' or '.join(NAMES)}")
    rows = tensors[name].astype(np.float32)
    if "mapping" in tensors:
        rows = rows[tensors["mapping"]]
    if "weights" in tensors:
        rows = rows * tensors["weights"].astype(np.float32)[:, None]
    found: Floats = np.ascontiguousarray(rows, dtype=np.float32)
    return found


def _array(path: Path, entry: Any) -> Any:
    with path.open("rb") as file:
        file.seek(entry.offset)
        data = file.read(entry.length)
    if entry.dtype == "BF16":
        halves = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
        return halves.view(np.float32).reshape(entry.shape)
    if entry.dtype not in TYPES:
        raise ModelFileError(path, f"its tensor `{entry.name}` has numbers of type {entry.dtype}")
    return np.frombuffer(data, dtype=TYPES[entry.dtype]).reshape(entry.shape)

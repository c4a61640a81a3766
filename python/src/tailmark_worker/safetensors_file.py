"""Reads where the tensors lie in a safetensors file, and tells them by their bytes.

Knows nothing of models or graphs.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from tailmark_worker.backend import ModelFileError


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

"""Reads where the tensors lie in a safetensors file, and tells them by their bytes.

Knows nothing of models or graphs.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailmark_worker.backend import ModelFileError


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies in `model.safetensors`, counted from the file's first byte."""

    name: str
    offset: int
    length: int


Fingerprint = tuple[str, tuple[int, ...], str]
"""Element type, shape and SHA-256 of the bytes: equal for tensors that can stand for each other."""

FLOATS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""The element types that are read as single precision, with numpy's names for what lies in the file."""

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
    """Every tensor of the file by its fingerprint; of tensors that are equal, the first."""
    tensors: dict[Fingerprint, StoredTensor] = {}
    with path.open("rb") as file:
        for entry in entries_of(path):
            file.seek(entry.offset)
            digest = hashlib.sha256(file.read(entry.length)).hexdigest()
            element = SAFETENSORS_TYPES.get(entry.dtype, entry.dtype)
            place = StoredTensor(entry.name, entry.offset, entry.length)
            tensors.setdefault((element, entry.shape, digest), place)
    return tensors


@dataclass(frozen=True, slots=True)
class Entry:
    """What the header says of a tensor, its place counted from the file's first byte."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


def entries_of(path: Path) -> list[Entry]:
    """Every tensor of the file, in the order in which they lie there.

    The format: eight bytes of little-endian header length, a JSON header with offsets counted from its end,
    the data.
    """
    entries = []
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            # A length that is nonsense is cut to the file's size, and what is read is then not JSON.
            length = min(int.from_bytes(file.read(8), "little"), size)
            header = json.loads(file.read(length))
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                start, end = entry["data_offsets"]
                shape = tuple(int(axis) for axis in entry["shape"])
                if not 0 <= start <= end <= size - 8 - length:
                    raise ValueError(f"`{name}` lies beyond its end")  # noqa: TRY301
                entries.append(Entry(name, str(entry["dtype"]), shape, 8 + length + start, end - start))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(path, f"it is not a safetensors file: {error}") from error
    return sorted(entries, key=lambda entry: entry.offset)


def read_floats(path: Path, name: str, shape: tuple[int, ...]) -> Any:
    """A tensor of this name and shape as an array in single precision.

    Raises:
        ModelFileError: the file lacks it, or it has another shape or type.
    """
    import numpy as np

    if not path.is_file():
        raise ModelFileError(path, "there is no such file")
    entries = entries_of(path)
    found = next((entry for entry in entries if entry.name == name), None)
    if found is None:
        names = ", ".join(sorted(entry.name for entry in entries))
        raise ModelFileError(path, f"it has no tensor `{name}`; it has {names}")
    if found.shape != shape:
        raise ModelFileError(
            path, f"its tensor `{name}` has the shape {list(found.shape)}, expected {list(shape)}"
        )
    if found.dtype not in FLOATS:
        raise ModelFileError(
            path, f"its tensor `{name}` has numbers of type {found.dtype}, expected {', '.join(FLOATS)}"
        )
    with path.open("rb") as file:
        file.seek(found.offset)
        data = file.read(found.length)
    if found.dtype == "BF16":
        # The upper half of a number in single precision.
        halves = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
        return halves.view(np.float32).reshape(shape)
    return np.frombuffer(data, dtype=FLOATS[found.dtype]).astype(np.float32).reshape(shape)

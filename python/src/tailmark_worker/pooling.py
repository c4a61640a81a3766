"""Vectors in numpy: the arithmetic of a head whose vectors are arrays.

Knows nothing of where the token vectors come from, nor in which order a model wants what is here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SMALLEST_LENGTH = 1e-12
"""Divided by instead of a length below it, so that a zero vector stays zero and never becomes NaN."""

EPSILON = np.float32(1e-5)
"""Added to a variance before its root is taken, as torch's `LayerNorm` does."""


def single(vectors: Any) -> Any:
    """The same numbers in single precision."""
    return np.asarray(vectors, dtype=np.float32)


def weighted_sum(hidden: Any, weights: Any) -> Any:
    """The sum of ``hidden`` [texts, tokens, dimensions] over the tokens, each times its weight."""
    # Not a matrix product: numpy would hand that to a BLAS with a thread pool of its own, which `threads`
    # does not rule.
    return np.einsum("bt,btd->bd", weights, hidden)


def total(weights: Any) -> Any:
    """The sum of each row, as a column."""
    return weights.sum(axis=1, keepdims=True)


def at_least(numbers: Any, least: float) -> Any:
    """No number below ``least``."""
    return np.maximum(numbers, np.float32(least))


def root(numbers: Any) -> Any:
    """The square root of each."""
    return np.sqrt(numbers)


def positions(mask: Any) -> Any:
    """1, 2, 3, ... for each token of a row."""
    return np.broadcast_to(np.arange(1, mask.shape[1] + 1, dtype=np.float32), mask.shape)


def largest(hidden: Any, mask: Any) -> Any:
    """The largest of each number over the tokens whose mask is 1; zero where there is none."""
    if hidden.shape[1] == 0:
        return np.zeros((hidden.shape[0], hidden.shape[2]), dtype=np.float32)
    found = np.where(mask[:, :, None] > 0, hidden, np.float32(-np.inf)).max(axis=1)
    return np.where(total(mask) > 0, found, np.float32(0.0))


def taken(hidden: Any, rows: Any) -> Any:
    """The vector of one token of each text, by its place."""
    return hidden[np.arange(hidden.shape[0]), rows]


def first_of(mask: Any) -> Any:
    """The place of each row's first 1; 0 where there is none."""
    return mask.argmax(axis=1)


def last_of(mask: Any) -> Any:
    """The place of each row's last 1; the last place where there is none."""
    return mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)


def side_by_side(parts: list[Any]) -> Any:
    """Vectors put one after the other."""
    return np.concatenate(parts, axis=1)


def tensor(values: Any, _like: Any) -> Any:
    """Numbers that were read from a file, where the vectors are."""
    return values


def product(vectors: Any, matrix: Any) -> Any:
    """Each vector multiplied by a matrix [out, in]."""
    return np.einsum("bi,oi->bo", vectors, matrix, optimize=False)


def _gelu(x: Any) -> Any:
    import math

    error_function = np.frompyfunc(math.erf, 1, 1)
    return (0.5 * x * (1.0 + error_function(x / math.sqrt(2.0)).astype(np.float32))).astype(np.float32)


def _sigmoid(x: Any) -> Any:
    return np.float32(1.0) / (np.float32(1.0) + np.exp(-x))


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, np.float32(0.0)),
    "gelu": _gelu,
    "silu": lambda x: x * _sigmoid(x),
    "sigmoid": _sigmoid,
}


def activated(name: str, vectors: Any) -> Any:
    """Each number after the activation of that name."""
    return ACTIVATIONS[name](vectors)


def standardized(vectors: Any) -> Any:
    """Each row with mean 0 and variance 1; the variance is that of all its numbers."""
    centred = vectors - vectors.mean(axis=1, keepdims=True, dtype=np.float32)
    variance = np.einsum("ij,ij->i", centred, centred)[:, None] / np.float32(vectors.shape[1])
    return centred / np.sqrt(variance + EPSILON)


def scale_to_unit(vectors: Any) -> Any:
    """Each row divided by its Euclidean length."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors / np.maximum(lengths, np.float32(SMALLEST_LENGTH))


def to_bytes(vectors: npt.ArrayLike) -> list[bytes]:
    """Each row as little-endian binary32."""
    return [row.tobytes() for row in np.ascontiguousarray(vectors, dtype="<f4")]

"""Token vectors to text vectors in numpy: the arithmetic of a head whose vectors are arrays.

Knows nothing of where the token vectors come from, nor in which order a model wants what is here.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SMALLEST_LENGTH = 1e-12
"""Divided by instead of a length below it, so that a zero vector stays zero and never becomes NaN."""


def first_token(hidden: Floats) -> Floats:
    """The vector of each text's first token, which is `[CLS]` in models that were trained for this."""
    first: Floats = hidden[:, 0, :]
    return first


def mean_pool(hidden: Floats, attention_mask: npt.NDArray[np.int64]) -> Floats:
    """The mean of ``hidden`` [texts, tokens, dimensions] over the tokens whose mask is 1."""
    mask = attention_mask.astype(np.float32)
    # Not a matrix product: numpy would hand that to a BLAS with a thread pool of its own, which `threads`
    # does not rule.
    summed = np.einsum("bt,btd->bd", mask, hidden)
    pooled: Floats = summed / np.maximum(mask.sum(axis=1, keepdims=True), 1.0)
    return pooled


def scale_to_unit(vectors: Floats) -> Floats:
    """Each row divided by its Euclidean length."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    scaled: Floats = vectors / np.maximum(lengths, np.float32(SMALLEST_LENGTH))
    return scaled


def to_bytes(vectors: npt.ArrayLike) -> list[bytes]:
    """Each row as little-endian binary32."""
    return [row.tobytes() for row in np.ascontiguousarray(vectors, dtype="<f4")]

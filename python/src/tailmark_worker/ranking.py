"""What vectors are used for, in numbers: the nearest texts of a text, and agreement with graded pairs.

Knows nothing of models or of files.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def cosines(left: npt.ArrayLike, right: npt.ArrayLike) -> Doubles:
    """Row by row; two zero vectors are alike."""
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    dots = np.einsum("ij,ij->i", a, b)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    alike: Doubles = np.where(both_zero, 1.0, dots / np.where(lengths == 0, 1.0, lengths))
    return alike


def nearest(vectors: npt.ArrayLike, count: int) -> list[list[int]]:
    """For each row the indices of the ``count`` other rows of the largest cosine, nearest first.

    Equals are in the order of their index.
    """
    rows = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(lengths == 0, 1.0, lengths)
    alike = unit @ unit.T
    np.fill_diagonal(alike, -np.inf)
    order = np.argsort(-alike, axis=1, kind="stable")[:, :count]
    return [[int(index) for index in row] for row in order]


def agreement(left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> float:
    """The mean share of neighbours that two lists of neighbours have in common."""
    shares = [len(set(a) & set(b)) / len(a) for a, b in zip(left, right, strict=True)]
    return float(np.mean(shares))


def ranks(values: npt.ArrayLike) -> Doubles:
    """From 1; equal values share the mean of their ranks."""
    numbers = np.asarray(values, np.float64)
    _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Doubles = (last - (counts - 1) / 2)[inverse]
    return shared


def spearman(left: npt.ArrayLike, right: npt.ArrayLike) -> float | None:
    """Spearman's rank correlation; nothing where one side does not vary."""
    a, b = ranks(left), ranks(right)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else None

"""Buckets of fixed shapes: which ones a batch of texts is put into, and how it is padded to fit.

For runtimes that plan for one shape at a time. Knows nothing of sessions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tailmark_worker.tokenizer import Ids


class Shape(NamedTuple):
    """The shape of a model's inputs."""

    batch: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring texts of a batch that run together, and the bucket they run in."""

    first: int
    texts: int
    shape: Shape


def pieces(token_counts: Sequence[int], buckets: Sequence[Shape]) -> list[Piece]:
    """Cut a batch into pieces that each fit a bucket: as few as there can be, in the smallest buckets.

    A bucket that holds the longest text has to exist; the texts keep their order.
    """
    cut: list[Piece] = []
    first = 0
    while first < len(token_counts):
        rest = token_counts[first:]
        long_enough = [bucket for bucket in buckets if bucket.tokens >= max(rest)]
        texts = min(len(rest), max(bucket.batch for bucket in long_enough))
        # The texts of this piece may be shorter than those that come after it.
        cut.append(Piece(first, texts, smallest(buckets, texts, max(rest[:texts]))))
        first += texts
    return cut


def smallest(buckets: Sequence[Shape], texts: int, tokens: int) -> Shape:
    """The bucket with the fewest positions that holds so many texts of that length."""
    holding = [bucket for bucket in buckets if bucket.batch >= texts and bucket.tokens >= tokens]
    return min(holding, key=lambda bucket: (bucket.batch * bucket.tokens, bucket.tokens))


def padded(rows: Ids, piece: Piece, filling: int) -> Ids:
    """The rows of a piece in the shape of its bucket."""
    here = slice(piece.first, piece.first + piece.texts)
    width = min(rows.shape[1], piece.shape.tokens)
    wide = np.full(piece.shape, filling, dtype=np.int64)
    wide[: piece.texts, :width] = rows[here, :width]
    return wide


def padded_mask(mask: Ids, piece: Piece) -> Ids:
    """The mask of a piece in the shape of its bucket."""
    wide = padded(mask, piece, 0)
    # Attention over nothing at all is a division by zero in some runtimes. These rows are dropped, but NaN
    # can cost time before that.
    wide[piece.texts :, 0] = 1
    return wide

"""Texts to token ids, with the settings every backend shares: no fixed padding, cut to the model's length.

Padding is made here, to the longest text of the batch, because a tokenizer file may carry padding of its own
(to 128 in the case of all-MiniLM-L6-v2) that would make every short text as dear as a long one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tokenizers

from tailmark_worker.backend import ModelFileError, ModelFolder

VERSION: str = tokenizers.__version__

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids of a batch, padded at the right to the longest text."""

    input_ids: Ids
    attention_mask: Ids
    token_counts: list[int]
    truncated: int


class Tokeniser:
    """The tokenizer of a model folder."""

    def __init__(self, model: ModelFolder) -> None:
        """Read ``tokenizer.json`` and replace the padding and truncation it carries."""
        path = model.file("tokenizer.json")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
            padding = self._tokenizer.padding or {}
            self.pad_id = int(padding.get("pad_id", 0))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(model.max_tokens)
        except Exception as error:
            raise ModelFileError(
                path, f"it is not a tokenizer for {model.max_tokens} tokens: {error}"
            ) from error

    def encode(self, texts: Sequence[str]) -> Batch:
        """Token ids of the texts, in their order."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        counts = [len(encoding.ids) for encoding in encodings]
        # A model without special tokens makes nothing of an empty text; one position of padding keeps the
        # shapes legal.
        width = max(1, *counts)
        ids = np.full((len(counts), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(counts), width), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : counts[row]] = encoding.ids
            mask[row, : counts[row]] = 1
        truncated = sum(1 for encoding in encodings if encoding.overflowing)
        return Batch(ids, mask, counts, truncated)

"""Texts to token ids by a model's recipe: its prompt, its case, its length, and no fixed padding.

Padding is made here, to the longest text of the batch, because a tokenizer file may carry padding of its own
(to 128 in the case of all-MiniLM-L6-v2) that would make every short text as dear as a long one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers

from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.recipe import TOKEN_TYPES, Recipe

VERSION: str = tokenizers.__version__

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids of a batch, padded at the right to the longest text."""

    input_ids: Ids
    attention_mask: Ids
    token_type_ids: Ids
    """Zeros, or what the tokenizer says, as the recipe has it."""
    token_counts: list[int]
    truncated: int


class Tokenizer:
    """The tokenizer of a model folder."""

    def __init__(self, model: ModelFolder) -> None:
        """Read ``tokenizer.json`` and replace the padding and truncation it carries."""
        path = model.file("tokenizer.json")
        recipe = model.recipe
        try:
            # Some editors leave a byte order mark.
            self._tokenizer = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8-sig"))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(recipe.max_tokens, direction=recipe.truncation_side)
            if recipe.strip_accents or recipe.lower_case:
                self._tokenizer.normalizer = _normalizer(recipe, self._tokenizer.normalizer)
        except Exception as error:
            raise ModelFileError(
                path, f"it is not a tokenizer for {recipe.max_tokens} tokens: {error}"
            ) from error
        self.padding_id = recipe.padding_id
        self._prompt = recipe.prompt
        self._special = recipe.special_tokens
        self._typed = recipe.token_types == TOKEN_TYPES[1]

    @property
    def prompt_tokens(self) -> int:
        """With how many tokens of the prompt each text begins.

        Those of the prompt alone, but for a special token at its end, which then comes after the text: as
        sentence-transformers counts them.
        """
        if not self._prompt:
            return 0
        encoding = self._tokenizer.encode(self._prompt, add_special_tokens=self._special)
        ends_special = encoding.special_tokens_mask[-1:] == [1]
        return len(encoding.ids) - int(ends_special)

    def encode(self, texts: Sequence[str]) -> Batch:
        """Token ids of the texts, in their order."""
        whole = [self._prompt + text for text in texts] if self._prompt else list(texts)
        encodings = self._tokenizer.encode_batch_fast(whole, add_special_tokens=self._special)
        counts = [len(encoding.ids) for encoding in encodings]
        # A model without special tokens makes nothing of an empty text; one position of padding keeps the
        # shapes legal.
        width = max(1, *counts)
        ids = np.full((len(counts), width), self.padding_id, dtype=np.int64)
        mask = np.zeros((len(counts), width), dtype=np.int64)
        types = np.zeros_like(mask)
        for row, encoding in enumerate(encodings):
            ids[row, : counts[row]] = encoding.ids
            mask[row, : counts[row]] = 1
            if self._typed:
                types[row, : counts[row]] = encoding.type_ids
        truncated = sum(1 for encoding in encodings if encoding.overflowing)
        return Batch(ids, mask, types, counts, truncated)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """What a person can read of ids."""
        return [self._tokenizer.id_to_token(number) or f"#{number}" for number in ids]


def _normalizer(recipe: Recipe, own: Any) -> Any:
    """What the recipe asks for, and after it what the tokenizer does by itself."""
    from tokenizers import normalizers

    steps: list[Any] = []
    if recipe.strip_accents:
        # As BERT does it: marks that take up space, as in Hindi, are letters and stay.
        steps.append(
            normalizers.BertNormalizer(
                clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False
            )
        )
    if recipe.lower_case:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence([*steps, own] if own is not None else steps)

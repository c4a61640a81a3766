"""Compares text vectors with torch's, in single precision on the CPU, over the committed texts.

Knows how a folder and a graph give vectors; does not decide which difference is too large.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tailmark_worker import graph_roles, int8_kernels, pooling, ranking
from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.committed_texts import graded_pairs, neighbour_texts, reference_texts
from tailmark_worker.head import Head
from tailmark_worker.pooling import Floats
from tailmark_worker.recipe import Recipe, RecipeError
from tailmark_worker.tokenizer import Batch, Tokenizer
from tailmark_worker.tool import ToolError, library

NEIGHBOURS = 10
BATCH_TEXTS = 16
SHORT_CHARACTERS = 300
"""Only texts up to this length are also run in batches, where a short text costs as much as the longest."""

OUTPUT_NAME = "last_hidden_state"

TEXTS_AXES = 2
"""The axes of what a graph gives for texts; for tokens there is one more."""

TokenVectors = Callable[[Batch], Floats]
"""Vectors [texts, tokens, dimensions] of a batch, or [texts, dimensions]."""

Vectors = Callable[[Sequence[str]], Floats]
"""Texts to vectors of length one, each text embedded alone."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far vectors of length one are from torch's, and what that means in use."""

    min_cosine: float
    mean_cosine: float
    max_abs_difference: float
    neighbour_agreement: float
    """Mean share of the 10 nearest committed texts that torch finds too."""
    spearman: float | None
    """Rank correlation between the cosines of the graded pairs and their grades."""
    torch_spearman: float | None
    """The same for torch's vectors."""

    def as_json(self) -> dict[str, object]:
        """The figures by their names."""
        return asdict(self)

    def __str__(self) -> str:
        """One line for a person."""
        given, torch = _shown(self.spearman), _shown(self.torch_spearman)
        return (
            f"compared with torch: cosine {self.min_cosine:.7f} at worst, {self.mean_cosine:.7f} on average, "
            f"largest difference {self.max_abs_difference:.1e}, "
            f"{self.neighbour_agreement:.1%} of the {NEIGHBOURS} nearest texts, "
            f"Spearman {given} (torch {torch})"
        )


def _shown(correlation: float | None) -> str:
    return "undefined" if correlation is None else f"{correlation:.4f}"


class TextVectors:
    """Turns texts into vectors of length one: tokenized, run, and pooled by the model's recipe."""

    def __init__(self, model: ModelFolder, token_vectors: TokenVectors) -> None:
        """Read the tokenizer; ``token_vectors`` computes."""
        self._model = model
        self._token_vectors = token_vectors
        self._tokenizer = Tokenizer(model)
        self._head: Head | None = None

    def batch(self, texts: Sequence[str]) -> tuple[Floats, list[int]]:
        """The vectors of texts in one batch, and their numbers of tokens."""
        batch = self._tokenizer.encode(texts)
        hidden = self._token_vectors(batch).astype(np.float32, copy=False)
        if self._head is None:
            self._head = self._head_for(hidden.shape)
        return self._head.apply(hidden, batch.attention_mask, normalize=True), batch.token_counts

    def _head_for(self, shape: tuple[int, ...]) -> Head:
        """The head for vectors [texts, tokens, dimensions], or [texts, dimensions]."""
        model = self._model
        try:
            if len(shape) == TEXTS_AXES:
                return Head.of_texts(model.recipe, shape[-1], pooling)
            return Head(
                model.recipe,
                shape[-1],
                pooling,
                model.folder,
                prompt_tokens=self._tokenizer.prompt_tokens,
            )
        except RecipeError as error:
            raise ToolError(f"its recipe cannot be followed: {error}") from error

    def together(self, texts: Sequence[str], size: int) -> Floats:
        """The vectors of texts in batches of ``size``."""
        starts = range(0, len(texts), size)
        return np.concatenate([self.batch(texts[start : start + size])[0] for start in starts])


class Baseline:
    """The vectors that others are compared with, of the committed texts, made once for all comparisons."""

    def __init__(self, model: ModelFolder, vectors: Vectors, ranked: Vectors | None = None) -> None:
        """Embed the committed texts; ``vectors`` embeds each alone, so that no padding is involved.

        ``ranked`` embeds what is only ranked, neighbors and pairs, instead: in batches that is several times
        as fast, and right where company is known to change no vector.
        """
        ranked = ranked or vectors
        self._model = model
        tokenizer = Tokenizer(model)
        self.texts = [text for text in reference_texts() if tokenizer.encode([text]).token_counts[0] > 0]
        self.pairs = graded_pairs()
        self.alone = vectors(self.texts)
        short = [len(text) <= SHORT_CHARACTERS for text in self.texts]
        self._short_texts = [text for text in self.texts if len(text) <= SHORT_CHARACTERS]
        self._expected = np.concatenate([self.alone, self.alone[short]])
        self.neighbours = ranking.nearest(ranked(neighbour_texts()), NEIGHBOURS)
        left = ranked([pair.a for pair in self.pairs])
        right = ranked([pair.b for pair in self.pairs])
        self.cosines = ranking.cosines(left, right)
        self.spearman = ranking.spearman(self.cosines, [pair.grade for pair in self.pairs])

    def compare(self, token_vectors: TokenVectors) -> Comparison:
        """Compare other vectors: each text alone, and the short ones again in batches with padding.

        Raises:
            ToolError: the vectors have another length, or contain numbers that are not finite.
        """
        vectors = TextVectors(self._model, token_vectors)
        alone, batched = vectors.together(self.texts, 1), vectors.together(self._short_texts, BATCH_TEXTS)
        found, expected = np.concatenate([alone, batched]), self._expected
        if found.shape != expected.shape:
            raise ToolError(f"vectors have {found.shape[1]} dimensions, and torch's have {expected.shape[1]}")
        if not np.isfinite(found).all():
            raise ToolError("some vectors contain numbers that are not finite; nothing was written")
        neighbours, correlation = self._use(vectors)
        alike = ranking.cosines(found, expected)
        return Comparison(
            min_cosine=float(alike.min()),
            mean_cosine=float(alike.mean()),
            max_abs_difference=float(np.abs(found - expected).max()),
            neighbour_agreement=ranking.agreement(neighbours, self.neighbours),
            spearman=correlation,
            torch_spearman=self.spearman,
        )

    def _use(self, vectors: TextVectors) -> tuple[list[list[int]], float | None]:
        neighbours = ranking.nearest(vectors.together(neighbour_texts(), BATCH_TEXTS), NEIGHBOURS)
        left = vectors.together([pair.a for pair in self.pairs], BATCH_TEXTS)
        right = vectors.together([pair.b for pair in self.pairs], BATCH_TEXTS)
        grades = [pair.grade for pair in self.pairs]
        return neighbours, ranking.spearman(ranking.cosines(left, right), grades)


def torch_token_vectors(model: Any) -> TokenVectors:
    """Token vectors by torch."""
    import torch

    from tailmark_worker.loading import takes_token_types

    token_types = takes_token_types(model)

    def run(batch: Batch) -> Floats:
        inputs = {
            "input_ids": torch.from_numpy(batch.input_ids),
            "attention_mask": torch.from_numpy(batch.attention_mask),
        }
        if token_types:
            inputs["token_type_ids"] = torch.from_numpy(batch.token_type_ids)
        with library("torch"), torch.inference_mode():
            hidden: Floats = model(**inputs).last_hidden_state.float().numpy()
        return hidden

    return run


def graph_token_vectors(
    path: Path, recipe: Recipe | None = None, *, exact_sums: bool = False
) -> TokenVectors:
    """Token vectors by onnxruntime on the CPU; those of the texts where the graph gives nothing else.

    ``recipe`` says which of two outputs is taken. ``exact_sums`` keeps int8 kernels from saturating, on a
    processor where they do: see `int8_kernels`.
    """
    import onnxruntime

    if not path.is_file():
        raise ModelFileError(path, "there is no such file")
    with library(f"onnxruntime on {path.name}"):
        session = onnxruntime.InferenceSession(
            str(path),
            sess_options=int8_kernels.settings(exact=exact_sums),
            providers=["CPUExecutionProvider"],
        )
    puts = graph_roles.of_session(session, recipe or Recipe(max_tokens=1, head=()))

    def run(batch: Batch) -> Floats:
        inputs = puts.values(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        with library(f"onnxruntime on {path.name}"):
            found: Floats = session.run([puts.output.name], inputs)[0].astype(np.float32, copy=False)
        return found

    return run


def torch_baseline(model: ModelFolder, torch_model: Any) -> Baseline:
    """Torch's own vectors, by the model's recipe."""
    vectors = TextVectors(model, torch_token_vectors(torch_model))
    return Baseline(model, lambda texts: vectors.together(texts, 1))


def largest_token_difference(
    left: TokenVectors, right: TokenVectors, model: ModelFolder, texts: Sequence[str]
) -> float:
    """The largest over all tokens that are not padding, with each text alone and all in one batch."""
    tokenizer = Tokenizer(model)
    largest = 0.0
    for group in [*([text] for text in texts), list(texts)]:
        batch = tokenizer.encode(group)
        kept = batch.attention_mask == 1
        difference = np.abs(left(batch)[kept] - right(batch)[kept]).max(initial=0.0)
        largest = max(largest, float(difference)) if np.isfinite(difference) else float("inf")
    return largest

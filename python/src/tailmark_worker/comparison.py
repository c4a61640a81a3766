"""Compares text vectors with torch's, in single precision on the CPU, over the committed texts.

Knows how a folder and a graph give vectors; does not decide which difference is too large.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tailmark_worker import int8_kernels, pooling, ranking
from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.committed_texts import graded_pairs, neighbour_texts, reference_texts
from tailmark_worker.head import Head
from tailmark_worker.model_folder import readable
from tailmark_worker.pooling import Floats
from tailmark_worker.tokenizer import Batch, Tokenizer
from tailmark_worker.tool import ToolError, library

NEIGHBOURS = 10
BATCH_TEXTS = 16
SHORT_CHARACTERS = 300
"""Only texts up to this length are also run in batches, where a short text costs as much as the longest."""

OUTPUT_NAME = "last_hidden_state"
NAMED_AT_MOST = 5

TokenVectors = Callable[[Batch], Floats]
"""Vectors [texts, tokens, dimensions] of a batch."""


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
        self._recipe = model.recipe
        self._token_vectors = token_vectors
        self._tokenizer = Tokenizer(model)

    def batch(self, texts: Sequence[str]) -> tuple[Floats, list[int]]:
        """The vectors of texts in one batch, and their numbers of tokens."""
        batch = self._tokenizer.encode(texts)
        hidden = self._token_vectors(batch).astype(np.float32, copy=False)
        head = Head(self._recipe, int(hidden.shape[2]), pooling)
        return head.apply(hidden, batch.attention_mask, normalize=True), batch.token_counts

    def together(self, texts: Sequence[str], size: int) -> Floats:
        """The vectors of texts in batches of ``size``."""
        starts = range(0, len(texts), size)
        return np.concatenate([self.batch(texts[start : start + size])[0] for start in starts])


class TorchBaseline:
    """Torch's vectors of the committed texts, made once for all comparisons."""

    def __init__(self, model: ModelFolder, torch_model: Any) -> None:
        """Embed the committed texts. Those of the reference run alone, so that no padding is involved."""
        self._model = model
        vectors = TextVectors(model, torch_token_vectors(torch_model))
        self._texts = reference_texts()
        self._pairs = graded_pairs()
        alone = vectors.together(self._texts, 1)
        short = [len(text) <= SHORT_CHARACTERS for text in self._texts]
        self._short_texts = [text for text in self._texts if len(text) <= SHORT_CHARACTERS]
        self._expected = np.concatenate([alone, alone[short]])
        self._neighbours, self._spearman = self._use(vectors)

    def compare(self, token_vectors: TokenVectors) -> Comparison:
        """Compare other vectors: each text alone, and the short ones again in batches with padding.

        Raises:
            ToolError: the vectors have another length, or contain numbers that are not finite.
        """
        vectors = TextVectors(self._model, token_vectors)
        alone, batched = vectors.together(self._texts, 1), vectors.together(self._short_texts, BATCH_TEXTS)
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
            neighbour_agreement=ranking.agreement(neighbours, self._neighbours),
            spearman=correlation,
            torch_spearman=self._spearman,
        )

    def _use(self, vectors: TextVectors) -> tuple[list[list[int]], float | None]:
        neighbours = ranking.nearest(vectors.together(neighbour_texts(), BATCH_TEXTS), NEIGHBOURS)
        left = vectors.together([pair.a for pair in self._pairs], BATCH_TEXTS)
        right = vectors.together([pair.b for pair in self._pairs], BATCH_TEXTS)
        grades = [pair.grade for pair in self._pairs]
        return neighbours, ranking.spearman(ranking.cosines(left, right), grades)


def load_torch(folder: Path, dtype: str = "float32", attention: str | None = None) -> Any:
    """The model in torch on the CPU; ``attention`` names one of transformers' implementations."""
    import torch
    import transformers

    transformers.logging.disable_progress_bar()
    chosen = {} if attention is None else {"attn_implementation": attention}
    with library(f"loading {folder} with transformers"), readable(folder) as place:
        model, about = transformers.AutoModel.from_pretrained(
            str(place),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=getattr(torch, dtype),
            **chosen,
        )
    _refuse_what_was_made_up(folder, about["missing_keys"])
    return model.to("cpu").eval()


def _refuse_what_was_made_up(folder: Path, missing: Iterable[str]) -> None:
    """Refuse a model of which weights are missing: the library draws them at random and goes on.

    Those of a pooler are not missed: its output is not used.
    """
    wanted = sorted(name for name in missing if "pooler" not in name.split("."))
    if wanted:
        shown = ", ".join(wanted[:NAMED_AT_MOST]) + (", ..." if len(wanted) > NAMED_AT_MOST else "")
        raise ToolError(
            f"{folder / 'model.safetensors'} lacks {len(wanted)} of the model's tensors, "
            f"which would be drawn at random: {shown}\n\n"
            "hint: the file is damaged or of another model than config.json: fetch both from one place"
        )


def torch_token_vectors(model: Any) -> TokenVectors:
    """Token vectors by torch."""
    import torch

    from tailmark_worker.python_torch import takes_token_types

    token_types = takes_token_types(model)

    def run(batch: Batch) -> Floats:
        inputs = {
            "input_ids": torch.from_numpy(batch.input_ids),
            "attention_mask": torch.from_numpy(batch.attention_mask),
        }
        if token_types:
            inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
        with library("torch"), torch.inference_mode():
            hidden: Floats = model(**inputs).last_hidden_state.float().numpy()
        return hidden

    return run


def graph_token_vectors(path: Path, *, exact_sums: bool = False) -> TokenVectors:
    """Token vectors by onnxruntime on the CPU.

    ``exact_sums`` keeps int8 kernels from saturating, on a processor where they do: see `int8_kernels`.
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
    wanted = {put.name for put in session.get_inputs()}

    def run(batch: Batch) -> Floats:
        everything = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "token_type_ids": np.zeros_like(batch.input_ids),
        }
        with library(f"onnxruntime on {path.name}"):
            inputs = {name: array for name, array in everything.items() if name in wanted}
            hidden: Floats = session.run([OUTPUT_NAME], inputs)[0]
        return hidden

    return run


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

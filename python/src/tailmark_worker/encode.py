"""Compares a recipe with what `SentenceTransformer(folder).encode(texts)` makes of the same folder.

A folder's files can say more than a recipe can, or contradict one another. Whatever they say, what is
measured has to be what is deployed: this library's own answer decides, and not a second reading of the
files.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tailmark_worker import ranking
from tailmark_worker.backend import ModelFolder, NotAvailableError
from tailmark_worker.model_folder import readable
from tailmark_worker.pooling import Floats, scale_to_unit
from tailmark_worker.tokenizer import Tokenizer
from tailmark_worker.tool import ToolError, library

LIBRARY = "sentence-transformers"

SMALLEST_COSINE = 0.9999
"""Single precision on both sides differs by far less; another pooling or another case by far more."""

SHOWN_CHARACTERS = 40
SHOWN_TOKENS = 4

EXTRA_TEXTS = (
    "A MAN IS EATING FOOD.",
    "Crème brûlée für Zoë, GARÇON!",
    "  spaces   before,\tbetween and after  ",
)
"""For what the committed texts have too little of: case, accents, space."""

LONG_TEXT_WORDS = ("first", "words", "of", "a", "long", "text", "that", "ends", "with", "others")


@dataclass(frozen=True, slots=True)
class Encoder:
    """The library's model of a folder."""

    model: Any
    version: str

    def vectors(self, texts: Sequence[str]) -> Floats:
        """The vectors of texts, each embedded alone, scaled to length one."""
        with library(LIBRARY):
            found = self.model.encode(
                list(texts), batch_size=1, show_progress_bar=False, convert_to_numpy=True
            )
        return scale_to_unit(np.asarray(found, np.float32))

    def ids(self, text: str) -> list[int]:
        """The token ids of a text, with its prompt, as `encode` hands them to the transformer."""
        prompt = (
            self.model.prompts.get(self.model.default_prompt_name) if self.model.default_prompt_name else None
        )
        with library(LIBRARY):
            # An earlier version has another name for it, and puts the prompt before the text itself.
            if hasattr(self.model, "preprocess"):
                features = self.model.preprocess([text], **({"prompt": prompt} if prompt else {}))
            else:
                features = self.model.tokenize([f"{prompt or ''}{text}"])
            return [int(number) for number in features["input_ids"][0]]

    def modules(self) -> str:
        """The modules of the model, in order."""
        return ", ".join(type(module).__name__ for module in self.model)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Encoder]:
    """The library's model of a folder, in single precision on the CPU.

    Raises:
        NotAvailableError: the library is not installed.
        ToolError: the library cannot load the folder.
    """
    try:
        import sentence_transformers
        import transformers
    except ImportError as error:
        raise NotAvailableError(
            "the comparison with `encode`", f"{error}; it needs the extra `export`"
        ) from error
    transformers.logging.disable_progress_bar()
    with readable(folder) as place:
        with library(f"loading {folder} with {LIBRARY}"):
            model = sentence_transformers.SentenceTransformer(
                str(place),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                # The file may be in half precision, in which the library would compute.
                model_kwargs={"dtype": "float32", "use_safetensors": True},
            )
        yield Encoder(model, str(sentence_transformers.__version__))


def refuse_other_tokens(encoder: Encoder, model: ModelFolder, texts: Sequence[str]) -> None:
    """Refuse a recipe by which some text has other tokens than by the library.

    Raises:
        ToolError: with the text, and the first tokens that differ.
    """
    tokenizer = Tokenizer(model)
    for text in [*texts, *EXTRA_TEXTS, _long_text(model.recipe.max_tokens)]:
        batch = tokenizer.encode([text])
        ours = batch.input_ids[0, : batch.token_counts[0]].tolist()
        theirs = encoder.ids(text)
        if ours != theirs:
            raise ToolError(
                f"{LIBRARY} has other tokens of {_shown(text)} than the model's files say: "
                f"{_difference(theirs, ours, tokenizer.tokens)}\n\n"
                "hint: tokenizer.json and the files beside it contradict each other; "
                "`SentenceTransformer(folder).save_pretrained(other)` writes files that agree"
            )


def refuse_other_vectors(encoder: Encoder, expected: Floats, found: Floats, texts: Sequence[str]) -> float:
    """The smallest cosine between the library's vectors and those of a graph and a recipe.

    Raises:
        ToolError: they are not the same vectors.
    """
    if expected.shape != found.shape:
        raise ToolError(
            f"{LIBRARY}'s vectors have {expected.shape[1]} numbers and those of the graph {found.shape[1]}; "
            f"its modules are {encoder.modules()}"
        )
    alike = ranking.cosines(expected, found)
    worst = int(np.argmin(alike))
    if not alike[worst] >= SMALLEST_COSINE:
        other = int((alike < SMALLEST_COSINE).sum())
        raise ToolError(
            f"the vectors are not those of `SentenceTransformer(folder).encode`: {other} of {len(texts)} "
            f"texts have a cosine below {SMALLEST_COSINE}, the smallest is {alike[worst]:.4f}, "
            f"of {_shown(texts[worst])}; the tokens are the same, and its modules are {encoder.modules()}"
            "\n\nhint: what comes after the tokens is not what modules.json and the files beside it say"
        )
    return float(alike[worst])


def _long_text(max_tokens: int) -> str:
    """A text that has to be cut, and whose two ends are unlike."""
    words = LONG_TEXT_WORDS
    return " ".join(words[(at * len(words)) // (max_tokens + 8)] for at in range(max_tokens + 8))


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}...")


def _difference(
    theirs: Sequence[int], ours: Sequence[int], tokens: Callable[[Sequence[int]], list[str]]
) -> str:
    """Where two rows of ids part, in tokens."""
    pairs = zip(theirs, ours, strict=False)
    at = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(theirs), len(ours)))

    def part(ids: Sequence[int]) -> str:
        shown = tokens(ids[at : at + SHOWN_TOKENS])
        return f"{len(ids)} tokens, from token {at + 1} on `{' '.join(shown)}`"

    return f"{part(theirs)}; by the recipe {part(ours)}"

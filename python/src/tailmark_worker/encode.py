"""Compares a recipe with what `SentenceTransformer(folder).encode(texts)` makes of the same folder.

A folder's files can say more than a recipe can, or contradict one another. Whatever they say, what is
measured has to be what is deployed: this library's own answer decides, and not a second reading of the
files.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tailmark_worker import ranking
from tailmark_worker.backend import ModelFolder, NotAvailableError
from tailmark_worker.committed_texts import reference_texts
from tailmark_worker.comparison import BATCH_TEXTS, SHORT_CHARACTERS, TextVectors, TokenVectors
from tailmark_worker.model_folder import readable
from tailmark_worker.pooling import Floats, scale_to_unit
from tailmark_worker.tokenizer import Tokenizer
from tailmark_worker.tool import ToolError, library

LIBRARY = "sentence-transformers"

SMALLEST_COSINE = 0.9999
"""Single precision on both sides differs by far less; another pooling or another case by far more."""

LONGEST_COMPARED = 1024
"""A text that is cut to more tokens than this is compared by its tokens alone: it would take minutes."""

TEXTS_WITH_A_PROMPT = 8

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
class Checked:
    """How close the vectors by a recipe are to the library's."""

    library: str
    version: str
    smallest_cosine: float
    """Over all texts, prompts and batches that were compared."""
    prompts: int
    """How many named prompts were compared."""
    compared: int
    """How many vectors were compared."""

    def as_json(self) -> dict[str, object]:
        """What the manifest keeps."""
        return {
            "library": self.library,
            "version": self.version,
            "smallest_cosine": round(self.smallest_cosine, 9),
        }

    def __str__(self) -> str:
        """One line for a person."""
        prompts = "" if not self.prompts else f", with each of {self.prompts} prompts"
        return (
            f"compared with {self.library} {self.version}: the same tokens, and over {self.compared} vectors"
            f"{prompts} a cosine of {self.smallest_cosine:.7f} at worst to those of `encode`"
        )


@dataclass(frozen=True, slots=True)
class Encoder:
    """The library's model of a folder."""

    model: Any
    version: str

    def vectors(self, texts: Sequence[str], prompt: str | None = None, batch_texts: int = 1) -> Floats:
        """The vectors of texts, scaled to length one; ``prompt`` names one, instead of the default."""
        with library(LIBRARY):
            found = self.model.encode(
                list(texts),
                **({} if prompt is None else {"prompt_name": prompt}),
                batch_size=batch_texts,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        unit: Floats = scale_to_unit(np.asarray(found, np.float32))
        return unit

    def in_batches(self, texts: Sequence[str]) -> Floats:
        """The vectors of texts, of which the library puts those of like lengths together."""
        return self.vectors(texts, batch_texts=BATCH_TEXTS)

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
def opened(folder: Path, *, trust_remote_code: bool = False) -> Iterator[Encoder]:
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
    pickled = not any(folder.glob("*.safetensors"))
    with readable(folder) as place:
        with library(f"loading {folder} with {LIBRARY}"):
            model = sentence_transformers.SentenceTransformer(
                str(place),
                device="cpu",
                local_files_only=True,
                trust_remote_code=trust_remote_code,
                # The file may be in half precision, in which the library would compute.
                model_kwargs={"dtype": "float32", **({"weights_only": True} if pickled else {})},
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


def check(encoder: Encoder, model: ModelFolder, token_vectors: TokenVectors) -> Checked:
    """Compare a graph and a recipe with the library: texts alone and in batches, and with every prompt.

    Raises:
        ToolError: some text has other tokens or another vector.
    """
    tokenizer = Tokenizer(model)
    texts = [text for text in reference_texts() if tokenizer.encode([text]).token_counts[0] > 0]
    refuse_other_tokens(encoder, model, texts)
    texts += EXTRA_TEXTS
    if model.recipe.max_tokens <= LONGEST_COMPARED:
        texts.append(_long_text(model.recipe.max_tokens))
    found = [_compared(encoder, model, token_vectors, texts, None, 1)]
    short = sorted((text for text in texts if len(text) <= SHORT_CHARACTERS), key=_order)
    found.append(_compared(encoder, model, token_vectors, short, None, BATCH_TEXTS))
    few = [*short[:TEXTS_WITH_A_PROMPT], *EXTRA_TEXTS]
    for prompt in model.recipe.prompts:
        asked = replace(model, recipe=replace(model.recipe, default_prompt=prompt))
        found.append(_compared(encoder, asked, token_vectors, few, prompt, 1))
        found.append(_compared(encoder, asked, token_vectors, few, prompt, BATCH_TEXTS))
    return Checked(
        LIBRARY,
        encoder.version,
        min(float(alike.min()) for alike in found),
        len(model.recipe.prompts),
        sum(len(alike) for alike in found),
    )


def _order(text: str) -> str:
    """Texts in this order have neighbours of unequal lengths, and the same ones every time."""
    return hashlib.sha256(text.encode()).hexdigest()


def _compared(
    encoder: Encoder,
    model: ModelFolder,
    token_vectors: TokenVectors,
    texts: Sequence[str],
    prompt: str | None,
    batch_texts: int,
) -> npt.NDArray[np.float64]:
    """The cosine of each text's vector to the library's, none of which is too small."""
    expected = encoder.vectors(texts, prompt, batch_texts)
    found = TextVectors(model, token_vectors).together(texts, batch_texts)
    if expected.shape != found.shape:
        raise ToolError(
            f"{LIBRARY}'s vectors have {expected.shape[1]} numbers and those of the graph {found.shape[1]}; "
            f"its modules are {encoder.modules()}"
        )
    alike = ranking.cosines(expected, found)
    worst = int(np.argmin(alike))
    if not alike[worst] >= SMALLEST_COSINE:
        if batch_texts > 1:
            _refuse_vectors_of_company(expected, encoder.vectors(texts, prompt, 1), texts, batch_texts)
        other = int((alike < SMALLEST_COSINE).sum())
        how = "" if prompt is None else f" with the prompt `{prompt}`"
        how += "" if batch_texts == 1 else f" in batches of {batch_texts}"
        raise ToolError(
            f"the vectors are not those of `SentenceTransformer(folder).encode`{how}: "
            f"{other} of {len(texts)} texts have a cosine below {SMALLEST_COSINE}, "
            f"the smallest is {alike[worst]:.4f}, of {_shown(texts[worst])}; the tokens are the same, "
            f"and its modules are {encoder.modules()}\n\n"
            "hint: what comes after the tokens is not what modules.json and the files beside it say"
        )
    return np.asarray(alike)


def _refuse_vectors_of_company(
    together: Floats, alone: Floats, texts: Sequence[str], batch_texts: int
) -> None:
    """Refuse a model of which the library gives a text another vector in other company: none is its own.

    Raises:
        ToolError: with the text that differs most.
    """
    alike = ranking.cosines(alone, together)
    worst = int(np.argmin(alike))
    if not alike[worst] >= SMALLEST_COSINE:
        raise ToolError(
            f"`SentenceTransformer(folder).encode` gives a text another vector in batches of {batch_texts} "
            f"than alone: the smallest cosine between the two is {alike[worst]:.4f}, "
            f"of {_shown(texts[worst])}, and {SMALLEST_COSINE} is the least allowed\n\n"
            "hint: padding changes its vectors, as it does at the left of a model that counts positions "
            'from the left; write `"padding_side": "right"` into tokenizer_config.json, and '
            '`"direction": "Right"` into the padding of tokenizer.json'
        )


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

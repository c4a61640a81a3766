"""Reads from a sentence-transformers folder how long a text may be, how it is pooled, and what pads a batch.

Knows the files of such a folder and the families BERT, RoBERTa and MPNet; loads no weights.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tokenizers

from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.tokenise import Batch, Tokeniser

Pooling = Literal["mean", "cls"]

OFFSET_POSITIONS = {
    "camembert",
    "data2vec-text",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}
"""Model types whose positions are counted from the padding token's id plus one: as many are never used."""

NO_LIMIT = 1_000_000
"""Tokenizer files write "no limit" as a huge number; no encoder has positions for this many tokens."""

KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")
MEAN_KEY, CLS_KEY = "pooling_mode_mean_tokens", "pooling_mode_cls_token"


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """A folder and the settings its files give."""

    folder: Path
    max_tokens: int
    """Texts are cut to this many tokens, special tokens included."""
    pooling: Pooling
    pad_id: int

    def file(self, name: str) -> Path:
        """The path of a file that has to be there."""
        return self.as_folder().file(name)

    def as_folder(self) -> ModelFolder:
        """The same as the backends take it."""
        pooling: dict[str, Any] = {}
        if "pooling" in ModelFolder.__dataclass_fields__:
            pooling["pooling"] = self.pooling
        return ModelFolder(self.folder, self.max_tokens, **pooling)


class Encoder:
    """Texts to batches, padded with the model's own padding token."""

    def __init__(self, model: SentenceModel) -> None:
        """Read the tokenizer."""
        self._tokeniser = Tokeniser(model.as_folder())
        self._pad_id = model.pad_id

    def encode(self, texts: list[str]) -> Batch:
        """Token ids of the texts, in their order."""
        batch = self._tokeniser.encode(texts)
        # A RoBERTa tells its positions from which ids are padding, so that another id would not do.
        batch.input_ids[batch.attention_mask == 0] = self._pad_id
        return batch


def read_sentence_model(folder: Path, max_tokens: int | None = None) -> SentenceModel:
    """The settings of a folder; ``max_tokens`` replaces the length that its files give.

    Raises:
        ModelFileError: a file is missing or damaged, or asks for what no backend here does.
    """
    folder = folder.resolve()
    needed = ModelFolder(folder, 1)
    for name in ("model.safetensors", "tokenizer.json"):
        needed.file(name)
    config = _object(needed.file("config.json"))
    pooling_folder = _check_modules(folder)
    return SentenceModel(
        folder=folder,
        max_tokens=_max_tokens(folder, config) if max_tokens is None else max_tokens,
        pooling=_pooling(folder / pooling_folder / "config.json"),
        pad_id=_pad_id(folder, config),
    )


def _object(path: Path) -> dict[str, Any]:
    """A JSON object; that of a file that is not there is empty."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelFileError(path, f"it is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelFileError(path, "it is not a JSON object")
    return content


def _check_modules(folder: Path) -> str:
    """The folder of the pooling module, after a look for modules that would be left out."""
    path = folder / "modules.json"
    pooling = "1_Pooling"
    if not path.is_file():
        return pooling
    try:
        modules = [
            (entry["type"].rsplit(".", 1)[-1], entry["path"])
            for entry in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(path, f"it is not a list of modules: {error!r}") from error
    for kind, place in modules:
        if kind not in KNOWN_MODULES:
            raise ModelFileError(
                path,
                f"it has a module `{kind}`, known are {', '.join(KNOWN_MODULES)}: "
                "without it the vectors would be other vectors",
            )
        if kind == "Pooling":
            pooling = str(place)
    return pooling


def _max_tokens(folder: Path, config: dict[str, Any]) -> int:
    path = folder / "config.json"
    positions = _whole_number(config.get("max_position_embeddings"))
    if positions is not None and config.get("model_type") in OFFSET_POSITIONS:
        # MPNet's own padding id is always 1, whatever its file says.
        padding = 1 if config["model_type"] == "mpnet" else config.get("pad_token_id", 1)
        positions -= int(padding) + 1
    for name, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        length = _whole_number(_object(folder / name).get(key))
        if length is not None:
            return length if positions is None else min(length, positions)
    if positions is None or positions < 1:
        raise ModelFileError(
            path,
            "no file says how many tokens the model takes: sentence_bert_config.json has no "
            "`max_seq_length`, tokenizer_config.json no `model_max_length`, "
            "and this file no usable `max_position_embeddings`",
        )
    return positions


def _whole_number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < NO_LIMIT:
        return None
    return int(value)


def _pooling(path: Path) -> Pooling:
    """Mean where nothing is said, as in a folder that holds the transformer alone."""
    if not path.is_file():
        return "mean"
    content = _object(path)
    named = content.get("pooling_mode")
    modes = {str(key): bool(value) for key, value in content.items() if key.startswith("pooling_mode_")}
    chosen = [key for key, value in modes.items() if value]
    if chosen == [MEAN_KEY] or (not modes and named == "mean"):
        return "mean"
    if chosen == [CLS_KEY] or (not modes and named == "cls"):
        return "cls"
    found = " and ".join(f"`{mode}`" for mode in chosen) or f"`pooling_mode` {named!r}"
    raise ModelFileError(
        path, f"the pooling is {found}; supported are `{MEAN_KEY}` or `{CLS_KEY}`, one of them alone"
    )


def _pad_id(folder: Path, config: dict[str, Any]) -> int:
    """From the tokenizer's own padding, from the token that is named as padding, or from the model."""
    path = folder / "tokenizer.json"
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises the bare class
        raise ModelFileError(path, f"it is not a tokenizer: {error}") from error
    if tokenizer.padding is not None:
        return int(tokenizer.padding["pad_id"])
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        token = _object(folder / name).get("pad_token")
        text = token.get("content") if isinstance(token, dict) else token
        known = tokenizer.token_to_id(text) if isinstance(text, str) else None
        if known is not None:
            return int(known)
    given = config.get("pad_token_id")
    return given if isinstance(given, int) else 0

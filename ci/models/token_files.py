"""Shapes that differ in how the tokenizer is kept and what it does."""

import json
from collections.abc import Mapping
from pathlib import Path

from networks import bert, save, settle, xlmr
from shape import SHAPES
from tokenizers import processors
from words import pieces_of_xlmr, word_piece

TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"


@SHAPES.add()
def tokenizer_vocab_txt(folder: Path) -> None:
    """vocab.txt without tokenizer.json: old BERTs."""
    words = word_piece()
    save(folder, bert(words), words)
    ordered = sorted(words.get_vocab().items(), key=lambda entry: entry[1])
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word, _ in ordered), encoding="utf-8")
    (folder / TOKENIZER).unlink()
    settle(folder / SETTINGS, {"tokenizer_class": "BertTokenizer", "do_lower_case": True})


@SHAPES.refused("another vector in batches of 16 than alone")
def tokenizer_left_padding(folder: Path) -> None:
    """Padding at the left of an encoder, in both files: `encode` itself then depends on the batch."""
    words = word_piece(padding_side="left")
    save(folder, bert(words), words)
    rewrite(folder, padding=_padding("BatchLongest", "Left"))


@SHAPES.add()
def tokenizer_baked(folder: Path) -> None:
    """Padding to a fixed length and a short truncation in tokenizer.json, which nobody obeys."""
    words = word_piece()
    save(folder, bert(words), words)
    cut = {"direction": "Right", "max_length": 12, "strategy": "LongestFirst", "stride": 0}
    rewrite(folder, padding=_padding({"Fixed": 128}, "Right"), truncation=cut)


@SHAPES.add()
def tokenizer_padding_unsaid(folder: Path) -> None:
    """tokenizer.json says nothing of padding, whose id is 1."""
    words = pieces_of_xlmr()
    save(folder, xlmr(words), words)
    rewrite(folder, padding=None, truncation=None)


@SHAPES.add()
def tokenizer_cuts_left(folder: Path) -> None:
    """truncation_side is left, so that a long text keeps its end."""
    words = word_piece(16, truncation_side="left")
    save(folder, bert(words), words)
    settle(folder / SETTINGS, {"truncation_side": "left"})


@SHAPES.add()
def tokenizer_class_lower_case(folder: Path) -> None:
    """do_lower_case in tokenizer_config.json, where tokenizer.json keeps the case."""
    words = word_piece(lower_case=False)
    save(folder, bert(words), words)
    settle(folder / SETTINGS, {"tokenizer_class": "BertTokenizer", "do_lower_case": True})


@SHAPES.add()
def tokenizer_token_types(folder: Path) -> None:
    """The tokenizer's template has token types other than zero, which a saved folder does not use."""
    words = word_piece()
    words._tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    save(folder, bert(words), words)


@SHAPES.add()
def tokenizer_nothing_special(folder: Path) -> None:
    """gte-Qwen2-like: no token is added, so that some texts have none."""
    words = word_piece()
    words._tokenizer.post_processor = None
    save(folder, bert(words), words)
    rewrite(folder, post_processor=None)


def _padding(strategy: object, direction: str) -> Mapping[str, object]:
    return {
        "strategy": strategy,
        "direction": direction,
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }


def rewrite(folder: Path, **entries: object) -> None:
    """Put these entries into tokenizer.json."""
    path = folder / TOKENIZER
    content = json.loads(path.read_text(encoding="utf-8")) | entries
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

"""Texts to ids, token vectors to text vectors: small tables, and the suite that the Rust end runs too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROVIDERS, model_in, write_tokenizer

from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.pooling import scale_to_unit, to_bytes
from tailmark_worker.recipe import as_object, read_recipe
from tailmark_worker.tokenizer import Tokenizer

WORDS = ["one", "two", "three", "four", "five"]


def tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    write_tokenizer(folder, WORDS, fixed_padding=8)
    return Tokenizer(model_in(folder, max_tokens))


def test_a_batch_is_padded_to_its_longest_text_and_no_further(tmp_path: Path) -> None:
    batch = tokenizer(tmp_path, 256).encode(["one", "one two three", ""])
    assert batch.input_ids.tolist() == [[2, 4, 3, 0, 0], [2, 4, 5, 6, 3], [2, 3, 0, 0, 0]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert batch.token_counts == [3, 5, 2]
    assert batch.truncated == 0


def test_the_length_written_in_the_tokenizer_file_does_not_cut(tmp_path: Path) -> None:
    batch = tokenizer(tmp_path, 256).encode([" ".join(["one"] * 20)])
    assert (batch.token_counts, batch.truncated) == ([22], 0)


def test_texts_that_are_cut_are_counted_and_texts_that_just_fit_are_not(tmp_path: Path) -> None:
    batch = tokenizer(tmp_path, 5).encode(["one two three", "one two three four", "one two three four five"])
    assert batch.token_counts == [5, 5, 5]
    assert batch.truncated == 2
    assert batch.input_ids[1].tolist() == [2, 4, 5, 6, 3]


def test_a_tokenizer_that_is_missing_or_damaged_is_a_fault_of_that_file(tmp_path: Path) -> None:
    model = model_in(tmp_path, 8)
    path = tmp_path / "tokenizer.json"
    with pytest.raises(ModelFileError) as missing:
        Tokenizer(model)
    assert missing.value.data == {"path": str(path), "why": "there is no such file"}
    path.write_text("{}")
    with pytest.raises(ModelFileError) as damaged:
        Tokenizer(model)
    assert str(damaged.value.data["why"]).startswith("it is not a tokenizer for 8 tokens: ")


def test_scaling_makes_the_length_one() -> None:
    scaled = scale_to_unit(np.array([[3, 4], [0, -2]], dtype=np.float32))
    np.testing.assert_allclose(scaled, np.array([[0.6, 0.8], [0.0, -1.0]]), rtol=1e-6)


def test_vectors_become_little_endian_binary32() -> None:
    assert to_bytes(np.array([[1.0, -2.0]], dtype=">f8")) == [bytes.fromhex("0000803f000000c0")]


TEXTS = json.loads((PROVIDERS / "conformance" / "recipes" / "texts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("example", TEXTS["examples"], ids=lambda example: example["name"])
def test_a_recipe_gives_the_tokens_of_the_suite(tmp_path: Path, example: dict[str, Any]) -> None:
    # A byte order mark, as some editors leave it, is no part of the file.
    (tmp_path / "tokenizer.json").write_text(json.dumps(TEXTS["tokenizer"]), encoding="utf-8-sig")
    recipe = read_recipe(example["recipe"])
    assert as_object(recipe) == example["recipe"]
    tokenizer = Tokenizer(ModelFolder(tmp_path, recipe))
    batch = tokenizer.encode(example["texts"])
    assert batch.input_ids.tolist() == example["input_ids"]
    assert batch.attention_mask.tolist() == example["attention_mask"]
    assert (batch.token_counts, batch.truncated) == (example["token_counts"], example["truncated"])
    assert batch.token_type_ids.tolist() == example.get(
        "token_type_ids", np.zeros_like(batch.input_ids).tolist()
    )
    assert tokenizer.prompt_tokens == example.get("prompt_tokens", 0)

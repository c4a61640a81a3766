"""Texts to ids, token vectors to text vectors: small tables, and the suite that the Rust end runs too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROVIDERS, model_in, write_tokenizer

from tailmark_worker import pooling
from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.head import Head
from tailmark_worker.pooling import mean_pool, scale_to_unit, to_bytes
from tailmark_worker.python_torch import TorchArithmetic
from tailmark_worker.recipe import RecipeError, as_object, read_recipe
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


def test_padding_is_not_in_the_mean() -> None:
    hidden = np.array([[[1, 2], [3, 4], [100, 100]], [[5, 6], [7, 8], [9, 10]]], dtype=np.float32)
    mask = np.array([[1, 1, 0], [1, 1, 1]], dtype=np.int64)
    assert mean_pool(hidden, mask).tolist() == [[2, 3], [7, 8]]


def test_a_text_without_tokens_has_the_zero_vector() -> None:
    hidden = np.ones((1, 1, 2), dtype=np.float32)
    pooled = mean_pool(hidden, np.zeros((1, 1), dtype=np.int64))
    assert scale_to_unit(pooled).tolist() == [[0, 0]]


def test_scaling_makes_the_length_one() -> None:
    scaled = scale_to_unit(np.array([[3, 4], [0, -2]], dtype=np.float32))
    np.testing.assert_allclose(scaled, np.array([[0.6, 0.8], [0.0, -1.0]]), rtol=1e-6)


def test_vectors_become_little_endian_binary32() -> None:
    assert to_bytes(np.array([[1.0, -2.0]], dtype=">f8")) == [bytes.fromhex("0000803f000000c0")]


HEADS = json.loads((PROVIDERS / "conformance" / "recipes" / "heads.json").read_text(encoding="utf-8"))
TEXTS = json.loads((PROVIDERS / "conformance" / "recipes" / "texts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("example", HEADS, ids=lambda example: example["name"])
def test_a_head_gives_the_vectors_of_the_suite(library: str, example: dict[str, Any]) -> None:
    hidden = np.array(example["tokens"], dtype=np.float32)
    mask = np.array(example["attention_mask"], dtype=np.int64)
    recipe = read_recipe({"max_tokens": 8, "head": example["head"]})
    if library == "torch":
        torch = pytest.importorskip("torch", reason="needs the extra `torch`")
        arithmetic = TorchArithmetic(torch, pooling.SMALLEST_LENGTH)
        head = Head(recipe, hidden.shape[2], arithmetic)
        found = head.apply(
            torch.from_numpy(hidden), torch.from_numpy(mask), normalize=example["normalize"]
        ).numpy()
    else:
        head = Head(recipe, hidden.shape[2], pooling)
        found = head.apply(hidden, mask, normalize=example["normalize"])
    assert (found.dtype, head.dimensions) == (np.float32, len(example["vectors"][0]))
    np.testing.assert_allclose(found, np.array(example["vectors"]), atol=1e-6)


@pytest.mark.parametrize("example", TEXTS["examples"], ids=lambda example: example["name"])
def test_a_recipe_gives_the_tokens_of_the_suite(tmp_path: Path, example: dict[str, Any]) -> None:
    # A byte order mark, as some editors leave it, is no part of the file.
    (tmp_path / "tokenizer.json").write_text(json.dumps(TEXTS["tokenizer"]), encoding="utf-8-sig")
    recipe = read_recipe(example["recipe"])
    assert as_object(recipe) == example["recipe"]
    batch = Tokenizer(ModelFolder(tmp_path, recipe)).encode(example["texts"])
    assert batch.input_ids.tolist() == example["input_ids"]
    assert batch.attention_mask.tolist() == example["attention_mask"]
    assert (batch.token_counts, batch.truncated) == (example["token_counts"], example["truncated"])


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ([{"module": "pooling", "mode": "max"}], "the pooling is 'max', expected one of mean, cls"),
        ([{"module": "pooling"}], "the module `pooling` has the settings none, expected `mode`"),
        (
            [{"module": "pooling", "mode": "mean"}, {"module": "dense"}],
            "the head has a module `dense`, expected one of `pooling`, `truncate`, `normalize`",
        ),
        (
            [{"module": "pooling", "mode": "mean"}, {"module": "truncate", "dimensions": 9}],
            "it keeps 9 numbers of a vector that has 8; between 1 and 8 are possible",
        ),
    ],
)
def test_a_head_that_cannot_be_followed_is_refused(head: list[object], why: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Head(read_recipe({"max_tokens": 8, "head": head}), 8, pooling)
    assert str(caught.value) == why

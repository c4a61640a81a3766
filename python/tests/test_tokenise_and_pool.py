"""Texts to ids, token vectors to text vectors: small tables."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_tokenizer

from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.pooling import mean_pool, pool, scale_to_unit, to_bytes
from tailmark_worker.tokenise import Tokeniser

WORDS = ["one", "two", "three", "four", "five"]


def tokeniser(folder: Path, max_tokens: int) -> Tokeniser:
    write_tokenizer(folder, WORDS, fixed_padding=8)
    return Tokeniser(ModelFolder(folder, max_tokens))


def test_a_batch_is_padded_to_its_longest_text_and_no_further(tmp_path: Path) -> None:
    batch = tokeniser(tmp_path, 256).encode(["one", "one two three", ""])
    assert batch.input_ids.tolist() == [[2, 4, 3, 0, 0], [2, 4, 5, 6, 3], [2, 3, 0, 0, 0]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert batch.token_counts == [3, 5, 2]
    assert batch.truncated == 0


def test_the_length_written_in_the_tokenizer_file_does_not_cut(tmp_path: Path) -> None:
    batch = tokeniser(tmp_path, 256).encode([" ".join(["one"] * 20)])
    assert (batch.token_counts, batch.truncated) == ([22], 0)


def test_texts_that_are_cut_are_counted_and_texts_that_just_fit_are_not(tmp_path: Path) -> None:
    batch = tokeniser(tmp_path, 5).encode(["one two three", "one two three four", "one two three four five"])
    assert batch.token_counts == [5, 5, 5]
    assert batch.truncated == 2
    assert batch.input_ids[1].tolist() == [2, 4, 5, 6, 3]


def test_a_tokenizer_that_is_missing_or_damaged_is_a_fault_of_that_file(tmp_path: Path) -> None:
    model = ModelFolder(tmp_path, 8)
    path = tmp_path / "tokenizer.json"
    with pytest.raises(ModelFileError) as missing:
        Tokeniser(model)
    assert missing.value.data == {"path": str(path), "why": "there is no such file"}
    path.write_text("{}")
    with pytest.raises(ModelFileError) as damaged:
        Tokeniser(model)
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


def test_each_way_to_pool_takes_what_it_is_named_after() -> None:
    hidden = np.array([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]], dtype=np.float32)
    mask = np.array([[1, 1, 0]])
    assert pool("mean", hidden, mask).tolist() == [[2.0, 4.0]]
    assert pool("cls", hidden, mask).tolist() == [[1.0, 2.0]]

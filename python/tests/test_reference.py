"""The committed reference vectors: what they are of, and that both backends give them."""

import base64
import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import COMMITTED_MODEL, ExportedFolders

from tailmark_worker.backend import Backend
from tailmark_worker.committed_texts import graded_pairs, neighbour_texts, reference_texts
from tailmark_worker.kinds import make
from tailmark_worker.model_folder import read_model
from tailmark_worker.ranking import agreement, spearman
from tailmark_worker.reference import INVISIBLE, main, reference


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((COMMITTED_MODEL / "reference.json").read_text(encoding="utf-8"))
    return content


def decoded(vectors: list[str]) -> np.ndarray:
    return np.stack([np.frombuffer(base64.b64decode(vector), "<f4") for vector in vectors])


def test_the_committed_vectors_are_of_the_texts_in_the_package(committed: dict[str, Any]) -> None:
    assert committed["texts"] == reference_texts()
    assert len(set(committed["texts"])) == len(committed["texts"]) == len(committed["token_counts"])
    vectors = decoded(committed["vectors"])
    assert vectors.shape == (len(committed["texts"]), committed["dimensions"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_the_texts_cover_every_length(committed: dict[str, Any]) -> None:
    counts = committed["token_counts"]
    assert {2, 3, 4, 6, 16, 24, 48, 64, 96, 128, 160, 192, 224, 251, 255, 256} <= set(counts)
    assert max(counts) == committed["recipe"]["max_tokens"] == 256
    assert {"", " ", "\n", "\t"} <= set(committed["texts"])


def test_the_neighbours_are_of_the_texts_in_the_package(committed: dict[str, Any]) -> None:
    neighbours = committed["neighbours"]
    texts = neighbour_texts()
    assert neighbours["texts"] == texts
    assert 240 <= len(set(texts)) == len(texts) <= 320
    assert neighbours["corpus_sha256"] == hashlib.sha256("\n".join(texts).encode()).hexdigest()
    assert len(neighbours["nearest"]) == len(texts)
    for index, row in enumerate(neighbours["nearest"]):
        assert len(set(row)) == neighbours["of"] == 10
        assert set(row) <= set(range(len(texts))) - {index}
    # A paraphrase stands next to its sentence in the file, and is nearest to it.
    assert neighbours["nearest"][0][0] == 1
    assert neighbours["nearest"][1][0] == 0


def test_the_graded_pairs_are_spread_over_the_grades(committed: dict[str, Any]) -> None:
    graded = committed["graded_pairs"]
    assert graded["pairs"] == [asdict(pair) for pair in graded_pairs()]
    grades = [pair["grade"] for pair in graded["pairs"]]
    assert Counter(grades) == dict.fromkeys(range(6), 12)
    assert len(graded["cosines"]) == len(grades)
    assert graded["spearman"] == pytest.approx(spearman(graded["cosines"], grades))
    assert graded["spearman"] > 0.8


def test_the_file_is_short_enough_to_be_compiled_in_and_hides_no_characters() -> None:
    text = (COMMITTED_MODEL / "reference.json").read_text(encoding="utf-8")
    assert len(text.encode()) < 300_000
    assert INVISIBLE.search(text) is None


@pytest.mark.parametrize("kind", ["mpnet", "roberta"])
def test_a_reference_is_made_of_any_folder_with_its_own_length_and_pooling(
    exported_folders: ExportedFolders, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    output = tmp_path / "reference.json"
    folder = exported_folders(kind).folder
    assert main(["--model", str(folder), "--output", str(output), "--name", kind]) == 0
    assert f"{output}: {len(reference_texts())} texts of at most 48 tokens" in capsys.readouterr().out
    content = json.loads(output.read_text(encoding="utf-8"))
    recipe = content["recipe"]
    assert (content["model"], recipe["max_tokens"], content["dimensions"]) == (kind, 48, 32)
    assert recipe["head"] == [{"module": "pooling", "mode": "cls" if kind == "roberta" else "mean"}]
    assert max(content["token_counts"]) == 48
    np.testing.assert_allclose(np.linalg.norm(decoded(content["vectors"]), axis=1), 1.0, atol=1e-6)


def test_two_sentences_known_from_elsewhere_are_as_alike_as_they_are_known_to_be(
    committed: dict[str, Any],
) -> None:
    vectors = decoded(committed["vectors"])
    food = committed["texts"].index("A man is eating food.")
    bread = committed["texts"].index("A man is eating a piece of bread.")
    assert round(float(vectors[food] @ vectors[bread]), 4) == 0.7553


def test_torch_gives_the_committed_vectors_again(real_model: Path, committed: dict[str, Any]) -> None:
    pytest.importorskip("torch", reason="needs the extra `torch`")
    again: dict[str, Any] = reference(real_model)
    np.testing.assert_allclose(decoded(again["vectors"]), decoded(committed["vectors"]), atol=1e-5)
    # The libraries' versions say what the committed file was made with, and move on.
    for content in (again, committed):
        assert set(content["made_with"]) == {"torch", "transformers"}
    neighbours, committed_neighbours = again["neighbours"], committed["neighbours"]
    # Two texts that are all but equally near may change places on another processor.
    assert agreement(neighbours["nearest"], committed_neighbours["nearest"]) > 0.999
    assert {**neighbours, "nearest": 0} == {**committed_neighbours, "nearest": 0}
    pairs, committed_pairs = again["graded_pairs"], committed["graded_pairs"]
    assert pairs["pairs"] == committed_pairs["pairs"]
    np.testing.assert_allclose(pairs["cosines"], committed_pairs["cosines"], atol=1e-5)
    assert pairs["spearman"] == pytest.approx(committed_pairs["spearman"], abs=1e-3)
    others = ("vectors", "made_with", "neighbours", "graded_pairs")
    assert {key: value for key, value in again.items() if key not in others} == {
        key: value for key, value in committed.items() if key not in others
    }


@pytest.mark.parametrize(
    ("kind", "library", "options"),
    [("python-onnx", "onnxruntime", {}), ("python-torch", "torch", {"device": "cpu"})],
)
def test_a_backend_agrees_with_the_reference_alone_and_in_a_batch(
    real_model: Path, committed: dict[str, Any], kind: str, library: str, options: dict[str, object]
) -> None:
    pytest.importorskip(library, reason=f"`{kind}` needs {library}")
    backend: Backend = make(kind)
    backend.load(read_model(real_model), options)
    texts = committed["texts"]
    expected = decoded(committed["vectors"])

    batch = backend.embed(texts, normalize=True)
    alone = [backend.embed([text], normalize=True) for text in texts]
    assert list(batch.token_counts) == committed["token_counts"]
    assert batch.truncated == sum(answer.truncated for answer in alone) == 2
    for vectors in (batch.vectors, [answer.vectors[0] for answer in alone]):
        found = np.frombuffer(b"".join(vectors), "<f4").reshape(expected.shape)
        assert float((found * expected).sum(axis=1).min()) >= 0.99999

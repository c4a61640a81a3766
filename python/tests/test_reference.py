"""The committed reference vectors: what they are of, and that both backends give them."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import COMMITTED_MODEL

from tailmark_worker.backend import Backend, ModelFolder
from tailmark_worker.kinds import make
from tailmark_worker.reference import reference, reference_texts


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
    assert {2, 3, 128, 251, 256} <= set(counts)
    assert max(counts) == committed["max_tokens"] == 256
    assert {"", " "} <= set(committed["texts"])


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
    for content in (again, dict(committed)):
        content.pop("vectors")
        content.pop("made_with")
    assert again == {key: committed[key] for key in again}


@pytest.mark.parametrize(
    ("kind", "library", "options"),
    [("python-onnx", "onnxruntime", {}), ("python-torch", "torch", {"device": "cpu"})],
)
def test_a_backend_agrees_with_the_reference_alone_and_in_a_batch(
    real_model: Path, committed: dict[str, Any], kind: str, library: str, options: dict[str, object]
) -> None:
    pytest.importorskip(library, reason=f"`{kind}` needs {library}")
    backend: Backend = make(kind)
    backend.load(ModelFolder(real_model, committed["max_tokens"]), options)
    texts = committed["texts"]
    expected = decoded(committed["vectors"])

    batch = backend.embed(texts, normalize=True)
    alone = [backend.embed([text], normalize=True) for text in texts]
    assert list(batch.token_counts) == committed["token_counts"]
    assert batch.truncated == sum(answer.truncated for answer in alone) == 1
    for vectors in (batch.vectors, [answer.vectors[0] for answer in alone]):
        found = np.frombuffer(b"".join(vectors), "<f4").reshape(expected.shape)
        assert float((found * expected).sum(axis=1).min()) >= 0.99999

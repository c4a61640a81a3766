"""The kind `python-torch`: which device it takes, and that it runs there."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import MakeModel, model_in

from tailmark_worker.backend import LoadError, ModelFileError, NotAvailableError
from tailmark_worker.python_torch import TorchBackend, choose_device


def torch_with(
    *,
    mps_built: bool = False,
    mps: bool = False,
    cuda_built: bool = False,
    cuda: bool = False,
    allocates: bool = True,
) -> Any:
    """As much of torch as is asked about devices."""

    def zeros(count: int, device: str) -> list[int]:
        if not allocates:
            raise RuntimeError(f"{device} backend out of memory")
        return [0] * count

    return SimpleNamespace(
        zeros=zeros,
        __version__="2.0",
        backends=SimpleNamespace(
            mps=SimpleNamespace(is_built=lambda: mps_built, is_available=lambda: mps),
            cuda=SimpleNamespace(is_built=lambda: cuda_built),
        ),
        cuda=SimpleNamespace(is_available=lambda: cuda),
    )


@pytest.mark.parametrize(
    ("torch", "device"),
    [
        (torch_with(), "cpu"),
        (torch_with(cuda_built=True, cuda=True), "cuda"),
        (torch_with(mps_built=True, mps=True), "mps"),
        (torch_with(mps_built=True, mps=True, cuda_built=True, cuda=True), "mps"),
        (torch_with(mps_built=True, cuda_built=True), "cpu"),
        (torch_with(mps_built=True, mps=True, allocates=False), "cpu"),
    ],
)
def test_auto_takes_the_first_device_that_can_be_used(torch: Any, device: str) -> None:
    assert choose_device(torch, "auto") == device


@pytest.mark.parametrize(
    ("torch", "device", "why"),
    [
        (torch_with(), "mps", "torch 2.0 was built without MPS (torch.backends.mps.is_built() is False)"),
        (
            torch_with(mps_built=True),
            "mps",
            "torch was built with MPS, but torch.backends.mps.is_available() is False: no usable Apple GPU",
        ),
        (torch_with(), "cuda", "torch 2.0 was built without CUDA (torch.backends.cuda.is_built() is False)"),
        (
            torch_with(cuda_built=True),
            "cuda",
            "torch was built with CUDA, but torch.cuda.is_available() is False: no usable GPU or driver",
        ),
        (
            torch_with(mps_built=True, mps=True, allocates=False),
            "mps",
            "torch says that it is available, but a first allocation on it failed: mps backend out of memory",
        ),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_the_reason_torch_gives(
    torch: Any, device: str, why: str
) -> None:
    with pytest.raises(NotAvailableError) as caught:
        choose_device(torch, device)
    assert caught.value.data == {"what": f"device `{device}`", "why": why}


def test_a_missing_file_is_named_before_torch_is_imported(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError) as caught:
        TorchBackend().load(model_in(tmp_path, 16), {})
    assert caught.value.data["path"] == str(tmp_path / "model.safetensors")


def test_what_runs_is_what_torch_reports(tiny_model: MakeModel) -> None:
    loaded = TorchBackend().load(
        model_in(tiny_model(), 16), {"device": "cpu", "threads": 2, "dtype": "bfloat16"}
    )
    runs = loaded.runs
    assert loaded.dimensions == 32
    assert (runs.engine, runs.device, runs.dtype, runs.threads) == ("torch", "cpu", "bfloat16", 2)
    assert runs.execution_provider is None
    assert sorted(runs.versions) == ["numpy", "python", "tokenizers", "torch", "transformers"]


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_a_text_has_the_same_vector_alone_and_in_a_batch(tiny_model: MakeModel, kind: str) -> None:
    backend = TorchBackend()
    backend.load(model_in(tiny_model(kind), 16), {"device": "cpu"})
    texts = ["a man is eating food", "yes", ""]
    together = backend.embed(texts, normalize=True)
    alone = [backend.embed([text], normalize=True).vectors[0] for text in texts]
    found = np.frombuffer(b"".join(together.vectors), "<f4").reshape(3, 32)
    np.testing.assert_allclose(found, np.frombuffer(b"".join(alone), "<f4").reshape(3, 32), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert together.token_counts == [7, 3, 2]


def test_the_vector_of_the_first_token_is_that_of_the_model(tiny_model: MakeModel) -> None:
    import torch
    import transformers

    folder = tiny_model()
    backend = TorchBackend()
    backend.load(model_in(folder, 16, mode="cls"), {"device": "cpu"})
    found = backend.embed(["food", "a man is eating food"], normalize=False).vectors
    ids = [[2, 8, 3], [2, 4, 5, 6, 7, 8, 3]]
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = [model(torch.tensor([row])).last_hidden_state[0, 0].numpy() for row in ids]
    for vector, row in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.frombuffer(vector, "<f4"), row, atol=1e-5)


def test_a_model_of_a_kind_nobody_knows_cannot_be_loaded(tiny_model: MakeModel) -> None:
    folder = tiny_model()
    (folder / "config.json").write_text('{"model_type": "perceptron"}')
    with pytest.raises(LoadError, match="perceptron"):
        TorchBackend().load(model_in(folder, 16), {"device": "cpu"})

"""The committed suite of heads: numpy and torch give its vectors, sentence-transformers' modules gave them.

    python tests/test_heads.py

writes the vectors again, of the examples that are in the file.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROVIDERS

from tailmark_worker import pooling
from tailmark_worker.backend import ModelFileError
from tailmark_worker.head import Head
from tailmark_worker.recipe import RecipeError, read_recipe
from tailmark_worker.torch_arithmetic import TorchArithmetic

SUITE = PROVIDERS / "conformance" / "recipes" / "heads.json"
HEADS: list[dict[str, Any]] = json.loads(SUITE.read_text(encoding="utf-8"))
COMPUTED = [example for example in HEADS if "refused" not in example]
REFUSED = [example for example in HEADS if "refused" in example]
THEIRS = {
    "mean": "mean",
    "cls": "cls",
    "max": "max",
    "mean_sqrt_len": "mean_sqrt_len_tokens",
    "weighted_mean": "weightedmean",
    "last": "lasttoken",
}
"""Sentence-transformers' names of the poolings."""


def write_numbers(folder: Path, example: dict[str, Any]) -> None:
    """The files of the modules, with these tensors."""
    for file, tensors in example.get("weights", {}).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.array(value, dtype="<f4") for name, value in tensors.items()}
        header, data = {}, b""
        for name, array in arrays.items():
            end = len(data) + array.nbytes
            header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), end]}
            data += array.tobytes()
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def by_sentence_transformers(example: dict[str, Any]) -> np.ndarray:
    """What sentence-transformers' modules make of the token vectors, one after the other."""
    import torch
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.sentence_transformer.modules import LayerNorm, Normalize, Pooling
    from torch import nn

    features: dict[str, Any] = {
        "token_embeddings": torch.tensor(example["tokens"], dtype=torch.float32),
        "attention_mask": torch.tensor(example["attention_mask"]),
        "prompt_length": example.get("prompt_tokens", 0),
    }
    activations = {
        "identity": nn.Identity(),
        "tanh": nn.Tanh(),
        "relu": nn.ReLU(),
        "gelu": nn.GELU(),
        "silu": nn.SiLU(),
        "sigmoid": nn.Sigmoid(),
    }
    for settings in example["head"]:
        kind = settings["module"]
        state = {
            name: torch.tensor(value, dtype=torch.float32)
            for name, value in example.get("weights", {}).get(settings.get("file", ""), {}).items()
        }
        if kind == "pooling":
            mode = settings["mode"]
            modes = tuple(THEIRS[one] for one in (mode if isinstance(mode, list) else [mode]))
            width = features["token_embeddings"].shape[2]
            features = Pooling(width, modes, include_prompt=settings.get("include_prompt", True))(features)
        elif kind == "dense":
            module = Dense(
                settings["inputs"],
                settings["dimensions"],
                bias=settings.get("bias", True),
                activation_function=activations[settings.get("activation", "identity")],
                use_residual=settings.get("residual", False),
            )
            module.load_state_dict(state)
            features = module(features)
        elif kind == "layer_norm":
            norm = LayerNorm(settings["dimensions"])
            norm.load_state_dict(state)
            features = norm(features)
        elif kind == "truncate":
            features["sentence_embedding"] = features["sentence_embedding"][:, : settings["dimensions"]]
        else:
            features = Normalize()(features)
    found = features["sentence_embedding"]
    if example.get("normalize"):
        found = nn.functional.normalize(found, dim=1)
    vectors: np.ndarray = found.detach().numpy()
    return vectors


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("example", COMPUTED, ids=lambda example: example["name"])
def test_a_head_gives_the_vectors_of_the_suite(library: str, example: dict[str, Any], tmp_path: Path) -> None:
    write_numbers(tmp_path, example)
    hidden = np.array(example["tokens"], dtype=np.float32)
    mask = np.array(example["attention_mask"], dtype=np.int64)
    recipe = read_recipe({"max_tokens": 8, "head": example["head"]})
    prompt_tokens = example.get("prompt_tokens", 0)
    normalize = example.get("normalize", False)
    if library == "torch":
        torch = pytest.importorskip("torch", reason="needs the extra `torch`")
        arithmetic = TorchArithmetic(torch)
        head = Head(recipe, hidden.shape[2], arithmetic, tmp_path, prompt_tokens=prompt_tokens)
        found = head.apply(torch.from_numpy(hidden), torch.from_numpy(mask), normalize=normalize).numpy()
    else:
        head = Head(recipe, hidden.shape[2], pooling, tmp_path, prompt_tokens=prompt_tokens)
        found = head.apply(hidden, mask, normalize=normalize)
    assert (found.dtype, head.dimensions) == (np.float32, len(example["vectors"][0]))
    np.testing.assert_allclose(found, np.array(example["vectors"]), atol=1e-6)


@pytest.mark.parametrize("example", COMPUTED, ids=lambda example: example["name"])
def test_the_vectors_of_the_suite_are_those_of_sentence_transformers(example: dict[str, Any]) -> None:
    pytest.importorskip("sentence_transformers", reason="needs the extra `export`")
    if not all(any(row) for row in example["attention_mask"]):
        pytest.skip("the library gives no vector, or infinities, for a text of no tokens")
    np.testing.assert_allclose(by_sentence_transformers(example), np.array(example["vectors"]), atol=1e-6)


@pytest.mark.parametrize("example", REFUSED, ids=lambda example: example["name"])
def test_a_head_that_cannot_be_followed_is_refused(example: dict[str, Any], tmp_path: Path) -> None:
    write_numbers(tmp_path, example)
    width = len(example["tokens"][0][0])
    with pytest.raises((RecipeError, ModelFileError)) as caught:
        Head(read_recipe({"max_tokens": 8, "head": example["head"]}), width, pooling, tmp_path)
    assert example["refused"] in str(caught.value)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (
            [{"module": "pooling"}],
            "the module `pooling` has the settings none, expected `mode`, `include_prompt`",
        ),
        (
            [{"module": "pooling", "mode": "mean"}, {"module": "scale"}],
            "the head has a module `scale`, expected one of `pooling`, `dense`, `layer_norm`, `truncate`,",
        ),
        (
            [{"module": "pooling", "mode": "median"}],
            "the pooling is 'median', expected one of mean, cls, max,",
        ),
    ],
)
def test_a_module_that_is_not_known_is_refused(head: list[object], why: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        Head(read_recipe({"max_tokens": 8, "head": head}), 8, pooling, tmp_path)
    assert str(caught.value).startswith(why)


def test_what_a_graph_has_done_is_not_done_again() -> None:
    dense = {"module": "dense", "file": "d", "inputs": 2, "dimensions": 4}
    modules = [{"module": "pooling", "mode": "mean"}, dense]
    cut = [{"module": "normalize"}, {"module": "truncate", "dimensions": 2}]
    recipe = read_recipe({"max_tokens": 8, "head": [*modules, *cut]})
    head = Head.of_texts(recipe, 4, pooling)
    assert head.dimensions == 2
    texts = np.array([[3, 4, 0, 0]], dtype=np.float32)
    np.testing.assert_allclose(head.apply(texts, None, normalize=False), [[0.6, 0.8]], rtol=1e-6)
    assert Head.of_texts(recipe, 2, pooling).dimensions == 2
    with pytest.raises(RecipeError, match="the graph's vectors have 3 numbers, and its modules give 4"):
        Head.of_texts(recipe, 3, pooling)


def written(examples: list[dict[str, Any]]) -> str:
    """The suite with an example a line."""
    return "[\n" + ",\n".join(f"  {json.dumps(example)}" for example in examples) + "\n]\n"


if __name__ == "__main__":
    for one in HEADS:
        if "refused" not in one and all(any(row) for row in one["attention_mask"]):
            rows = by_sentence_transformers(one).astype(np.float64)
            one["vectors"] = [[round(float(number), 8) for number in row] for row in rows]
    SUITE.write_text(written(HEADS), encoding="utf-8")

"""Models in other forms than one safetensors file and one graph: shards, pickles, graphs and tables alone."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakeModel, model_in, recipe

from tailmark_worker import export as exporting
from tailmark_worker.backend import LoadError, ModelFileError, NotAvailableError
from tailmark_worker.comparison import TextVectors, graph_token_vectors, torch_token_vectors
from tailmark_worker.convert import convert_numbers, convert_tokenizer
from tailmark_worker.graph_file import link_or_copy
from tailmark_worker.loading import load_transformer
from tailmark_worker.reference import by_table, main, weights_digest

TEXTS = ["a man is eating food", "what"]


@pytest.fixture
def folder(tiny_model: MakeModel) -> Path:
    """A small model, with the libraries that the tests here need."""
    pytest.importorskip("onnx", reason="needs the extra `export`")
    return tiny_model()


def vectors_of_graph(folder: Path, graph: Path) -> np.ndarray:
    model = model_in(folder, 32)
    found: np.ndarray = TextVectors(model, graph_token_vectors(graph)).together(TEXTS, 2)
    return found


def vectors_of_torch(folder: Path) -> np.ndarray:
    model = model_in(folder, 32)
    found: np.ndarray = TextVectors(model, torch_token_vectors(load_transformer(folder))).together(TEXTS, 2)
    return found


def pickled(folder: Path) -> None:
    """The weights as torch pickled them, and nothing else."""
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def sharded(folder: Path) -> list[str]:
    """The weights in several files."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    halves: list[dict[str, Any]] = [{}, {}]
    # Those that are large enough for a graph to read them from there are in both files.
    for at, (name, tensor) in enumerate(sorted(tensors.items(), key=lambda entry: entry[1].numel())):
        halves[at % 2][name] = tensor
    for name, half in zip(names, halves, strict=True):
        save_file(half, folder / name, metadata={"format": "pt"})
    index = {tensor: name for name, half in zip(names, halves, strict=True) for tensor in half}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return names


def test_a_graph_of_shards_reads_each_of_them(folder: Path) -> None:
    expected = vectors_of_torch(folder)
    names = sharded(folder)
    made = exporting.export(folder, folder / "model.onnx", recipe=json.dumps(recipe(32)))
    assert made.form == "graph-only"
    assert dict(made.data) == {name.replace(".safetensors", ".onnx_data"): name for name in names}
    for name, of in made.data:
        link_or_copy(folder / str(of), folder / name)
    np.testing.assert_allclose(vectors_of_graph(folder, folder / "model.onnx"), expected, atol=1e-5)
    digest = weights_digest(model_in(folder, 32))
    (folder / names[0]).write_bytes((folder / names[0]).read_bytes() + b" ")
    assert weights_digest(model_in(folder, 32)) != digest


def test_weights_beyond_the_limit_of_a_file_are_put_beside_the_graph(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "LARGEST_FILE", 1000)
    made = exporting.export(
        folder, folder / "model.onnx", form="self-contained", recipe=json.dumps(recipe(32))
    )
    assert (made.form, made.data) == ("data-files", (("model.onnx_data", None),))
    assert (folder / "model.onnx_data").stat().st_size > 1000 > made.bytes - 60_000
    np.testing.assert_allclose(
        vectors_of_graph(folder, folder / "model.onnx"), vectors_of_torch(folder), atol=1e-5
    )


def test_pickled_weights_are_read_and_a_pickle_that_would_run_code_is_not(folder: Path) -> None:
    expected = vectors_of_torch(folder)
    pickled(folder)
    np.testing.assert_array_equal(vectors_of_torch(folder), expected)
    made = exporting.export(folder, folder / "model.onnx", recipe=json.dumps(recipe(32)))
    assert made.form == "self-contained"

    ran = folder / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (ran,)

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Bomb()}))
    with pytest.raises(LoadError):
        load_transformer(folder)
    with pytest.raises(ModelFileError, match="it holds more than numbers, or is damaged"):
        convert_numbers(folder / "pytorch_model.bin", folder / "numbers.safetensors")
    assert not ran.exists()
    assert not (folder / "numbers.safetensors").exists()


def test_numbers_and_a_vocabulary_are_written_in_the_form_that_is_read(folder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    numbers = {"linear.weight": torch.arange(6.0).reshape(2, 3).T}
    torch.save(numbers, tmp_path / "dense.bin")
    convert_numbers(tmp_path / "dense.bin", tmp_path / "dense.safetensors")
    assert load_file(tmp_path / "dense.safetensors")["linear.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]

    other = tmp_path / "vocabulary"
    other.mkdir()
    (other / "config.json").write_text((folder / "config.json").read_text())
    (other / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "man", "food"]))
    (other / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    convert_tokenizer(other, other / "tokenizer.json")
    import tokenizers

    ids = tokenizers.Tokenizer.from_file(str(other / "tokenizer.json")).encode("man food").ids
    assert ids == [2, 5, 6, 3]


def test_a_model_with_code_of_its_own_is_refused_by_the_names_of_its_files(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoModel": "modeling_mine.Mine"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_mine.py").write_text("raise SystemExit('it ran')\n")
    with pytest.raises(NotAvailableError, match=r"Python code of its own \(modeling_mine.py\)"):
        load_transformer(folder)


def test_the_reference_of_a_graph_alone_needs_no_weights(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described = json.dumps(recipe(32))
    exporting.export(folder, folder / "model.onnx", form="self-contained", recipe=described)
    expected = vectors_of_torch(folder)
    (folder / "model.safetensors").unlink()
    output = tmp_path / "reference.json"
    arguments = ["--model", str(folder), "--recipe", described, "--output", str(output), "--name", "mine"]
    assert main([*arguments, "--by-graph", str(folder / "model.onnx")]) == 0
    assert list(json.loads(capsys.readouterr().out.splitlines()[-1])["made_with"]) == ["onnxruntime"]
    made = json.loads(output.read_text())
    import base64

    at = made["texts"].index("A man is eating food.")
    found = np.frombuffer(base64.b64decode(made["vectors"][at]), "<f4")
    again = TextVectors(model_in(folder, 32), graph_token_vectors(folder / "model.onnx"))
    np.testing.assert_allclose(found, again.together(["A man is eating food."], 1)[0], atol=1e-6)
    assert len(made["weights_sha256"]) == 64
    assert found.shape == expected[0].shape


def test_the_reference_of_a_table_is_the_mean_of_its_rows(folder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    rows = torch.randn((size, 4), generator=torch.Generator().manual_seed(1))
    mapping = torch.arange(size - 1, -1, -1)
    table = tmp_path / "table"
    table.mkdir()
    (table / "tokenizer.json").write_text((folder / "tokenizer.json").read_text())
    weights = {"embeddings": rows, "mapping": mapping, "weights": torch.full((size,), 2.0)}
    save_file(weights, table / "model.safetensors")
    made: Any = by_table(table, "mine", recipe=json.dumps(recipe(1000, special_tokens=False)))
    import base64

    import tokenizers

    text = made["texts"][0]
    ids = (
        tokenizers.Tokenizer.from_file(str(table / "tokenizer.json"))
        .encode(text, add_special_tokens=False)
        .ids
    )
    expected = (2.0 * rows.flip(0)[ids]).mean(0).numpy()
    found = np.frombuffer(base64.b64decode(made["vectors"][0]), "<f4")
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-6)

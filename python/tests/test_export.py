"""The exporter: what it writes, what it refuses, and that the committed graph is what it writes today."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import COMMITTED_MODEL, ExportedFolders, MakeModel, model_in, recipe

from tailmark_worker.backend import Embeddings, ModelFileError
from tailmark_worker.comparison import (
    TextVectors,
    graph_token_vectors,
    largest_token_difference,
    torch_token_vectors,
)
from tailmark_worker.export import export, main
from tailmark_worker.graph_file import link_or_copy
from tailmark_worker.loading import load_transformer
from tailmark_worker.model_folder import read_model
from tailmark_worker.python_onnx import OnnxBackend
from tailmark_worker.python_torch import TorchBackend
from tailmark_worker.safetensors_file import StoredTensor, read_safetensors
from tailmark_worker.tool import ToolError

TEXTS = ["A man is eating food", "yes", "", "what is the capital of norway and how many people live there"]


@pytest.fixture
def onnx() -> object:
    return pytest.importorskip("onnx", reason="needs the extra `export`")


def matrix(answer: Embeddings) -> np.ndarray:
    return np.frombuffer(b"".join(answer.vectors), "<f4").reshape(len(answer.vectors), -1)


@pytest.mark.usefixtures("onnx")
@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_the_graph_alone_gives_the_vectors_that_torch_gives(tiny_model: MakeModel, kind: str) -> None:
    folder = tiny_model(kind)
    exported = export(folder, folder / "model.onnx")
    assert exported.matched == exported.initializers > 0
    assert exported.difference < 1e-4
    assert exported.bytes == (folder / "model.onnx").stat().st_size
    link_or_copy(folder / "model.safetensors", folder / "model.onnx_data")

    model = model_in(folder, 32)
    torch_backend, onnx_backend = TorchBackend(), OnnxBackend()
    torch_backend.load(model, {"device": "cpu"})
    onnx_backend.load(model, {})
    for normalize in (True, False):
        expected = matrix(torch_backend.embed(TEXTS, normalize=normalize))
        np.testing.assert_allclose(
            matrix(onnx_backend.embed(TEXTS, normalize=normalize)), expected, atol=1e-4
        )


@pytest.mark.usefixtures("onnx")
def test_the_same_model_gives_the_same_bytes(tiny_model: MakeModel, tmp_path: Path) -> None:
    folder = tiny_model()
    export(folder, tmp_path / "one" / "model.onnx")
    export(folder, tmp_path / "two" / "graph.onnx")
    assert (tmp_path / "one" / "model.onnx").read_bytes() == (tmp_path / "two" / "graph.onnx").read_bytes()
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet"])
def test_every_family_is_exported_without_its_weights(exported_folders: ExportedFolders, kind: str) -> None:
    exported = exported_folders(kind)
    assert (exported.status, exported.stderr) == (0, "")
    last = exported.last_line
    assert last["form"] == "graph-only"
    assert last["unmatched"] == []
    assert last["output"] == str(exported.graph)
    assert last["bytes"] == exported.graph.stat().st_size
    assert last["sha256"] == hashlib.sha256(exported.graph.read_bytes()).hexdigest()
    assert last["min_cosine"] > 0.999999
    assert last["max_abs_difference"] < 1e-4
    assert last["spearman"] == pytest.approx(last["torch_spearman"], abs=1e-6)
    assert sorted(last["made_with"]) == ["onnx", "onnxruntime", "torch", "transformers"]
    weights = exported.graph.with_name("model.onnx_data")
    assert weights.read_bytes() == (exported.folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet"])
def test_a_graph_gives_what_torch_gives_for_other_shapes_than_the_traced_one(
    exported_folders: ExportedFolders, kind: str
) -> None:
    exported = exported_folders(kind)
    model = read_model(exported.folder)
    in_torch = torch_token_vectors(load_transformer(exported.folder))
    in_onnxruntime = graph_token_vectors(exported.graph)
    word, longest = "ferry", "the ferry leaves at half past seven " * 20
    for texts in ([""], [word], [word, word], [longest], ["", longest, word], [word] * 9 + [longest]):
        assert largest_token_difference(in_torch, in_onnxruntime, model, texts) < 1e-4

    # Padding does not reach a vector: alone and beside a longer text it is the same.
    vectors = TextVectors(model, in_onnxruntime)
    alone, counts = vectors.batch([word])
    together, _ = vectors.batch([word, longest])
    assert counts[0] < 10
    np.testing.assert_allclose(together[0], alone[0], atol=1e-5)
    assert np.abs(together[1] - alone[0]).max() > 0.01


def test_a_graph_that_takes_no_token_types_has_no_such_input(exported_folders: ExportedFolders) -> None:
    import onnx

    names = {
        kind: [
            put.name for put in onnx.load(exported_folders(kind).graph, load_external_data=False).graph.input
        ]
        for kind in ("bert", "mpnet")
    }
    assert names == {
        "bert": ["input_ids", "attention_mask", "token_type_ids"],
        "mpnet": ["input_ids", "attention_mask"],
    }


@pytest.mark.usefixtures("onnx")
def test_weights_that_are_not_in_the_file_are_named_and_nothing_is_written(
    tiny_model: MakeModel, tmp_path: Path
) -> None:
    # These are widened to single precision for the export, so no initializer has the bytes of the file.
    folder = tiny_model(dtype="float16")
    output = tmp_path / "out" / "model.onnx"
    with pytest.raises(ToolError) as caught:
        export(folder, output, form="graph-only")
    message = str(caught.value)
    assert "initializers are not in" in message
    assert "word_embeddings.weight (FLOAT, [" in message
    assert "hint: --form self-contained" in message
    assert not output.parent.exists()


@pytest.mark.usefixtures("onnx")
def test_where_weights_do_not_match_the_file_holds_them_and_says_which(
    tiny_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_model(dtype="float16")
    output = folder / "model.onnx"
    assert main(["--model", str(folder), "--output", str(output), "--link-weights"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("note: the weights are written anew, since ")
    assert "word_embeddings.weight (FLOAT, [" in lines[1]
    last = json.loads(lines[-1])
    assert last["form"] == "self-contained"
    assert any("word_embeddings.weight" in name for name in last["unmatched"])
    # A file that carries its weights is not given others.
    assert not (folder / "model.onnx_data").exists()
    assert OnnxBackend().load(model_in(folder, 32), {}).dimensions == 32


@pytest.mark.usefixtures("onnx")
@pytest.mark.parametrize("spelling", [["--form", "self-contained"], ["--self-contained"]])
def test_a_self_contained_graph_needs_no_file_beside_it(
    tiny_model: MakeModel, capsys: pytest.CaptureFixture[str], spelling: list[str]
) -> None:
    folder = tiny_model()
    assert main(["--model", str(folder), "--output", str(folder / "model.onnx"), *spelling]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["form"], last["unmatched"]) == ("self-contained", [])
    assert OnnxBackend().load(model_in(folder, 32), {}).dimensions == 32


def test_linked_weights_beside_a_file_that_carries_them_are_a_wrong_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--model", str(tmp_path), "--output", "x.onnx", "--form", "self-contained", "--link-weights"])
    assert caught.value.code == 2
    assert "--link-weights has no use with --form self-contained" in capsys.readouterr().err


@pytest.mark.usefixtures("onnx")
def test_a_model_that_transformers_cannot_load_is_one_error_and_leaves_nothing(
    tiny_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_model()
    (folder / "model.safetensors").write_bytes(b"not weights")
    output = tmp_path / "out" / "model.onnx"
    assert main(["--model", str(folder), "--output", str(output)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: the model could not be loaded: SafetensorError: ")
    assert not output.parent.exists()


def test_a_folder_without_weights_is_an_error_and_not_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(tmp_path), "--output", str(tmp_path / "model.onnx")]
    assert main([*arguments, "--recipe", json.dumps(recipe(8))]) == 1
    expected = f"error: model file {tmp_path / 'tokenizer.json'}: there is no such file\n"
    assert capsys.readouterr().err == expected


def safetensors(path: Path, header: object, data: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_tensors_are_found_by_type_shape_and_bytes(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "twin": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]},
        "first": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "other": {"dtype": "F16", "shape": [2], "data_offsets": [4, 8]},
    }
    path = safetensors(tmp_path / "model.safetensors", header, b"abcdefghabcd")
    start = path.stat().st_size - 12
    digests = {text: hashlib.sha256(text).hexdigest() for text in (b"abcd", b"efgh")}
    assert read_safetensors(path) == {
        ("FLOAT", (1,), digests[b"abcd"]): StoredTensor("first", start, 4),
        ("FLOAT16", (2,), digests[b"efgh"]): StoredTensor("other", start + 4, 4),
    }


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0[]", b'\x08\0\0\0\0\0\0\0{"a": 1}']
)
def test_a_damaged_weights_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read_safetensors(path)
    assert str(caught.value.data["why"]).startswith("it is not a safetensors file: ")


@pytest.mark.usefixtures("onnx")
def test_the_committed_graph_is_what_the_exporter_makes_of_the_real_weights(
    real_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="needs the extra `torch`")
    exported = export(real_model, tmp_path / "model.onnx")
    assert (exported.matched, exported.initializers) == (101, 101)
    assert exported.form == "graph-only"
    assert exported.comparison.min_cosine > 0.999999
    assert (tmp_path / "model.onnx").read_bytes() == (COMMITTED_MODEL / "model.onnx").read_bytes()

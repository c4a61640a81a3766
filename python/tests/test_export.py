"""The exporter: what it writes, what it refuses, and that the committed graph is what it writes today."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import COMMITTED_MODEL, MakeModel

from tailmark_worker.backend import Embeddings, ModelFileError, ModelFolder
from tailmark_worker.export import ExportError, StoredTensor, export, link_or_copy, main, read_safetensors
from tailmark_worker.python_onnx import OnnxBackend
from tailmark_worker.python_torch import TorchBackend

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

    model = ModelFolder(folder, 32)
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


@pytest.mark.usefixtures("onnx")
def test_weights_that_are_not_in_the_file_are_named_and_nothing_is_written(
    tiny_model: MakeModel, tmp_path: Path
) -> None:
    # These are widened to single precision for the export, so no initializer has the bytes of the file.
    folder = tiny_model(dtype="float16")
    output = tmp_path / "model.onnx"
    with pytest.raises(ExportError) as caught:
        export(folder, output)
    message = str(caught.value)
    assert "initializers are not in" in message
    assert "word_embeddings.weight (FLOAT, [" in message
    assert "hint: --self-contained" in message
    assert not output.exists()


@pytest.mark.usefixtures("onnx")
def test_a_self_contained_graph_needs_no_file_beside_it(tiny_model: MakeModel) -> None:
    folder = tiny_model(dtype="float16")
    exported = export(folder, folder / "model.onnx", self_contained=True)
    assert exported.matched == 0
    loaded = OnnxBackend().load(ModelFolder(folder, 32), {})
    assert loaded.dimensions == 32


@pytest.mark.usefixtures("onnx")
def test_the_command_says_what_it_wrote_in_one_line(
    tiny_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_model()
    output = folder / "model.onnx"
    assert main(["--model", str(folder), "--output", str(output), "--link-weights"]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert line.startswith(f"{output}: {output.stat().st_size} bytes, ")
    assert "initializers in model.onnx_data, largest difference from torch " in line
    assert (folder / "model.onnx_data").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_a_folder_without_weights_is_an_error_and_not_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(tmp_path), "--output", str(tmp_path / "model.onnx")]) == 1
    expected = f"error: model file {tmp_path / 'model.safetensors'}: there is no such file\n"
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
    assert (tmp_path / "model.onnx").read_bytes() == (COMMITTED_MODEL / "model.onnx").read_bytes()

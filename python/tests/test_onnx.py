"""The kind `python-onnx` on the committed graph with weights of zero: everything but what vectors mean."""

import struct
from pathlib import Path

import pytest
from conftest import model_in

from tailmark_worker.backend import LoadError, ModelFileError, NotAvailableError, OptionError
from tailmark_worker.python_onnx import OnnxBackend, find_provider, short_name


def test_what_runs_is_what_onnxruntime_reports(zero_model: Path) -> None:
    loaded = OnnxBackend().load(model_in(zero_model, 16), {"threads": 2, "graph_optimization": "basic"})
    assert loaded.dimensions == 384
    runs = loaded.runs
    assert (runs.engine, runs.device, runs.dtype, runs.threads) == ("onnxruntime", "cpu", "float32", 2)
    assert runs.execution_provider == "CPUExecutionProvider"
    assert runs.engine_version == runs.versions["onnxruntime"]
    assert sorted(runs.versions) == ["numpy", "onnxruntime", "python", "tokenizers"]
    assert loaded.load_ns > 0


@pytest.mark.parametrize("normalize", [True, False])
def test_zero_weights_give_zero_vectors_and_never_nan(zero_model: Path, normalize: bool) -> None:
    backend = OnnxBackend()
    backend.load(model_in(zero_model, 6), {})
    answer = backend.embed(["a man is eating food", "food", ""], normalize=normalize)
    assert list(answer.vectors) == [bytes(4 * 384)] * 3
    assert (answer.token_counts, answer.truncated) == ([6, 3, 2], 1)
    assert struct.unpack("<384f", answer.vectors[0]) == (0.0,) * 384


def test_a_missing_graph_names_its_path_and_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError) as caught:
        OnnxBackend().load(model_in(tmp_path, 16), {})
    assert caught.value.data == {
        "path": str(tmp_path / "model.onnx"),
        "why": "there is no such file; `python -m tailmark_worker export` makes it from model.safetensors",
    }


def test_another_graph_of_the_folder_can_be_named(zero_model: Path) -> None:
    (zero_model / "model.onnx").rename(zero_model / "other.onnx")
    backend = OnnxBackend()
    assert backend.load(model_in(zero_model, 16), {"graph": "other.onnx"}).dimensions == 384
    assert list(backend.embed(["food"], normalize=True).vectors) == [bytes(4 * 384)]


def test_another_graph_that_is_missing_names_the_commands_that_make_some(zero_model: Path) -> None:
    with pytest.raises(ModelFileError) as caught:
        OnnxBackend().load(model_in(zero_model, 16), {"graph": "model.int8.onnx"})
    assert caught.value.data == {
        "path": str(zero_model / "model.int8.onnx"),
        "why": "there is no such file; `tailmark model optimize` and `tailmark model quantize` make graphs "
        "from model.onnx",
    }


def test_a_graph_without_its_weights_names_the_file_that_is_missing(zero_model: Path) -> None:
    weights = zero_model / "model.onnx_data"
    weights.unlink()
    with pytest.raises(ModelFileError) as caught:
        OnnxBackend().load(model_in(zero_model, 16), {})
    assert caught.value.data["path"] == str(weights)


def test_a_graph_that_is_not_one_cannot_be_loaded(zero_model: Path) -> None:
    (zero_model / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(LoadError, match="the model could not be loaded: "):
        OnnxBackend().load(model_in(zero_model, 16), {})


def test_without_a_model_nothing_is_loaded() -> None:
    with pytest.raises(LoadError, match="`load` came without `model`"):
        OnnxBackend().load(None, {})


KNOWN = ["CoreMLExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def test_a_provider_is_found_by_its_short_name() -> None:
    assert [short_name(name) for name in KNOWN] == ["coreml", "cuda", "cpu"]
    assert find_provider("coreml", KNOWN, KNOWN) == "CoreMLExecutionProvider"


def test_a_provider_that_this_build_lacks_is_not_available_and_those_it_has_are_listed() -> None:
    with pytest.raises(NotAvailableError) as caught:
        find_provider("coreml", KNOWN, ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert caught.value.data == {
        "what": "execution provider `coreml`",
        "why": "this build of onnxruntime has no CoreMLExecutionProvider; it has: cpu, cuda",
    }


def test_a_provider_nobody_knows_is_a_wrong_option() -> None:
    with pytest.raises(OptionError) as caught:
        find_provider("CoreML", KNOWN, KNOWN)
    assert caught.value.data == {
        "key": "execution_provider",
        "why": 'found "CoreML", expected one of: coreml, cpu, cuda',
    }


def test_a_provider_that_onnxruntime_lacks_is_never_a_quiet_run_on_the_cpu(zero_model: Path) -> None:
    import onnxruntime

    lacking = set(onnxruntime.get_all_providers()) - set(onnxruntime.get_available_providers())
    for name in sorted(lacking):
        with pytest.raises(NotAvailableError, match="this build of onnxruntime has no"):
            OnnxBackend().load(model_in(zero_model, 16), {"execution_provider": short_name(name)})


class AcceptsAndIgnores:
    """An onnxruntime session that takes every provider and runs on the CPU."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


def test_a_session_that_quietly_fell_back_is_found_out(
    zero_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: KNOWN)
    monkeypatch.setattr(onnxruntime, "InferenceSession", AcceptsAndIgnores)
    with pytest.raises(NotAvailableError, match="made the session on CPUExecutionProvider instead"):
        OnnxBackend().load(model_in(zero_model, 16), {"execution_provider": "coreml"})

"""The comparison by itself: torch in other precisions, and graphs that are not those of the model."""

import json
from pathlib import Path

import pytest
from conftest import ExportedFolders

from tailmark_worker.compare import main

pytest.importorskip("torch", reason="needs the extra `export`")
pytest.importorskip("onnx", reason="needs the extra `export`")


def test_torch_in_another_precision_is_near_and_not_the_same(
    exported_folders: ExportedFolders, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exported_folders("bert").folder
    assert main(["--model", str(folder), "--dtype", "bfloat16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "torch in bfloat16"
    last = json.loads(lines[-1])
    assert last["dtype"] == "bfloat16"
    assert 0.99 < last["min_cosine"] < 0.999999
    assert 0.8 < last["neighbour_agreement"] <= 1


def test_the_graph_of_another_model_is_far(
    exported_folders: ExportedFolders, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, other = exported_folders("mpnet").folder, exported_folders("bert").graph
    assert main(["--model", str(folder), "--graph", str(other)]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["graph"] == str(other)
    assert last["mean_cosine"] < 0.9
    assert last["neighbour_agreement"] < 0.9


def test_a_graph_that_is_not_there_is_named(
    exported_folders: ExportedFolders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tmp_path / "model.onnx"
    assert main(["--model", str(exported_folders("bert").folder), "--graph", str(graph)]) == 1
    assert capsys.readouterr().err == f"error: model file {graph}: there is no such file\n"

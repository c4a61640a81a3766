"""Buckets of fixed shapes: which are chosen, how texts are padded, and that no vector depends on them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import model_in

from tailmark_worker.backend import LoadError, OptionError
from tailmark_worker.python_onnx import OnnxBackend
from tailmark_worker.static_shapes import Piece, Shape, padded, padded_mask, pieces

ONE_SHORT, ONE_LONG, FOUR_SHORT, FOUR_LONG = Shape(1, 8), Shape(1, 32), Shape(4, 8), Shape(4, 32)
TEXTS = [
    "a man is eating food",
    "yes",
    "what is the capital of norway and how many people live there",
    "",
    "food",
]


@pytest.mark.parametrize(
    ("token_counts", "buckets", "expected"),
    [
        ([3], [FOUR_LONG, ONE_SHORT, ONE_LONG], [Piece(0, 1, ONE_SHORT)]),
        ([9], [FOUR_LONG, ONE_SHORT, ONE_LONG], [Piece(0, 1, ONE_LONG)]),
        ([3, 3], [ONE_SHORT, FOUR_SHORT, FOUR_LONG], [Piece(0, 2, FOUR_SHORT)]),
        ([3, 9], [ONE_SHORT, FOUR_SHORT, FOUR_LONG], [Piece(0, 2, FOUR_LONG)]),
        ([8, 8, 8, 8], [FOUR_SHORT, FOUR_LONG], [Piece(0, 4, FOUR_SHORT)]),
        # More texts than any bucket takes.
        ([3] * 9, [FOUR_SHORT], [Piece(0, 4, FOUR_SHORT), Piece(4, 4, FOUR_SHORT), Piece(8, 1, FOUR_SHORT)]),
        ([3] * 5, [FOUR_SHORT, ONE_SHORT], [Piece(0, 4, FOUR_SHORT), Piece(4, 1, ONE_SHORT)]),
        # The long text is in the second piece alone.
        (
            [3, 3, 3, 3, 30],
            [FOUR_SHORT, FOUR_LONG, ONE_LONG],
            [Piece(0, 4, FOUR_SHORT), Piece(4, 1, ONE_LONG)],
        ),
        # Two texts fit a bucket by their number and another by their length, and none by both.
        ([30, 3], [FOUR_SHORT, ONE_LONG], [Piece(0, 1, ONE_LONG), Piece(1, 1, FOUR_SHORT)]),
    ],
)
def test_a_batch_is_cut_into_few_pieces_in_small_buckets(
    token_counts: Sequence[int], buckets: Sequence[Shape], expected: Sequence[Piece]
) -> None:
    assert pieces(token_counts, buckets) == expected


def test_a_piece_is_padded_in_both_directions() -> None:
    ids = np.array([[2, 4, 5, 3], [2, 3, 9, 9], [2, 4, 3, 9]])
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]])
    piece = Piece(1, 2, Shape(3, 5))
    found_ids, found_mask = padded(ids, piece, 9), padded_mask(mask, piece)
    assert found_ids.tolist() == [[2, 3, 9, 9, 9], [2, 4, 3, 9, 9], [9, 9, 9, 9, 9]]
    # Attention needs something to look at in the row that is only there to fill the shape.
    assert found_mask.tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]]


def test_a_piece_of_short_texts_is_cut_to_a_bucket_narrower_than_its_batch() -> None:
    ids = np.array([[2, 3, 0, 0], [2, 4, 5, 3]])
    piece = Piece(0, 1, Shape(1, 2))
    found_ids, found_mask = padded(ids, piece, 0), padded_mask((ids != 0).astype(np.int64), piece)
    assert (found_ids.tolist(), found_mask.tolist()) == ([[2, 3]], [[1, 1]])


def vectors(backend: OnnxBackend, *, normalize: bool) -> np.ndarray:
    answer = backend.embed(TEXTS, normalize=normalize)
    return np.frombuffer(b"".join(answer.vectors), "<f4").reshape(len(TEXTS), -1)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_the_session_for_any_shape(tiny_graph: Path, pooling: str) -> None:
    model = model_in(tiny_graph, 16, mode=pooling)
    dynamic = OnnxBackend()
    dimensions = dynamic.load(model, {}).dimensions
    for buckets in ([[1, 16]], [[8, 16]], [[2, 4], [2, 16], [1, 8]]):
        static = OnnxBackend()
        assert static.load(model, {"static_shapes": buckets}).dimensions == dimensions
        for normalize in (True, False):
            expected = vectors(dynamic, normalize=normalize)
            assert np.abs(expected).max() > 0.01
            np.testing.assert_allclose(vectors(static, normalize=normalize), expected, atol=1e-5)


def test_the_longest_texts_must_have_a_bucket(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        OnnxBackend().load(model_in(tmp_path, 256), {"static_shapes": [[1, 128], [8, 64]]})
    assert caught.value.data == {
        "key": "static_shapes",
        "why": "the longest bucket holds 128 tokens, and texts are cut to max_tokens = 256: "
        "expected a bucket of at least 256 tokens",
    }


def test_a_graph_whose_dimensions_have_other_names_is_refused(tiny_graph: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = tiny_graph / "model.onnx"
    graph = onnx.load(path, load_external_data=False)
    for put in graph.graph.input:
        put.type.tensor_type.shape.dim[1].dim_param = "length"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(LoadError, match="its dimensions must be named `batch` and `sequence`"):
        OnnxBackend().load(model_in(tiny_graph, 16), {"static_shapes": [[1, 16]]})


def test_a_probe_runs_in_the_buckets_that_its_texts_choose(tiny_graph: Path) -> None:
    backend = OnnxBackend()
    backend.load(model_in(tiny_graph, 16), {"static_shapes": [[1, 16], [2, 16], [2, 8]]})
    evidence = backend.prove(["yes", "food"], runs=3)
    assert evidence.notes == [
        "static shapes [1, 16], [2, 16], [2, 8] (batch, tokens); the probe ran in [2, 8]"
    ]
    assert evidence.runs == 3
    assert {kernel.calls for kernel in evidence.kernels} == {3}
    # Two pieces in one bucket are two calls of each node in a run, and still one node.
    longer = backend.prove(TEXTS[:2] * 2, runs=3)
    assert longer.notes[0].endswith("the probe ran in [2, 8], [2, 8]")
    assert (longer.runs, {kernel.calls for kernel in longer.kernels}) == (3, {6})
    assert [kernel.name for kernel in longer.kernels] == [kernel.name for kernel in evidence.kernels]

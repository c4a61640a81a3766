"""Whether the table would tell wrong vectors, refusals for another reason, and rows that are not expected."""
# ruff: noqa: S101  (tests assert)

import io
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import judge
import numpy as np
import page
import pytest
from shape import GRAPH_KINDS, HALF, TRANSFORMER_KINDS, Shape, Shapes
from trial import _not_measured, _reason
from worker import Worker, WorkerError

SHAPE = Shape("bert", lambda _: None, "A shape.")
REFUSED = Shape("splade", lambda _: None, "No model.", (), TRANSFORMER_KINDS, "SPLADE")
CLOSE = judge.Distance(1.0, 0.0)

GOOD = np.random.default_rng(1).standard_normal((8, 16)).astype(np.float32)

ECHO = """
import base64, json, struct, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "load" and "bad" in asked["params"]["model"]["folder"]:
        answer = {"error": {"code": 4, "message": "the model could not be loaded: it is bad"}}
    elif asked["method"] == "embed":
        rows = [[float(len(text)), 1.0] for text in asked["params"]["texts"]]
        packed = [base64.b64encode(struct.pack("<2f", *row)).decode() for row in rows]
        answer = {"result": {"vectors": packed}}
    elif asked["method"] == "end":
        sys.exit(7)
    else:
        answer = {"result": {}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
"""


def unit(vectors: judge.Floats) -> judge.Floats:
    """The vectors at length one."""
    scaled: judge.Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def all_cells(measured: object = CLOSE, refusal: str | None = None, shape: Shape = SHAPE) -> list[judge.Cell]:
    """A cell of the same kind for each of a shape's kinds."""
    return [judge.cell(kind, refusal, measured, shape) for kind in shape.kinds]  # type: ignore[arg-type]


class TestDistances:
    """How far vectors are."""

    def test_the_same_vectors_are_at_no_distance(self) -> None:
        """With and without scaling."""
        for found, scaled in ((GOOD, False), (unit(GOOD), True)):
            far = judge.distance(found, GOOD, scaled=scaled)
            assert isinstance(far, judge.Distance)
            assert far.cosine == pytest.approx(1.0, abs=1e-6)
            assert far.length < 1e-06

    def test_one_wrong_vector_of_many_is_the_smallest_cosine(self) -> None:
        """The mean over all texts would hide it."""
        found = GOOD.copy()
        found[5] = -found[5]
        assert judge.distance(found, GOOD, scaled=False).cosine == pytest.approx(-1.0, abs=1e-6)

    def test_another_length_shows_where_it_is_not_scaled_away(self) -> None:
        """Such as a sum instead of a mean."""
        assert judge.distance(2 * GOOD, GOOD, scaled=False).length == pytest.approx(1.0, abs=1e-5)
        assert judge.distance(GOOD, GOOD, scaled=True).length > 0.5

    def test_vectors_that_cannot_be_compared_are_a_sentence(self) -> None:
        """Another number of dimensions, and what is no number."""
        assert "have 8 numbers, and those of `encode` 16" in judge.distance(GOOD[:, :8], GOOD, scaled=True)
        assert "not finite" in judge.distance(GOOD * np.nan, GOOD, scaled=True)

    def test_zero_is_like_zero_and_like_nothing_else(self) -> None:
        """A text without a pooled token has the zero vector on both sides."""
        zero = np.zeros_like(GOOD)
        assert judge.distance(zero, zero, scaled=True) == CLOSE
        assert judge.distance(zero, GOOD, scaled=False).cosine == 0.0

    def test_texts_that_are_all_alike_are_found(self) -> None:
        """With them a wrong text's vector would pass."""
        assert judge.told_apart(GOOD, SHAPE.limit)
        assert not judge.told_apart(np.ones_like(GOOD) + 0.0001 * GOOD, SHAPE.limit)


class TestVerdicts:
    """What a row is called, and what the whole ends with."""

    def outcome(self, cells: list[judge.Cell], shape: Shape = SHAPE) -> str:
        """The outcome, which has to agree with the exit status."""
        row = judge.row(shape, cells)
        assert judge.is_well([row]) == (not row.faults)
        assert judge.is_well([row]) == (row.outcome in ("right", "refused"))
        return row.outcome

    def test_all_close_is_right(self) -> None:
        """As it should be."""
        assert self.outcome(all_cells()) == "right"

    def test_a_wrong_vector_that_was_measured_makes_the_row_wrong(self) -> None:
        """One kind is enough."""
        cells = [*all_cells()[:3], judge.cell("python-torch", None, judge.Distance(0.9998, 0.0), SHAPE)]
        assert self.outcome(cells) == "wrong"
        assert "python-torch: wrong, measured without complaint" in judge.row(SHAPE, cells).faults[0]

    def test_another_length_or_number_of_numbers_is_wrong_too(self) -> None:
        """Though every cosine is 1, or there is none."""
        assert self.outcome(all_cells(judge.Distance(1.0, 0.1))) == "wrong"
        assert self.outcome(all_cells("vectors have 64 numbers, and those of `encode` 32")) == "wrong"

    def test_half_precision_has_a_limit_of_its_own(self) -> None:
        """And is wrong below it."""
        half = Shape("fp16", lambda _: None, "Half.", limit=HALF)
        assert self.outcome(all_cells(judge.Distance(0.9996, 0.01), shape=half), half) == "right"
        assert self.outcome(all_cells(judge.Distance(0.9994, 0.01), shape=half), half) == "wrong"
        assert self.outcome(all_cells(judge.Distance(0.9996, 0.01))) == "wrong"

    def test_a_refusal_of_what_should_run_is_not_as_expected(self) -> None:
        """It is loud, so it is not called wrong."""
        assert self.outcome(all_cells(None, "its pooling is max")) == "unexpected"

    def test_a_refusal_is_right_for_its_own_reason_alone(self) -> None:
        """A crash is no refusal."""
        assert self.outcome(all_cells(None, "it is SPLADE", REFUSED), REFUSED) == "refused"
        assert self.outcome(all_cells(None, "IndexError", REFUSED), REFUSED) == "unexpected"

    def test_running_what_should_be_refused_is_not_as_expected(self) -> None:
        """However close its vectors are."""
        assert self.outcome(all_cells(shape=REFUSED), REFUSED) == "unexpected"

    def test_a_worker_that_breaks_and_a_kind_that_was_not_tried_are_not_as_expected(self) -> None:
        """Silence is not agreement."""
        assert self.outcome(all_cells("load: it broke")) == "unexpected"
        assert self.outcome(all_cells(None)) == "unexpected"
        assert self.outcome(all_cells()[:3]) == "unexpected"
        assert self.outcome([]) == "unexpected"

    def test_one_row_that_is_wrong_is_enough_and_no_rows_are_not_well(self) -> None:
        """The exit status is 1."""
        right, wrong = judge.row(SHAPE, all_cells()), judge.row(SHAPE, all_cells(judge.Distance(0.5, 0.0)))
        assert judge.is_well([right])
        assert not judge.is_well([right, wrong])
        assert not judge.is_well([])

    def test_a_fault_of_the_shape_itself_is_not_passed_over(self) -> None:
        """Such as texts that are all alike."""
        assert judge.row(SHAPE, all_cells(), ["all alike"]).outcome == "unexpected"


class TestPages:
    """What people read."""

    def test_lines_are_at_most_120_columns_and_say_what_is_wrong(self) -> None:
        """Long reasons are wrapped."""
        row = judge.row(SHAPE, [*all_cells(None, "why " * 90)[:1], *all_cells()[1:]])
        lines = [page.heading(), *page.lines(row), page.closing([row])]
        assert max(map(len, lines)) <= 120
        assert "UNEXPECTED" in lines[1]
        assert "onnx: should run, and is refused" in lines[2]
        assert "0 right, 0 refused as they should be, 0 wrong, 1 not as expected" in lines[-1]

    def test_a_cosine_is_cut_and_not_rounded_up_to_a_limit(self) -> None:
        """0.9998999 is below the limit and must look so."""
        cell = judge.Cell("onnx", "right", 0.9998999)
        assert "0.999899" in "".join(page.lines(judge.Row(SHAPE, (cell,), "right", ())))

    def test_kinds_that_run_and_one_that_is_refused_share_a_row(self) -> None:
        """With the reason below, under the kind's name."""
        shape = Shape("onnx-only", lambda _: None, "A graph.", GRAPH_KINDS, ("python-torch",), "weights")
        cells = [
            *all_cells(shape=shape)[:3],
            judge.cell("python-torch", "torch needs its weights", None, shape),
        ]
        lines = list(page.lines(judge.row(shape, cells)))
        assert lines[0].endswith("right")
        assert lines[1] == "    python-torch: torch needs its weights"


class TestSources:
    """What tailmark and the workers say."""

    def test_a_refusal_is_the_error_and_not_the_talk_around_it(self) -> None:
        """The hint belongs to it, and how a command is used does not."""
        said = "me: bert, mean\nerror: it has no\n  pooling\n\nhint: give it one\n"
        assert _reason(said) == "it has no pooling hint: give it one"
        assert _reason("error: no such thing\n\nUsage: tailmark\n") == "no such thing"
        assert "Traceback" in _reason("Traceback: no error line")

    def test_only_what_was_measured_and_accepted_counts_as_measured(self) -> None:
        """By the record of the run."""
        accepted = {"state": "checked", "accepted": True}
        assert _not_measured({"outcome": {"state": "measured"}, "equivalence": accepted}) is None
        checked = {"state": "checked", "accepted": False}
        wrong = {"outcome": {"state": "wrong", "why": "0.5"}, "equivalence": checked}
        assert _not_measured(wrong) == "wrong: 0.5"
        unchecked = {"outcome": {"state": "measured"}, "equivalence": {"state": "not_checked", "why": "none"}}
        assert "not accepted" in str(_not_measured(unchecked))

    def test_a_worker_is_asked_and_what_it_refuses_is_an_error(self) -> None:
        """With its own words; and one that ends is not waited for."""
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            with Worker([sys.executable, "-c", ECHO], {}, log) as worker:
                worker.load(Path("good"), {}, {})
                found = worker.embed(["a", "bb", "ccc"], 2, normalize=True)
                assert found.tolist() == [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]
                with pytest.raises(WorkerError, match="load: the model could not be loaded: it is bad"):
                    worker.load(Path("bad"), {}, {})
                with pytest.raises(WorkerError, match="ended in `end` with the status 7"):
                    worker.ask("end", {})

    def test_a_name_stands_for_one_shape(self) -> None:
        """Or a row would be lost."""
        shapes = Shapes()
        shapes.add(name="one")(lambda _: None)
        with pytest.raises(ValueError, match="two shapes `one`"), redirect_stdout(io.StringIO()):
            shapes.add(name="one")(lambda _: None)

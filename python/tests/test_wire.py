"""The conversation with a backend that does as it is told: what the conformance suite has no backend for."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Message, initialize, model_in, recipe, request

from tailmark_worker.backend import (
    Embeddings,
    EmbedError,
    Loaded,
    LoadError,
    ModelFileError,
    ModelFolder,
    NotAvailableError,
    OptionError,
    Options,
    Runs,
)
from tailmark_worker.evidence import Evidence, Kernel, Output, Ungrouped, Weights
from tailmark_worker.wire import Session


class Scripted:
    """Fails as it is told, and remembers what it was asked."""

    def __init__(self, load_fails: Exception | None = None, embed_fails: Exception | None = None) -> None:
        self.load_fails = load_fails
        self.embed_fails = embed_fails
        self.vector = struct.pack("<2f", 0.5, -1.0)
        self.model: ModelFolder | None = None
        self.probed: tuple[list[str], int] | None = None
        self.evidence = Evidence("script")

    def load(self, model: ModelFolder | None, options: Options) -> Loaded:  # noqa: ARG002
        if self.load_fails is not None:
            raise self.load_fails
        self.model = model
        runs = Runs("scripted", "1", "cpu", "float32", threads=3, versions={"python": "3"})
        return Loaded(2, runs, import_ns=5, load_ns=7)

    def embed(self, texts: Sequence[str], *, normalize: bool) -> Embeddings:  # noqa: ARG002
        if self.embed_fails is not None:
            raise self.embed_fails
        return Embeddings([self.vector] * len(texts), [4] * len(texts), 1, 10, 20, 30)

    def prove(self, texts: Sequence[str], *, runs: int) -> Evidence:
        if self.embed_fails is not None:
            raise self.embed_fails
        self.probed = (list(texts), runs)
        return self.evidence


def ask(session: Session, message: Message) -> Message:
    answer = session.answer(json.dumps(message).encode())
    assert answer is not None
    assert answer.count(b"\n") == 1
    assert answer.endswith(b"\n")
    decoded: Message = json.loads(answer)
    return decoded


def loaded_session(backend: Scripted) -> Session:
    session = Session("scripted", backend)
    ask(session, initialize())
    assert "result" in ask(session, request(2, "load", options={}))
    return session


FAILURES: list[tuple[Exception, dict[str, Any]]] = [
    (
        NotAvailableError("device `mps`", "no GPU"),
        {
            "code": 1,
            "message": "device `mps` is not available here: no GPU",
            "data": {"what": "device `mps`", "why": "no GPU"},
        },
    ),
    (
        ModelFileError(Path("/m/model.onnx"), "gone"),
        {
            "code": 2,
            "message": "model file /m/model.onnx: gone",
            "data": {"path": "/m/model.onnx", "why": "gone"},
        },
    ),
    (
        OptionError("threads", "found 0"),
        {"code": 3, "message": "option `threads`: found 0", "data": {"key": "threads", "why": "found 0"}},
    ),
    (
        LoadError("bad weights"),
        {"code": 4, "message": "the model could not be loaded: bad weights", "data": {"why": "bad weights"}},
    ),
    (
        ValueError("odd"),
        {
            "code": 4,
            "message": "the model could not be loaded: ValueError: odd",
            "data": {"why": "ValueError: odd"},
        },
    ),
]


@pytest.mark.parametrize(("failure", "error"), FAILURES, ids=lambda value: type(value).__name__)
def test_each_way_to_fail_at_loading_has_its_code_and_parts(
    failure: Exception, error: dict[str, Any]
) -> None:
    session = Session("scripted", Scripted(load_fails=failure))
    ask(session, initialize())
    assert ask(session, request(2, "load", options={})) == {"jsonrpc": "2.0", "id": 2, "error": error}


@pytest.mark.parametrize(
    ("failure", "why"), [(EmbedError("shape"), "shape"), (MemoryError("full"), "MemoryError: full")]
)
def test_a_failed_embedding_is_an_answer_and_the_worker_goes_on(failure: Exception, why: str) -> None:
    session = loaded_session(Scripted(embed_fails=failure))
    answer = ask(session, request(3, "embed", texts=["a"], normalize=True))
    assert answer["error"] == {"code": 5, "message": f"embedding failed: {why}", "data": {"why": why}}
    assert ask(session, request(4, "ping"))["result"] == {}


def test_after_a_load_that_failed_nothing_is_loaded() -> None:
    backend = Scripted()
    session = loaded_session(backend)
    backend.load_fails = LoadError("no")
    ask(session, request(3, "load", options={}))
    assert ask(session, request(4, "embed", texts=["a"], normalize=True))["error"]["code"] == 6


def test_what_runs_is_answered_without_what_is_not_known() -> None:
    session = Session("scripted", Scripted())
    ask(session, initialize())
    assert ask(session, request(2, "load", options={}))["result"] == {
        "dimensions": 2,
        "concurrency": 1,
        "runs": {
            "engine": "scripted",
            "engine_version": "1",
            "device": "cpu",
            "dtype": "float32",
            "threads": 3,
            "versions": {"python": "3"},
        },
        "import_ns": 5,
        "load_ns": 7,
    }


def test_the_whole_request_takes_at_least_its_stages() -> None:
    session = loaded_session(Scripted())
    stages = ask(session, request(3, "embed", texts=["a"], normalize=True))["result"]["stages"]
    worker_ns = stages.pop("worker_ns")
    assert stages == {"tokenize_ns": 10, "infer_ns": 20, "pool_ns": 30}
    assert worker_ns >= 60


def test_evidence_is_answered_without_what_is_not_known() -> None:
    backend = Scripted()
    session = loaded_session(backend)
    answer = ask(session, request(3, "prove", texts=["a", "b"], runs=7))
    assert backend.probed == (["a", "b"], 7)
    assert answer["result"] == {"source": "script", "runs": 0, "kernels": [], "fell_back": [], "notes": []}


def test_all_of_the_evidence_is_answered() -> None:
    backend = Scripted()
    timed, untimed = Kernel("n", "Add", "cpu", 2, 9), Kernel("m", "Mul", "gpu", 2)
    backend.evidence = Evidence(
        source="script",
        runs=2,
        asked="gpu",
        kernels=[timed, untimed],
        ungrouped=Ungrouped(asked=[untimed], cpu=(timed,)),
        weights=[Weights("gpu", "float16", 3, 12)],
        output=Output("gpu", "float32"),
        attention="eager",
        cpu_fallback=False,
        fell_back=["Add"],
        notes=["a note"],
    )
    answer = ask(loaded_session(backend), request(3, "prove", texts=["a"], runs=2))
    on_cpu = {"name": "n", "op": "Add", "on": "cpu", "calls": 2, "ns": 9}
    on_gpu = {"name": "m", "op": "Mul", "on": "gpu", "calls": 2}
    assert answer["result"] == {
        "source": "script",
        "runs": 2,
        "asked": "gpu",
        "kernels": [on_cpu, on_gpu],
        "ungrouped": {"asked": [on_gpu], "cpu": [on_cpu]},
        "weights": [{"device": "gpu", "dtype": "float16", "tensors": 3, "numbers": 12}],
        "output": {"device": "gpu", "dtype": "float32"},
        "attention": "eager",
        "cpu_fallback": False,
        "fell_back": ["Add"],
        "notes": ["a note"],
    }


def test_a_probe_that_failed_is_an_answer_and_the_worker_goes_on() -> None:
    session = loaded_session(Scripted(embed_fails=ValueError("shape")))
    answer = ask(session, request(3, "prove", texts=["a"], runs=1))
    assert (answer["error"]["code"], answer["error"]["data"]) == (5, {"why": "ValueError: shape"})
    assert ask(session, request(4, "ping"))["result"] == {}


def test_both_encodings_carry_the_same_numbers() -> None:
    session = loaded_session(Scripted())
    coded = ask(session, request(3, "embed", texts=["a", "b"], normalize=True, encoding="base64"))
    plain = ask(session, request(4, "embed", texts=["a", "b"], normalize=True, encoding="float"))
    assert coded["result"]["vectors"] == ["AAAAPwAAgL8=", "AAAAPwAAgL8="]
    assert plain["result"]["vectors"] == [[0.5, -1.0], [0.5, -1.0]]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_has_no_word_for_is_an_error_and_not_a_null(number: float) -> None:
    backend = Scripted()
    backend.vector = struct.pack("<2f", 1.0, number)
    answer = ask(loaded_session(backend), request(3, "embed", texts=["a"], normalize=True, encoding="float"))
    assert answer["error"]["data"] == {"why": f"the vectors hold {number}, which JSON has no number for"}


def test_the_model_reaches_the_backend_as_it_was_named(tmp_path: Path) -> None:
    backend = Scripted()
    session = Session("scripted", backend)
    ask(session, initialize())
    prompts = {"prompts": {"query": "query: "}, "default_prompt": "query"}
    described = recipe(256, {"module": "truncate", "dimensions": 8}, mode="cls", padding_id=1, **prompts)
    ask(session, request(2, "load", model={"folder": str(tmp_path), "recipe": described}, options={}))
    expected = model_in(
        tmp_path, 256, {"module": "truncate", "dimensions": 8}, mode="cls", padding_id=1, **prompts
    )
    assert backend.model == expected
    assert expected.recipe.prompt == "query: "


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("all-MiniLM-L6-v2", "`model` must be an object"),
        ({"folder": "/m"}, "`model`: missing member `recipe`"),
        (
            {"folder": "/m", "recipe": recipe(256), "revision": "main"},
            "`model`: unknown member `revision`, expected `folder`, `recipe`",
        ),
        ({"folder": "m", "recipe": recipe(256)}, "`model.folder` must be an absolute path"),
        *(
            ({"folder": "/m", "recipe": described}, f"`model.recipe`: {why}")
            for described, why in (
                ([], "the recipe must be an object"),
                (recipe(0), "`max_tokens` must be an integer of at least 1"),
                (recipe(True), "`max_tokens` must be an integer of at least 1"),
                ({"max_tokens": 8}, "`head` must be an array of modules with at least one"),
                (
                    recipe(8, {"module": "pooling", "mode": "cls"}),
                    "`head` must begin with a module `pooling`, and have no second one",
                ),
                (
                    recipe(8, {"name": "normalize"}),
                    "each module of `head` must be an object with the string `module`",
                ),
                (recipe(8, lower_case=1), "`lower_case` must be true or false"),
                (recipe(8, truncation_side="middle"), '`truncation_side` must be "left" or "right"'),
                (recipe(8, padding_id=-1), "`padding_id` must be an integer of at least 0"),
                (recipe(8, prompts={"query": 1}), "`prompts` must be an object of strings"),
                (
                    recipe(8, prompts={"query": "q: "}, default_prompt="passage"),
                    "`default_prompt` is 'passage', and the prompts are: `query`",
                ),
            )
        ),
    ],
)
def test_a_model_that_is_not_described_right_is_refused(model: object, why: str) -> None:
    session = Session("scripted", Scripted())
    ask(session, initialize())
    error = ask(session, request(2, "load", model=model))["error"]
    assert error == {"code": -32602, "message": f"`load`: {why}"}


@pytest.mark.parametrize("request_id", [None, True, [1], {"a": 1}, 1.5])
def test_an_id_is_an_integer_or_a_string(request_id: object) -> None:
    session = Session("scripted", Scripted())
    answer = ask(session, {**initialize(), "id": request_id})
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)


def test_a_string_is_an_id_too() -> None:
    session = Session("scripted", Scripted())
    assert ask(session, {**initialize(), "id": "first"})["id"] == "first"

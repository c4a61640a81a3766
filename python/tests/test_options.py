"""Options: what is refused, and what the refusal says."""

from collections.abc import Callable
from typing import Any

import pytest

from tailmark_worker.backend import OptionError
from tailmark_worker.kinds import KINDS, make
from tailmark_worker.options import OptionReader


def refusal(read: Callable[[OptionReader], object], options: dict[str, Any]) -> tuple[object, object]:
    reader = OptionReader(options)
    with pytest.raises(OptionError) as caught:
        read(reader)
    return caught.value.data["key"], caught.value.data["why"]


def test_what_is_left_out_has_its_default() -> None:
    reader = OptionReader({})
    assert reader.choice("device", "auto", ("auto", "cpu")) == "auto"
    assert reader.count("threads", 1, 8) == 1
    assert reader.strings("provider_options") == {}
    reader.finish()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (9, "9"), (True, "true"), (1.0, "1.0"), ("2", '"2"'), (None, "null"), ([1], "[1]")],
)
def test_a_count_is_an_integer_in_its_range(value: object, shown: str) -> None:
    found = refusal(lambda reader: reader.count("threads", 1, 8), {"threads": value})
    assert found == ("threads", f"found {shown}, expected an integer from 1 to 8")


@pytest.mark.parametrize(
    ("value", "shown"), [("CPU", '"CPU"'), (1, "1"), (None, "null"), (["cpu"], "['cpu']")]
)
def test_a_choice_names_what_can_be_chosen(value: object, shown: str) -> None:
    found = refusal(lambda reader: reader.choice("device", "auto", ("auto", "cpu")), {"device": value})
    assert found == ("device", f'found {shown}, expected one of "auto", "cpu"')


def test_options_of_a_provider_are_strings() -> None:
    def read(reader: OptionReader) -> None:
        reader.strings("provider_options")

    assert refusal(read, {"provider_options": {"a": 1}}) == (
        "provider_options",
        "found 1 for `a`, expected a string",
    )
    assert refusal(read, {"provider_options": "a=1"}) == (
        "provider_options",
        'found "a=1", expected an object of strings',
    )


@pytest.mark.parametrize(
    "value", ["../model.onnx", "/model.onnx", "a//b.onnx", "a/./b.onnx", "a\\b.onnx", "..", "."]
)
def test_a_file_name_is_not_a_path(value: str) -> None:
    found = refusal(lambda reader: reader.file_name("graph", "model.onnx"), {"graph": value})
    assert found == (
        "graph",
        f'found "{value}", expected the name of a file in the model folder or below it',
    )
    assert OptionReader({}).file_name("graph", "model.onnx") == "model.onnx"
    for name in ("int8.onnx", "onnx/model_quantized.onnx"):
        assert OptionReader({"graph": name}).file_name("graph", "model.onnx") == name


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ([0, 8], "[0, 8]"),
        ([8, -1], "[8, -1]"),
        ([8], "[8]"),
        ([1, 2, 3], "[1, 2, 3]"),
        ([True, 8], "[True, 8]"),
        ([1, 8.0], "[1, 8.0]"),
        (8, "8"),
        ("18", '"18"'),
    ],
)
def test_a_pair_is_two_integers_of_at_least_1(entry: object, shown: str) -> None:
    found = refusal(lambda reader: reader.pairs("static_shapes"), {"static_shapes": [[1, 8], entry]})
    assert found == ("static_shapes", f"found {shown}, expected a pair of integers of at least 1")


def test_pairs_are_an_array_and_may_be_left_out() -> None:
    assert OptionReader({}).pairs("static_shapes") == []
    assert OptionReader({"static_shapes": [[1, 8], [4, 16]]}).pairs("static_shapes") == [(1, 8), (4, 16)]
    assert refusal(lambda reader: reader.pairs("static_shapes"), {"static_shapes": {"1": 8}}) == (
        "static_shapes",
        "found {'1': 8}, expected an array of pairs of integers",
    )


def test_an_unknown_option_is_refused_with_the_nearest_name() -> None:
    def read(reader: OptionReader) -> None:
        reader.count("threads", 1, 8)
        reader.finish()

    assert refusal(read, {"thread": 2}) == (
        "thread",
        "there is no such option, expected one of: `threads`; did you mean `threads`?",
    )


def test_a_value_in_a_message_is_never_long() -> None:
    _, why = refusal(lambda reader: reader.count("threads", 1, 8), {"threads": "x" * 1000})
    assert len(str(why)) < 120


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_an_option_it_does_not_know(kind: str) -> None:
    with pytest.raises(OptionError, match="there is no such option"):
        make(kind).load(None, {"colour": "red"})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("null", {"dimensions": 0}),
        ("null", {"dimensions": 65_537}),
        ("python-onnx", {"threads": 0}),
        ("python-onnx", {"graph_optimization": "most"}),
        ("python-onnx", {"execution_provider": ""}),
        ("python-onnx", {"provider_options": {"ModelFormat": 1}}),
        ("python-onnx", {"graph": "../model.onnx"}),
        ("python-onnx", {"static_shapes": [[1, 0]]}),
        ("python-torch", {"device": "gpu"}),
        ("python-torch", {"dtype": "int8"}),
        ("python-torch", {"threads": 1025}),
    ],
)
def test_every_kind_refuses_a_value_that_is_not_allowed(kind: str, options: dict[str, object]) -> None:
    with pytest.raises(OptionError) as caught:
        make(kind).load(None, options)
    assert caught.value.data["key"] == next(iter(options))

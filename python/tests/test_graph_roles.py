"""The committed suite of graphs: what each input is given, and which output is taken. Rust runs it too."""

import json
from typing import Any

import numpy as np
import pytest
from conftest import PROVIDERS

from tailmark_worker.backend import EmbedError, LoadError
from tailmark_worker.graph_roles import Declared, Input, Output, Puts, inputs_of, output_of
from tailmark_worker.recipe import read_recipe

SUITE = json.loads((PROVIDERS / "conformance" / "recipes" / "graphs.json").read_text(encoding="utf-8"))


def declared(puts: list[dict[str, Any]]) -> list[Declared]:
    return [Declared(put["name"], put["type"], tuple(put["axes"])) for put in puts]


@pytest.mark.parametrize("example", SUITE, ids=lambda example: example["name"])
def test_a_graph_of_the_suite_is_taken_or_refused_as_it_says(example: dict[str, Any]) -> None:
    head = [{"module": "pooling", "mode": "mean"}]
    recipe = read_recipe({"max_tokens": 8, "head": head, **example.get("recipe", {})})
    inputs, outputs = declared(example["inputs"]), declared(example["outputs"])
    if "refused" in example:

        def read() -> None:
            inputs_of(inputs, recipe)
            output_of(outputs, recipe)

        with pytest.raises(LoadError) as caught:
            read()
        assert example["refused"] in str(caught.value)
        return
    assert [put.role for put in inputs_of(inputs, recipe)] == example["roles"]
    found = output_of(outputs, recipe)
    assert {"name": found.name, "is": found.kind, "dimensions": found.dimensions} == example["output"]


def test_every_input_is_given_what_its_role_says() -> None:
    free = (None, None)
    puts = Puts(
        (
            Input("input_ids", "input_ids", "int32", free),
            Input("attention_mask", "attention_mask", "int64", free),
            Input("token_type_ids", "token_type_ids", "int64", free),
            Input("position_ids", "position_ids", "int64", free),
            Input("task_id", "task_id", "int64", (None,)),
            Input("past_key_values.0.key", "past_key_values", "float16", (None, 2, None, 16)),
        ),
        Output("last_hidden_state", "tokens", "float32", 8),
        task_id=4,
    )
    ids, mask, types = (
        np.array([[5, 6, 7], [8, 9, 9]]),
        np.array([[1, 1, 1], [1, 0, 0]]),
        np.zeros((2, 3), int),
    )
    values = puts.values(ids, mask, types)
    assert values["input_ids"].dtype == np.int32
    assert values["input_ids"].tolist() == ids.tolist()
    assert values["attention_mask"].tolist() == mask.tolist()
    assert values["token_type_ids"].tolist() == types.tolist()
    assert values["position_ids"].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert values["task_id"].tolist() == [4, 4]
    assert (values["past_key_values.0.key"].shape, values["past_key_values.0.key"].dtype) == (
        (2, 2, 0, 16),
        np.float16,
    )


@pytest.mark.parametrize(
    ("axes", "part"),
    [
        ((1, None), "takes exactly 1 texts at once, and this request has 2"),
        ((None, 16), "takes texts of exactly 16 tokens, and the longest of this request has 3"),
    ],
)
def test_a_batch_that_does_not_fit_fixed_axes_is_refused(axes: tuple[int | None, ...], part: str) -> None:
    output = Output("last_hidden_state", "tokens", "float32", 8)
    puts = Puts((Input("input_ids", "input_ids", "int64", axes),), output, 0)
    ids = np.ones((2, 3), dtype=np.int64)
    with pytest.raises(EmbedError) as caught:
        puts.values(ids, ids, ids)
    assert part in str(caught.value)

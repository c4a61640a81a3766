"""What a graph's inputs are given and which of its outputs is taken, by the names and shapes it declares.

One rule for every runtime, here and in the Rust crate, where it is written down: `graph/roles.rs`. The
examples in `providers/conformance/recipes/graphs.json` hold both to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tailmark_worker.backend import EmbedError, LoadError
from tailmark_worker.recipe import OutputKind, Recipe

Role = Literal["input_ids", "attention_mask", "token_type_ids", "position_ids", "task_id", "past_key_values"]

PAST = "past_key_values."
SQUARE: tuple[Role, ...] = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
KNOWN = "input_ids, attention_mask, token_type_ids, position_ids, task_id and past_key_values.*"
ELEMENTS = {
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}
"""Onnxruntime's names of element types, and numpy's."""


@dataclass(frozen=True, slots=True)
class Declared:
    """An input or an output as a graph declares it."""

    name: str
    element: str
    axes: tuple[int | None, ...]
    """None for an axis of any length."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input and what it is given."""

    name: str
    role: Role
    element: str
    axes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """The output that is taken."""

    name: str
    kind: OutputKind
    element: str
    dimensions: int | None
    """The length of a vector, if it is declared."""


@dataclass(frozen=True, slots=True)
class Puts:
    """What goes into a graph and what is taken out of it."""

    inputs: tuple[Input, ...]
    output: Output
    task_id: int

    def values(self, ids: Any, mask: Any, types: Any) -> dict[str, Any]:
        """The values of the inputs for a batch [texts, sequence].

        Raises:
            EmbedError: the graph has fixed axes that the batch does not fit.
        """
        return {put.name: self._value(put, ids, mask, types) for put in self.inputs}

    def _value(self, put: Input, ids: Any, mask: Any, types: Any) -> Any:
        texts, sequence = ids.shape
        if put.role in SQUARE:
            _refuse_other_shape(put, texts, sequence)
        if put.role == "position_ids":
            values = np.broadcast_to(np.arange(sequence, dtype=np.int64), ids.shape)
        elif put.role == "task_id":
            axes = [texts if axis is None else axis for axis in put.axes]
            values = np.full(axes, self.task_id, dtype=np.int64)
        elif put.role == "past_key_values":
            first, *others = put.axes
            rest = [0 if axis is None else axis for axis in others]
            values = np.zeros((texts if first is None else first, *rest), dtype=put.element)
        else:
            values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}[put.role]
        return np.ascontiguousarray(values.astype(put.element, copy=False))


def of_session(session: Any, recipe: Recipe, *, fixed: bool = False) -> Puts:
    """The inputs and the output of onnxruntime's session; ``fixed`` is one of several of fixed shapes.

    Raises:
        LoadError: the graph has an input that nothing is known of, or no output that can be taken.
    """
    inputs = tuple(inputs_of([_declared(put) for put in session.get_inputs()], recipe))
    if fixed:
        # Which of them a batch runs in is chosen before; the others have other axes.
        inputs = tuple(
            replace(put, axes=(None,) * len(put.axes)) if put.role in SQUARE else put for put in inputs
        )
    return Puts(
        inputs, output_of([_declared(put) for put in session.get_outputs()], recipe), recipe.task_id or 0
    )


def _declared(put: Any) -> Declared:
    axes = tuple(axis if isinstance(axis, int) and axis >= 0 else None for axis in put.shape)
    return Declared(put.name, ELEMENTS.get(put.type, str(put.type)), axes)


def inputs_of(declared: Sequence[Declared], recipe: Recipe) -> list[Input]:
    """The inputs, in the graph's own order.

    Raises:
        LoadError: nothing is known of one, one has another type or shape than elsewhere, or there is none
            for the tokens.
    """
    inputs = [_input(put, recipe) for put in declared]
    if not any(put.role == "input_ids" for put in inputs):
        raise LoadError(f"the graph has no input `input_ids`; it has {_listed(declared)}")
    return inputs


def _input(put: Declared, recipe: Recipe) -> Input:
    role: Role | None = "past_key_values" if put.name.startswith(PAST) else None
    for known in (*SQUARE, "task_id"):
        if put.name == known:
            role = known
    if role is None:
        raise LoadError(f"the graph has an input `{put.name}`; only {KNOWN} are supported")
    allowed = ("float32", "float16") if role == "past_key_values" else ("int64", "int32")
    if put.element not in allowed:
        raise LoadError(f"the graph's input `{put.name}` is {put.element}, expected {' or '.join(allowed)}")
    count = len(put.axes)
    fits = count == 2 if role in SQUARE else count <= 1 if role == "task_id" else count > 0
    if not fits:
        expected = "none or one" if role == "task_id" else "two"
        raise LoadError(f"the graph's input `{put.name}` has {count} axes, expected {expected}")
    if role == "task_id" and recipe.task_id is None:
        raise LoadError(
            "the graph has an input `task_id`, and the model's recipe does not say which task\n\n"
            "hint: set `task_id` in the recipe of tailmark-model.json; the numbers of the tasks are those of "
            "the model's own description"
        )
    return Input(put.name, role, put.element, put.axes)


def output_of(declared: Sequence[Declared], recipe: Recipe) -> Output:
    """The output that is taken.

    Raises:
        LoadError: there is none, or two that could be it; or its numbers are not floats.
    """
    tokens = _one_of(declared, ("last_hidden_state", "token_embeddings"), 3)
    text = _one_of(declared, ("sentence_embedding",), 2)
    if text is not None and text.name == "pooler_output":
        text = None
    if recipe.output == "tokens":
        text = None
    if recipe.output == "text":
        tokens = None
    found, kind = (tokens, "tokens") if tokens is not None else (text, "text")
    if found is None:
        expected = (
            "`sentence_embedding`, or one with two axes"
            if recipe.output == "text"
            else "`last_hidden_state` or `token_embeddings`, or one with three axes; or `sentence_embedding`"
        )
        raise LoadError(
            "the graph has no output that is a text's vector or those of its tokens; "
            f"it has {_listed(declared)}, expected is {expected}"
        )
    if found.element not in ("float32", "float16"):
        raise LoadError(f"the graph's output `{found.name}` is {found.element}, expected float32 or float16")
    dimensions = found.axes[-1] or None
    return Output(found.name, "tokens" if kind == "tokens" else "text", found.element, dimensions)


def _one_of(declared: Sequence[Declared], names: Sequence[str], axes: int) -> Declared | None:
    """The first of these names that has so many axes, else the only output that has."""
    fitting = {put.name: put for put in declared if len(put.axes) == axes}
    named = next((fitting[name] for name in names if name in fitting), None)
    if named is not None or len(fitting) != 1:
        return named
    return next(iter(fitting.values()))


def _refuse_other_shape(put: Input, texts: int, sequence: int) -> None:
    allowed = put.axes[0]
    if allowed is not None and allowed != texts:
        raise EmbedError(
            f"the graph takes exactly {allowed} texts at once, and this request has {texts}\n\n"
            f"hint: set `batch_size` of the workload to {allowed}, or name another graph with the option "
            "`graph`"
        )
    allowed = put.axes[1]
    if allowed is not None and allowed != sequence:
        raise EmbedError(
            f"the graph takes texts of exactly {allowed} tokens, and the longest of this request has "
            f"{sequence}\n\nhint: pad to that length with the option `static_shapes`, or name another graph "
            "with the option `graph`"
        )


def _listed(declared: Sequence[Declared]) -> str:
    def one(put: Declared) -> str:
        return f"{put.name} [{', '.join('?' if axis is None else str(axis) for axis in put.axes)}]"

    return ", ".join(one(put) for put in declared) or "none"

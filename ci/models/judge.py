"""Decides what a kind made of a shape, and whether that is as it should be. Starts nothing, reads no file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from shape import Shape

Floats = npt.NDArray[np.float32]

LENGTH_TOLERANCE = {True: 1e-3, False: 3e-2}
"""How far a vector's length may be off, as a share of it: in single precision, and in anything less."""

State = Literal["right", "refused", "wrong", "broken"]
Outcome = Literal["right", "refused", "wrong", "unexpected"]


@dataclass(frozen=True)
class Distance:
    """How far vectors are from those of `encode`."""

    cosine: float
    """The smallest."""
    length: float
    """The largest difference of a vector's length, as a share of it."""

    def worse(self, other: "Distance") -> "Distance":
        """The larger of each."""
        return Distance(min(self.cosine, other.cosine), max(self.length, other.length))


@dataclass(frozen=True)
class Cell:
    """What one kind made of a shape."""

    kind: str
    state: State
    cosine: float | None = None
    """The smallest to `encode`, where there were vectors."""
    why: str = ""
    """Why it is refused, wrong or broken."""


@dataclass(frozen=True)
class Row:
    """What all kinds made of a shape."""

    shape: Shape
    cells: tuple[Cell, ...]
    outcome: Outcome
    faults: tuple[str, ...]
    """What is not as it should be, a sentence each."""


def distance(found: Floats, expected: Floats, *, scaled: bool) -> Distance | str:
    """How far vectors are from the expected ones, or a sentence if they cannot be compared.

    ``scaled`` ones must have the length one, and others the length of the expected.
    """
    if found.shape != expected.shape:
        return f"vectors have {found.shape[1]} numbers, and those of `encode` {expected.shape[1]}"
    if not np.isfinite(found).all():
        return "vectors have numbers that are not finite"
    left, right = found.astype(np.float64), expected.astype(np.float64)
    long, wanted = np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1)
    both_zero = (long == 0) & (wanted == 0)
    divisor = np.where(long * wanted == 0, 1.0, long * wanted)
    cosines = np.where(both_zero, 1.0, (left * right).sum(axis=1) / divisor)
    if scaled:
        wanted = np.where(wanted == 0, 0.0, 1.0)
    off = np.abs(long - wanted) / np.where(wanted == 0, 1.0, wanted)
    return Distance(float(cosines.min()), float(off.max()))


def told_apart(vectors: Floats, limit: float) -> bool:
    """Whether a text's vector is told from most other texts' by a cosine below the limit."""
    left = vectors.astype(np.float64)
    long = np.linalg.norm(left, axis=1, keepdims=True)
    unit = left / np.where(long == 0, 1.0, long)
    others = (unit @ unit.T)[~np.eye(len(unit), dtype=bool)]
    return bool(np.median(others) < limit)


def cell(kind: str, refusal: str | None, measured: Distance | str | None, shape: Shape) -> Cell:
    """What a kind made of a shape.

    ``refusal`` is why tailmark did not measure the kind, None if it did. ``measured`` is how far the vectors
    are that its worker gave here, or why it gave none.
    """
    cosine = measured.cosine if isinstance(measured, Distance) else None
    if refusal is not None:
        return Cell(kind, "refused", cosine, refusal)
    if isinstance(measured, str):
        state: State = "wrong" if measured.startswith("vectors have") else "broken"
        return Cell(kind, state, None, measured)
    if measured is None:
        return Cell(kind, "broken", None, "tailmark measured it, and its vectors were not asked for here")
    if not measured.cosine >= shape.limit:
        why = f"measured without complaint, and the smallest cosine is {measured.cosine:.6f}"
        return Cell(kind, "wrong", cosine, why)
    if not measured.length <= LENGTH_TOLERANCE[shape.limit > 0.9998]:
        why = f"measured without complaint, and a vector's length is off by {measured.length:.1%}"
        return Cell(kind, "wrong", cosine, why)
    return Cell(kind, "right", cosine)


def row(shape: Shape, cells: Sequence[Cell], faults: Sequence[str] = ()) -> Row:
    """The verdict on a shape; ``faults`` are those of the shape itself."""
    # What several kinds have in common is said once.
    by_fault: dict[str, list[str]] = {}
    for one in cells:
        fault = _fault(one, shape)
        if fault is not None:
            by_fault.setdefault(fault, []).append(one.kind)
    found = [*faults, *(f"{', '.join(kinds)}: {fault}" for fault, kinds in by_fault.items())]
    tried = {one.kind for one in cells}
    found += [f"{kind} was not tried" for kind in shape.kinds if kind not in tried]
    if any(one.state == "wrong" for one in cells):
        outcome: Outcome = "wrong"
    elif found:
        outcome = "unexpected"
    else:
        outcome = "right" if shape.runs else "refused"
    return Row(shape, tuple(cells), outcome, tuple(found))


def _fault(one: Cell, shape: Shape) -> str | None:
    """What is not as it should be with a cell."""
    if one.state in ("wrong", "broken"):
        return f"{one.state}, {one.why}"
    if one.state == "refused" and one.kind in shape.runs:
        return f"should run, and is refused: {one.why}"
    if one.state == "refused" and not re.search(shape.refusal, one.why, re.DOTALL):
        return f"refused, and not because of `{shape.refusal}`: {one.why}"
    if one.state == "right" and one.kind in shape.refuses:
        return "runs, and should be refused"
    return None


def is_well(rows: Sequence[Row]) -> bool:
    """Whether every row is as it should be."""
    return bool(rows) and all(one.outcome in ("right", "refused") for one in rows)


def refused_everywhere(shape: Shape, why: str) -> tuple[Cell, ...]:
    """The cells of a shape of which no model was made."""
    return tuple(Cell(kind, "refused", None, why) for kind in shape.kinds)


def as_object(one: Row) -> Mapping[str, object]:
    """The row for programs."""
    return {
        "shape": one.shape.name,
        "outcome": one.outcome,
        "limit": one.shape.limit,
        "faults": list(one.faults),
        "kinds": {
            each.kind: {"state": each.state, "smallest_cosine": each.cosine, "why": each.why or None}
            for each in one.cells
        },
    }

"""The table as people read it, at most 120 columns wide."""

import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from judge import Cell, Row
from shape import KINDS, Shape

WIDTH = 120
NAME, COLUMN = 28, 14
DIGITS = 10**6


def heading() -> str:
    """The first line."""
    return "".join([f"{'shape':{NAME}}", *(f"{kind:{COLUMN}}" for kind in KINDS), "as a whole"]).rstrip()


def lines(row: Row) -> Iterator[str]:
    """A row, and below it why it is refused and what is not as it should be."""
    cells = {cell.kind: cell for cell in row.cells}
    shown = [f"{_shown(cells.get(kind)):{COLUMN}}" for kind in KINDS]
    outcome = row.outcome if row.outcome in ("right", "refused") else row.outcome.upper()
    yield "".join([f"{row.shape.name:{NAME}}", *shown, outcome])
    if row.faults:
        for fault in row.faults:
            yield from _wrapped(fault)
    else:
        reasons = Counter(cell.why for cell in row.cells if cell.state == "refused")
        for why in reasons:
            kinds = [cell.kind for cell in row.cells if cell.state == "refused" and cell.why == why]
            yield from _wrapped(why if len(kinds) == len(row.cells) else f"{', '.join(kinds)}: {why}")


def closing(rows: Sequence[Row]) -> str:
    """How many rows are what."""
    number = Counter(row.outcome for row in rows)
    return (
        f"{len(rows)} shapes: {number['right']} right, {number['refused']} refused as they should be, "
        f"{number['wrong']} wrong, {number['unexpected']} not as expected"
    )


def listed(shape: Shape) -> str:
    """A shape in the list of all."""
    line = f"{'*' if shape.few else ' '} {shape.name:{NAME}}{shape.summary}"
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 4]} ..."


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if cell.state == "right" and cell.cosine is not None:
        # Cut and not rounded: what is below a limit must not look as if it had reached it.
        return f"{math.floor(cell.cosine * DIGITS + 1e-3) / DIGITS:.6f}"
    return cell.state if cell.state == "refused" else cell.state.upper()


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent="    ", subsequent_indent="    ")

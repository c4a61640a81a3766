"""What a backend can show for where its model ran, in plain data, and how that is written into a message.

Knows no runtime: which operators there are, and what devices are called, is the runtime's own wording.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Kernel:
    """One node of the graph as it was run, or one operator where a runtime has no nodes."""

    name: str
    """What the runtime calls the node; a group of nodes that a provider swallowed is one node."""
    op: str
    on: str
    """The execution provider or the device."""
    calls: int
    """Over all runs."""
    ns: int | None = None
    """Nanoseconds over all runs; None where the runtime records no times."""


@dataclass(frozen=True, slots=True)
class Ungrouped:
    """The probe again with the graph as providers are offered it, before nodes are fused any further."""

    asked: Sequence[Kernel]
    cpu: Sequence[Kernel]
    """With the CPU alone, which groups nothing: every node of the graph, by name."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The parameters that share a device and an element type."""

    device: str
    dtype: str
    tensors: int
    numbers: int


@dataclass(frozen=True, slots=True)
class Output:
    """Where the last hidden state was when the model was done with it."""

    device: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was recorded while the model ran apart from what is timed. None is "not known"."""

    source: str
    """What recorded it, or why nothing could."""
    runs: int = 0
    """How many runs were recorded."""
    asked: str | None = None
    """The runtime's own name of what was asked for."""
    kernels: Sequence[Kernel] = ()
    ungrouped: Ungrouped | None = None
    weights: Sequence[Weights] | None = None
    output: Output | None = None
    attention: str | None = None
    cpu_fallback: bool | None = None
    """Whether operators that the device lacks may run on the CPU instead."""
    fell_back: Sequence[str] = ()
    """The operators that the runtime itself said it moved to the CPU."""
    notes: Sequence[str] = ()


def as_object(evidence: Evidence) -> dict[str, object]:
    """The members of a message; what is not known is left out rather than sent as null."""
    return {key: _known(value) for key, value in asdict(evidence).items() if value is not None}


def _known(value: object) -> object:
    if isinstance(value, dict):
        return {key: _known(member) for key, member in value.items() if member is not None}
    if isinstance(value, list | tuple):
        return [_known(item) for item in value]
    return value

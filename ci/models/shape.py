"""What a shape of embedding model is, and the list of all. Knows no library and makes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TRANSFORMER_KINDS = ("onnx", "rten", "python-onnx", "python-torch")
GRAPH_KINDS = TRANSFORMER_KINDS[:3]
TABLE_KIND = "static"
KINDS = (*TRANSFORMER_KINDS, TABLE_KIND)

SINGLE = 0.9999
"""Smallest cosine that single precision on both sides is allowed; healthy ones are far closer to 1."""
HALF = 0.9995
"""The same where one side computes in half precision."""
EIGHT_BITS = 0.95
"""The same for weights in 8-bit integers, whose vectors tailmark calls by that name."""

Make = Callable[[Path], None]


@dataclass(frozen=True)
class Shape:
    """A form in which embedding models are deployed, and what each kind of backend should make of it."""

    name: str
    make: Make
    """Writes such a model into an empty folder."""
    summary: str
    """Which models look like it."""
    runs: tuple[str, ...] = TRANSFORMER_KINDS
    """The kinds that should give its vectors."""
    refuses: tuple[str, ...] = ()
    """The kinds that should refuse it."""
    refusal: str = ""
    """A regular expression that the reason of each refusal should match."""
    limit: float = SINGLE
    """The smallest cosine that is right."""
    trust: bool = False
    """Whether the folder's own Python code is to be run."""
    export: tuple[str, ...] = ()
    """More arguments of `tailmark model export`."""
    graph: str | None = None
    """The option `graph` of the kinds that run one."""
    few: bool = False
    """Whether it is one of the few that stand for most."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds to try, in the table's order."""
        return tuple(kind for kind in KINDS if kind in (*self.runs, *self.refuses))

    def options(self, kind: str) -> dict[str, object]:
        """The options to give a kind."""
        given: dict[str, object] = {"threads": 1}
        if kind == TABLE_KIND:
            return {}
        if kind == "python-torch":
            given["device"] = "cpu"
            if self.trust:
                given["trust_remote_code"] = True
        elif self.graph is not None:
            given["graph"] = self.graph
        return given


@dataclass
class Shapes:
    """All shapes, by name and in the order in which they were added."""

    by_name: dict[str, Shape] = field(default_factory=dict)

    def add(self, **about: object) -> Callable[[Make], Make]:
        """Add a function that makes a shape, whose name and first sentence it takes."""

        def added(make: Make) -> Make:
            name = str(about.pop("name", make.__name__.replace("_", "-")))
            summary = str(about.pop("summary", None) or (make.__doc__ or "").strip())
            if name in self.by_name:
                raise ValueError(f"there are two shapes `{name}`")
            self.by_name[name] = Shape(name, make, summary, **about)  # type: ignore[arg-type]
            return make

        return added

    def refused(self, why: str, **about: object) -> Callable[[Make], Make]:
        """Add a shape that no kind should run, for a reason that matches ``why``."""
        return self.add(runs=(), refuses=TRANSFORMER_KINDS, refusal=why, **about)

    def of_graph(self, **about: object) -> Callable[[Make], Make]:
        """Add a shape that came as a graph without weights, which torch cannot run."""
        rest: Mapping[str, object] = {
            "runs": GRAPH_KINDS,
            "refuses": ("python-torch",),
            "refusal": "weights",
            "export": ("--graph", "onnx/model.onnx"),
        }
        return self.add(**{**rest, **about})


SHAPES = Shapes()


def truth_of(folder: Path) -> Path:
    """Where a shape puts the same model in a form that sentence-transformers loads, if its own is not one."""
    return folder.with_name(f"{folder.name}-truth")

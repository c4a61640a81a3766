"""A recipe's head: the vectors of a text's tokens become the text's, module by module, in the recipe's order.

Each module is here once, in operators that numpy's arrays and torch's tensors share; what they do not share
is in the `Arithmetic` that is handed in.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

from tailmark_worker.recipe import Module, Recipe, RecipeError
from tailmark_worker.safetensors_file import read_floats

Step = Callable[[Any], Any]

SETTINGS: dict[str, tuple[tuple[str, ...], Mapping[str, object]]] = {
    "pooling": (("mode",), {"include_prompt": True}),
    "dense": (
        ("file", "inputs", "dimensions"),
        {"activation": "identity", "bias": True, "residual": False},
    ),
    "layer_norm": (("file", "dimensions"), {}),
    "truncate": (("dimensions",), {}),
    "normalize": ((), {}),
}
"""The known modules; what each must be told, and what it is told if nothing is said."""

POOLINGS = ("mean", "cls", "max", "mean_sqrt_len", "weighted_mean", "last")
ACTIVATIONS = ("identity", "tanh", "relu", "gelu", "silu", "sigmoid")
WITH_NUMBERS = ("pooling", "dense", "layer_norm")
"""The modules that are inside of a graph whose output is a text's vector."""


class Arithmetic(Protocol):
    """What differs between the libraries that hold vectors: see `pooling`, where each is for numpy."""

    def single(self, vectors: Any) -> Any: ...  # noqa: D102
    def weighted_sum(self, hidden: Any, weights: Any) -> Any: ...  # noqa: D102
    def total(self, weights: Any) -> Any: ...  # noqa: D102
    def at_least(self, numbers: Any, least: float) -> Any: ...  # noqa: D102
    def root(self, numbers: Any) -> Any: ...  # noqa: D102
    def positions(self, mask: Any) -> Any: ...  # noqa: D102
    def largest(self, hidden: Any, mask: Any) -> Any: ...  # noqa: D102
    def taken(self, hidden: Any, rows: Any) -> Any: ...  # noqa: D102
    def first_of(self, mask: Any) -> Any: ...  # noqa: D102
    def last_of(self, mask: Any) -> Any: ...  # noqa: D102
    def side_by_side(self, parts: list[Any]) -> Any: ...  # noqa: D102
    def tensor(self, values: Any, _like: Any) -> Any: ...  # noqa: D102
    def product(self, vectors: Any, matrix: Any) -> Any: ...  # noqa: D102
    def activated(self, name: str, vectors: Any) -> Any: ...  # noqa: D102
    def standardized(self, vectors: Any) -> Any: ...  # noqa: D102
    def scale_to_unit(self, vectors: Any) -> Any: ...  # noqa: D102


def check(recipe: Recipe) -> None:
    """Refuse a module that is not known, or is told other things than it understands.

    Raises:
        RecipeError: naming the module, and what is expected.
    """
    for module in recipe.head:
        if module.name not in SETTINGS:
            known = ", ".join(f"`{name}`" for name in SETTINGS)
            raise RecipeError(f"the head has a module `{module.name}`, expected one of {known}")
        must, may = SETTINGS[module.name]
        if not set(must) <= set(module.settings) <= {*must, *may}:
            expected = ", ".join(f"`{name}`" for name in (*must, *may)) or "none"
            found = ", ".join(f"`{name}`" for name in module.settings) or "none"
            raise RecipeError(f"the module `{module.name}` has the settings {found}, expected {expected}")
    modes(recipe)


def modes(recipe: Recipe) -> tuple[str, ...]:
    """How the head pools: one name, or several whose vectors are put side by side.

    Raises:
        RecipeError: one is not known, or is there twice.
    """
    named = recipe.head[0].settings["mode"]
    found = tuple(named) if isinstance(named, list) else (named,)
    for mode in found:
        if mode not in POOLINGS:
            raise RecipeError(f"the pooling is {mode!r}, expected one of {', '.join(POOLINGS)}")
    if not found or len(set(found)) != len(found):
        raise RecipeError("the pooling must name at least one mode, and none twice")
    return found


class Head:
    """The modules of a head, known to fit one another and the vectors that come out of the model."""

    def __init__(
        self,
        recipe: Recipe,
        token_dimensions: int,
        arithmetic: Arithmetic,
        folder: Path,
        *,
        prompt_tokens: int = 0,
    ) -> None:
        """Look at every module, and read its numbers from files below ``folder``.

        Each text begins with ``prompt_tokens`` tokens of a prompt.

        Raises:
            RecipeError: a module is unknown, or takes other vectors than the one before it gives.
            ModelFileError: a file does not have what a module needs.
        """
        check(recipe)
        self._arithmetic = arithmetic
        self._folder = folder
        first, *others = recipe.head
        self._modes = modes(recipe)
        left_out = first.settings.get("include_prompt", True) is False
        self._left_out = prompt_tokens if left_out else 0
        self.dimensions = token_dimensions * len(self._modes)
        """The length of a text's vector."""
        self._steps = [self._step(module) for module in others]
        # A second time would move the last digits, and the usual model ends in it.
        self._ends_at_unit = bool(others) and others[-1].name == "normalize"

    @classmethod
    def of_texts(cls, recipe: Recipe, text_dimensions: int, arithmetic: Arithmetic) -> "Head":
        """What is left of the head for a graph that gives a vector of this length for each text.

        Raises:
            RecipeError: the recipe cannot be followed, or its vectors have another length.
        """
        check(recipe)
        inside = max(at for at, module in enumerate(recipe.head) if module.name in WITH_NUMBERS) + 1
        left = recipe.head[inside:]
        expected = recipe.head[inside - 1].settings.get("dimensions", text_dimensions)
        cut = [module.settings.get("dimensions") for module in left if module.name == "truncate"]
        if text_dimensions != expected and text_dimensions not in cut:
            _refuse(f"the graph's vectors have {text_dimensions} numbers, and its modules give {expected}")
        head = cls.__new__(cls)
        head._arithmetic = arithmetic
        head._folder = Path()
        head._modes = ()
        head._left_out = 0
        head.dimensions = text_dimensions
        head._steps = [head._step(module) for module in left]
        head._ends_at_unit = bool(left) and left[-1].name == "normalize"
        return head

    def apply(self, hidden: Any, attention_mask: Any, *, normalize: bool) -> Any:
        """One vector per text out of ``hidden`` [texts, tokens, dimensions], padded at the right.

        Where the model gives a vector for each text, ``hidden`` has no axis for tokens.
        """
        hidden = self._arithmetic.single(hidden)
        vectors = self._pool(hidden, attention_mask) if self._modes else hidden
        for step in self._steps:
            vectors = step(vectors)
        return self._arithmetic.scale_to_unit(vectors) if normalize and not self._ends_at_unit else vectors

    def _pool(self, hidden: Any, attention_mask: Any) -> Any:
        arithmetic = self._arithmetic
        mask = arithmetic.single(attention_mask)
        texts_alone = mask * (arithmetic.positions(mask) > self._left_out) if self._left_out else mask
        parts = [self._pooled(mode, hidden, mask, texts_alone) for mode in self._modes]
        return parts[0] if len(parts) == 1 else arithmetic.side_by_side(parts)

    def _pooled(self, mode: str, hidden: Any, whole: Any, mask: Any) -> Any:
        """``whole`` is the mask with the prompt, ``mask`` that of what is pooled."""
        arithmetic = self._arithmetic
        if mode == "cls":
            # A text of no tokens has no first one.
            return arithmetic.taken(hidden, arithmetic.first_of(mask)) * whole[:, :1]
        if mode == "last":
            there = arithmetic.at_least(-arithmetic.total(mask), -1.0) * -1.0
            return arithmetic.taken(hidden, arithmetic.last_of(mask)) * there
        if mode == "max":
            return arithmetic.largest(hidden, mask)
        weights = mask * arithmetic.positions(mask) if mode == "weighted_mean" else mask
        divisor = arithmetic.at_least(arithmetic.total(weights), 1.0)
        if mode == "mean_sqrt_len":
            divisor = arithmetic.root(divisor)
        return arithmetic.weighted_sum(hidden, weights) / divisor

    def _step(self, module: Module) -> Step:
        if module.name == "dense":
            return self._dense(module)
        if module.name == "layer_norm":
            return self._layer_norm(module)
        if module.name == "truncate":
            kept = module.settings["dimensions"]
            if not isinstance(kept, int) or isinstance(kept, bool) or not 1 <= kept <= self.dimensions:
                _refuse(
                    f"it keeps {kept} numbers of a vector that has {self.dimensions}; "
                    f"between 1 and {self.dimensions} are possible"
                )
            self.dimensions = kept
            return lambda vectors: vectors[:, :kept]
        return self._arithmetic.scale_to_unit

    def _dense(self, module: Module) -> Step:
        settings = {**SETTINGS["dense"][1], **module.settings}
        inputs, outputs = _length(settings["inputs"]), _length(settings["dimensions"])
        self._refuse_other_length("dense", inputs, outputs)
        activation = str(settings["activation"])
        if activation not in ACTIVATIONS:
            _refuse(f"the activation is {activation!r}, expected one of {', '.join(ACTIVATIONS)}")
        path = self._file(settings["file"])
        arithmetic = self._arithmetic
        matrix = self._numbers(path, "linear.weight", (outputs, inputs))
        bias = self._numbers(path, "linear.bias", (outputs,)) if settings["bias"] else None
        residual = bool(settings["residual"])
        projection = (
            self._numbers(path, "residual.weight", (outputs, inputs))
            if residual and inputs != outputs
            else None
        )

        def step(vectors: Any) -> Any:
            out = arithmetic.product(vectors, matrix(vectors))
            out = arithmetic.activated(activation, out if bias is None else out + bias(vectors))
            if not residual:
                return out
            return out + (vectors if projection is None else arithmetic.product(vectors, projection(vectors)))

        self.dimensions = outputs
        return step

    def _layer_norm(self, module: Module) -> Step:
        length = _length(module.settings["dimensions"])
        self._refuse_other_length("layer_norm", length, length)
        path = self._file(module.settings["file"])
        weight = self._numbers(path, "norm.weight", (length,))
        bias = self._numbers(path, "norm.bias", (length,))
        standardized = self._arithmetic.standardized
        return lambda vectors: standardized(vectors) * weight(vectors) + bias(vectors)

    def _numbers(self, path: Path, name: str, shape: tuple[int, ...]) -> Callable[[Any], Any]:
        """A tensor of a file; asked with vectors, it is where these are."""
        values = read_floats(path, name, shape)
        placed: dict[str, Any] = {}

        def near(vectors: Any) -> Any:
            device = str(getattr(vectors, "device", ""))
            if device not in placed:
                placed[device] = self._arithmetic.tensor(values, vectors)
            return placed[device]

        return near

    def _file(self, name: object) -> Path:
        parts = str(name).split("/")
        if "\\" in str(name) or any(part in ("", ".", "..") for part in parts):
            _refuse(f"its numbers are in `{name}`, which is no file below the model's folder")
        return self._folder / str(name)

    def _refuse_other_length(self, what: str, inputs: int, outputs: int) -> None:
        if inputs != self.dimensions or outputs < 1:
            _refuse(
                f"its module `{what}` takes vectors of {inputs} numbers and gives {outputs}, "
                f"and the module before it gives {self.dimensions}"
            )


def _length(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        _refuse(f"a length is {value!r}, expected an integer of at least 1")
    return value


def _refuse(why: str) -> NoReturn:
    raise RecipeError(why)

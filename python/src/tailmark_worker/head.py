"""A recipe's head: the vectors of a text's tokens become the text's, module by module, in the recipe's order.

Each module is here once, in operators that numpy's arrays and torch's tensors share; what they do not share
is in the `Arithmetic` that is handed in.
"""

from collections.abc import Callable
from typing import Any, Protocol

from tailmark_worker.recipe import Module, Recipe, RecipeError

Step = Callable[[Any], Any]

SETTINGS: dict[str, tuple[str, ...]] = {"pooling": ("mode",), "truncate": ("dimensions",), "normalize": ()}
"""The known modules, and what each is told."""

POOLINGS = ("mean", "cls")


class Arithmetic(Protocol):
    """What differs between the libraries that hold vectors."""

    def mean_pool(self, hidden: Any, attention_mask: Any) -> Any:
        """The mean of [texts, tokens, dimensions] over the tokens whose mask is 1, in single precision."""
        ...

    def first_token(self, hidden: Any) -> Any:
        """The vector of each text's first token, in single precision."""
        ...

    def scale_to_unit(self, vectors: Any) -> Any:
        """Each row divided by its Euclidean length; a zero row stays zero."""
        ...


def check(recipe: Recipe) -> None:
    """Refuse a module that is not known, or is told other things than it understands.

    Raises:
        RecipeError: naming the module, and what is expected.
    """
    for module in recipe.head:
        if module.name not in SETTINGS:
            known = ", ".join(f"`{name}`" for name in SETTINGS)
            raise RecipeError(f"the head has a module `{module.name}`, expected one of {known}")
        wanted = SETTINGS[module.name]
        if set(module.settings) != set(wanted):
            expected = ", ".join(f"`{name}`" for name in wanted) or "none"
            found = ", ".join(f"`{name}`" for name in module.settings) or "none"
            raise RecipeError(f"the module `{module.name}` has the settings {found}, expected {expected}")
    mode = recipe.head[0].settings["mode"]
    if mode not in POOLINGS:
        raise RecipeError(f"the pooling is {mode!r}, expected one of {', '.join(POOLINGS)}")


class Head:
    """The modules of a head, known to fit one another and the model's token vectors."""

    def __init__(self, recipe: Recipe, token_dimensions: int, arithmetic: Arithmetic) -> None:
        """Look at every module.

        Raises:
            RecipeError: a module is unknown, or asks for more numbers than the one before it gives.
        """
        check(recipe)
        self._arithmetic = arithmetic
        self.dimensions = token_dimensions
        """The length of a text's vector."""
        first, *others = recipe.head
        self._pool = self._pooling(first)
        self._steps = [self._step(module) for module in others]
        # A second time would move the last digits, and the usual model ends in it.
        self._ends_at_unit = bool(others) and others[-1].name == "normalize"

    def apply(self, hidden: Any, attention_mask: Any, *, normalize: bool) -> Any:
        """One vector per text out of ``hidden`` [texts, tokens, dimensions], padded at the right."""
        vectors = self._pool(hidden, attention_mask)
        for step in self._steps:
            vectors = step(vectors)
        return self._arithmetic.scale_to_unit(vectors) if normalize and not self._ends_at_unit else vectors

    def _pooling(self, module: Module) -> Callable[[Any, Any], Any]:
        arithmetic = self._arithmetic
        if module.settings["mode"] == "cls":
            # A text of no tokens has no first one.
            return lambda hidden, mask: arithmetic.first_token(hidden) * (mask[:, :1] == 1)
        return arithmetic.mean_pool

    def _step(self, module: Module) -> Step:
        if module.name == "truncate":
            kept = module.settings["dimensions"]
            if not isinstance(kept, int) or isinstance(kept, bool) or not 1 <= kept <= self.dimensions:
                raise RecipeError(
                    f"it keeps {kept} numbers of a vector that has {self.dimensions}; "
                    f"between 1 and {self.dimensions} are possible"
                )
            self.dimensions = kept
            return lambda vectors: vectors[:, :kept]
        return self._arithmetic.scale_to_unit

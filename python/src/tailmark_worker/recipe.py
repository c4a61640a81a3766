"""How a model's texts become vectors, as whoever sent it describes it: read and checked, never made up.

Knows the members of a recipe and not what any of them does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NoReturn

Side = Literal["left", "right"]
TokenTypes = Literal["zeros", "tokenizer"]
OutputKind = Literal["tokens", "text"]

TOKEN_TYPES = ("zeros", "tokenizer")
OUTPUTS = ("tokens", "text")

MEMBERS = (
    "prompts",
    "default_prompt",
    "strip_accents",
    "lower_case",
    "max_tokens",
    "truncation_side",
    "padding_id",
    "token_types",
    "special_tokens",
    "task_id",
    "output",
    "head",
)


class RecipeError(ValueError):
    """A recipe that cannot be followed; ``str()`` is one sentence."""


@dataclass(frozen=True, slots=True)
class Module:
    """One module of a head: its name and its settings."""

    name: str
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that makes two backends embed alike."""

    max_tokens: int
    """Texts are cut to this many tokens, special tokens included."""
    head: tuple[Module, ...]
    """What the token vectors go through, in order. The first module pools them into one vector."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Texts to put before a text, by their names."""
    default_prompt: str | None = None
    """The name of the prompt that is put before every text."""
    strip_accents: bool = False
    lower_case: bool = False
    truncation_side: Side = "right"
    """Which end of a text that is too long is lost."""
    padding_id: int = 0
    """The token that fills shorter texts up to the longest of a batch, at the right."""
    token_types: TokenTypes = "zeros"  # noqa: S105  # tokens of a text
    """What a model that has token types is given as such."""
    special_tokens: bool = True
    """Whether the tokenizer's special tokens are put around a text."""
    task_id: int | None = None
    """What a graph's input `task_id` is given; a graph that has this input cannot be run without."""
    output: OutputKind | None = None
    """Which of a graph's outputs is taken where it has both kinds; tokens unless this says otherwise."""

    @property
    def prompt(self) -> str:
        """The text that is put before every text; empty without a default prompt."""
        return "" if self.default_prompt is None else self.prompts[self.default_prompt]


def read_recipe(value: object) -> Recipe:
    """The recipe in an object as it arrived.

    Raises:
        RecipeError: a member is missing, unknown, or of the wrong type.
    """
    members = _members("the recipe", value, MEMBERS)
    prompts = _prompts(members.get("prompts", {}))
    default = members.get("default_prompt")
    if default is not None and default not in prompts:
        known = ", ".join(f"`{name}`" for name in prompts) or "none"
        _refuse(f"`default_prompt` is {default!r}, and the prompts are: {known}")
    side = members.get("truncation_side", "right")
    if side not in ("left", "right"):
        _refuse('`truncation_side` must be "left" or "right"')
    return Recipe(
        max_tokens=_integer("max_tokens", members.get("max_tokens"), least=1),
        head=_head(members.get("head")),
        prompts=prompts,
        default_prompt=None if default is None else str(default),
        strip_accents=_flag("strip_accents", members),
        lower_case=_flag("lower_case", members),
        truncation_side="left" if side == "left" else "right",
        padding_id=_integer("padding_id", members.get("padding_id", 0), least=0),
        token_types="tokenizer" if _one_of("token_types", members, TOKEN_TYPES) == "tokenizer" else "zeros",
        special_tokens=_flag("special_tokens", members, usual=True),
        task_id=None if members.get("task_id") is None else _integer("task_id", members["task_id"], least=0),
        output=_output(members),
    )


def as_object(recipe: Recipe) -> dict[str, object]:
    """The recipe as it came, with every member."""
    default = {} if recipe.default_prompt is None else {"default_prompt": recipe.default_prompt}
    optional: dict[str, object] = {}
    if recipe.token_types != TOKEN_TYPES[0]:
        optional["token_types"] = recipe.token_types
    if not recipe.special_tokens:
        optional["special_tokens"] = False
    if recipe.task_id is not None:
        optional["task_id"] = recipe.task_id
    if recipe.output is not None:
        optional["output"] = recipe.output
    return {
        "prompts": dict(recipe.prompts),
        **default,
        "strip_accents": recipe.strip_accents,
        "lower_case": recipe.lower_case,
        "max_tokens": recipe.max_tokens,
        "truncation_side": recipe.truncation_side,
        "padding_id": recipe.padding_id,
        **optional,
        "head": [{"module": module.name, **module.settings} for module in recipe.head],
    }


def _prompts(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        _refuse("`prompts` must be an object of strings")
    return {str(name): text for name, text in value.items()}


def _flag(name: str, members: Mapping[str, object], *, usual: bool = False) -> bool:
    value = members.get(name, usual)
    if not isinstance(value, bool):
        _refuse(f"`{name}` must be true or false")
    return value


def _one_of(name: str, members: Mapping[str, object], allowed: tuple[str, ...]) -> str:
    value = members.get(name, allowed[0])
    if not isinstance(value, str) or value not in allowed:
        _refuse(f"`{name}` must be one of {', '.join(allowed)}")
    return value


def _output(members: Mapping[str, object]) -> OutputKind | None:
    if members.get("output") is None:
        return None
    return "text" if _one_of("output", members, OUTPUTS) == "text" else "tokens"


def _integer(name: str, value: object, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        _refuse(f"`{name}` must be an integer of at least {least}")
    return value


def _head(value: object) -> tuple[Module, ...]:
    if not isinstance(value, list) or not value:
        _refuse("`head` must be an array of modules with at least one")
    head = tuple(_module(entry) for entry in value)
    if head[0].name != "pooling" or any(module.name == "pooling" for module in head[1:]):
        _refuse("`head` must begin with a module `pooling`, and have no second one")
    return head


def _module(value: object) -> Module:
    if not isinstance(value, dict) or not isinstance(value.get("module"), str):
        _refuse("each module of `head` must be an object with the string `module`")
    return Module(str(value["module"]), {key: entry for key, entry in value.items() if key != "module"})


def _members(what: str, value: object, known: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        _refuse(f"{what} must be an object")
    for name in value:
        if name not in known:
            _refuse(
                f"{what} has an unknown member `{name}`, expected {', '.join(f'`{one}`' for one in known)}"
            )
    return value


def _refuse(why: str) -> NoReturn:
    raise RecipeError(why)

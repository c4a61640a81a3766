"""The texts that come with the package, written for it: what vectors are compared over.

Knows nothing of models.
"""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class GradedPair:
    """Two texts, and how alike they are in meaning: from 0, unrelated, to 5, the same."""

    a: str
    b: str
    grade: int


def reference_texts() -> list[str]:
    """Every length, several scripts, and what only a machine would ask to embed."""
    return [str(text) for text in _data("reference_texts.json")]


def neighbour_texts() -> list[str]:
    """A few hundred short texts on two dozen topics, with paraphrases and near misses."""
    return [str(text) for topic in _data("neighbour_texts.json").values() for text in topic]


def graded_pairs() -> list[GradedPair]:
    """Pairs of texts with a grade each."""
    return [GradedPair(pair["a"], pair["b"], int(pair["grade"])) for pair in _data("graded_pairs.json")]


def _data(name: str) -> Any:
    data = resources.files("tailmark_worker") / "data" / name
    return json.loads(data.read_text(encoding="utf-8"))

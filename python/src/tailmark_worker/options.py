"""Reads a backend's options: what is unknown or not allowed is refused by name, never guessed.

Knows the types an option can have, not what any option means.
"""

from collections.abc import Sequence

from tailmark_worker.backend import OptionError, Options


class OptionReader:
    """Takes options out of the object they came in; ``finish`` refuses what nobody took."""

    def __init__(self, options: Options) -> None:
        """Start with all options untaken."""
        self._untaken = dict(options)
        self._known: list[str] = []

    def _take(self, key: str, default: object) -> object:
        self._known.append(key)
        return self._untaken.pop(key, default)

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """A string out of a short list."""
        value = self._take(key, default)
        if not isinstance(value, str) or value not in allowed:
            names = ", ".join(f'"{name}"' for name in allowed)
            raise OptionError(key, f"found {_shown(value)}, expected one of {names}")
        return value

    def name(self, key: str, default: str) -> str:
        """A string whose rule only the runtime knows."""
        value = self._take(key, default)
        if not isinstance(value, str) or not value:
            raise OptionError(key, f"found {_shown(value)}, expected a name in quotes")
        return value

    def count(self, key: str, default: int, largest: int) -> int:
        """An integer from 1 to ``largest``."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
            raise OptionError(key, f"found {_shown(value)}, expected an integer from 1 to {largest}")
        return value

    def strings(self, key: str) -> dict[str, str]:
        """An object whose values are strings; empty when it is left out."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise OptionError(key, f"found {_shown(value)}, expected an object of strings")
        for name, entry in value.items():
            if not isinstance(entry, str):
                raise OptionError(key, f"found {_shown(entry)} for `{name}`, expected a string")
        return {str(name): entry for name, entry in value.items()}

    def file_name(self, key: str, default: str) -> str:
        """The name of a file in a folder that is known, or below it: nothing outside it is read."""
        value = self.name(key, default)
        if "\\" in value or any(part in ("", ".", "..") for part in value.split("/")):
            raise OptionError(
                key, f"found {_shown(value)}, expected the name of a file in the model folder or below it"
            )
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise OptionError(key, f"found {_shown(value)}, expected true or false")
        return value

    def pairs(self, key: str) -> list[tuple[int, int]]:
        """An array of pairs of integers of at least 1; empty when it is left out."""
        value = self._take(key, [])
        if not isinstance(value, list):
            raise OptionError(key, f"found {_shown(value)}, expected an array of pairs of integers")
        return [_pair(key, entry) for entry in value]

    def finish(self) -> None:
        """Refuse the first option that was not taken, naming those there are."""
        for key in self._untaken:
            import difflib  # only the refusal pays for it, not every cold start

            known = ", ".join(f"`{name}`" for name in self._known) or "none"
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise OptionError(key, f"there is no such option, expected one of: {known}{hint}")


def _pair(key: str, entry: object) -> tuple[int, int]:
    match entry:
        case [int(first), int(second)] if not isinstance(first, bool) and not isinstance(second, bool):
            if min(first, second) >= 1:
                return first, second
    raise OptionError(key, f"found {_shown(entry)}, expected a pair of integers of at least 1")


def _shown(value: object) -> str:
    """The value as JSON would show it, near enough for a message and never long."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    text = f'"{value}"' if isinstance(value, str) else "null" if value is None else text
    return text if len(text) <= 60 else f"{text[:57]}..."

"""What a backend is, in plain data: what it is asked, what it answers, and the ways it can fail.

Knows nothing of JSON, pipes or any model library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tailmark_worker.evidence import Evidence
from tailmark_worker.recipe import Recipe

Options = Mapping[str, object]
"""Options of a backend as they arrived: only the backend that owns them reads them."""


class BackendError(Exception):
    """A failure with a code of the protocol; ``str()`` is one sentence for a person, ``data`` its parts."""

    code: int

    def __init__(self, message: str, data: Mapping[str, object]) -> None:
        """Keep the sentence and its parts together."""
        super().__init__(message)
        self.data = data


class NotAvailableError(BackendError):
    """This machine or this environment does not have what was asked for."""

    code = 1

    def __init__(self, what: str, why: str) -> None:
        """``what`` was asked for, ``why`` it is not there."""
        super().__init__(f"{what} is not available here: {why}", {"what": what, "why": why})


class ModelFileError(BackendError):
    """A file of the model is missing or unreadable."""

    code = 2

    def __init__(self, path: Path, why: str) -> None:
        """``path`` is the file, ``why`` what is wrong with it."""
        super().__init__(f"model file {path}: {why}", {"path": str(path), "why": why})


class OptionError(BackendError):
    """An option is unknown or has a value that is not allowed."""

    code = 3

    def __init__(self, key: str, why: str) -> None:
        """``why`` says what was found and what is allowed."""
        super().__init__(f"option `{key}`: {why}", {"key": key, "why": why})


class LoadError(BackendError):
    """The model could not be loaded."""

    code = 4

    def __init__(self, why: str) -> None:
        """``why`` is the runtime's own reason where it gives one."""
        super().__init__(f"the model could not be loaded: {why}", {"why": why})


class EmbedError(BackendError):
    """The runtime failed on a request."""

    code = 5

    def __init__(self, why: str) -> None:
        """``why`` is the runtime's own reason where it gives one."""
        super().__init__(f"embedding failed: {why}", {"why": why})


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The model to load, and the recipe that makes two backends comparable."""

    folder: Path
    recipe: Recipe

    def file(self, name: str, hint: str = "") -> Path:
        """The path of a file that has to be there; ``hint`` says how to come by it."""
        path = self.folder / name
        if not path.is_file():
            raise ModelFileError(path, f"there is no such file{hint}")
        return path


@dataclass(frozen=True, slots=True)
class Runs:
    """What really runs: filled in from what the runtime reports, never from what was asked for."""

    engine: str
    engine_version: str
    device: str
    dtype: str
    execution_provider: str | None = None
    threads: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a backend says of itself once it is loaded. Times are nanoseconds."""

    dimensions: int
    runs: Runs
    import_ns: int
    load_ns: int


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The answer to a request. Times are nanoseconds, zero for a stage that did not happen."""

    vectors: Sequence[bytes]
    """One per text, in order: little-endian binary32 numbers."""
    token_counts: Sequence[int]
    """Per text, after truncation, special tokens included."""
    truncated: int
    """How many texts were cut."""
    tokenize_ns: int = 0
    infer_ns: int = 0
    pool_ns: int = 0


class Backend(Protocol):
    """A model runtime that blocks while it computes, one request at a time."""

    def load(self, model: ModelFolder | None, options: Options) -> Loaded:
        """Import libraries, load the model, say what will really run."""
        ...

    def embed(self, texts: Sequence[str], *, normalize: bool) -> Embeddings:
        """Embed the texts (at least one), in their order."""
        ...

    def prove(self, texts: Sequence[str], *, runs: int) -> Evidence:
        """Run the model on the texts (at least one) ``runs`` times, recording where it ran.

        What serves ``embed`` is left as it was: recording costs time that must not be in a timed request.
        """
        ...

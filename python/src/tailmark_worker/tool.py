"""What the tools share: their error, the guard around a library, the file that appears whole, the last line.

Knows nothing of what a tool does with a graph.
"""

import contextlib
import hashlib
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

from tailmark_worker.backend import BackendError, NotAvailableError

LIBRARIES = ("torch", "transformers", "onnx", "onnxruntime")


class ToolError(BackendError):
    """What a tool was to make cannot be made, or is not good enough to be written."""

    code = 4

    def __init__(self, why: str) -> None:
        """``why`` says what is wrong and what to do."""
        super().__init__(why, {"why": why})


def made_with(tool: str, *, libraries: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """The versions of the libraries, once all of them can be imported.

    It is better to fail before an export than after it, for want of what the comparison needs.

    Raises:
        NotAvailableError: one is not installed.
    """
    try:
        return {name: str(import_module(name).__version__) for name in libraries}
    except ImportError as error:
        raise NotAvailableError(tool, f"{error}; it needs the extra `export`") from error


@contextlib.contextmanager
def library(what: str) -> Iterator[None]:
    """Around a library's work: what it prints goes to the log, what it raises becomes one sentence.

    Its warnings are left out: they speak of options of scripts that nobody here called.
    """
    quiet = logging.root.manager.disable
    logging.disable(max(quiet, logging.WARNING))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (BackendError, OSError):
        raise
    except Exception as error:  # these libraries' exceptions have no common base
        raise ToolError(f"{what} failed: {type(error).__name__}: {error}") from error
    finally:
        logging.disable(quiet)


@contextlib.contextmanager
def workspace(output: Path) -> Iterator[Path]:
    """A passing folder beside the output: made in it and renamed, no file is ever half there."""
    is_new = not output.parent.exists()
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as folder:
            yield Path(folder)
    finally:
        if is_new and not any(output.parent.iterdir()):
            output.parent.rmdir()


def run(work: Callable[[], None]) -> int:
    """Do the work of a command; returns the exit status. A failure is one message and no traceback."""
    try:
        work()
    except (BackendError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def say(line: str) -> None:
    """A line for a person on standard output."""
    sys.stdout.write(f"{line}\n")


def warn(line: str) -> None:
    """A line on standard error that is not lost where standard output is read by a program."""
    sys.stderr.write(f"warning: {line}\n")


def last_line(content: Mapping[str, object]) -> None:
    """The last line of standard output: one JSON object for the program that called."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def written_file(path: Path) -> dict[str, object]:
    """What the last line says of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"output": str(path), "bytes": path.stat().st_size, "sha256": digest}

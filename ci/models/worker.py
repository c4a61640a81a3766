"""One end of the worker protocol: what it takes to have texts embedded, and nothing of tailmark's own."""

import base64
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

PROTOCOL = 2
PATIENCE_S = 300.0
"""How long an answer may take: importing torch on a busy machine takes most of a minute."""

Vectors = npt.NDArray[np.float32]


class WorkerError(Exception):
    """A worker that refused, broke or fell silent; ``str()`` is what it said."""


class Worker:
    """A worker process that can be asked one thing at a time, and several models one after another."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start it; what it writes to standard error goes to ``log``."""
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
            )
        self._asked = 0
        try:
            self.ask("initialize", {"protocol": PROTOCOL, "client": {"name": "models", "version": "1"}})
        except WorkerError:
            self.close()
            raise

    def ask(self, method: str, params: Mapping[str, object]) -> dict[str, object]:
        """The result of a request.

        Raises:
            WorkerError: the worker refused it, is gone, or did not answer in time.
        """
        self._asked += 1
        request = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params}
        # These are there: the process was started with pipes.
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101, PT018
        watch = threading.Timer(PATIENCE_S, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError as error:
            raise WorkerError(f"the worker is gone: {error}") from error
        finally:
            watch.cancel()
        if not line:
            raise WorkerError(f"the worker ended in `{method}` with the status {self._process.wait()}")
        answer = json.loads(line)
        if answer.get("id") != self._asked:
            raise WorkerError(f"the worker answered the request {answer.get('id')} and not {self._asked}")
        if "error" in answer:
            raise WorkerError(f"{method}: {answer['error']['message']}")
        result: dict[str, object] = answer["result"]
        return result

    def load(self, folder: Path, recipe: Mapping[str, object], options: Mapping[str, object]) -> None:
        """Load a model."""
        self.ask("load", {"model": {"folder": str(folder), "recipe": recipe}, "options": options})

    def embed(self, texts: Sequence[str], batch: int, *, normalize: bool) -> Vectors:
        """The vectors of texts, so many in a request."""
        rows: list[Vectors] = []
        for start in range(0, len(texts), batch):
            params = {"texts": list(texts[start : start + batch]), "normalize": normalize}
            vectors = self.ask("embed", params)["vectors"]
            if not isinstance(vectors, list) or len(vectors) != len(texts[start : start + batch]):
                raise WorkerError("the worker did not answer with one vector for each text")
            rows += [np.frombuffer(base64.b64decode(vector), dtype="<f4") for vector in vectors]
        if len({len(row) for row in rows}) != 1:
            raise WorkerError("the worker's vectors have different lengths")
        return np.stack(rows)

    def close(self) -> None:
        """End it, by ending its input."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()

"""One end of the wire: JSON-RPC 2.0, one message per line, over two streams.

Knows the protocol's methods and codes, and of a backend only its interface. Blocking on purpose: an event
loop here costs several times the round trip.
"""

import base64
import os
import platform
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, NoReturn

import orjson

from tailmark_worker import __version__, head
from tailmark_worker.backend import Backend, BackendError, EmbedError, LoadError, ModelFolder
from tailmark_worker.evidence import as_object
from tailmark_worker.recipe import RecipeError, read_recipe

PROTOCOL_VERSION = 2

NOT_JSON = -32700
NOT_A_REQUEST = -32600
UNKNOWN_METHOD = -32601
BAD_PARAMS = -32602
TOO_EARLY = 6

Object = dict[str, object]


class Refusal(Exception):  # noqa: N818  it is an answer, not a fault of this program
    """An answer that is an error: what the caller sent cannot be served."""

    def __init__(self, code: int, message: str, data: Mapping[str, object] | None = None) -> None:
        """``code`` tells errors apart, ``message`` is for a person, ``data`` carries the parts."""
        super().__init__(message)
        self.code = code
        self.data = data


def take_wire() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for the wire, before any library can print into it.

    Descriptor 1 is pointed at standard error, so what a library or a child of it prints lands in the log, and
    descriptor 0 at nothing, so that none can eat a request. Python's own ``sys.stdout`` follows, line by
    line.
    """
    wire_in = os.dup(0)
    wire_out = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    return open(wire_in, "rb", buffering=1 << 16), open(wire_out, "wb", buffering=1 << 16)  # noqa: PTH123


def serve(kind: str, backend: Backend, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends, `shutdown` was answered, or nobody reads the answers any more."""
    session = Session(kind, backend)
    while line := requests.readline():
        answer = session.answer(line)
        if answer is not None:
            try:
                answers.write(answer)
                answers.flush()
            except BrokenPipeError:
                return
        if session.ended:
            return


class Session:
    """The state of one conversation."""

    def __init__(self, kind: str, backend: Backend) -> None:
        """Not greeted, nothing loaded."""
        self.ended = False
        self._kind = kind
        self._backend = backend
        self._greeted = False
        self._loaded = False
        self._read_at = 0
        self._methods: dict[str, Callable[[Mapping[str, object] | None], Object]] = {
            "initialize": self._initialize,
            "load": self._load,
            "embed": self._embed,
            "prove": self._prove,
            "ping": lambda _: {},
            "shutdown": self._shutdown,
        }

    def answer(self, line: bytes) -> bytes | None:
        """The answer to a line, with its line break; None for a notification, which is read past."""
        self._read_at = time.perf_counter_ns()
        request_id: object = None
        try:
            message = _read_message(line)
            request_id = _read_id(message)
            method = _read_method(message)
            if "id" not in message:
                return None
            result = self._dispatch(method, message)
            answer = {"jsonrpc": "2.0", "id": request_id, "result": result}
        except (Refusal, BackendError) as error:
            fault: Object = {"code": error.code, "message": str(error)}
            if error.data is not None:
                fault["data"] = error.data
            answer = {"jsonrpc": "2.0", "id": request_id, "error": fault}
        return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)

    def _dispatch(self, method: str, message: Mapping[str, object]) -> Object:
        run = self._methods.get(method)
        if run is None:
            known = ", ".join(self._methods)
            raise Refusal(UNKNOWN_METHOD, f"unknown method `{method}`; the known ones are {known}")
        if not self._greeted and method != "initialize":
            raise Refusal(TOO_EARLY, f"`{method}` before `initialize`")
        if not self._loaded and method in ("embed", "prove"):
            raise Refusal(TOO_EARLY, f"`{method}` before `load`")
        if "params" not in message:
            return run(None)
        params = message["params"]
        if not isinstance(params, dict):
            _refuse(method, "`params` must be an object")
        return run(params)

    def _initialize(self, params: Mapping[str, object] | None) -> Object:
        # Members beyond these are let pass: a later version may add some, and still wants to hear our
        # version.
        members = _members("initialize", params, required=("protocol", "client"), optional=None)
        _integer("initialize", "protocol", members["protocol"])
        client = members["client"]
        if not isinstance(client, dict) or not all(
            isinstance(client.get(key), str) for key in ("name", "version")
        ):
            _refuse("initialize", "`client` must be an object with the strings `name` and `version`")
        self._greeted = True
        return {
            "protocol": PROTOCOL_VERSION,
            "kind": self._kind,
            "worker": {"name": "tailmark-worker", "version": __version__},
            "language": {"name": "python", "version": platform.python_version()},
        }

    def _load(self, params: Mapping[str, object] | None) -> Object:
        members = _members("load", params, required=(), optional=("model", "options"))
        options = members.get("options", {})
        if not isinstance(options, dict):
            _refuse("load", "`options` must be an object")
        model = _read_model(members.get("model"))
        self._loaded = False
        try:
            loaded = self._backend.load(model, options)
        except BackendError:
            raise
        except Exception as error:
            raise LoadError(f"{type(error).__name__}: {error}") from error
        self._loaded = True
        # What is not known is left out rather than sent as null.
        runs = {key: value for key, value in asdict(loaded.runs).items() if value is not None}
        return {
            "dimensions": loaded.dimensions,
            "concurrency": 1,
            "runs": runs,
            "import_ns": loaded.import_ns,
            "load_ns": loaded.load_ns,
        }

    def _embed(self, params: Mapping[str, object] | None) -> Object:
        members = _members("embed", params, required=("texts", "normalize"), optional=("encoding",))
        texts = _texts("embed", members["texts"])
        normalize = members["normalize"]
        if not isinstance(normalize, bool):
            _refuse("embed", "`normalize` must be true or false")
        encoding = members.get("encoding", "base64")
        if encoding not in ("base64", "float"):
            _refuse("embed", '`encoding` must be "base64" or "float"')
        try:
            found = self._backend.embed(texts, normalize=normalize)
        except BackendError:
            raise
        except Exception as error:
            raise EmbedError(f"{type(error).__name__}: {error}") from error
        worker_ns = time.perf_counter_ns() - self._read_at
        encode: Callable[[bytes], object] = _base64 if encoding == "base64" else _numbers
        return {
            "vectors": [encode(vector) for vector in found.vectors],
            "token_counts": list(found.token_counts),
            "truncated": found.truncated,
            "stages": {
                "tokenize_ns": found.tokenize_ns,
                "infer_ns": found.infer_ns,
                "pool_ns": found.pool_ns,
                "worker_ns": worker_ns,
            },
        }

    def _prove(self, params: Mapping[str, object] | None) -> Object:
        members = _members("prove", params, required=("texts", "runs"), optional=())
        texts = _texts("prove", members["texts"])
        runs = _integer("prove", "runs", members["runs"], least=1)
        try:
            return as_object(self._backend.prove(texts, runs=runs))
        except BackendError:
            raise
        except Exception as error:
            raise EmbedError(f"{type(error).__name__}: {error}") from error

    def _shutdown(self, _: Mapping[str, object] | None) -> Object:
        self.ended = True
        return {}


def _read_message(line: bytes) -> Object:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Refusal(NOT_JSON, f"the line is not JSON: {error}") from error
    if isinstance(message, list):
        raise Refusal(NOT_A_REQUEST, "not a request: batches are not taken; send one message per line")
    if not isinstance(message, dict):
        raise Refusal(NOT_A_REQUEST, "not a request: an object is expected")
    return message


def _read_id(message: Mapping[str, object]) -> object:
    request_id = message.get("id")
    if "id" in message and (isinstance(request_id, bool) or not isinstance(request_id, int | str)):
        raise Refusal(NOT_A_REQUEST, "not a request: `id` must be an integer or a string")
    return request_id


def _read_method(message: Mapping[str, object]) -> str:
    if message.get("jsonrpc") != "2.0":
        raise Refusal(NOT_A_REQUEST, 'not a request: `jsonrpc` must be "2.0"')
    if "method" not in message:
        raise Refusal(NOT_A_REQUEST, "not a request: it has no `method`")
    method = message["method"]
    if not isinstance(method, str):
        raise Refusal(NOT_A_REQUEST, "not a request: `method` must be a string")
    return method


def _read_model(model: object) -> ModelFolder | None:
    if model is None:
        return None
    if not isinstance(model, dict):
        _refuse("load", "`model` must be an object")
    members = _members("load", model, required=("folder", "recipe"), optional=(), within="`model`: ")
    folder = members["folder"]
    if not isinstance(folder, str) or not Path(folder).is_absolute():
        _refuse("load", "`model.folder` must be an absolute path")
    try:
        recipe = read_recipe(members["recipe"])
        head.check(recipe)
    except RecipeError as error:
        _refuse("load", f"`model.recipe`: {error}")
    return ModelFolder(Path(folder), recipe)


def _members(
    method: str,
    params: Mapping[str, object] | None,
    *,
    required: tuple[str, ...],
    optional: tuple[str, ...] | None,
    within: str = "",
) -> Mapping[str, object]:
    """The params, once nothing is missing and nothing is there that nobody reads; None allows any more."""
    if params is None:
        _refuse(method, "params are missing")
    for name in required:
        if name not in params:
            _refuse(method, f"{within}missing member `{name}`")
    if optional is not None:
        for name in params:
            if name not in required and name not in optional:
                known = ", ".join(f"`{one}`" for one in (*required, *optional))
                _refuse(method, f"{within}unknown member `{name}`, expected {known}")
    return params


def _texts(method: str, value: object) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        _refuse(method, "`texts` must be an array of strings with at least one")
    return value


def _integer(method: str, name: str, value: object, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        _refuse(method, f"`{name}` must be an integer of at least {least}")
    return value


def _refuse(method: str, why: str) -> NoReturn:
    raise Refusal(BAD_PARAMS, f"`{method}`: {why}")


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode("ascii")


def _numbers(vector: bytes) -> tuple[float, ...]:
    numbers = struct.unpack(f"<{len(vector) // 4}f", vector)
    for number in numbers:
        if number - number != 0.0:  # only of infinities and NaN is this not zero
            raise EmbedError(f"the vectors hold {number}, which JSON has no number for")
    return numbers

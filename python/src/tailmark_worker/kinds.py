"""Which kinds of backend this package serves, and what command of the command line each is.

A new kind is one module and one line here. The module is imported when its kind is asked for; the libraries
it needs are imported when its model is loaded.
"""

from importlib import import_module

from tailmark_worker.backend import Backend

KINDS: dict[str, str] = {
    "null": "tailmark_worker.null:NullBackend",
    "python-onnx": "tailmark_worker.python_onnx:OnnxBackend",
    "python-torch": "tailmark_worker.python_torch:TorchBackend",
}
"""Name on the command line: module and class."""


def make(kind: str) -> Backend:
    """A backend of a kind that is in `KINDS`, with nothing loaded."""
    module, _, name = KINDS[kind].partition(":")
    backend: Backend = getattr(import_module(module), name)()
    return backend

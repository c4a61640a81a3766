"""The command line: a kind of backend to serve, or a tool to run.

The order in `main` matters: the wire is taken and the signal is set before anything heavy can be imported.
"""

import os
import sys
from collections.abc import Sequence

from tailmark_worker.kinds import KINDS, make

TOOLS = {
    "convert": "tailmark_worker.convert",
    "compare": "tailmark_worker.compare",
    "export": "tailmark_worker.export",
    "optimize": "tailmark_worker.optimize",
    "quantize": "tailmark_worker.quantize",
    "reference": "tailmark_worker.reference",
}

BAD_ARGUMENTS = 2

LOOKS_SECONDS = 1.0
"""How often a worker looks whether whoever started it is still there."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    command = arguments[0] if arguments else None
    if command in TOOLS:
        from importlib import import_module

        status: int = import_module(TOOLS[command]).main(arguments[1:])
        return status
    if command in KINDS and len(arguments) == 1:
        _serve(command)
        return 0
    usage = (
        "usage: python -m tailmark_worker KIND | TOOL [OPTIONS]\n\n"
        f"kinds (served on standard input and output): {', '.join(KINDS)}\n"
        f"tools: {', '.join(TOOLS)}\n"
    )
    if command in ("-h", "--help"):
        sys.stdout.write(usage)
        return 0
    if command is None:
        fault = "no kind was named"
    elif command in KINDS:
        fault = f"`{command}` takes no arguments, found {' '.join(arguments[1:])}; options come with `load`"
    else:
        fault = f"unknown kind `{command}`"
    sys.stderr.write(f"error: {fault}\n\n{usage}")
    return BAD_ARGUMENTS


def _serve(kind: str) -> None:
    import faulthandler
    import signal

    from tailmark_worker.wire import serve, take_wire

    # Ctrl-C in a terminal reaches every process in the foreground. The harness decides when a worker ends, by
    # closing its input: a worker that ended by itself would turn an orderly stop into a row of failed
    # requests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # With a thread pool of its own the tokenizer would use cores that `threads` did not grant.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    requests, answers = take_wire()
    # A crash in a library's own code leaves a traceback in the log instead of nothing.
    faulthandler.enable()
    _end_with(os.getppid())
    serve(kind, make(kind), requests, answers)


def _end_with(parent: int) -> None:
    """End this process once it has another parent than that one, which is then gone.

    The end of the input says the same, but is only read between requests: a worker whose harness was killed
    would finish loading for nobody.
    """
    import threading
    import time

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOKS_SECONDS)
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""A Python interpreter that only seems to be one, and a worker that does what FAKE_WORKER says.

For tests of what the harness makes of workers that go wrong: given with `--python`, it passes every check of
an environment, and in place of the real worker it serves this page. It answers the reference texts with the
committed reference vectors (FAKE_REFERENCE names their file), so that it gets as far as being timed, and
every other text with a vector of its own that is made of nothing but the text. Needs nothing but Python.

What goes wrong while it is timed goes wrong at the request of that number in a process (FAKE_AT, counted
over the texts of the corpus that FAKE_CORPUS names), in so many processes at most (FAKE_TIMES). Processes of
one run know of each other by files in the folder FAKE_STATE, where each also leaves its id.
"""

import base64
import functools
import hashlib
import json
import math
import os
import platform
import signal
import struct
import sys
from pathlib import Path
from typing import Any

FAULT = os.environ.get("FAKE_WORKER", "none")
STATE = Path(os.environ.get("FAKE_STATE", os.devnull))
DIMENSIONS = 384


def main() -> None:
    """Answer as an interpreter that is asked about itself, as one that compiles, or as a worker."""
    if sys.argv[1] == "-c":
        lacking = [name for name in sys.argv[3:] if name in os.environ.get("FAKE_LACKS", "").split()]
        version = [int(part) for part in os.environ.get("FAKE_VERSION", "3.12.1").split(".")]
        about = {"executable": str(Path(__file__).resolve()), "implementation": "CPython", "version": version}
        print(json.dumps({**about, "machine": platform.machine(), "lacking": lacking}))
    elif sys.argv[2] == "tailmark_worker":
        Worker(sys.argv[3]).serve()


def fires() -> bool:
    """Whether the fault happens once more in this run."""
    for number in range(int(os.environ.get("FAKE_TIMES", "1000"))):
        try:
            (STATE / f"fault-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def was_timed() -> bool:
    """Whether any process of this run has been timed."""
    return (STATE / "timed").exists()


@functools.cache
def vector_of(text: str) -> bytes:
    """A unit vector that looks like chance and depends on the text alone."""
    digest = b"".join(hashlib.sha256(f"{part} {text}".encode()).digest() for part in range(DIMENSIONS // 32))
    numbers = [byte - 127.5 for byte in digest]
    length = math.sqrt(sum(number * number for number in numbers))
    return struct.pack(f"<{DIMENSIONS}f", *(number / length for number in numbers))


def hang() -> None:
    """Do nothing, for ever."""
    while True:
        signal.pause()


class Worker:
    """One conversation."""

    def __init__(self, kind: str) -> None:
        """Nothing was asked yet."""
        self.kind = kind
        self.timed = 0
        self.seen: set[str] = set()
        reference = json.loads(Path(os.environ["FAKE_REFERENCE"]).read_text(encoding="utf-8"))
        self.vectors = dict(zip(reference["texts"], map(base64.b64decode, reference["vectors"]), strict=True))
        self.usual = self.vectors[reference["texts"][0]]
        corpus = Path(os.environ["FAKE_CORPUS"]).read_text(encoding="utf-8")
        self.corpus = {line for line in corpus.splitlines() if line.strip()}
        self.twice = False

    def serve(self) -> None:
        """Answer until the input ends."""
        if STATE.is_dir():
            (STATE / f"process-{os.getpid()}").touch()
        if FAULT == "dies_at_a_later_start" and was_timed() and fires():
            sys.exit("fake worker: no module named nonsense, this time")
        if FAULT == "dies_at_start":
            sys.exit("fake worker: no module named nonsense")
        if FAULT == "prints":
            print("Welcome to the fake library, version 1.0!", flush=True)
        for line in sys.stdin:
            if FAULT == "hangs_at_start":
                continue
            request = json.loads(line)
            if FAULT == "ignores_shutdown" and request["method"] == "shutdown":
                hang()
            answer = self.answer(request["method"], request.get("params", {}))
            line = json.dumps({"jsonrpc": "2.0", "id": self.id_for(request), **answer})
            print("\n".join([line] * (1 + self.twice)), flush=True)
            self.twice = False
            if request["method"] == "shutdown":
                return
        if FAULT == "ignores_shutdown":
            hang()

    def id_for(self, request: dict[str, Any]) -> int:
        """The id to answer under."""
        wrong = FAULT == "wrong_id" and request["method"] == "embed"
        return request["id"] + (1000 if wrong else 0)

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result, or the error."""
        if method == "initialize":
            who = {"name": "fake-worker", "version": "1"}
            return {"result": {"protocol": 2, "kind": self.kind, "worker": who, "language": who}}
        if method == "load":
            return self.load(params)
        if method == "embed":
            return self.embed(params["texts"])
        if method == "prove" and FAULT == "does_not_know_prove":
            return {"error": {"code": -32601, "message": "unknown method `prove`"}}
        return {"result": {}}

    def load(self, params: dict[str, Any]) -> dict[str, Any]:
        """Load nothing."""
        if FAULT == "dies_at_a_later_load" and was_timed() and fires():
            sys.exit("fake worker: cannot map the weights, this time")
        if FAULT == "no_graph" and self.kind == "python-onnx":
            path = Path(params["model"]["folder"]) / "model.onnx"
            why = {"path": str(path), "why": "there is no such file"}
            return {"error": {"code": 2, "message": "the model has no graph", "data": why}}
        if FAULT == "hangs_at_load":
            sys.stdin.read()
            sys.exit(0)
        runs = {"engine": "fake", "engine_version": "1", "device": "cpu", "dtype": "float32", "versions": {}}
        loaded = {"dimensions": DIMENSIONS, "concurrency": 1, "runs": runs, "import_ns": 1, "load_ns": 1}
        return {"result": loaded}

    def embed(self, texts: list[str]) -> dict[str, Any]:
        """The vectors that are known by heart."""
        if all(text in self.corpus for text in texts):
            self.timed += 1
            if self.timed == 1 and STATE.is_dir():
                (STATE / "timed").touch()
            if (
                self.timed == int(os.environ.get("FAKE_AT", "20"))
                and FAULT.endswith("_while_timed")
                and fires()
            ):
                self.go_wrong()
        vectors = [self.vectors.get(text) or vector_of(text) for text in texts]
        if FAULT == "wrong_dimension":
            vectors = [vector[:-4] for vector in vectors]
        if FAULT == "nan":
            vectors = [struct.pack("<f", float("nan")) + vector[4:] for vector in vectors]
        if FAULT == "wrong_vectors":
            vectors = [self.usual for _ in texts]
        if FAULT == "no_vectors":
            vectors = []
        worker_ns = 3
        if FAULT == "caches":
            worker_ns = 40_000 if all(text in self.seen for text in texts) else 6_000_000
            self.seen.update(texts)
        return {
            "result": {
                "vectors": [base64.b64encode(vector).decode() for vector in vectors],
                "token_counts": [7 for _ in texts],
                "truncated": 0,
                "stages": {"tokenize_ns": 1, "infer_ns": 1, "pool_ns": 1, "worker_ns": worker_ns},
            }
        }

    def go_wrong(self) -> None:
        """Do what a worker must not."""
        sys.stderr.write(f"fake worker: {FAULT}\n")
        sys.stderr.flush()
        wire = sys.stdout.buffer
        if FAULT == "dies_while_timed":
            sys.exit("fake worker: out of memory")
        elif FAULT == "is_killed_while_timed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif FAULT == "stops_while_timed":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif FAULT == "leaks_while_timed":
            leaked = [bytes([number]) * (1 << 20) for number in range(200)]
            sys.stderr.write(f"fake worker: {len(leaked)} MiB leaked\n")
            hang()
        elif FAULT == "prints_while_timed":
            print("a library says hello", flush=True)
        elif FAULT == "prints_bytes_while_timed":
            wire.write(bytes(range(256)).replace(b"\n", b"") + b"\n")
            wire.flush()
        elif FAULT == "prints_half_a_line_while_timed":
            wire.write(b'{"jsonrpc": "2.0", "id": ')
            wire.flush()
            hang()
        elif FAULT == "prints_an_endless_line_while_timed":
            for _ in range(100):
                wire.write(b"x" * 1_000_000)
            wire.flush()
        elif FAULT == "answers_twice_while_timed":
            self.twice = True
        elif FAULT == "closes_stdout_while_timed":
            os.close(wire.fileno())
            hang()


main()

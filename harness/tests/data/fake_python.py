#!/usr/bin/env python3
"""A Python interpreter that only seems to be one, and a worker that does what FAKE_WORKER says.

For tests of what the harness makes of workers that go wrong: given with `--python`, it passes every check of
an environment, and in place of the real worker it serves this page. It answers the reference texts with the
committed reference vectors (FAKE_REFERENCE names their file), so that it gets as far as being timed, and
every other text with the vector of the first of them. Needs nothing but Python.
"""

import base64
import json
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Any

FAULT = os.environ.get("FAKE_WORKER", "none")
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


class Worker:
    """One conversation."""

    def __init__(self, kind: str) -> None:
        """Nothing was asked yet."""
        self.kind = kind
        self.timed = 0
        reference = json.loads(Path(os.environ["FAKE_REFERENCE"]).read_text(encoding="utf-8"))
        self.vectors = dict(zip(reference["texts"], map(base64.b64decode, reference["vectors"]), strict=True))
        self.usual = self.vectors[reference["texts"][0]]

    def serve(self) -> None:
        """Answer until the input ends."""
        if FAULT == "dies_at_start":
            sys.exit("fake worker: no module named nonsense")
        if FAULT == "prints":
            print("Welcome to the fake library, version 1.0!", flush=True)
        for line in sys.stdin:
            if FAULT == "hangs_at_start":
                continue
            request = json.loads(line)
            answer = self.answer(request["method"], request.get("params", {}))
            print(json.dumps({"jsonrpc": "2.0", "id": self.id_for(request), **answer}), flush=True)
            if request["method"] == "shutdown":
                return

    def id_for(self, request: dict[str, Any]) -> int:
        """The id to answer under."""
        wrong = FAULT == "wrong_id" and request["method"] == "embed"
        return request["id"] + (1000 if wrong else 0)

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result, or the error."""
        if method == "initialize":
            who = {"name": "fake-worker", "version": "1"}
            return {"result": {"protocol": 1, "kind": self.kind, "worker": who, "language": who}}
        if method == "load":
            return self.load(params)
        if method == "embed":
            return self.embed(params["texts"])
        return {"result": {}}

    def load(self, params: dict[str, Any]) -> dict[str, Any]:
        """Load nothing."""
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
        if not any(text in self.vectors for text in texts):
            self.timed += 1
            if FAULT == "dies_while_timed" and self.timed == 20:
                sys.exit("fake worker: out of memory")
            if FAULT == "prints_while_timed" and self.timed == 20:
                print("a library says hello", flush=True)
        vectors = [self.vectors.get(text, self.usual) for text in texts]
        if FAULT == "wrong_dimension":
            vectors = [vector[:-4] for vector in vectors]
        if FAULT == "nan":
            vectors = [struct.pack("<f", float("nan")) + vector[4:] for vector in vectors]
        if FAULT == "wrong_vectors":
            vectors = [self.usual for _ in texts]
        if FAULT == "no_vectors":
            vectors = []
        return {
            "result": {
                "vectors": [base64.b64encode(vector).decode() for vector in vectors],
                "token_counts": [7 for _ in texts],
                "truncated": 0,
                "stages": {"tokenize_ns": 1, "infer_ns": 1, "pool_ns": 1, "worker_ns": 3},
            }
        }


main()

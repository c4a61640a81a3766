#!/usr/bin/env python3
"""A Python interpreter that only seems to be one, and tools that make graphs of nothing.

For tests of the commands on models: given with `--python`, it passes every check of an environment, and in
place of the real tools it serves this page. FAKE_TOOLS says what goes wrong: `fails` (an error of two
paragraphs), `dies` (killed by a signal), `silent` (no last line for programs), `self_contained` (the form
`auto` is taken for), `other_pooling` (reference vectors of another pooling). Needs nothing but Python.
"""

import base64
import hashlib
import json
import os
import platform
import signal
import struct
import sys
from pathlib import Path

FAULT = os.environ.get("FAKE_TOOLS", "none")


def main() -> None:
    """Answer as an interpreter that is asked about itself, as one that compiles, or as a tool."""
    if sys.argv[1] == "-c":
        about = {
            "executable": str(Path(__file__).resolve()),
            "implementation": "CPython",
            "version": [3, 12, 1],
        }
        print(json.dumps({**about, "machine": platform.machine(), "lacking": []}))
    elif sys.argv[2] == "tailmark_worker":
        options = dict(zip(sys.argv[4::2], sys.argv[5::2], strict=False))
        tool(sys.argv[3], options, sys.argv[4:])


def tool(name: str, options: dict[str, str], arguments: list[str]) -> None:
    """Write what the tool is asked for, talk, and say in the last line what was made."""
    output = Path(options["--output"])
    print(f"{name}: about to write {output}", flush=True)
    if FAULT == "fails":
        print("loading took long", file=sys.stderr)
        sys.exit("error: there is no such operator\n\nhint: use another model")
    if FAULT == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "reference":
        write_reference(Path(options["--model"]), output, options)
        print(json.dumps({"made_with": {"onnxruntime": "0.0.4"}}))
        return
    form = {"optimize": "fused", "quantize": "int8 per channel"}.get(name, options.get("--form", ""))
    if "--half" in arguments:
        form = "float16"
    if "--per-tensor" in arguments:
        form = "int8 per tensor"
        print("warning: one scale for a whole tensor moves vectors far", file=sys.stderr)
    reduced_range = arguments[-1] == "yes"
    if reduced_range:
        form += ", reduced range"
    if form == "auto":
        form = "self-contained" if FAULT == "self_contained" else "graph-only"
    committed = os.environ.get("FAKE_GRAPH")
    content = Path(committed).read_bytes() if committed and name == "export" else f"a graph, {form}".encode()
    output.write_bytes(content)
    if "--encoded" in options:
        write_reference(Path(options["--model"]), Path(options["--encoded"]), options)
    if FAULT == "silent":
        return
    figures = {"min_cosine": 0.987654321, "mean_cosine": 0.99, "max_abs_difference": 0.01}
    int8 = {
        "reduced_range": reduced_range,
        "kernels_saturate": False,
        "exact": {**figures, "torch_spearman": 1},
    }
    figures |= int8 if name == "quantize" else {}
    if form == "graph-only":
        figures["data"] = [{"name": "model.onnx_data", "of": "model.safetensors"}]
    if "--encoded" in options:
        figures["checked_against"] = {
            "library": "sentence-transformers",
            "version": "0.0.3",
            "smallest_cosine": 0.9999998,
        }
    made = {"output": str(output), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    print(json.dumps({**made, "form": form, **figures, "made_with": {"torch": "0.0.1", "onnx": "0.0.2"}}))


def write_reference(model: Path, output: Path, options: dict[str, str]) -> None:
    """Reference vectors that a model of two dimensions could have given."""
    weights = (model / "model.safetensors").read_bytes()
    dimensions = json.loads((model / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    recipe = json.loads(options["--recipe"])
    if FAULT == "other_pooling":
        recipe["head"][0]["mode"] = "cls"
    vector = struct.pack(f"<{dimensions}f", 1, *[0] * (dimensions - 1))
    content = {
        "model": options["--name"],
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "made_with": {"torch": "0.0.1"},
        "recipe": recipe,
        "dimensions": dimensions,
        "texts": ["a text"],
        "token_counts": [4],
        "vectors": [base64.b64encode(vector).decode()],
    }
    output.write_text(json.dumps(content), encoding="utf-8")


main()

"""Reads the one run folder below a folder of runs.

    run_folder.py check RUNS BACKEND...  fails unless the run is whole and measured each of these backends
    run_folder.py model RUNS             prints the folder of the model
    run_folder.py onnxruntime RUNS       prints the ONNX Runtime library that `onnx-cpu` ran with

Needs nothing but Python.
"""

import csv
import json
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def main() -> int:
    """Check the run, or print something of it."""
    what, runs, *backends = sys.argv[1:]
    folders = list(Path(runs).iterdir())
    if len(folders) != 1:
        print(f"{runs} holds {len(folders)} runs and not one", file=sys.stderr)
        return 1
    folder = folders[0]
    record = json.loads(folder.joinpath("run.json").read_text(encoding="utf-8"))
    if what == "model":
        print(record["model"]["folder"])
    elif what == "onnxruntime":
        print(backend_of(record, "onnx-cpu")["options"]["library"])
    else:
        faults = list(faults_of(folder, record, backends))
        print("\n".join(faults) or f"{folder.name} is whole: {', '.join(backends)} measured", flush=True)
        return 1 if faults else 0
    return 0


def backend_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    """The backend of that name."""
    return next(backend for backend in record["backends"] if backend["name"] == name)


def faults_of(folder: Path, record: dict[str, Any], backends: list[str]) -> Iterator[str]:
    """What is wrong with a run that should have gone well, one sentence each."""
    if record["status"] != {"state": "complete"} or record["overall"] != "PASS":
        yield f"the run is {record['status']} and {record['overall']}"
    measured = [
        backend["name"] for backend in record["backends"] if backend["outcome"]["state"] == "measured"
    ]
    for name in backends:
        if name not in measured:
            yield f"{name} was not measured; these were: {', '.join(measured)}"
    for backend in record["backends"]:
        checked = backend["equivalence"]["state"] == "checked"
        if backend["kind"] not in ("null", "simulated") and not (
            checked and backend["equivalence"]["accepted"]
        ):
            yield f"{backend['name']}'s vectors were not accepted: {backend['equivalence']}"
    requests = sum(
        phase["requests"]
        for backend in record["backends"]
        for phase in backend["phases"]
        if phase["phase"] != "mixed"
    )
    with folder.joinpath("samples.csv").open(encoding="utf-8", newline="") as file:
        samples = sum(1 for _ in csv.DictReader(file))
    if samples != requests:
        yield f"samples.csv has {samples} rows, and the record {requests} requests"
    columns = folder.joinpath("samples.parquet").read_bytes()
    if columns[:4] != b"PAR1" or columns[-4:] != b"PAR1":
        yield "samples.parquet is not Parquet from its beginning to its end"
    log = folder.joinpath("latency.hlog").read_text(encoding="utf-8")
    for name in backends:
        if f"\nTag={name}.steady," not in log:
            yield f"latency.hlog has no histogram of {name}'s steady state"
    report = folder.joinpath("report.md").read_text(encoding="utf-8")
    pictures = sorted(folder.glob("*.svg"))
    # The fifth shows the band of what was not ruled out, which only a verdict on a share of requests has.
    judged = [verdict for backend in record["backends"] for verdict in backend["verdicts"]]
    expected = 5 if any(verdict["band"] for verdict in judged) else 4
    if len(pictures) != expected:
        yield f"there are the pictures {[picture.name for picture in pictures]}, and not {expected}"
    for picture in pictures:
        if picture.name not in report:
            yield f"{picture.name} is not in report.md"
        if ElementTree.parse(picture).getroot().tag != "{http://www.w3.org/2000/svg}svg":
            yield f"{picture.name} is no SVG"
    if not folder.joinpath("scenario.toml").is_file() or not folder.joinpath("stderr").is_dir():
        yield "scenario.toml or stderr/ is missing"


if __name__ == "__main__":
    sys.exit(main())

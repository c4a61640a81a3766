"""The referee: MLPerf's LoadGen, scenario SingleStream, over the backend that tailmark's worker runs.

    loadgen_single_stream.py RUN_FOLDER TEXTS FOLDER

Takes the model, the backend's options and the number of requests from a run of tailmark, and calls the class
of tailmark_worker that the run's worker called, so that only what drives it differs. Which text comes when is
not recorded, but how many tokens each had is: the texts are taken so that both sides meet the same lengths in
the same order. Writes LoadGen's logs into FOLDER.
"""

import csv
import json
import sys
from collections import defaultdict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlperf_loadgen as loadgen

from tailmark_worker.backend import Backend, ModelFolder
from tailmark_worker.kinds import make

NAME = "python-onnx-cpu"


def main() -> None:
    """Load, warm up, run the test."""
    run, texts_file, folder = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    record = json.loads(run.joinpath("run.json").read_text(encoding="utf-8"))
    recorded = next(one for one in record["backends"] if one["name"] == NAME)
    lines = texts_file.read_text(encoding="utf-8").splitlines()

    backend = make(recorded["kind"])
    model = record["model"]
    backend.load(ModelFolder(Path(model["folder"]), model["max_tokens"]), recorded["options"])
    texts = same_lengths(backend, [line for line in lines if line.strip()], lengths(run, "steady"))
    for text in texts[: len(lengths(run, "warm_up"))]:
        backend.embed([text], normalize=True)

    coming = deque(texts)

    # Which sample LoadGen picks is not looked at: the order is tailmark's.
    def issue(samples: list[Any]) -> None:
        for sample in samples:
            backend.embed([coming.popleft()], normalize=True)
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(sample.id, 0, 0)])

    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.SingleStream
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_query_count = settings.max_query_count = len(texts)
    settings.min_duration_ms = 0
    logs = loadgen.LogSettings()
    logs.log_output.outdir = folder

    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(len(texts), len(texts), lambda _: None, lambda _: None)
    loadgen.StartTestWithLogSettings(system, library, settings, logs)
    loadgen.DestroyQSL(library)
    loadgen.DestroySUT(system)
    if coming:
        sys.exit(f"LoadGen asked for {len(texts) - len(coming)} texts and not for {len(texts)}")


def lengths(run: Path, phase: str) -> list[int]:
    """The tokens of every request of a phase, in order."""
    with run.joinpath("samples.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["backend"] == NAME and row["phase"] == phase]
    return [int(row["tokens"]) for row in sorted(rows, key=lambda row: int(row["number"]))]


def same_lengths(backend: Backend, texts: Sequence[str], wanted: Sequence[int]) -> list[str]:
    """Texts with as many tokens as wanted, those of one length in turn."""
    by_length: dict[int, deque[str]] = defaultdict(deque)
    for text in texts:
        by_length[backend.embed([text], normalize=True).token_counts[0]].append(text)
    taken = []
    for length in wanted:
        taken.append(by_length[length][0])
        by_length[length].rotate(-1)
    return taken


main()

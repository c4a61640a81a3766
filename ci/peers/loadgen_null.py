"""MLPerf's LoadGen, scenario Server, on a system under test that answers at once.

    loadgen_null.py inline|thread RATE REQUESTS FOLDER

`inline` completes each query within the callback that issues it, `thread` in a thread of its own, as systems
under test with a queue do. Writes LoadGen's logs into FOLDER, the trace with the issue time of every query
among them.
"""

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

import mlperf_loadgen as loadgen

SAMPLES = 240
LATENCY_LIMIT_NS = 100_000_000


def main() -> None:
    """Run the test."""
    how, rate, requests, folder = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    waiting: SimpleQueue[list[int]] = SimpleQueue()
    if how == "thread":
        threading.Thread(target=answer, args=[waiting], daemon=True).start()
    issue: Callable[[list[loadgen.QuerySample]], None] = {
        "inline": lambda samples: complete([sample.id for sample in samples]),
        "thread": lambda samples: waiting.put([sample.id for sample in samples]),
    }[how]

    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.Server
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.server_target_qps = rate
    settings.server_target_latency_ns = LATENCY_LIMIT_NS
    settings.min_query_count = requests
    settings.min_duration_ms = 0
    logs = loadgen.LogSettings()
    logs.log_output.outdir = folder
    logs.enable_trace = True

    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(SAMPLES, SAMPLES, lambda _: None, lambda _: None)
    loadgen.StartTestWithLogSettings(system, library, settings, logs)
    loadgen.DestroyQSL(library)
    loadgen.DestroySUT(system)


def answer(waiting: SimpleQueue[list[int]]) -> None:
    """Complete what comes in, for ever."""
    while True:
        complete(waiting.get())


def complete(ids: list[int]) -> None:
    """Tell LoadGen that these samples are done, with no data."""
    loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(id_, 0, 0) for id_ in ids])


main()

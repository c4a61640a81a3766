"""Reads what load generators say of themselves, and prints it as one table.

    load.py tailmark LINE RUNS          the one run below a folder of runs
    load.py loadgen LINE FOLDER         LoadGen's summary and trace
    load.py h2load LINE FILE            h2load's log of its requests
    load.py hey LINE FILE               hey's requests as CSV
    load.py referee RUNS FOLDER         tailmark and LoadGen over the same requests
    load.py missing LINE WHY            a line that could not be measured
    load.py table FILE                  prints the table of all that was read

All but the last print one line of JSON. A line that was measured several times shows medians. Needs nothing
but Python.
"""

import csv
import json
import math
import re
import statistics
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Result = dict[str, Any]
"""Numbers by name, or `why` there are none."""

US, MS = 1e3, 1e6


class Bound(NamedTuple):
    """What must hold: as the table has it, in words, and in numbers."""

    short: str
    words: str
    holds: Callable[[Result], bool]


class Line(NamedTuple):
    """A line of the table."""

    tool: str
    target: str
    asked: int | None = None
    bound: Bound | None = None


LATE = Bound("<=100 us", "lag P99 at most 100 us", lambda one: one.get("lag_p99_ns", math.inf) <= 100 * US)
OFFERED = Bound(
    ">=99 %", "at least 99 % of the load offered", lambda one: one["achieved"] >= 0.99 * one["offered"]
)
FAST = Bound(">=500k/s", "at least 500,000 requests a second", lambda one: one["achieved"] >= 500_000)

LINES = {
    "lag_1000": Line("tailmark", "null backend", 1_000, LATE),
    "loadgen_inline_1000": Line("loadgen", "null callback", 1_000),
    "loadgen_thread_1000": Line("loadgen", "null thread", 1_000),
    "h2load_1000": Line("h2load", "nginx HTTP/2", 1_000),
    "hey_1000": Line("hey", "nginx HTTP/1", 1_000),
    "lag_10000": Line("tailmark", "null backend", 10_000, LATE),
    "loadgen_inline_10000": Line("loadgen", "null callback", 10_000),
    "loadgen_thread_10000": Line("loadgen", "null thread", 10_000),
    "h2load_10000": Line("h2load", "nginx HTTP/2", 10_000),
    "hey_10000": Line("hey", "nginx HTTP/1", 10_000),
    "open_50000": Line("tailmark", "null backend", 50_000, OFFERED),
    "closed_null": Line("tailmark closed", "null backend", None, FAST),
}

REFEREE = (
    ("worker_p50_ns", "P50 in worker", True),
    ("worker_p90_ns", "P90 in worker", True),
    ("p50_ns", "P50 with wire", True),
    ("p90_ns", "P90 with wire", True),
    ("mean_ns", "mean with wire", False),
)
"""What the two sides are compared by: key, name, and whether they must agree. LoadGen calls the backend
within its own process; tailmark's response times have the way to the worker in them."""

TOLERANCE = 0.05

NOT_MEASURED = ("-", "not", "measured", "", "-")

NOTES = """\
achieved: requests started a second. lag: started - scheduled, as the tool's own
records have it. The bound of a line is on lag P99, or on what was achieved.
  tailmark  reports the lag in its record.
  loadgen   Server scenario, Poisson arrivals: the rate holds only on average.
            Reports latencies from the scheduled time and nothing about the lag
            itself, which is in its trace, off by default.
  h2load    reports nothing about send times; the lag is computed from the start
            times (to 1 us) in its log file.
  hey       reports nothing about send times; the lag is computed from the
            offsets (to 100 us) in its CSV.
h2load and hey name no schedule. It is taken to be even, at the rate asked, and
to begin so that the most timely request has no lag."""


def main() -> None:
    """Read one thing, or print all."""
    what, *arguments = sys.argv[1:]
    if what == "table":
        results = [json.loads(line) for line in Path(arguments[0]).read_text(encoding="utf-8").splitlines()]
        print("\n".join(table(results)))
    elif what == "referee":
        print(json.dumps({"line": "referee", **referee(*map(Path, arguments))}))
    else:
        line, source = arguments
        read: dict[str, Callable[[Line, str], Result]] = {
            "tailmark": lambda _, runs: tailmark(Path(runs)),
            "loadgen": lambda _, folder: loadgen(Path(folder)),
            "h2load": lambda line, file: scheduled(line, h2load(Path(file))),
            "hey": lambda line, file: scheduled(line, hey(Path(file))),
            "missing": lambda _, why: {"why": why},
        }
        known = LINES.get(line, Line("", ""))
        print(json.dumps({"line": line, **read[what](known, source)}))


def steady_state(runs: Path) -> Result:
    """The steady state of the one backend of the one run below a folder."""
    (path,) = runs.glob("*/run.json")
    (backend,) = json.loads(path.read_text(encoding="utf-8"))["backends"]
    if backend["outcome"]["state"] != "measured":
        sys.exit(f"{backend['name']} was not measured: {backend['outcome']}")
    phase: Result = next(phase for phase in backend["phases"] if phase["phase"] == "steady")
    return phase


def percentile(latency: Result, quantile: float) -> float | None:
    """A percentile of the record; None where there were too few requests for it."""
    values = (one["value_ns"] for one in latency["percentiles"] if one["quantile"] == quantile)
    return next(values, None)


def tailmark(runs: Path) -> Result:
    """Tailmark's record: lag and rate of the open model, rate of the closed one."""
    steady = steady_state(runs)
    arrivals = steady.get("arrivals")
    if arrivals is None or arrivals["offered_per_second"] is None:
        return {"achieved": steady["requests_per_second"]}
    return {
        "offered": arrivals["offered_per_second"],
        "achieved": arrivals["achieved_per_second"],
        "lag_p50_ns": percentile(arrivals["lag"], 0.5),
        "lag_p99_ns": percentile(arrivals["lag"], 0.99),
    }


def loadgen(folder: Path) -> Result:
    """LoadGen's trace: when each query was scheduled, and how long after that it was issued."""
    delays, issued = [], []
    pattern = re.compile(r'"name":"Latency".*"ts":([0-9.]+).*"issue_delay":(-?[0-9]+)')
    with folder.joinpath("mlperf_log_trace.json").open(encoding="utf-8") as file:
        for match in filter(None, map(pattern.search, file)):
            delays.append(float(match[2]))
            issued.append(float(match[1]) * US + delays[-1])
    return {"achieved": rate(issued), **lag_of(delays)}


def h2load(file: Path) -> list[float]:
    """When h2load started its requests, in nanoseconds."""
    return [int(line.split("\t")[0]) * US for line in file.read_text(encoding="ascii").splitlines()]


def hey(file: Path) -> list[float]:
    """When hey started its requests, in nanoseconds."""
    with file.open(encoding="ascii", newline="") as rows:
        return [float(row["offset"]) * 1e9 for row in csv.DictReader(rows)]


def scheduled(line: Line, starts: Sequence[float]) -> Result:
    """The lag against the even schedule that the most timely request sets."""
    if line.asked is None:
        sys.exit("this line has no rate")
    interval = 1e9 / line.asked
    behind = [start - number * interval for number, start in enumerate(sorted(starts))]
    first = min(behind)
    return {"achieved": rate(starts), **lag_of([one - first for one in behind])}


def rate(starts: Iterable[float]) -> float:
    """Requests a second between the first and the last."""
    ordered = sorted(starts)
    return (len(ordered) - 1) / (ordered[-1] - ordered[0]) * 1e9


def lag_of(lags: Iterable[float]) -> Result:
    """The percentiles of the table, by nearest rank."""
    ordered = sorted(lags)
    at = {name: ordered[math.ceil(share * len(ordered)) - 1] for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {"lag_p50_ns": at["p50"], "lag_p99_ns": at["p99"]}


def worker_times(runs: Path) -> Iterable[int]:
    """Nanoseconds in the worker, from the request's last byte to its vectors, of each steady request."""
    (path,) = runs.glob("*/samples.csv")
    with path.open(encoding="utf-8", newline="") as file:
        for sample in csv.DictReader(file):
            if sample["phase"] == "steady" and sample["outcome"] == "answered":
                yield int(sample["worker_ns"])


def referee(runs: Path, folder: Path) -> Result:
    """The times of both sides: tailmark's response times, and the part of them that passed in the worker."""
    latency = steady_state(runs)["response_time"]
    in_worker = sorted(worker_times(runs))
    summary = folder.joinpath("mlperf_log_summary.txt").read_text(encoding="utf-8")

    def said(name: str) -> int:
        match = re.search(rf"^{re.escape(name)} \(ns\)\s*: (\d+)$", summary, re.MULTILINE)
        return int(match[1]) if match else sys.exit(f"LoadGen's summary has no {name}")

    return {
        "tailmark": {
            "p50_ns": percentile(latency, 0.5),
            "p90_ns": percentile(latency, 0.9),
            "mean_ns": latency["mean_ns"],
            "worker_p50_ns": in_worker[math.ceil(0.5 * len(in_worker)) - 1],
            "worker_p90_ns": in_worker[math.ceil(0.9 * len(in_worker)) - 1],
        },
        "loadgen": {
            "p50_ns": said("50.00 percentile latency"),
            "p90_ns": said("90.00 percentile latency"),
            "mean_ns": said("Mean latency"),
        },
    }


def table(results: Sequence[Result]) -> Iterable[str]:
    """The lines of the table, the notes, and which bounds hold."""
    verdicts: list[tuple[bool | None, str]] = []
    yield row("tool", "target", "asked/s", "achieved", "lag P50", "lag P99", "bound", "holds")
    yield rule()
    for name, line in LINES.items():
        result = medians([one for one in results if one["line"] == name])
        held = line.bound.holds(result) if line.bound and "why" not in result else None
        if line.bound:
            verdicts.append(
                (held, f"{line.tool}{f' at {line.asked:,}/s' if line.asked else ''}: {line.bound.words}")
            )
        asked = f"{line.asked:,}" if line.asked else "-"
        if "why" in result:
            yield row(line.tool, line.target, asked, *NOT_MEASURED)
            continue
        lags = [duration(result[key]) if key in result else "-" for key in ("lag_p50_ns", "lag_p99_ns")]
        short = line.bound.short if line.bound else ""
        yield row(line.tool, line.target, asked, f"{result['achieved']:,.0f}", *lags, short, word(held))

    yield ""
    yield row("one at a time", "figure", "", "loadgen", "tailmark", "ratio", "bound", "holds")
    yield rule()
    pairs = [one for one in results if one["line"] == "referee"]
    measured = [pair for pair in pairs if "why" not in pair]
    spread = []
    for key, name, bounded in REFEREE:
        held = None
        if measured:
            same = key.removeprefix("worker_")
            theirs = statistics.median(one["loadgen"][same] for one in measured)
            ours = statistics.median(one["tailmark"][key] for one in measured)
            ratios = sorted(one["tailmark"][key] / one["loadgen"][same] for one in measured)
            ratio = statistics.median(ratios)
            spread.append(f"{name} {ratios[0]:.3f} to {ratios[-1]:.3f}")
            held = abs(ratio - 1) <= TOLERANCE if bounded else None
            times = duration(theirs), duration(ours), f"{ratio:.3f}"
            yield row("python-onnx", name, "", *times, "+-5 %" if bounded else "", word(held))
        else:
            yield row("python-onnx", name, "", *NOT_MEASURED)
        if bounded:
            verdicts.append((held, f"tailmark and loadgen agree on the {name} within 5 %"))

    yield ""
    yield NOTES
    yield "one at a time: medians of the pairs of runs, and of their ratios. Single pairs:"
    yield textwrap.indent(textwrap.fill(", ".join(spread) or "none", 78), "  ")
    yield ""
    reasons: dict[str, list[str]] = {}
    for one in results:
        if "why" in one:
            reasons.setdefault(one["why"], []).append(one["line"])
    for why, lines in reasons.items():
        yield textwrap.fill(f"not measured: {', '.join(dict.fromkeys(lines))}: {why.strip()}", 80)
    for held, text in verdicts:
        yield f"{ {True: 'holds', False: 'DOES NOT HOLD', None: 'not measured'}[held]:<14} {text}"


def medians(results: Sequence[Result]) -> Result:
    """The median of each figure over the rounds that were measured."""
    measured = [one for one in results if "why" not in one]
    if not measured:
        return {"why": results[0]["why"] if results else "not run"}
    keys = [key for key, value in measured[0].items() if isinstance(value, float | int)]
    return {key: statistics.median(one[key] for one in measured) for key in keys}


def row(*cells: str) -> str:
    """The cells, each in its column; 80 characters in all."""
    tool, target, asked, achieved, p50, p99, bound, holds = cells
    return f"{tool:<15} {target:<13} {asked:>7} {achieved:>9} {p50:>8} {p99:>8} {bound:<8} {holds}".rstrip()


def rule() -> str:
    """A line under the headings."""
    return row("-" * 15, "-" * 13, "-" * 7, "-" * 9, "-" * 8, "-" * 8, "-" * 8, "-" * 5)


def word(held: bool | None) -> str:
    """Yes, no, or nothing to hold."""
    return {True: "yes", False: "NO", None: "-"}[held]


def duration(ns: float) -> str:
    """Three or four digits and a unit."""
    number, unit = (ns / MS, "ms") if ns >= MS else (ns / US, "us")
    return f"{number:.{0 if number >= 1000 else 1 if number >= 100 else 2}f} {unit}"


main()

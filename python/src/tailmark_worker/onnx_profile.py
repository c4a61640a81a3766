"""Where onnxruntime ran each node: its profile of some runs, reduced to one entry per node.

Knows the format of the profile and no provider: CPU, CoreML and OpenVINO are read alike.
"""

import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tailmark_worker.evidence import Kernel

Event = Mapping[str, Any]

SUFFIX = "_kernel_time"
"""Ends the name of the event that says how long a node took. Older versions also write fences around it."""

RUN = "model_run"
"""The event that spans one call of a session's `run`."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The kernels of the calls that were kept, and how many calls those were."""

    kernels: Sequence[Kernel]
    calls: int


def kernels_of(events: Sequence[Event], *, dropped_calls: int) -> Recorded:
    """One kernel per node, without what happened in the first calls of `run`.

    Which call a node's event belongs to is known from the call's span. To count events instead (the first of
    each node is of the first call) would go wrong where a node runs several times in a call, in a loop's
    body.
    """
    spans = sorted(
        (int(event["ts"]), int(event["ts"]) + int(event["dur"]))
        for event in events
        if event.get("cat") == "Session" and event.get("name") == RUN
    )[dropped_calls:]
    starts = [start for start, _ in spans]
    calls: Counter[tuple[str, str, str, str]] = Counter()
    microseconds: Counter[tuple[str, str, str, str]] = Counter()
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") != "Node" or not name.endswith(SUFFIX):
            continue
        call = bisect_right(starts, int(event["ts"])) - 1
        if call < 0 or int(event["ts"]) > spans[call][1]:
            continue
        about = event["args"]
        # Names need not be unique in a graph; the index tells namesakes apart.
        node = (
            name.removesuffix(SUFFIX),
            str(about.get("node_index", "")),
            str(about["op_name"]),
            str(about["provider"]),
        )
        calls[node] += 1
        microseconds[node] += int(event["dur"])
    kernels = [
        Kernel(name=node[0], op=node[2], on=node[3], calls=count, ns=1000 * microseconds[node])
        for node, count in calls.items()
    ]
    return Recorded(kernels, len(spans))


def record(
    open_session: Callable[[str], Any], output: str, feeds: Sequence[Mapping[str, Any]], runs: int
) -> Recorded:
    """Run every feed ``runs`` times in a session of its own, after once for warming up, and read its profile.

    ``open_session`` takes the prefix of the profile's file name. The profiler is on for as long as a session
    lives, so the warming up is in the profile and is left out when it is read.
    """
    with tempfile.TemporaryDirectory(prefix="tailmark-profile-") as folder:
        session = open_session(str(Path(folder) / "profile"))
        try:
            for _ in range(runs + 1):
                for feed in feeds:
                    session.run([output], feed)
        finally:
            # Without this a session that failed would write its profile when it is collected, into a folder
            # that is gone.
            profile = Path(session.end_profiling())
        events = orjson.loads(profile.read_bytes())
    return kernels_of(events, dropped_calls=len(feeds))


def united(parts: Sequence[Recorded]) -> Sequence[Kernel]:
    """The kernels of several sessions over one graph: what has the same name in both is one entry."""
    if len(parts) == 1:
        return parts[0].kernels
    calls: Counter[tuple[str, str, str]] = Counter()
    ns: Counter[tuple[str, str, str]] = Counter()
    for part in parts:
        for kernel in part.kernels:
            node = (kernel.name, kernel.op, kernel.on)
            calls[node] += kernel.calls
            ns[node] += kernel.ns or 0
    return [Kernel(*node, calls=count, ns=ns[node]) for node, count in calls.items()]

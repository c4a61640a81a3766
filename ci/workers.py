"""Finds worker processes of tailmark that nobody asked to go on.

    workers.py list               prints the ids of those that are there now
    workers.py none-but "ID ..."  fails if there are others whose harness is gone

A worker with a living tailmark above it belongs to somebody's run and is left out. Needs nothing but Python.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

PATIENCE_S = 10.0
"""How long a worker may take to notice that its input has ended."""


class Process(NamedTuple):
    """A process, with its command line as it was started."""

    id: int
    parent: int
    command: list[str]


def processes() -> dict[int, Process]:
    """Every process of this machine that can be seen."""
    if Path("/proc/self/cmdline").exists():
        return dict(filter(None, map(read_process, Path("/proc").iterdir())))
    output = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True
    )
    fields = [line.split() for line in output.stdout.splitlines()]
    return {int(id_): Process(int(id_), int(parent), command) for id_, parent, *command in fields}


def read_process(folder: Path) -> tuple[int, Process] | None:
    """One process below /proc; None for what is no process, or has just ended."""
    try:
        command = folder.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
        # The name in brackets may hold anything, so what follows is counted from the last bracket.
        parent = int(folder.joinpath("stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        return int(folder.name), Process(int(folder.name), parent, command)
    except (OSError, ValueError, IndexError):
        return None


def is_harness(process: Process | None) -> bool:
    """Whether this is tailmark itself."""
    return process is not None and Path(process.command[0]).name == "tailmark"


def orphans() -> dict[int, Process]:
    """The workers without a tailmark above them."""
    found = processes()
    return {
        process.id: process
        for process in found.values()
        if (
            (is_harness(process) and process.command[1:2] == ["worker"])
            or "tailmark_worker" in process.command
        )
        and not is_harness(found.get(process.parent))
    }


def main() -> int:
    """List the workers, or fail when there are new ones."""
    if sys.argv[1:] == ["list"]:
        print(*orphans())
        return 0
    if len(sys.argv) != 3 or sys.argv[1] != "none-but":
        print(__doc__, file=sys.stderr)
        return 2
    known = {int(id_) for id_ in sys.argv[2].split()}
    began = time.monotonic()
    while left := [process for process in orphans().values() if process.id not in known]:
        if time.monotonic() - began > PATIENCE_S:
            for process in left:
                print(f"left behind: process {process.id}: {' '.join(process.command)}", file=sys.stderr)
            return 1
        time.sleep(0.1)
    print("no worker was left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())

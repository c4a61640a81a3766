"""What only a real process can show: its descriptors, its signals, how it ends."""

import contextlib
import json
import signal
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest
from conftest import DEADLINE, PYTHON_FOLDER, command, converse, environment, initialize, recipe, request

from tailmark_worker.__main__ import TOOLS
from tailmark_worker.kinds import KINDS

NOISY_LIBRARY = """
import os
import sys

print("banner from python")
os.write(1, b"banner from a descriptor\\n")
os.system("echo banner from a child")
assert sys.stdin.read() == "", "a library can read the requests"
raise ImportError("the noisy library is done")
"""


class Open:
    """A worker whose input stays open."""

    def __init__(self, kind: str = "null") -> None:
        self.process = subprocess.Popen(
            command(kind), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        )

    def __enter__(self) -> "Open":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def send(self, message: dict[str, Any]) -> None:
        self.stdin.write(json.dumps(message).encode() + b"\n")
        self.stdin.flush()

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self.send(message)
        answer: dict[str, Any] = json.loads(self.stdout.readline())
        return answer


def test_what_a_library_prints_lands_in_the_log_and_not_in_the_wire(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text(NOISY_LIBRARY)
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.onnx").touch()
    load = request(2, "load", model={"folder": str(model), "recipe": recipe(8)}, options={})
    done = converse("python-onnx", [initialize(), load, request(3, "ping")], tmp_path)
    assert [answer["id"] for answer in done.answers] == [1, 2, 3]
    assert done.answers[1]["error"]["data"] == {"what": "`python-onnx`", "why": "the noisy library is done"}
    for banner in ("banner from python", "banner from a descriptor", "banner from a child"):
        assert banner in done.stderr
    assert done.status == 0


def test_no_model_library_is_imported_before_load(tmp_path: Path) -> None:
    for library in ("numpy", "onnxruntime", "tokenizers", "torch", "transformers"):
        (tmp_path / f"{library}.py").write_text(f'raise RuntimeError("{library} was imported")')
    for kind in KINDS:
        done = converse(kind, [initialize()], tmp_path)
        assert (done.answers[0]["result"]["kind"], done.stderr, done.status) == (kind, "", 0)


def test_the_end_of_the_input_ends_the_worker_with_status_0() -> None:
    done = converse("null", [])
    assert (done.answers, done.stderr, done.status) == ([], "", 0)


def test_a_last_line_without_a_line_break_is_answered() -> None:
    done = subprocess.run(
        command("null"),
        input=json.dumps(initialize()).encode(),
        capture_output=True,
        timeout=DEADLINE,
        env=environment(),
        check=True,
    )
    assert json.loads(done.stdout)["id"] == 1


def test_shutdown_ends_the_worker_while_its_input_is_open() -> None:
    with Open() as worker:
        worker.ask(initialize())
        assert worker.ask(request(2, "shutdown"))["result"] == {}
        assert worker.process.wait(DEADLINE) == 0


def test_an_interrupt_from_the_terminal_is_left_to_the_harness() -> None:
    with Open() as worker:
        worker.ask(initialize())
        worker.process.send_signal(signal.SIGINT)
        assert worker.ask(request(2, "ping"))["result"] == {}
        worker.stdin.close()
        assert worker.process.wait(DEADLINE) == 0


def test_a_harness_that_has_gone_ends_the_worker() -> None:
    with Open() as worker:
        worker.ask(initialize())
        worker.stdout.close()
        worker.send(request(2, "ping"))
        assert worker.process.wait(DEADLINE) == 0


@pytest.mark.parametrize(
    ("arguments", "first_line"),
    [
        ([], "error: no kind was named"),
        (["pytorch"], "error: unknown kind `pytorch`"),
        (
            ["null", "--verbose"],
            "error: `null` takes no arguments, found --verbose; options come with `load`",
        ),
    ],
)
def test_a_wrong_command_line_ends_with_status_2_and_lists_the_kinds(
    arguments: list[str], first_line: str
) -> None:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=DEADLINE, env=environment(), check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == first_line
    assert all(name in done.stderr for name in (*KINDS, *TOOLS))


def test_help_is_data_and_ends_with_status_0() -> None:
    done = subprocess.run(
        command("--help"), capture_output=True, text=True, timeout=DEADLINE, env=environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m tailmark_worker")


def test_every_kind_and_tool_is_in_the_readme() -> None:
    readme = (PYTHON_FOLDER / "README.md").read_text(encoding="utf-8")
    missing = [name for name in (*KINDS, *TOOLS) if f"`{name}`" not in readme]
    assert missing == []


def test_a_worker_ends_with_whoever_started_it_although_its_input_stays_open() -> None:
    # The shell is the worker's parent and stays, because there is something left for it to do.
    shell = subprocess.Popen(
        ["/bin/sh", "-c", '"$@"; true', "sh", *command("null")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    with shell.stdin, shell.stdout:
        shell.stdin.write(json.dumps(initialize()).encode() + b"\n")
        shell.stdin.flush()
        assert json.loads(shell.stdout.readline())["result"]["kind"] == "null"
        shell.kill()
        shell.wait(DEADLINE)
        # The worker held the last writing end: its output ends when it does.
        assert shell.stdout.read() == b""

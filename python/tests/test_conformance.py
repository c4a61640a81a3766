"""The conversations that the workers of every language must have, with a real process at the other end."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import PROVIDERS, converse

FOLDER = PROVIDERS / "conformance"
CONVERSATIONS = sorted(FOLDER.glob("*.json"))


def json_type(value: object) -> str:
    """The name JSON has for the type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    names: dict[type, str] = {str: "string", list: "array", dict: "object"}
    return names[type(value)]


def differences(found: object, expected: object, vary: list[str], pointer: str = "") -> list[str]:
    """Where two values differ, as JSON pointers; at those that may vary only the type is looked at."""
    if json_type(found) != json_type(expected):
        return [f"{pointer}: {json_type(found)}, expected {json_type(expected)}"]
    if pointer in vary:
        return []
    if isinstance(found, dict) and isinstance(expected, dict):
        faults = [f"{pointer}/{key}: not in both" for key in found.keys() ^ expected.keys()]
        for key in found.keys() & expected.keys():
            faults += differences(found[key], expected[key], vary, f"{pointer}/{key}")
        return faults
    if isinstance(found, list) and isinstance(expected, list):
        faults = (
            [f"{pointer}: {len(found)} items, expected {len(expected)}"]
            if len(found) != len(expected)
            else []
        )
        for index, (one, other) in enumerate(zip(found, expected, strict=False)):
            faults += differences(one, other, vary, f"{pointer}/{index}")
        return faults
    return [] if found == expected else [f"{pointer}: {found!r}, expected {expected!r}"]


def faults_of(conversation: dict[str, Any]) -> list[str]:
    """What is wrong with the worker's side of a conversation."""
    exchanges = conversation["exchanges"]
    done = converse("null", [exchange["send"] for exchange in exchanges])
    expected = [exchange for exchange in exchanges if exchange["receive"] is not None]
    faults = [] if done.status == 0 else [f"status {done.status}: {done.stderr}"]
    if len(done.answers) != len(expected):
        faults.append(f"{len(done.answers)} answers, expected {len(expected)}")
    for answer, exchange in zip(done.answers, expected, strict=False):
        faults += differences(answer, exchange["receive"], exchange.get("vary", []))
    return faults


def test_there_are_conversations() -> None:
    assert CONVERSATIONS, f"no conversations in {FOLDER}"


@pytest.mark.parametrize("path", CONVERSATIONS, ids=lambda path: path.stem)
def test_the_worker_has_the_conversation_as_it_is_written(path: Path) -> None:
    assert faults_of(json.loads(path.read_text(encoding="utf-8"))) == []


def test_a_wrong_answer_would_be_found() -> None:
    conversation = json.loads((FOLDER / "ping.json").read_text(encoding="utf-8"))
    conversation["exchanges"][-1]["receive"]["result"] = {"pong": True}
    assert faults_of(conversation) == ["/result/pong: not in both"]


def test_what_may_vary_must_keep_its_type() -> None:
    assert differences({"a": 1}, {"a": 2}, ["/a"]) == []
    assert differences({"a": "1"}, {"a": 2}, ["/a"]) == ["/a: string, expected number"]
    assert differences({"a": True}, {"a": 2}, ["/a"]) == ["/a: boolean, expected number"]

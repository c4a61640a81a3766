"""Tries one shape: makes its folder, has tailmark make a model of it and run it, and asks the workers itself.

What `encode` answers is computed here, of a copy of the folder that tailmark never saw.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from judge import Distance, Floats, Row, cell, distance, refused_everywhere, row, told_apart
from shape import TABLE_KIND, Shape, truth_of
from worker import Worker, WorkerError

BATCH = 3
FEWEST_TEXTS = 50
"""Of the 64, a tokenizer that adds no tokens makes some empty, and the reference leaves these out."""
TEXTS_WITH_A_PROMPT = 24
PATIENCE_S = 900.0
ENDING_S = 60.0

OWN_TEXTS = (
    "NOT ALL CAPITALS ARE ALIKE: Überraschung, ÉCOLE, Ærø.",
    "café, naïve, Smörgåsbord and a fiancée",
    "A long text "
    + "that goes on and on, with a word or two that change, " * 40
    + "and ends in something else",
)
"""Beside those of the reference: case, accents, and a text that most models cut."""

Truth = Mapping[str | None, Floats]
"""What `encode` answers, by the name of the prompt; None is plain `encode`."""


@dataclass
class Tools:
    """What is needed to try a shape."""

    tailmark: Path
    python: Path
    workers: Path
    """The folder that has the Python worker's source."""
    library: Path
    """ONNX Runtime's shared library."""
    work: Path
    """Where folders are made."""
    # Torch and transformers are used by one thread at a time.
    alone: threading.Lock = field(default_factory=threading.Lock)
    kept: dict[tuple[str, int], Worker] = field(default_factory=dict)
    """Workers that serve one model after another, by kind and thread."""

    def close(self) -> None:
        """End the workers that were kept."""
        while self.kept:
            self.kept.popitem()[1].close()

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of what is started: no network, no color, a cache of its own."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("TAILMARK_")}
        return {**kept, "NO_COLOR": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", **more}


def attempt(shape: Shape, tools: Tools) -> Row:
    """Everything from an empty folder to the verdict."""
    place = tools.work / shape.name
    shutil.rmtree(place, ignore_errors=True)
    made, model = place / "made", place / "model"
    with tools.alone:
        make(shape, made)
    shutil.copytree(made, model)
    refusal = export(shape, model, place, tools)
    if refusal is not None:
        return row(shape, refused_everywhere(shape, refusal))
    refusals = scenario(shape, model, place, tools)
    manifest = json.loads((model / "tailmark-model.json").read_text(encoding="utf-8"))
    reference = json.loads((model / "reference.json").read_text(encoding="utf-8"))
    texts: list[str] = [*reference["texts"], *OWN_TEXTS]
    faults = []
    if len(reference["texts"]) < FEWEST_TEXTS:
        faults.append(
            f"the reference has {len(reference['texts'])} texts, and at least {FEWEST_TEXTS} are needed"
        )
    with tools.alone:
        truth = encoded(truth_of(made) if truth_of(made).exists() else made, texts, trust=shape.trust)
    if not told_apart(truth[None], shape.limit):
        faults.append("the texts' own vectors are so alike that another text's would pass for right")
    cells = []
    for kind in shape.kinds:
        measured: Distance | str | None = None
        if refusals[kind] is None:
            try:
                measured = vectors_of(kind, shape, model, manifest, texts, truth, place, tools)
            except WorkerError as error:
                measured = str(error)
        cells.append(cell(kind, refusals[kind], measured, shape))
    return row(shape, cells, faults)


def make(shape: Shape, folder: Path) -> None:
    """Write the shape's folder."""
    import torch

    folder.mkdir(parents=True)
    torch.manual_seed(1)
    shape.make(folder)


def export(shape: Shape, model: Path, place: Path, tools: Tools) -> str | None:
    """Have tailmark make a model of the folder; why it did not, if so."""
    arguments = ["model", "export", str(model), "--name", f"shapes/{shape.name}", *shape.export]
    ended = _tailmark(tools, arguments, place, "export")
    if ended.returncode == 0:
        return None
    said = _reason(ended.stderr).replace(f"{model}/", "").replace(str(model), "the folder")
    return said or f"`model export` ended with {ended.returncode} and said nothing"


def scenario(shape: Shape, model: Path, place: Path, tools: Tools) -> dict[str, str | None]:
    """Run each kind for a moment; why it was not measured, if so."""
    path, runs = place / "scenario.toml", place / "runs"
    path.write_text(_scenario(shape, model), encoding="utf-8")
    ended = _tailmark(tools, ["scenario", str(path), "--runs", str(runs)], place, "scenario")
    records = sorted(runs.glob("*/run.json"))
    if not records:
        why = _reason(ended.stderr) or f"`scenario` ended with {ended.returncode} and left no record"
        return dict.fromkeys(shape.kinds, why)
    backends = json.loads(records[-1].read_text(encoding="utf-8"))["backends"]
    by_kind = {backend["kind"]: _not_measured(backend) for backend in backends}
    return {kind: by_kind.get(kind, "the record does not have it") for kind in shape.kinds}


def _not_measured(backend: Mapping[str, Any]) -> str | None:
    outcome, equivalence = backend["outcome"], backend["equivalence"]
    if outcome["state"] != "measured":
        return f"{outcome['state'].replace('_', ' ')}: {outcome.get('why', '')}"
    if not equivalence.get("accepted", False):
        return f"measured, but its vectors were not accepted: {equivalence}"
    return None


def _scenario(shape: Shape, model: Path) -> str:
    backends = "".join(
        f"\n[[backend]]\nkind = {json.dumps(kind)}\noptions = {_table(shape.options(kind))}\n"
        for kind in shape.kinds
    )
    return f"""title = "What does each kind make of this model?"

[model]
folder = {json.dumps(str(model))}

[workload]
corpus = "mixed_lengths"
batch_size = {BATCH}

[phases]
restarts = 1

[phases.warm_up]
min_requests = 0
max_requests = 0

[phases.steady]
min_requests = 3
max_requests = 3

[validity]
on_doubt = "note"
{backends}"""


def _table(options: Mapping[str, object]) -> str:
    """An inline table of TOML; strings, numbers and booleans are written there as in JSON."""
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in options.items()) + " }"


def _tailmark(
    tools: Tools, arguments: Sequence[str], place: Path, name: str
) -> "subprocess.CompletedProcess[str]":
    shared = ["--python", str(tools.python), "--model-store", str(place / "store")]
    command = [str(tools.tailmark), *arguments, *shared]
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            env=tools.environment(),
            cwd=place,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        ended = subprocess.CompletedProcess(
            command, -1, "", f"error: it took more than {error.timeout:.0f} s"
        )
    (place / f"{name}.log").write_text(f"{ended.stdout}\n{ended.stderr}", encoding="utf-8")
    return ended


def _reason(stderr: str) -> str:
    """The error among the lines of talk, with the hint below it, which may be what names the thing."""
    found = re.search(r"^error: (.*?)(?=\n\s*\nUsage: |\Z)", stderr, re.DOTALL | re.MULTILINE)
    return " ".join((found[1] if found else stderr[-500:]).split())


def encoded(folder: Path, texts: Sequence[str], *, trust: bool) -> Truth:
    """What sentence-transformers answers for the folder, each text alone: plain and with each prompt."""
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(
        str(folder), device="cpu", local_files_only=True, trust_remote_code=trust
    )

    def vectors(some: Sequence[str], **prompt: str) -> Floats:
        found = model.encode([*some], batch_size=1, show_progress_bar=False, convert_to_numpy=True, **prompt)
        return np.asarray(found, dtype=np.float32)

    prompts = [name for name, prompt in model.prompts.items() if prompt]
    few = texts[:TEXTS_WITH_A_PROMPT]
    return {None: vectors(texts), **{name: vectors(few, prompt_name=name) for name in prompts}}


def vectors_of(
    kind: str,
    shape: Shape,
    model: Path,
    manifest: Mapping[str, Any],
    texts: Sequence[str],
    truth: Truth,
    place: Path,
    tools: Tools,
) -> Distance | str:
    """How far a worker's vectors are off: in batches and alone, scaled and not, with and without prompts."""
    options = dict(shape.options(kind))
    own_graph = manifest.get("graph")
    if own_graph and kind not in ("python-torch", TABLE_KIND):
        options.setdefault("graph", own_graph["name"])
    if kind == "onnx":
        options["library"] = str(tools.library)
    worst = Distance(1.0, 0.0)
    with started(kind, place, tools, fresh=shape.trust) as worker:
        for prompt, expected in truth.items():
            recipe = dict(manifest["recipe"])
            if prompt is not None:
                if prompt not in recipe.get("prompts", {}):
                    return f"vectors have no prompt `{prompt}`: the recipe lacks it"
                recipe["default_prompt"] = prompt
            worker.load(model, recipe, options)
            some = texts[: len(expected)]
            for batch, normalize in ((BATCH, True), (1, False)):
                found = worker.embed(some, batch, normalize=normalize)
                far = distance(found, expected, scaled=normalize)
                if isinstance(far, str):
                    return far
                worst = worst.worse(far)
    return worst


@contextlib.contextmanager
def started(kind: str, place: Path, tools: Tools, *, fresh: bool) -> Iterator[Worker]:
    """A worker of a kind, a ``fresh`` one where a model brings code that is not to be there for the next.

    Otherwise torch's is kept: importing it takes longer than all else.
    """
    key = (kind, threading.get_ident())
    if kind != "python-torch" or fresh:
        with _start(kind, place / f"{kind}.log", tools) as worker:
            yield worker
        return
    if key not in tools.kept:
        tools.kept[key] = _start(kind, tools.work / f"{kind}-{len(tools.kept)}.log", tools)
    try:
        yield tools.kept[key]
    except WorkerError:
        tools.kept.pop(key).close()
        raise


def _start(kind: str, log: Path, tools: Tools) -> Worker:
    if kind.startswith("python-"):
        command = [str(tools.python), "-m", "tailmark_worker", kind]
        return Worker(command, tools.environment(PYTHONPATH=str(tools.workers)), log)
    return Worker([str(tools.tailmark), "worker", kind], tools.environment(), log)

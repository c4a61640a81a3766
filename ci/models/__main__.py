"""Prints what each kind of backend makes of each shape of embedding model; see ci/models.sh."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HF_CACHE = "HF_HOME"


def arguments() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(
        prog="ci/models.sh",
        description="What each kind of backend makes of each shape of embedding model: the smallest cosine "
        "to SentenceTransformer(folder).encode, or the refusal. Exit status 1 if a row is not as it should.",
    )
    parser.add_argument("--few", action="store_true", help="only the few shapes that stand for most")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these shapes")
    parser.add_argument("--list", action="store_true", help="list the shapes (* is one of the few), and end")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the folders here, and leave them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table for programs")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="shapes side by side")
    parser.add_argument(
        "--tailmark", type=Path, metavar="PATH", help="the program to try (default: built anew)"
    )
    parser.add_argument("--workers", type=Path, default=ROOT / "python" / "src", metavar="FOLDER",
                        help="the source of the Python workers that the program was built with")  # fmt: skip
    return parser.parse_args()


def onnxruntime_library() -> Path:
    """ONNX Runtime's shared library in this environment."""
    import onnxruntime

    found = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.*"))
    if not found:
        raise FileNotFoundError("the package onnxruntime has no shared library")
    return found[0]


def main() -> int:
    """Try the shapes; returns the exit status."""
    given = arguments()
    passing = None if given.keep else tempfile.mkdtemp(prefix="tailmark-shapes-")
    work = (given.keep or Path(str(passing))).resolve()
    work.mkdir(parents=True, exist_ok=True)
    # Before any of the libraries is imported: nothing is fetched, and code of a folder is not kept for later.
    os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", HF_CACHE: str(work / "hf")})
    try:
        return run(given, work)
    finally:
        if passing is not None:
            shutil.rmtree(passing, ignore_errors=True)


def run(given: argparse.Namespace, work: Path) -> int:
    """Try the shapes in a folder."""
    import judge
    import page
    import torch
    import transformers
    import trial
    from shape import SHAPES, Shape

    for name in ("encoders", "heads", "weights", "token_files", "folders", "graphs"):
        __import__(name)
    unknown = [name for name in given.only if name not in SHAPES.by_name]
    if unknown:
        print(f"there is no shape {', '.join(unknown)}; --list shows them", file=sys.stderr)
        return 2
    wanted = [
        shape
        for shape in SHAPES.by_name.values()
        if (not given.only or shape.name in given.only) and (not given.few or shape.few)
    ]
    if given.list:
        print("\n".join(page.listed(shape) for shape in wanted))
        return 0
    if given.tailmark is None:
        print("--tailmark is needed; ci/models.sh builds it and says where it is", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tools = trial.Tools(
        tailmark=given.tailmark.resolve(),
        # Not resolved: the link is what makes it the environment's own.
        python=Path(sys.executable),
        workers=given.workers.resolve(),
        library=onnxruntime_library(),
        work=work,
    )

    def tried(shape: Shape) -> judge.Row:
        try:
            return trial.attempt(shape, tools)
        except Exception as error:  # noqa: BLE001  one shape must not take the others with it
            (work / f"{shape.name}.trace").write_text(traceback.format_exc(), encoding="utf-8")
            return judge.row(shape, (), [f"it could not be tried: {type(error).__name__}: {error}"])

    print(page.heading(), flush=True)
    rows = []
    try:
        with ThreadPoolExecutor(given.jobs) as pool:
            for row in pool.map(tried, wanted):
                rows.append(row)
                print("\n".join(page.lines(row)), flush=True)
    finally:
        tools.close()
    print(f"\n{page.closing(rows)}")
    if given.json is not None:
        content = {"rows": [judge.as_object(row) for row in rows], "well": judge.is_well(rows)}
        given.json.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if judge.is_well(rows) else 1


if __name__ == "__main__":
    sys.exit(main())

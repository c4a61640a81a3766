"""The model that a tool is to work on: its folder, and its recipe as handed over or as the manifest has it.

Describes nothing by itself: what a folder's files say of a model is read in one place, which is not here.
"""

import contextlib
import json
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from tailmark_worker.backend import ModelFileError, ModelFolder
from tailmark_worker.recipe import RecipeError, read_recipe

MANIFEST = "tailmark-model.json"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def add_model_arguments(parser: ArgumentParser) -> None:
    """The arguments that name a model."""
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="holds the model's files")
    parser.add_argument(
        "--recipe",
        metavar="JSON",
        help=f"how texts become vectors (default: the `recipe` of the folder's {MANIFEST})",
    )


def read_model(folder: Path, recipe: str | None = None) -> ModelFolder:
    """The model in a folder; ``recipe`` is the text of a JSON object, and without it the manifest has it.

    Raises:
        ModelFileError: a file is missing, or there is no recipe that can be followed.
    """
    folder = folder.resolve()
    path = folder / MANIFEST
    try:
        if recipe is None:
            manifest = json.loads(_manifest(path).read_text(encoding="utf-8-sig"))
            given = manifest.get("recipe") if isinstance(manifest, dict) else None
        else:
            path, given = Path("--recipe"), json.loads(recipe)
        model = ModelFolder(folder, read_recipe(given))
    except (ValueError, RecipeError) as error:
        raise ModelFileError(path, f"it is not a recipe: {error}") from error
    model.file("tokenizer.json")
    return model


def _manifest(path: Path) -> Path:
    if not path.is_file():
        raise ModelFileError(
            path,
            f"there is no such file, and no --recipe says how texts become vectors\n\n"
            f"hint: `tailmark model export {path.parent}` makes it, and calls this tool with what it needs",
        )
    return path


@contextlib.contextmanager
def readable(folder: Path) -> Iterator[Path]:
    """The folder as the model libraries can read it: JSON with a byte order mark is refused by them.

    If there are such files, it is a passing folder with links to all others.
    """
    marked = [path for path in folder.rglob("*.json") if _begins_with_mark(path)]
    if not marked:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tailmark-model-") as place:
        for path in sorted(folder.rglob("*")):
            target = Path(place) / path.relative_to(folder)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif path in marked:
                target.write_bytes(path.read_bytes().removeprefix(BYTE_ORDER_MARK))
            else:
                target.symlink_to(path)
        yield Path(place)


def _begins_with_mark(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(BYTE_ORDER_MARK)) == BYTE_ORDER_MARK

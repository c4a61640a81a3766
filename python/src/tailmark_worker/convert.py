"""Writes files of a model in the form that backends read: tokenizers and pickled numbers in other forms.

Knows forms of files; knows nothing of what is in them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tailmark_worker.backend import ModelFileError
from tailmark_worker.tool import ToolError, library, made_with, run, say, workspace

DESCRIPTION = "Write tokenizer.json of another form of a tokenizer, and safetensors of pickled numbers."


def convert_tokenizer(folder: Path, output: Path) -> None:
    """Write the tokenizer of a folder as `tokenizer.json`.

    Raises:
        ToolError: the library cannot read it, or has it in Python alone.
    """
    import transformers

    with library(f"reading the tokenizer in {folder}"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None or not hasattr(fast, "save"):
        raise ToolError(
            f"the tokenizer in {folder} is a {type(tokenizer).__name__}, which has no form as tokenizer.json"
        )
    with workspace(output) as aside:
        fast.save(str(aside / "tokenizer.json"))
        (aside / "tokenizer.json").replace(output)


def convert_numbers(path: Path, output: Path) -> None:
    """Write pickled tensors as safetensors. Nothing but tensors is read, and no code is run.

    Raises:
        ModelFileError: the file holds more than tensors.
    """
    import torch
    from safetensors.torch import save_file

    try:
        tensors = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's errors and torch's have no common base
        raise ModelFileError(
            path,
            "it holds more than numbers, or is damaged: loading it would run code, and nothing was run\n\n"
            "hint: take the safetensors file of the model's own repository",
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(one, torch.Tensor) for one in tensors.values()):
        raise ModelFileError(path, "it is not a dictionary of tensors")
    with workspace(output) as aside:
        save_file({name: one.contiguous() for name, one in tensors.items()}, str(aside / "numbers"))
        (aside / "numbers").replace(output)


def main(arguments: Sequence[str]) -> int:
    """The command line `convert`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tailmark_worker convert", description=DESCRIPTION)
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--tokenizer", type=Path, metavar="TOKENIZER.json")
    parser.add_argument(
        "--numbers",
        nargs=2,
        action="append",
        default=[],
        metavar=("FILE.bin", "FILE.safetensors"),
        help="the first is below FOLDER; may be repeated",
    )
    given = parser.parse_args(arguments)

    def work() -> None:
        made_with("the conversion")
        for name, output in given.numbers:
            convert_numbers(given.model / name, Path(output))
            say(f"{name}: written as safetensors")
        if given.tokenizer is not None:
            convert_tokenizer(given.model, given.tokenizer)
            say("tokenizer.json: made of the tokenizer's other files")

    return run(work)

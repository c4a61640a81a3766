"""Loads a transformer with torch and transformers, as sentence-transformers would, or says why not.

Knows the library's classes and forms of weights; knows nothing of what is done with a model.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tailmark_worker.backend import LoadError, ModelFileError, NotAvailableError
from tailmark_worker.model_folder import readable

NAMED_AT_MOST = 5

ENCODERS = {
    "t5": "T5EncoderModel",
    "mt5": "MT5EncoderModel",
    "umt5": "UMT5EncoderModel",
    "longt5": "LongT5EncoderModel",
    "switch_transformers": "SwitchTransformersEncoderModel",
}
"""Model types whose `AutoModel` wants a decoder's inputs too, with the class that is the encoder alone."""

LENGTHS = ("hidden_size", "d_model", "dim", "n_embd")
"""What configurations call the length of a token's vector."""


def load_transformer(
    folder: Path, *, dtype: str = "float32", attention: str | None = None, trust_remote_code: bool = False
) -> Any:
    """The model in a folder, on the CPU and in evaluation mode.

    ``dtype`` is torch's name of an element type, or `auto` for the file's own; ``attention`` names one of
    transformers' implementations.

    Raises:
        NotAvailableError: the model brings code that is not trusted.
        LoadError: its weights are missing in part or are not weights alone, or the library cannot load it.
    """
    refuse_a_folder_without_weights(folder)
    import torch
    import transformers

    transformers.logging.disable_progress_bar()
    code = custom_code(folder)
    if code and not trust_remote_code and not is_native(transformers, folder):
        raise NotAvailableError(
            "the model in torch",
            f"it brings Python code of its own ({', '.join(code)}), which is not run unasked\n\n"
            "hint: read it, and then say so: with `trust_remote_code = true` among the backend's options, or "
            "`--trust-remote-code` on the command line",
        )
    pickled = not any(folder.glob("*.safetensors"))
    chosen = {} if attention is None else {"attn_implementation": attention}
    with readable(folder) as place:
        try:
            model, about = loader(transformers, place).from_pretrained(
                str(place),
                local_files_only=True,
                use_safetensors=not pickled,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
                dtype=dtype if dtype == "auto" else getattr(torch, dtype),
                **({"weights_only": True} if pickled else {}),
                **chosen,
            )
        except Exception as error:  # whatever the libraries raise, the model is not there
            raise _explained(folder, error, pickled=pickled) from error
    _refuse_what_was_made_up(folder, about["missing_keys"])
    return model.to("cpu").eval()


def refuse_a_folder_without_weights(folder: Path) -> None:
    """Refuse it before any library is imported, which takes far longer than to look.

    Raises:
        ModelFileError: there is no configuration, or no file of weights in any form.
    """
    if not any(path for ending in ("*.safetensors", "*.bin") for path in folder.glob(ending)):
        raise ModelFileError(folder / "model.safetensors", "there is no such file")
    if not (folder / "config.json").is_file():
        raise ModelFileError(folder / "config.json", "there is no such file")


def loader(transformers: Any, folder: Path) -> Any:
    """The class that loads the model in a folder.

    Raises:
        LoadError: the configuration says nothing that the library understands.
    """
    kind = str(_config(folder).get("model_type", ""))
    return getattr(transformers, ENCODERS[kind]) if kind in ENCODERS else transformers.AutoModel


def is_native(transformers: Any, folder: Path) -> bool:
    """Whether the library itself has the model that a folder brings code for."""
    return str(_config(folder).get("model_type", "")) in transformers.CONFIG_MAPPING


def token_dimensions(model: Any) -> int:
    """The length of a token's vector.

    Raises:
        LoadError: the configuration does not say it.
    """
    config = model.config
    for place in (config, getattr(config, "text_config", None)):
        for name in LENGTHS:
            length = getattr(place, name, None)
            if isinstance(length, int):
                return length
    raise LoadError(f"its configuration has none of {', '.join(LENGTHS)}")


def takes_token_types(model: Any) -> bool:
    """Whether the model's forward pass has token types; that of DistilBERT, for one, has not."""
    import inspect

    return "token_type_ids" in inspect.signature(model.forward).parameters


def custom_code(folder: Path) -> list[str]:
    """The files of Python code that the configuration has the library run, by their names."""
    named = _config(folder).get("auto_map")
    if not isinstance(named, dict) or not named:
        return []
    there = sorted(path.name for path in folder.glob("*.py"))
    return there or sorted({str(value).split("--")[0] for value in named.values()})


def _config(folder: Path) -> dict[str, Any]:
    import json

    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise LoadError(f"{folder / 'config.json'}: {error}") from error
    return content if isinstance(content, dict) else {}


def _explained(folder: Path, error: Exception, *, pickled: bool) -> LoadError:
    said = str(error)
    if pickled and ("weights_only" in said or "WeightsUnpickler" in said or "Unsupported class" in said):
        return LoadError(
            f"{folder / 'pytorch_model.bin'} holds more than weights: loading it would run code\n\n"
            "hint: take the safetensors files of the model's own repository; nothing was run"
        )
    if "ignore_mismatched_sizes" in said:
        return LoadError(
            f"the weights in {folder} have other shapes than its config.json says\n\n"
            "hint: the configuration is another model's, or is written for the model's own code"
        )
    return LoadError(f"{type(error).__name__}: {error} (in {folder})")


def _refuse_what_was_made_up(folder: Path, missing: Iterable[str]) -> None:
    """Refuse a model of which weights are missing: the library draws them at random and goes on.

    Those of a pooler are not missed: its output is not used.
    """
    wanted = sorted(name for name in missing if "pooler" not in name.split("."))
    if wanted:
        shown = ", ".join(wanted[:NAMED_AT_MOST]) + (", ..." if len(wanted) > NAMED_AT_MOST else "")
        raise LoadError(
            f"the weights in {folder} lack {len(wanted)} of the model's tensors, "
            f"which would be drawn at random: {shown}\n\n"
            "hint: a file is damaged or of another model than config.json: fetch both from one place"
        )

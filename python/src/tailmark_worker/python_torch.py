"""The kind `python-torch`: transformers' AutoModel on the CPU, on CUDA, or on Apple's GPU through MPS.

This is where Apple's device names live. A device that is asked for and not there is an error, never a quiet
CPU run.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tailmark_worker.backend import (
    Embeddings,
    EmbedError,
    Loaded,
    LoadError,
    ModelFolder,
    NotAvailableError,
    Options,
    Runs,
)
from tailmark_worker.evidence import Evidence, Output
from tailmark_worker.options import OptionReader
from tailmark_worker.recipe import RecipeError

DEVICES = ("auto", "mps", "cuda", "cpu")
DTYPES = ("float32", "float16", "bfloat16", "auto")
LARGEST_THREADS = 1024
TIMED = ("cpu", "cuda")
"""The devices whose times are in the profile of torch's profiler."""


class TorchBackend:
    """One model on one device."""

    def __init__(self) -> None:
        """Nothing is imported or loaded before ``load``."""
        self._torch: Any = None
        self._pooling: Any = None
        self._head: Any = None
        self._model: Any = None
        self._tokenizer: Any = None
        self._warnings: Any = None
        self._device = "cpu"
        self._takes_token_types = False

    def load(self, model: ModelFolder | None, options: Options) -> Loaded:
        """Read the options, import torch and transformers, load the weights onto the device."""
        reader = OptionReader(options)
        asked = reader.choice("device", "auto", DEVICES)
        threads = reader.count("threads", 1, LARGEST_THREADS)
        dtype = reader.choice("dtype", "float32", DTYPES)
        trusted = reader.flag("trust_remote_code", default=False)
        reader.finish()
        if model is None:
            raise LoadError("`python-torch` needs a model; `load` came without `model`")
        from tailmark_worker.loading import refuse_a_folder_without_weights

        refuse_a_folder_without_weights(model.folder)

        started = time.perf_counter_ns()
        # The library under torch's profiler writes a line at its every start and stop into the log.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        try:
            import numpy
            import torch
            import transformers

            from tailmark_worker import head, loading, pooling, tokenizer, torch_arithmetic, torch_profile
            from tailmark_worker.model_folder import readable
        except ImportError as error:
            raise NotAvailableError("`python-torch`", f"{error}; it needs the extra `torch`") from error
        with readable(model.folder) as folder:
            _import_model_code(transformers, folder)
        imported = time.perf_counter_ns()

        self._torch = torch
        self._pooling = pooling
        if self._warnings is None:
            # From here on and not in `prove`: the warning comes with the first operator that falls back,
            # which may be one of the load or of the first text.
            self._warnings = torch_profile.FallbackWarnings()
            self._warnings.listen()
        self._device = choose_device(torch, asked)
        torch.set_num_threads(threads)
        transformers.logging.disable_progress_bar()
        self._tokenizer = tokenizer.Tokenizer(model)
        loaded = loading.load_transformer(model.folder, dtype=dtype, trust_remote_code=trusted)
        try:
            self._model = loaded.to(self._device).eval()
        except Exception as error:  # whatever the library raises, the model is not there
            raise LoadError(f"{type(error).__name__}: {error}") from error
        self._takes_token_types = loading.takes_token_types(self._model)
        try:
            self._head = head.Head(
                model.recipe,
                loading.token_dimensions(self._model),
                torch_arithmetic.TorchArithmetic(torch),
                model.folder,
                prompt_tokens=self._tokenizer.prompt_tokens,
            )
        except RecipeError as error:
            raise LoadError(f"its recipe cannot be followed: {error}") from error
        self._synchronize()
        finished = time.perf_counter_ns()

        parameter = next(self._model.parameters())
        return Loaded(
            dimensions=self._head.dimensions,
            runs=Runs(
                engine="torch",
                engine_version=str(torch.__version__),
                device=str(parameter.device.type),
                dtype=torch_profile.dtype_name(parameter.dtype),
                threads=int(torch.get_num_threads()),
                versions={
                    "numpy": numpy.__version__,
                    "python": platform.python_version(),
                    "tokenizers": tokenizer.VERSION,
                    "torch": str(torch.__version__),
                    "transformers": str(transformers.__version__),
                },
            ),
            import_ns=imported - started,
            load_ns=finished - imported,
        )

    def embed(self, texts: Sequence[str], *, normalize: bool) -> Embeddings:
        """Tokenize, run the model, pool on the device, bring the vectors back."""
        torch = self._torch
        started = time.perf_counter_ns()
        batch = self._tokenizer.encode(texts)
        tokenized = time.perf_counter_ns()
        try:
            with torch.inference_mode():
                inputs = self._inputs(batch)
                hidden = self._run(inputs)
                inferred = time.perf_counter_ns()
                vectors = self._head.apply(hidden, inputs["attention_mask"], normalize=normalize)
                rows = self._pooling.to_bytes(vectors.cpu().numpy())
        except Exception as error:  # torch raises RuntimeError, and more on some devices
            raise EmbedError(f"{type(error).__name__}: {error}") from error
        pooled = time.perf_counter_ns()
        return Embeddings(
            vectors=rows,
            token_counts=batch.token_counts,
            truncated=batch.truncated,
            tokenize_ns=tokenized - started,
            infer_ns=inferred - tokenized,
            pool_ns=pooled - inferred,
        )

    def prove(self, texts: Sequence[str], *, runs: int) -> Evidence:
        """Watch the model through torch's dispatcher for one run and through its profiler for ``runs``."""
        from tailmark_worker import torch_profile

        torch = self._torch
        timed = self._device in TIMED
        try:
            inputs = self._inputs(self._tokenizer.encode(texts))
            outputs: list[Any] = []
            calls = torch_profile.dispatched(torch, lambda: outputs.append(self._run(inputs)))
            events = torch_profile.profiled(
                torch, lambda: self._run(inputs), runs=runs, cuda=self._device == "cuda"
            )
        except Exception as error:  # torch raises RuntimeError, and more on some devices
            raise EmbedError(f"while being profiled: {type(error).__name__}: {error}") from error
        hidden = outputs[0]
        moved = torch_profile.fell_back(events, self._warnings.operators)
        on_mps = self._device == "mps"
        return Evidence(
            source="torch's profiler and dispatcher",
            runs=runs,
            asked=self._device,
            kernels=torch_profile.kernels_of(calls, events, moved, runs=runs, timed=timed),
            weights=torch_profile.weights_of(
                (part.device.type, torch_profile.dtype_name(part.dtype), part.numel())
                for part in self._model.parameters()
            ),
            output=Output(hidden.device.type, torch_profile.dtype_name(hidden.dtype)),
            attention=getattr(self._model.config, "_attn_implementation", None),
            cpu_fallback=os.environ.get("PYTORCH_ENABLE_MPS_FALLBACK") == "1" if on_mps else None,
            fell_back=moved,
            notes=[] if timed else [f"torch's profiler records no times on {self._device}"],
        )

    def _inputs(self, batch: Any) -> dict[str, Any]:
        """A batch of token ids as the model takes it, on its device."""
        inputs = {
            "input_ids": self._torch.from_numpy(batch.input_ids).to(self._device),
            "attention_mask": self._torch.from_numpy(batch.attention_mask).to(self._device),
        }
        if self._takes_token_types:
            inputs["token_type_ids"] = self._torch.from_numpy(batch.token_type_ids).to(self._device)
        return inputs

    def _run(self, inputs: Mapping[str, Any]) -> Any:
        """The last hidden state, once it is there."""
        hidden = self._model(**inputs).last_hidden_state
        # A GPU works on after the call returned: without this the wait would be booked under pooling.
        self._synchronize()
        return hidden

    def _synchronize(self) -> None:
        if self._device == "mps":
            self._torch.mps.synchronize()
        elif self._device == "cuda":
            self._torch.cuda.synchronize()


def _import_model_code(transformers: Any, folder: Path) -> None:
    """Import the module that defines the model, unless the model brings it.

    The library puts that off until the weights are loaded, and it takes far longer than they do: without
    this, seconds of importing would be reported as loading.
    """
    from tailmark_worker.loading import custom_code, is_native, loader

    if custom_code(folder) and not is_native(transformers, folder):
        return
    try:
        config = transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True)
        if loader(transformers, folder) is transformers.AutoModel:
            transformers.MODEL_MAPPING[type(config)]
    except Exception as error:  # whatever the library raises, there is no model
        raise LoadError(f"{type(error).__name__}: {error}") from error


def choose_device(torch: Any, asked: str) -> str:
    """The device to run on; `auto` takes the first of mps, cuda and cpu that torch can use.

    Raises:
        NotAvailableError: with torch's own reason, when the device that was asked for cannot be used.
    """
    faults: dict[str, Callable[[Any], str | None]] = {
        "mps": _mps_fault,
        "cuda": _cuda_fault,
        "cpu": lambda _: None,
    }
    if asked == "auto":
        return next(device for device, fault in faults.items() if fault(torch) is None)
    reason = faults[asked](torch)
    if reason is not None:
        raise NotAvailableError(f"device `{asked}`", reason)
    return asked


def _mps_fault(torch: Any) -> str | None:
    if not torch.backends.mps.is_built():
        return f"torch {torch.__version__} was built without MPS (torch.backends.mps.is_built() is False)"
    if not torch.backends.mps.is_available():
        return "torch was built with MPS, but torch.backends.mps.is_available() is False: no usable Apple GPU"
    return _allocation_fault(torch, "mps")


def _cuda_fault(torch: Any) -> str | None:
    if not torch.backends.cuda.is_built():
        return f"torch {torch.__version__} was built without CUDA (torch.backends.cuda.is_built() is False)"
    if not torch.cuda.is_available():
        return "torch was built with CUDA, but torch.cuda.is_available() is False: no usable GPU or driver"
    return _allocation_fault(torch, "cuda")


def _allocation_fault(torch: Any, device: str) -> str | None:
    """Virtual machines report a GPU as available whose first allocation fails: only trying tells."""
    try:
        torch.zeros(1, device=device)
    except RuntimeError as error:
        return f"torch says that it is available, but a first allocation on it failed: {error}"
    return None

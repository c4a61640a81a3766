"""The kind `python-onnx`: `model.onnx` in onnxruntime, on the execution provider asked for or not at all."""

import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tailmark_worker.backend import (
    Embeddings,
    EmbedError,
    Loaded,
    LoadError,
    ModelFileError,
    ModelFolder,
    NotAvailableError,
    OptionError,
    Options,
    Runs,
)
from tailmark_worker.options import OptionReader

OPTIMISATION = {
    "disable": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
"""Our names of the levels, and onnxruntime's."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
ELEMENT_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}
LARGEST_THREADS = 1024
EXPORT_HINT = "; `python -m tailmark_worker export` makes it from model.safetensors"
SUFFIX = "ExecutionProvider"


class OnnxBackend:
    """One session."""

    def __init__(self) -> None:
        """Nothing is imported or loaded before ``load``."""
        self._numpy: Any = None
        self._pooling: Any = None
        self._session: Any = None
        self._tokeniser: Any = None
        self._inputs: tuple[str, ...] = ()
        self._output = ""

    def load(self, model: ModelFolder | None, options: Options) -> Loaded:
        """Read the options, import onnxruntime, open the session, and look at what it really runs on."""
        reader = OptionReader(options)
        asked = reader.name("execution_provider", "cpu")
        threads = reader.count("threads", 1, LARGEST_THREADS)
        level = reader.choice("graph_optimisation", "all", tuple(OPTIMISATION))
        provider_options = reader.strings("provider_options")
        reader.finish()
        if model is None:
            raise LoadError("`python-onnx` needs a model; `load` came without `model`")
        graph = model.file("model.onnx", EXPORT_HINT)

        started = time.perf_counter_ns()
        try:
            import numpy
            import onnxruntime

            from tailmark_worker import pooling, tokenise
        except ImportError as error:
            raise NotAvailableError("`python-onnx`", str(error)) from error
        imported = time.perf_counter_ns()

        self._numpy = numpy
        self._pooling = pooling
        known, available = onnxruntime.get_all_providers(), onnxruntime.get_available_providers()
        provider = find_provider(asked, known, available)
        self._tokeniser = tokenise.Tokeniser(model)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, OPTIMISATION[level])
        cpu = "CPUExecutionProvider"
        providers: list[tuple[str, Mapping[str, str]]] = [(provider, provider_options)]
        if provider != cpu:
            providers.append((cpu, {}))  # for the nodes the provider does not take
        try:
            # Without `enable_fallback=0` a provider that fails to start is quietly replaced by the CPU.
            self._session = onnxruntime.InferenceSession(
                str(graph), sess_options=settings, providers=providers, enable_fallback=0
            )
        except Exception as error:  # onnxruntime's exceptions have no common base
            weights = model.folder / "model.onnx_data"
            if weights.name in str(error) and not weights.is_file():
                raise ModelFileError(
                    weights, "the graph takes its weights from it; link model.safetensors to that name"
                ) from error
            raise LoadError(f"on execution provider `{asked}`: {error}") from error
        running = self._session.get_providers()[0]
        if running != provider:
            raise NotAvailableError(
                f"execution provider `{asked}`",
                f"onnxruntime accepted it and made the session on {running} instead",
            )
        self._inputs = self._known_inputs()
        output = self._token_vectors()
        self._output = output.name
        dimensions = output.shape[-1]
        if not isinstance(dimensions, int):
            raise LoadError(f"output `{output.name}` has no fixed number of dimensions: {output.shape}")
        finished = time.perf_counter_ns()

        version = str(onnxruntime.__version__)
        return Loaded(
            dimensions=dimensions,
            runs=Runs(
                engine="onnxruntime",
                engine_version=version,
                device=short_name(running),
                execution_provider=running,
                threads=int(self._session.get_session_options().intra_op_num_threads),
                dtype=ELEMENT_TYPES.get(output.type, output.type),
                versions={
                    "numpy": numpy.__version__,
                    "onnxruntime": version,
                    "python": platform.python_version(),
                    "tokenizers": tokenise.VERSION,
                },
            ),
            import_ns=imported - started,
            load_ns=finished - imported,
        )

    def embed(self, texts: Sequence[str], *, normalize: bool) -> Embeddings:
        """Tokenise, run the session, pool in numpy."""
        started = time.perf_counter_ns()
        batch = self._tokeniser.encode(texts)
        inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        if "token_type_ids" in self._inputs:
            inputs["token_type_ids"] = self._numpy.zeros_like(batch.input_ids)
        tokenised = time.perf_counter_ns()
        try:
            hidden = self._session.run([self._output], inputs)[0]
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise EmbedError(str(error)) from error
        inferred = time.perf_counter_ns()
        vectors = self._pooling.mean_pool(hidden.astype("float32", copy=False), batch.attention_mask)
        if normalize:
            vectors = self._pooling.scale_to_unit(vectors)
        rows = self._pooling.to_bytes(vectors)
        pooled = time.perf_counter_ns()
        return Embeddings(
            vectors=rows,
            token_counts=batch.token_counts,
            truncated=batch.truncated,
            tokenize_ns=tokenised - started,
            infer_ns=inferred - tokenised,
            pool_ns=pooled - inferred,
        )

    def _known_inputs(self) -> tuple[str, ...]:
        names = tuple(put.name for put in self._session.get_inputs())
        unknown = [name for name in names if name not in INPUTS]
        if unknown or not set(INPUTS[:2]) <= set(names):
            raise LoadError(f"the graph takes {', '.join(names)}; expected are {', '.join(INPUTS)}")
        return names

    def _token_vectors(self) -> Any:
        """The output that is one vector per token; a graph may also have pooled ones."""
        outputs = self._session.get_outputs()
        candidates = [put for put in outputs if len(put.shape) == 3]
        named = [put for put in candidates if put.name == "last_hidden_state"]
        if not candidates:
            names = ", ".join(f"{put.name} {put.shape}" for put in outputs)
            raise LoadError(f"the graph has no output of shape [batch, sequence, dimensions]; it has {names}")
        return (named or candidates)[0]


def short_name(provider: str) -> str:
    """The name in an option for onnxruntime's own: `coreml` for `CoreMLExecutionProvider`."""
    return provider.removesuffix(SUFFIX).lower()


def find_provider(asked: str, known: Sequence[str], available: Sequence[str]) -> str:
    """Onnxruntime's name of an execution provider, by its short name.

    Raises:
        OptionError: onnxruntime knows no provider of that name.
        NotAvailableError: it knows it, and this build does not have it.
    """
    by_short_name = {short_name(name): name for name in known}
    provider = by_short_name.get(asked)
    if provider is None:
        names = ", ".join(sorted(by_short_name))
        raise OptionError("execution_provider", f'found "{asked}", expected one of: {names}')
    if provider not in available:
        names = ", ".join(sorted(short_name(name) for name in available))
        raise NotAvailableError(
            f"execution provider `{asked}`", f"this build of onnxruntime has no {provider}; it has: {names}"
        )
    return provider

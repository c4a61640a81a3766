"""The kind `python-onnx`: a graph in onnxruntime, on the execution provider asked for or not at all."""

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
from tailmark_worker.evidence import Evidence, Kernel, Ungrouped
from tailmark_worker.onnx_session import BATCH, CPU_PROVIDER, OPTIMISATION, TOKENS, Recipe
from tailmark_worker.options import OptionReader
from tailmark_worker.recipe import RecipeError

LARGEST_THREADS = 1024
GRAPH = "model.onnx"
EXPORT_HINT = "; `python -m tailmark_worker export` makes it from model.safetensors"
DERIVED_HINT = "; `tailmark model optimize` and `tailmark model quantize` make graphs from model.onnx"
SUFFIX = "ExecutionProvider"


@dataclass(frozen=True, slots=True)
class Feed:
    """What one call of a session takes, and which of its rows are texts."""

    shape: tuple[int, int] | None
    """The bucket, or None for the session that takes any shape."""
    inputs: Mapping[str, Any]
    mask: Any
    """1 for a token, 0 for padding."""
    texts: int


class OnnxBackend:
    """One session for any shape, or one for each bucket of fixed shapes."""

    def __init__(self) -> None:
        """Nothing is imported or loaded before ``load``."""
        self._numpy: Any = None
        self._pool: Any = None
        self._shapes: Any = None
        self._tokenizer: Any = None
        self._recipe: Any = None
        self._sessions: dict[tuple[int, int] | None, Any] = {}
        self._head: Any = None
        self._puts: Any = None

    def load(self, model: ModelFolder | None, options: Options) -> Loaded:
        """Read the options, import onnxruntime, open the sessions, and look at what they really run on."""
        reader = OptionReader(options)
        asked = reader.name("execution_provider", "cpu")
        threads = reader.count("threads", 1, LARGEST_THREADS)
        level = reader.choice("graph_optimization", "all", tuple(OPTIMISATION))
        provider_options = reader.strings("provider_options")
        graph_name = reader.file_name("graph", GRAPH)
        buckets = reader.pairs("static_shapes")
        reader.finish()
        if model is None:
            raise LoadError("`python-onnx` needs a model; `load` came without `model`")
        check_buckets(buckets, model.recipe.max_tokens)
        graph = model.file(graph_name, EXPORT_HINT if graph_name == GRAPH else DERIVED_HINT)

        started = time.perf_counter_ns()
        try:
            import numpy
            import onnxruntime

            from tailmark_worker import graph_roles, head, pooling, static_shapes, tokenizer
        except ImportError as error:
            raise NotAvailableError("`python-onnx`", str(error)) from error
        imported = time.perf_counter_ns()

        self._numpy = numpy
        self._pool = pooling
        self._shapes = static_shapes
        known, available = onnxruntime.get_all_providers(), onnxruntime.get_available_providers()
        provider = find_provider(asked, known, available)
        self._tokenizer = tokenizer.Tokenizer(model)
        self._recipe = Recipe(onnxruntime, graph, provider, provider_options, threads, level)
        shapes: list[tuple[int, int] | None] = [static_shapes.Shape(*bucket) for bucket in buckets]
        self._sessions = {shape: self._open(asked, shape) for shape in shapes or [None]}
        session = next(iter(self._sessions.values()))
        running = session.get_providers()[0]
        self._puts = graph_roles.of_session(session, model.recipe, fixed=bool(buckets))
        output = self._puts.output
        if output.dimensions is None:
            raise LoadError(f"the graph's output `{output.name}` does not declare the length of a vector")
        try:
            if output.kind == "text":
                self._head = head.Head.of_texts(model.recipe, output.dimensions, pooling)
            else:
                self._head = head.Head(
                    model.recipe,
                    output.dimensions,
                    pooling,
                    model.folder,
                    prompt_tokens=self._tokenizer.prompt_tokens,
                )
        except RecipeError as error:
            raise LoadError(f"its recipe cannot be followed: {error}") from error
        finished = time.perf_counter_ns()

        version = str(onnxruntime.__version__)
        return Loaded(
            dimensions=self._head.dimensions,
            runs=Runs(
                engine="onnxruntime",
                engine_version=version,
                device=short_name(running),
                execution_provider=running,
                threads=int(session.get_session_options().intra_op_num_threads),
                dtype=output.element,
                versions={
                    "numpy": numpy.__version__,
                    "onnxruntime": version,
                    "python": platform.python_version(),
                    "tokenizers": tokenizer.VERSION,
                },
            ),
            import_ns=imported - started,
            load_ns=finished - imported,
        )

    def embed(self, texts: Sequence[str], *, normalize: bool) -> Embeddings:
        """Tokenize, run the session of each piece, pool in numpy."""
        started = time.perf_counter_ns()
        batch = self._tokenizer.encode(texts)
        feeds = self._feeds(batch)
        tokenized = time.perf_counter_ns()
        try:
            hidden = [self._run(feed) for feed in feeds]
        except EmbedError:
            raise
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise EmbedError(str(error)) from error
        inferred = time.perf_counter_ns()
        parts = [
            self._head.apply(
                tokens[: feed.texts],
                feed.mask[: feed.texts],
                normalize=normalize,
            )
            for tokens, feed in zip(hidden, feeds, strict=True)
        ]
        vectors = parts[0] if len(parts) == 1 else self._numpy.concatenate(parts)
        rows = self._pool.to_bytes(vectors)
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
        """Profile sessions that are made for it, with the settings of those that serve."""
        feeds = self._feeds(self._tokenizer.encode(texts))
        try:
            kernels, recorded = self._profiled(self._recipe, feeds, runs)
            ungrouped = None
            if self._recipe.provider != CPU_PROVIDER:
                plain = self._recipe.ungrouped()
                ungrouped = Ungrouped(
                    asked=self._profiled(plain, feeds, runs)[0],
                    cpu=self._profiled(plain.on_cpu(), feeds, runs)[0],
                )
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise EmbedError(f"while being profiled: {error}") from error
        return Evidence(
            source="ONNX Runtime's profile",
            runs=recorded,
            asked=self._recipe.provider,
            kernels=kernels,
            ungrouped=ungrouped,
            notes=self._notes(feeds, recorded, runs),
        )

    def _open(self, asked: str, shape: tuple[int, int] | None) -> Any:
        recipe = self._recipe
        try:
            session = recipe.open(shape)
        except Exception as error:  # onnxruntime's exceptions have no common base
            weights = recipe.graph.parent / "model.onnx_data"
            if weights.name in str(error) and not weights.is_file():
                raise ModelFileError(
                    weights, "the graph takes its weights from it; link model.safetensors to that name"
                ) from error
            raise LoadError(f"on execution provider `{asked}`: {error}") from error
        running = session.get_providers()[0]
        if running != recipe.provider:
            raise NotAvailableError(
                f"execution provider `{asked}`",
                f"onnxruntime accepted it and made the session on {running} instead",
            )
        unfixed = [
            put
            for put in session.get_inputs()
            if shape and len(put.shape) == len(shape) and put.shape != list(shape)
        ]
        if unfixed:
            raise LoadError(
                f"input `{unfixed[0].name}` has the shape {unfixed[0].shape} and could not be fixed to "
                f"{list(shape or ())}: its dimensions must be named `{BATCH}` and `{TOKENS}`"
            )
        return session

    def _run(self, feed: Feed) -> Any:
        """The output of a session; of texts without any tokens it is zero, and nothing is run."""
        output = self._puts.output
        if not feed.mask.any():
            shape = feed.mask.shape if output.kind == "tokens" else feed.mask.shape[:1]
            return self._numpy.zeros((*shape, output.dimensions), dtype="float32")
        return self._sessions[feed.shape].run([output.name], feed.inputs)[0]

    def _feeds(self, batch: Any) -> list[Feed]:
        """The calls that a batch takes: one, or with buckets one for each piece."""
        if None in self._sessions:
            rows = (batch.input_ids, batch.attention_mask, batch.token_type_ids)
            return [self._feed(None, rows, len(batch.token_counts))]
        shapes = self._shapes
        cut = shapes.pieces(batch.token_counts, list(self._sessions))
        feeds = []
        for piece in cut:
            rows = (
                shapes.padded(batch.input_ids, piece, self._tokenizer.padding_id),
                shapes.padded_mask(batch.attention_mask, piece),
                shapes.padded(batch.token_type_ids, piece, 0),
            )
            feeds.append(self._feed(piece.shape, rows, piece.texts))
        return feeds

    def _feed(self, shape: tuple[int, int] | None, rows: tuple[Any, Any, Any], texts: int) -> Feed:
        return Feed(shape, self._puts.values(*rows), rows[1], texts)

    def _profiled(self, recipe: Recipe, feeds: Sequence[Feed], runs: int) -> tuple[Sequence[Kernel], int]:
        """The kernels over all calls of the recorded runs, and how many runs were recorded."""
        # What only a probe needs is not imported at every cold start.
        from tailmark_worker import onnx_profile

        parts, recorded = [], runs
        for shape in dict.fromkeys(feed.shape for feed in feeds):
            inputs = [feed.inputs for feed in feeds if feed.shape == shape]
            part = onnx_profile.record(partial(recipe.open, shape), self._puts.output.name, inputs, runs)
            parts.append(part)
            recorded = min(recorded, part.calls // len(inputs))
        return onnx_profile.united(parts), recorded

    def _notes(self, feeds: Sequence[Feed], recorded: int, runs: int) -> list[str]:
        notes = []
        if recorded < runs:
            notes.append(f"the profile holds {recorded} of {runs} runs: it ends when it is full")
        if None not in self._sessions:
            ran = ", ".join(str(list(feed.shape or ())) for feed in feeds)
            made = ", ".join(str(list(shape or ())) for shape in self._sessions)
            notes.append(f"static shapes {made} (batch, tokens); the probe ran in {ran}")
        return notes


def check_buckets(buckets: Sequence[tuple[int, int]], max_tokens: int) -> None:
    """Refuse buckets that leave the longest texts without one.

    Raises:
        OptionError: there are buckets, and none holds ``max_tokens`` tokens.
    """
    longest = max((tokens for _, tokens in buckets), default=max_tokens)
    if longest < max_tokens:
        raise OptionError(
            "static_shapes",
            f"the longest bucket holds {longest} tokens, and texts are cut to max_tokens = {max_tokens}: "
            f"expected a bucket of at least {max_tokens} tokens",
        )


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

"""The kind `null`: answers `[1, 0, 0, ...]` at once, to measure the wire and the harness. Needs no model."""

import struct
from collections.abc import Sequence

from tailmark_worker import __version__
from tailmark_worker.backend import Embeddings, Loaded, ModelFolder, Options, Runs
from tailmark_worker.evidence import Evidence
from tailmark_worker.options import OptionReader

LARGEST_DIMENSIONS = 65_536


class NullBackend:
    """The same unit vector for every text."""

    def __init__(self) -> None:
        """Nothing is known of the vectors before ``load``."""
        self._vector = b""

    def load(self, model: ModelFolder | None, options: Options) -> Loaded:  # noqa: ARG002  it needs no model
        """Take the number of dimensions; there is nothing to load."""
        reader = OptionReader(options)
        dimensions = reader.count("dimensions", 384, LARGEST_DIMENSIONS)
        reader.finish()
        self._vector = struct.pack("<f", 1.0) + bytes(4 * (dimensions - 1))
        runs = Runs(engine="null", engine_version=__version__, device="cpu", dtype="float32")
        return Loaded(dimensions, runs, import_ns=0, load_ns=0)

    def embed(self, texts: Sequence[str], *, normalize: bool) -> Embeddings:  # noqa: ARG002  its length is one
        """One vector for each text, with no tokens and no stages."""
        return Embeddings([self._vector] * len(texts), [0] * len(texts), truncated=0)

    def prove(self, texts: Sequence[str], *, runs: int) -> Evidence:  # noqa: ARG002  there is nothing to run
        """No model, so nothing that could have run in another place than was asked for."""
        return Evidence(source="it answers without a model")

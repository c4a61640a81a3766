"""How a session of onnxruntime is made: those that serve and those that are profiled, with the same settings.

Knows no option by its name in a scenario, and not what sessions are for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CPU_PROVIDER = "CPUExecutionProvider"

OPTIMISATION = {
    "disable": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
"""Our names of the levels, weakest first, and onnxruntime's."""

BATCH, TOKENS = "batch", "sequence"
"""The names that our export gives to the two dimensions of the inputs."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides how a session runs."""

    onnxruntime: Any
    graph: Path
    provider: str
    provider_options: Mapping[str, str]
    threads: int
    level: str

    def open(self, shape: tuple[int, int] | None = None, profile: str | None = None) -> Any:
        """A session; with ``shape`` its inputs are [batch, tokens], with ``profile`` it is profiled.

        ``profile`` is the prefix of the file that the profile is written to.
        """
        settings = self.onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self.threads
        settings.inter_op_num_threads = 1
        levels = self.onnxruntime.GraphOptimizationLevel
        settings.graph_optimization_level = getattr(levels, OPTIMISATION[self.level])
        if shape is not None:
            settings.add_free_dimension_override_by_name(BATCH, shape[0])
            settings.add_free_dimension_override_by_name(TOKENS, shape[1])
        if profile is not None:
            settings.enable_profiling = True
            settings.profile_file_prefix = profile
        providers: list[tuple[str, Mapping[str, str]]] = [(self.provider, self.provider_options)]
        if self.provider != CPU_PROVIDER:
            providers.append((CPU_PROVIDER, {}))  # for the nodes the provider does not take
        # Without `enable_fallback=0` a provider that fails to start is quietly replaced by the CPU.
        return self.onnxruntime.InferenceSession(
            str(self.graph), sess_options=settings, providers=providers, enable_fallback=0
        )

    def ungrouped(self) -> "Recipe":
        """The same with no more rewriting than happens before nodes are offered to providers."""
        levels = tuple(OPTIMISATION)
        return replace(self, level=min(self.level, "basic", key=levels.index))

    def on_cpu(self) -> "Recipe":
        """The same on the CPU alone."""
        return replace(self, provider=CPU_PROVIDER, provider_options={})

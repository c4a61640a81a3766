"""What torch's profiler, dispatcher and warnings say, reduced: on the CPU for real, on GPUs from plain lists.

The lists for MPS are composed after what torch's fallback does (an operator that the GPU lacks has a child
`aten::_to_cpu`, and is named in a warning once per process); they were not recorded on a Mac.
"""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import MakeModel, model_in

from tailmark_worker.evidence import Kernel, Output, Weights
from tailmark_worker.python_torch import TorchBackend
from tailmark_worker.torch_profile import (
    Call,
    Event,
    FallbackWarnings,
    fell_back,
    kernels_of,
    named_in,
    plain_events,
    weights_of,
)

WARNING = (
    "The operator 'aten::cumsum.out' is not currently supported on the MPS backend and will fall back to run "
    "on the CPU. This may have performance implications. (Triggered internally at MPSFallback.mm:14.)"
)

ON_MPS = [
    Event("aten::embedding", None, 900, 0),
    Event("aten::linear", None, 800, 0),
    Event("aten::addmm", 1, 700, 0),
    Event("aten::_unique2", None, 5_000, 0),
    Event("aten::_to_cpu", 3, 2_000, 0),
    Event("aten::_unique2", 3, 2_500, 0),
]
DISPATCHED_ON_MPS = [
    Call("aten::embedding", "mps"),
    Call("aten::addmm", "mps"),
    Call("aten::addmm", "mps"),
    Call("aten::_unique2", "mps"),
    Call("aten::_local_scalar_dense", "cpu"),
]


def test_operators_that_fell_back_are_found_by_what_happened_in_them_and_by_the_warning() -> None:
    assert fell_back(ON_MPS, []) == ["aten::_unique2"]
    assert fell_back(ON_MPS, named_in([WARNING])) == ["aten::_unique2", "aten::cumsum"]
    assert fell_back(ON_MPS[:3], named_in(["CUDA is not available"])) == []


def test_an_operator_that_fell_back_ran_on_the_cpu_though_its_result_is_on_the_gpu() -> None:
    assert kernels_of(DISPATCHED_ON_MPS, ON_MPS, ["aten::_unique2"], runs=3, timed=False) == [
        Kernel("aten::embedding", "aten::embedding", "mps", calls=3),
        Kernel("aten::addmm", "aten::addmm", "mps", calls=6),
        Kernel("aten::_unique2", "aten::_unique2", "cpu", calls=3),
        Kernel("aten::_local_scalar_dense", "aten::_local_scalar_dense", "cpu", calls=3),
    ]


def test_what_an_operator_called_is_in_its_time_and_is_counted_once() -> None:
    calls = [Call("aten::addmm", "cpu"), Call("aten::_to_copy", "cpu"), Call("aten::copy_", "cpu")]
    events = [
        Event("aten::linear", None, 1_000, 0),
        Event("aten::addmm", 0, 900, 0),
        Event("aten::copy_", 1, 300, 0),
        Event("aten::_to_copy", None, 50, 0),
        Event("aten::copy_", 3, 20, 0),
        Event("aten::copy_", None, 7, 0),
    ]
    assert kernels_of(calls, events, [], runs=1, timed=True) == [
        Kernel("aten::addmm", "aten::addmm", "cpu", calls=1, ns=900),
        Kernel("aten::_to_copy", "aten::_to_copy", "cpu", calls=1, ns=50),
        Kernel("aten::copy_", "aten::copy_", "cpu", calls=1, ns=7),
    ]


def test_on_cuda_an_operator_took_as_long_as_the_gpu_worked() -> None:
    calls = [Call("aten::addmm", "cuda"), Call("aten::add", "cuda"), Call("aten::add", "cpu")]
    calls.append(Call("aten::_local_scalar_dense", "cpu"))
    events = [
        Event("aten::addmm", None, 900, 5_000),
        Event("aten::add", None, 30, 400),
        Event("aten::add", None, 20, 0),
        Event("aten::_local_scalar_dense", None, 6_000, 2),
    ]
    assert kernels_of(calls, events, [], runs=1, timed=True) == [
        Kernel("aten::addmm", "aten::addmm", "cuda", calls=1, ns=5_000),
        # The profiler cannot say which of the two calls took how long.
        Kernel("aten::add", "aten::add", "cuda", calls=1),
        Kernel("aten::add", "aten::add", "cpu", calls=1),
        Kernel("aten::_local_scalar_dense", "aten::_local_scalar_dense", "cpu", calls=1, ns=6_000),
    ]


def profiler_event(number: int, name: str, around: Any, start: int, end: int, where: str = "CPU") -> Any:
    return SimpleNamespace(
        id=number,
        name=name,
        cpu_parent=around,
        time_range=SimpleNamespace(start=start, end=end),
        device_type=SimpleNamespace(name=where),
        cpu_time_total=float(end - start),
        device_time_total=0.5,
    )


def test_events_come_after_those_they_happened_in_and_without_what_is_no_operator() -> None:
    outer = profiler_event(7, "aten::linear", None, 10, 30)
    marker = profiler_event(8, "a marker", outer, 11, 29)
    inner = profiler_event(9, "aten::addmm", marker, 12, 28)
    on_gpu = profiler_event(10, "aten::addmm", None, 15, 20, where="CUDA")
    assert plain_events([inner, on_gpu, marker, outer]) == [
        Event("aten::linear", None, 20_000, 500),
        Event("aten::addmm", 0, 16_000, 500),
    ]


def test_weights_are_grouped_by_device_and_element_type() -> None:
    parameters = [("mps", "float16", 6), ("cpu", "float32", 2), ("mps", "float16", 4), ("mps", "float32", 1)]
    assert weights_of(parameters) == [
        Weights("cpu", "float32", tensors=1, numbers=2),
        Weights("mps", "float16", tensors=2, numbers=10),
        Weights("mps", "float32", tensors=1, numbers=1),
    ]


def test_the_one_warning_is_kept_even_where_warnings_are_hidden_and_all_go_on_to_the_log() -> None:
    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.showwarning = lambda message, *_, **__: shown.append(str(message))
        heard = FallbackWarnings()
        heard.listen()
        warnings.warn(WARNING, stacklevel=1)
        warnings.warn("something else, which is hidden", stacklevel=1)
        warnings.simplefilter("always")
        warnings.warn("something else", stacklevel=1)
    assert heard.operators == ["aten::cumsum"]
    assert shown == [WARNING, "something else"]


@pytest.fixture(autouse=True)
def warnings_as_they_were() -> Any:
    with warnings.catch_warnings():
        yield


def loaded(folder: Path, **options: object) -> TorchBackend:
    backend = TorchBackend()
    backend.load(model_in(folder, 16), {"device": "cpu", **options})
    return backend


def test_on_the_cpu_every_operator_is_there_and_has_its_time(tiny_model: MakeModel) -> None:
    evidence = loaded(tiny_model()).prove(["a man is eating food", "yes"], runs=4)
    assert (evidence.source, evidence.runs, evidence.asked) == ("torch's profiler and dispatcher", 4, "cpu")
    kernels = {kernel.op: kernel for kernel in evidence.kernels}
    assert {kernel.on for kernel in evidence.kernels} == {"cpu"}
    # Two layers of six linear maps, and the pooler's, whose result nobody reads.
    assert kernels["aten::addmm"].calls == 4 * (2 * 6 + 1)
    assert (kernels["aten::addmm"].ns or 0) > 0
    assert all(kernel.ns is not None for kernel in evidence.kernels)
    assert evidence.output == Output("cpu", "float32")
    assert (evidence.cpu_fallback, evidence.fell_back, evidence.notes) == (None, [], [])
    assert evidence.ungrouped is None


def test_what_the_weights_are_and_how_attention_is_done_is_what_torch_says(tiny_model: MakeModel) -> None:
    import transformers

    folder = tiny_model()
    evidence = loaded(folder, dtype="bfloat16").prove(["yes"], runs=1)
    model = transformers.AutoModel.from_pretrained(folder)
    sizes = [part.numel() for part in model.parameters()]
    assert evidence.weights == [Weights("cpu", "bfloat16", tensors=len(sizes), numbers=sum(sizes))]
    assert evidence.output == Output("cpu", "bfloat16")
    assert evidence.attention == model.config._attn_implementation


def test_a_warning_of_an_earlier_text_is_still_known_when_it_is_asked_for(tiny_model: MakeModel) -> None:
    warnings.showwarning = lambda *_, **__: None
    backend = loaded(tiny_model())
    assert backend.prove(["yes"], runs=1).fell_back == []
    warnings.warn(WARNING, stacklevel=1)
    assert backend.prove(["yes"], runs=1).fell_back == ["aten::cumsum"]


def test_a_probe_leaves_no_profiler_and_no_dispatcher_behind(tiny_model: MakeModel) -> None:
    import torch
    from torch.utils._python_dispatch import _len_torch_dispatch_stack

    backend = loaded(tiny_model())
    before = backend.embed(["food"], normalize=True).vectors
    backend.prove(["food"], runs=1)
    assert not torch.autograd._profiler_enabled()
    assert _len_torch_dispatch_stack() == 0
    assert backend.embed(["food"], normalize=True).vectors == before

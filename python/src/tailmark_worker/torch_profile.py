"""Where torch ran each operator: profiler and dispatcher, reduced to one entry per operator and device.

The profiler knows times and not on which device a result lies; the dispatcher knows that and no times. The
reductions take plain lists, so that what Apple's GPU gives them can be tested anywhere.
"""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tailmark_worker.evidence import Kernel, Weights

TO_CPU = "aten::_to_cpu"
"""What torch's fallback calls inside an operator that the device lacks, to bring its inputs to the CPU."""

FALLBACK_WARNING = re.compile(
    r"The operator '([^']+)' is not currently supported on the MPS backend and will fall back to run on"
)
"""Torch's own words, given once per process for the first operator that falls back."""


@dataclass(frozen=True, slots=True)
class Call:
    """An operator as the dispatcher saw it, and the device that its result lies on."""

    op: str
    device: str


@dataclass(frozen=True, slots=True)
class Event:
    """An operator as the profiler saw it. Times are nanoseconds and include what it called."""

    op: str
    parent: int | None
    """Place in the list of the event that it happened in."""
    cpu_ns: int
    device_ns: int
    """What it took on a device other than the CPU."""


class FallbackWarnings:
    """Keeps the operators that torch warned about, whenever it did: it warns once in a process."""

    def __init__(self) -> None:
        """None seen, and not listening yet."""
        self.operators: list[str] = []

    def listen(self) -> None:
        """From now on look at each warning; all go on to the log as before."""
        shown: Callable[..., None] = warnings.showwarning

        def look(message: Warning | str, *details: Any, **more: Any) -> None:
            self.operators += named_in([str(message)])
            shown(message, *details, **more)

        # A filter that hides warnings, set by a library or by the environment, must not hide these from us.
        warnings.filterwarnings("always", message=r"The operator '.*' is not currently supported on the MPS")
        warnings.showwarning = look


def named_in(messages: Iterable[str]) -> list[str]:
    """The operators that torch said it moved to the CPU, without the name of the overload."""
    found = (FALLBACK_WARNING.search(message) for message in messages)
    return [_without_overload(match.group(1)) for match in found if match is not None]


def fell_back(events: Sequence[Event], warned: Iterable[str]) -> list[str]:
    """The operators that were moved to the CPU: by what happened in them, and by what torch said."""
    moved = {events[event.parent].op for event in events if event.op == TO_CPU and event.parent is not None}
    return sorted(moved | set(warned))


def kernels_of(
    calls: Sequence[Call], events: Sequence[Event], moved: Iterable[str], *, runs: int, timed: bool
) -> list[Kernel]:
    """One kernel per operator and device.

    ``calls`` are those of one run, ``events`` those of all ``runs``. An operator that was ``moved`` ran on
    the CPU, although its result was brought back to the device. Times are left out unless ``timed``, and for
    an operator that ran on several devices: the profiler does not tell its calls apart.
    """
    on_cpu = set(moved)
    counted = Counter((call.op, "cpu" if call.op in on_cpu else call.device) for call in calls)
    places = Counter(op for op, _ in counted)
    cpu_ns, device_ns = _outermost_times(events, set(places))
    return [
        Kernel(
            name=op,
            op=op,
            on=device,
            calls=count * runs,
            ns=(cpu_ns if device == "cpu" else device_ns)[op] if timed and places[op] == 1 else None,
        )
        for (op, device), count in counted.items()
    ]


def _outermost_times(events: Sequence[Event], ops: set[str]) -> tuple[Counter[str], Counter[str]]:
    """The times of the operators that the dispatcher saw, on the CPU and on the device.

    What such an operator called is in its time. It is not counted again where it has a name of the list, too.
    """
    cpu_ns: Counter[str] = Counter()
    device_ns: Counter[str] = Counter()
    inside: list[bool] = []
    """Whether an event, or one around it, is of the list. Events come after those they happened in."""
    for event in events:
        within = event.parent is not None and inside[event.parent]
        inside.append(within or event.op in ops)
        if event.op in ops and not within:
            cpu_ns[event.op] += event.cpu_ns
            device_ns[event.op] += event.device_ns
    return cpu_ns, device_ns


def dispatched(torch: Any, run: Callable[[], object]) -> list[Call]:
    """The operators of one run, as torch's dispatcher hands them to kernels."""
    from torch.utils._python_dispatch import TorchDispatchMode

    calls: list[Call] = []

    class Notes(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = operator(*args, **(kwargs or {}))
            place = _place(torch, result) or _place(torch, args) or "cpu"
            calls.append(Call(_without_overload(operator.name()), place))
            return result

    # Not inference mode, in which the dispatcher shows what the model called (`linear`) and not what that is
    # made of (`addmm`), and so hides on which device the parts ran.
    with torch.no_grad(), Notes():
        run()
    return calls


def profiled(torch: Any, run: Callable[[], object], *, runs: int, cuda: bool) -> list[Event]:
    """The events of ``runs`` runs, after one for warming up."""
    activity = torch.profiler.ProfilerActivity
    activities = [activity.CPU, activity.CUDA] if cuda else [activity.CPU]
    with torch.no_grad():
        run()
        with torch.profiler.profile(activities=activities) as profiler:
            for _ in range(runs):
                run()
    return plain_events(profiler.events())


def plain_events(found: Iterable[Any]) -> list[Event]:
    """The profiler's operators as plain data, each after the one it happened in."""
    events: list[Event] = []
    place: dict[int, int] = {}
    # A GPU's own kernels are events, too; their time is in that of the operator that started them.
    operators = [
        event for event in found if event.name.startswith("aten::") and event.device_type.name == "CPU"
    ]
    for event in sorted(operators, key=lambda event: (event.time_range.start, -event.time_range.end)):
        around = event.cpu_parent
        while around is not None and around.id not in place:
            around = around.cpu_parent
        place[event.id] = len(events)
        events.append(
            Event(
                op=event.name,
                parent=None if around is None else place[around.id],
                cpu_ns=round(1000 * event.cpu_time_total),
                device_ns=round(1000 * event.device_time_total),
            )
        )
    return events


def weights_of(parameters: Iterable[tuple[str, str, int]]) -> list[Weights]:
    """Device, element type and count of numbers of each parameter, grouped."""
    tensors: Counter[tuple[str, str]] = Counter()
    numbers: Counter[tuple[str, str]] = Counter()
    for device, dtype, count in parameters:
        tensors[device, dtype] += 1
        numbers[device, dtype] += count
    return [Weights(*kind, tensors=tensors[kind], numbers=numbers[kind]) for kind in sorted(tensors)]


def dtype_name(dtype: object) -> str:
    """Torch's name of an element type without its own."""
    return str(dtype).removeprefix("torch.")


def _place(torch: Any, value: Any) -> str | None:
    """The device of the first tensor in a value; a number that was read from a tensor has none."""
    if isinstance(value, torch.Tensor):
        return str(value.device.type)
    if isinstance(value, list | tuple):
        return next((place for item in value if (place := _place(torch, item)) is not None), None)
    return None


def _without_overload(operator: str) -> str:
    return operator.partition(".")[0]

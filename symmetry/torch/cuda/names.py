"""The names of ``torch.cuda`` and ``torch.accelerator``: trivial objects, zeros, and a device."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import torch

from symmetry.base.patches import Patch
from symmetry.torch.cuda.refusing import refuse
from symmetry.torch.cuda.uses import Uses

_MEMORY = 80 << 30  # bytes of the device that a script sees
_CAPABILITY = 8, 0
_NAME = "CPU in place of CUDA"
# Seeds of a GPU's generator change nothing: to seed the CPU's would repeat batches.
_NOTHING = (
    "_lazy_init init set_device synchronize empty_cache ipc_collect reset_peak_memory_stats "
    "reset_max_memory_allocated reset_max_memory_cached reset_accumulated_memory_stats "
    "set_per_process_memory_fraction manual_seed manual_seed_all seed seed_all set_stream "
    "set_sync_debug_mode check_error _sleep"
)
_ZERO = (
    "current_device memory_allocated max_memory_allocated memory_reserved max_memory_reserved "
    "memory_cached max_memory_cached utilization memory_usage temperature power_draw clock_rate"
)
_OF_ACCELERATOR = {
    "current_device_index": 0,
    "current_device_idx": 0,
    "synchronize": None,
    "set_device_index": None,
    "set_device_idx": None,
    "set_stream": None,
    "empty_cache": None,
    "reset_peak_memory_stats": None,
    "reset_accumulated_memory_stats": None,
    "memory_allocated": 0,
    "max_memory_allocated": 0,
    "memory_reserved": 0,
    "max_memory_reserved": 0,
    "is_available": True,
    "current_accelerator": torch.device("cuda"),
}


def patches(uses: Uses) -> Iterator[Patch]:
    """Yield what is replaced: owner, name, and the replacement."""
    stream = _Stream()
    answers: dict[str, Any] = {
        **dict.fromkeys(_NOTHING.split()),
        **dict.fromkeys(_ZERO.split(), 0),
        "is_available": True,
        "is_bf16_supported": True,
        "is_current_stream_capturing": False,
        "can_device_access_peer": False,
        "mem_get_info": (_MEMORY, _MEMORY),
        "memory_summary": "",
        "get_device_name": _NAME,
        "get_device_capability": _CAPABILITY,
        "get_arch_list": [],
        "get_device_properties": _properties(),
        "current_stream": stream,
        "default_stream": stream,
        "cudart": SimpleNamespace(
            **dict.fromkeys(("cudaProfilerStart", "cudaProfilerStop"), lambda: None)
        ),
    }
    for name, answer in answers.items():
        yield torch.cuda, name, _answering(answer)
    for name, answer in (*_OF_ACCELERATOR.items(), ("current_stream", stream)):
        if hasattr(torch.accelerator, name):
            yield torch.accelerator, name, _answering(answer)
    yield from _random_states()
    yield from _streams(uses, stream)
    for owner in (torch.cuda, torch.accelerator):
        yield owner, "device_count", _count
    for name in ("range_push", "range_pop", "range_start", "range_end", "mark"):
        yield torch.cuda.nvtx, name, _answering(None)
    yield torch.cuda.nvtx, "range", lambda *_, **__: nullcontext()
    yield torch.cuda.profiler, "start", _answering(None)
    yield torch.cuda.profiler, "stop", _answering(None)
    yield torch.cuda, "memory_stats", lambda *_: defaultdict(int)
    yield torch.version, "cuda", "0.0"
    yield torch.backends.cudnn, "is_available", _answering(True)
    yield torch.backends.cudnn, "version", _answering(90000)


def _count() -> int:
    """Return the number of devices: each rank of this machine has one."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _answering(answer: Any) -> Any:
    return lambda *_, **__: answer


def _properties() -> SimpleNamespace:
    major, minor = _CAPABILITY
    return SimpleNamespace(
        name=_NAME,
        total_memory=_MEMORY,
        major=major,
        minor=minor,
        multi_processor_count=108,
        warp_size=32,
        L2_cache_size=40 << 20,
    )


def _random_states() -> Iterator[Patch]:
    """Yield the states of CUDA's generators: what they draw comes from the CPU's."""

    def set_all(states: Any) -> None:
        for state in states[:1]:
            torch.set_rng_state(state)

    yield torch.cuda, "initial_seed", torch.initial_seed
    yield torch.cuda, "get_rng_state", lambda *_: torch.get_rng_state()
    yield torch.cuda, "get_rng_state_all", lambda: [torch.get_rng_state()]
    yield torch.cuda, "set_rng_state", lambda state, *_, **__: torch.set_rng_state(state)
    yield torch.cuda, "set_rng_state_all", set_all


def _streams(uses: Uses, stream: _Stream) -> Iterator[Patch]:
    class Stream(_Stream):
        def __init__(self, *_: Any, **__: Any) -> None:
            uses.add("streams")

    def graph(*_: Any, **__: Any) -> None:
        refuse("captures a CUDA graph, and the CPU has no such thing")

    for name in ("device", "device_of", "_DeviceGuard"):
        yield torch.cuda, name, _Scope
    yield torch.accelerator, "device_index", _Scope
    yield torch.cuda, "Stream", Stream
    yield torch.cuda, "ExternalStream", Stream
    yield torch.cuda, "Event", _Event
    yield torch.cuda, "stream", lambda given: given or stream
    yield torch.cuda, "CUDAGraph", graph
    yield torch.cuda, "graph", graph
    yield torch.cuda, "make_graphed_callables", lambda callables, *_, **__: callables


class _Scope:
    """A block in which another device, or another stream, is the current one."""

    idx = prev_idx = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Stream(_Scope):
    """A stream on which everything is done at once."""

    device = torch.device("cuda", 0)
    cuda_stream = stream_id = priority = 0

    def synchronize(self) -> None:
        pass

    def wait_stream(self, stream: Any) -> None:
        pass

    def wait_event(self, event: Any) -> None:
        pass

    def query(self) -> bool:
        return True

    def is_capturing(self) -> bool:
        return False

    def record_event(self, event: Any = None) -> Any:
        event = event or _Event()
        event.record()
        return event


class _Event:
    """An event of a stream, with the time at which it is recorded."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.time = time.perf_counter()

    def record(self, *_: Any) -> None:
        self.time = time.perf_counter()

    def wait(self, *_: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def query(self) -> bool:
        return True

    def elapsed_time(self, end: Any) -> float:
        return max(1e-3, 1e3 * float(end.time - self.time))

"""The names of ``torch.cuda``, ``torch.accelerator`` and ``torch.backends.cuda`` on the CPU.

Three kinds of names are replaced, in each module that has them:

    names with an answer        trivial objects, zeros, and one device
    names that work without     as they are, such as torch.backends.cuda.flash_sdp_enabled
    all others                  raise as ever, or say that the CPU has no such thing
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import wraps
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from symmetry.base.patches import Patch
from symmetry.torch.cuda.refusing import refuse
from symmetry.torch.cuda.uses import Uses

_MEMORY = 80 << 30  # bytes of the device that a script sees
_CAPABILITY = 8, 0
_NAME = "CPU in place of CUDA"
_SUITES = "torch.cuda", "torch.accelerator", "torch.backends.cuda"
_ON_DEMAND = "torch.cuda.comm", "torch.cuda.nccl"  # PyTorch imports them with a script's use
_BY_DEVICE = RuntimeError, AssertionError, AttributeError, ImportError, OSError, TypeError
# Their classes are for a GPU only; those of other modules work, or are types of tensors.
_WITH_CLASSES = "torch.cuda.memory", "torch.cuda.green_contexts", "torch.cuda.gds"
# Seeds of a GPU's generator change nothing: to seed the CPU's would repeat batches.
_NOTHING = (
    "_lazy_init init set_device synchronize empty_cache empty_host_cache ipc_collect "
    "reset_peak_memory_stats reset_max_memory_allocated reset_max_memory_cached "
    "reset_accumulated_memory_stats reset_accumulated_host_memory_stats "
    "reset_peak_host_memory_stats set_per_process_memory_fraction caching_allocator_enable "
    "manual_seed manual_seed_all seed seed_all set_stream set_sync_debug_mode check_error _sleep "
    "set_device_index set_device_idx"
)
_ZERO = (
    "current_device current_device_index current_device_idx memory_allocated max_memory_allocated "
    "memory_reserved max_memory_reserved memory_cached max_memory_cached device_memory_used "
    "utilization memory_usage temperature power_draw clock_rate get_sync_debug_mode"
)
_TRUE = "is_available is_built is_initialized is_bf16_supported is_tf32_supported"
_FALSE = "is_current_stream_capturing can_device_access_peer"


def patches(uses: Uses) -> Iterator[Patch]:
    """Yield what is replaced: owner, name, and the replacement."""
    for name in _ON_DEMAND:
        import_module(name)
    answers = _answers(uses)
    for module in _modules():
        for name in {*vars(module)} & answers.keys():
            yield module, name, answers[name]
        for name in _public(module) - answers.keys():
            yield module, name, _refusing(module, name)
    yield torch.accelerator, "current_accelerator", _answering(torch.device("cuda"))
    yield torch.cuda, "default_generators", (torch._C.Generator(),)
    yield torch.cuda.nccl, "version", _answering((2, 21, 5))
    for name in ("range_push", "range_pop", "range_start", "range_end", "mark"):
        yield torch.cuda.nvtx, name, _answering(None)
    yield torch.cuda.nvtx, "range", lambda *_, **__: nullcontext()
    yield torch.cuda.profiler, "start", _answering(None)
    yield torch.cuda.profiler, "stop", _answering(None)
    yield torch, "Stream", answers["Stream"]
    yield torch, "Event", answers["Event"]
    yield torch.version, "cuda", "0.0"
    yield torch.backends.cudnn, "is_available", _answering(True)
    yield torch.backends.cudnn, "version", _answering(90000)
    # The CPU lacks kernels that a script may choose: then the one that it has computes the same.
    plain = torch._C._set_sdp_use_math
    yield torch._C, "_set_sdp_use_math", lambda _: plain(True)


def _answers(uses: Uses) -> dict[str, Any]:
    """Return the replacements of names, in whichever module they are."""
    stream = _Stream()
    answers: dict[str, Any] = {
        **dict.fromkeys(_NOTHING.split()),
        **dict.fromkeys(_ZERO.split(), 0),
        **dict.fromkeys(_TRUE.split(), True),
        **dict.fromkeys(_FALSE.split(), False),
        "mem_get_info": (_MEMORY, _MEMORY),
        "get_memory_info": (_MEMORY, _MEMORY),
        "get_per_process_memory_fraction": 1.0,
        "get_allocator_backend": "native",
        "memory_summary": "",
        "list_gpu_processes": "GPU:0\nno processes are running",
        "get_device_name": _NAME,
        "get_device_capability": _CAPABILITY,
        "get_gencode_flags": "",
        "get_device_properties": _properties(),
        "current_stream": stream,
        "default_stream": stream,
        "cudart": SimpleNamespace(
            **dict.fromkeys(("cudaProfilerStart", "cudaProfilerStop"), lambda: None)
        ),
    }
    return {
        **{name: _answering(answer) for name, answer in answers.items()},
        "get_arch_list": lambda: ["sm_80"],
        "memory_snapshot": lambda *_, **__: [],
        **dict.fromkeys(("memory_stats", "host_memory_stats"), lambda *_, **__: defaultdict(int)),
        **dict.fromkeys(
            ("memory_stats_as_nested_dict", "host_memory_stats_as_nested_dict"),
            lambda *_, **__: _nested(),
        ),
        "device_count": _count,
        **_random_states(),
        **_streams(uses, stream),
    }


def _modules() -> list[ModuleType]:
    """Return the modules with names of CUDA, as far as they are imported."""
    return [
        module
        for name, module in [*sys.modules.items()]
        if isinstance(module, ModuleType)
        and any(name == suite or name.startswith(f"{suite}.") for suite in _SUITES)
        and "._" not in name
    ]


def _public(module: ModuleType) -> set[str]:
    """Return the functions of a module that a script may call, and classes that it may make."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and str(getattr(value, "__module__", "")).startswith(_SUITES)
        and (not isinstance(value, type) or value.__module__ in _WITH_CLASSES)
    }


def _refusing(module: ModuleType, name: str) -> Any:
    """Return a function that says, if this one does not work, that the CPU has no such thing."""
    plain = getattr(module, name)
    why = f"uses {module.__name__}.{name}, of which the CPU has no counterpart"
    if isinstance(plain, type):
        return type(name, (plain,), {"__new__": lambda *_, **__: refuse(why)})

    @wraps(plain)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return plain(*args, **kwargs)
        except _BY_DEVICE as error:
            if isinstance(error, TypeError) and "cuda" not in str(error).lower():
                raise
            refuse(why, error)

    return called


def _nested() -> defaultdict[str, Any]:
    """Return a dictionary of statistics: each of its entries is 0, and has entries itself."""
    return _Statistics(_nested)


class _Statistics(defaultdict[str, Any]):
    """An entry of nested statistics, which is the number 0 as well."""

    def __int__(self) -> int:
        return 0

    __index__ = __int__

    def __float__(self) -> float:
        return 0.0


def _count(*_: Any) -> int:
    """Return the number of devices: each rank of this machine has one."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _answering(answer: Any) -> Callable[..., Any]:
    return lambda *_, **__: answer


def _properties() -> SimpleNamespace:
    """Return the properties of a device: those of an A100, which has the memory and capability."""
    major, minor = _CAPABILITY
    return SimpleNamespace(
        name=_NAME,
        total_memory=_MEMORY,
        major=major,
        minor=minor,
        multi_processor_count=108,
        max_threads_per_multi_processor=2048,
        max_threads_per_block=1024,
        regs_per_multiprocessor=65536,
        shared_memory_per_block=48 << 10,
        shared_memory_per_block_optin=163 << 10,
        shared_memory_per_multiprocessor=164 << 10,
        warp_size=32,
        L2_cache_size=40 << 20,
        clock_rate=1410000,
        memory_clock_rate=1215000,
        memory_bus_width=5120,
        is_integrated=0,
        is_multi_gpu_board=0,
        gcnArchName="",
        pci_bus_id=0,
        pci_device_id=0,
        pci_domain_id=0,
        uuid=uuid.UUID(int=0),
    )


def _random_states() -> dict[str, Callable[..., Any]]:
    """Return the states of CUDA's generators: what they draw comes from the CPU's."""

    def set_all(states: Any) -> None:
        for state in [*states][:1]:
            torch.set_rng_state(state)

    return {
        "initial_seed": torch.initial_seed,
        "get_rng_state": lambda *_, **__: torch.get_rng_state(),
        "get_rng_state_all": lambda: [torch.get_rng_state()],
        "set_rng_state": lambda new_state, *_, **__: torch.set_rng_state(new_state),
        "set_rng_state_all": set_all,
    }


def _streams(uses: Uses, stream: _Stream) -> dict[str, Any]:
    class Stream(_Stream):
        def __init__(self, *_: Any, **__: Any) -> None:
            uses.add("streams")

    def graph(*_: Any, **__: Any) -> None:
        refuse("captures a CUDA graph, and the CPU has no such thing")

    return {
        **dict.fromkeys(("device", "device_of", "_DeviceGuard", "device_index"), _Scope),
        **dict.fromkeys(("Stream", "ExternalStream"), Stream),
        "get_stream_from_external": lambda *_, **__: stream,
        "Event": _Event,
        **dict.fromkeys(("stream", "StreamContext"), lambda given: given or stream),
        **dict.fromkeys(("CUDAGraph", "graph", "Graph"), graph),
        "make_graphed_callables": lambda callables, *_, **__: callables,
    }


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

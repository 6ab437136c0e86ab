"""Every public name of CUDA, called as its signature says: it answers, or it is refused."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.cuda.comm
import torch.cuda.nccl
import torch.nested
import torch.signal.windows
from torch import nn

from symmetry.base.errors import NotCheckable
from symmetry.torch.cuda.cuda_on_cpu import CudaOnCpu

SUITES = "torch.cuda", "torch.accelerator", "torch.backends.cuda"
VALUES: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("tensor", "out"), lambda: torch.ones(2)),
    **dict.fromkeys(("tensors", "inputs", "outputs"), lambda: [torch.ones(2)]),
    **dict.fromkeys(("device", "device_index", "target_device", "destination"), lambda: 0),
    **dict.fromkeys(("devices", "target_gpus"), lambda: [0]),
    "new_state": torch.get_rng_state,
    "new_states": lambda: [torch.get_rng_state()],
    "enabled": lambda: True,
    "fraction": lambda: 0.5,
    **dict.fromkeys(("fwd", "bwd"), lambda: len),
}
# Of C++, or of arguments that only other names of CUDA make.
WITHOUT_ARGUMENTS = {
    "SDPAParams",
    "can_use_cudnn_attention",
    "can_use_efficient_attention",
    "can_use_flash_attention",
    "CudaError",
}
# The GPU answers, and scripts go on with the answer: here as well.
ANSWERED = (
    "is_available is_initialized device_count current_device get_device_name get_rng_state "
    "get_device_properties get_device_capability memory_allocated memory_stats memory_snapshot "
    "memory_summary mem_get_info max_memory_allocated reset_peak_memory_stats set_device "
    "synchronize empty_cache manual_seed_all set_rng_state_all current_stream Stream Event "
    "broadcast reduce_add nccl.version sdp_kernel FloatStorage is_tf32_supported utilization"
)


def names() -> Iterator[tuple[str, str]]:
    """Yield the public functions and classes of these modules."""
    for module in [*sys.modules]:
        if any(f"{module}.".startswith(f"{suite}.") for suite in SUITES) and "._" not in module:
            for name, value in vars(sys.modules[module]).items():
                of = str(getattr(value, "__module__", ""))
                own = of.startswith((*SUITES, "torch.nn.parallel"))
                if not name.startswith("_") and callable(value) and own:
                    yield module, name


def arguments(function: Any) -> list[Any]:
    """Return arguments that a signature allows."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return []
    several = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    needed = [
        p
        for p in signature.parameters.values()
        if p.kind not in (*several, p.KEYWORD_ONLY)
        and (p.default is p.empty or (p.name in VALUES and p.name != "out"))
    ]
    kinds = {"str": "x", str: "x"}
    return [VALUES.get(p.name, lambda p=p: kinds.get(p.annotation, 1))() for p in needed]


def outcome(module: str, name: str, values: list[Any]) -> str:
    """Return why a call is refused; nothing if it answers."""
    try:
        getattr(sys.modules[module], name)(*values)
    except NotCheckable as error:
        return str(error)
    return ""


@pytest.mark.filterwarnings("ignore")
def test_each_public_name_answers_or_is_refused_by_a_sentence():
    found = [
        (module, name, arguments(getattr(sys.modules[module], name))) for module, name in names()
    ]
    with CudaOnCpu().entered():
        outcomes = {
            f"{module}.{name}": outcome(module, name, values)
            for module, name, values in found
            if name not in WITHOUT_ARGUMENTS
        }
    answered = {each for each, why in outcomes.items() if not why}
    whys = [why for why in outcomes.values() if why]
    assert all(why.startswith("tests/torch/cuda/test_walk.py:") for why in whys)
    assert len(outcomes) > 200
    for name in ANSWERED.split():
        assert any(each.endswith(f".{name}") for each in answered), name
    refused = {each for each in outcomes if each not in answered}
    assert {"torch.cuda.CUDAGraph", "torch.cuda.MemPool", "torch.cuda.tunable.enable"} <= refused


POSITIONAL = (
    (),
    (3,),
    (2, 2),
    ((2, 2),),
    (0, 3),
    (0.0, 1.0, 3),
    (3, (2, 2)),
    (0, 3, (2, 2)),
    ([[1.0, 2.0], [3.0, 4.0]],),
    ((2, 2), 1.0),
    ((2, 2), (2, 1)),
    (0.0, 1.0, (2, 2)),
    (4, 4, 4),
    (4, 4, 2, 2),
    ([0, 1, 2], [0, 1], [1.0, 2.0]),
    ([[0, 1]], [1.0, 2.0]),
    (4, [2, 4]),
)
OF_TENSORS = ((), (1.0,), ((2, 2),), ((2, 2), (2, 1)), (torch.ones(2, 2),))
OWNERS = (torch, torch.fft, torch.signal.windows, torch.nested, torch.Tensor, nn, nn.Module)
# They hold a device, or nothing is on it.
OTHERS = {"get_device_module", "from_dlpack", "set_default_device", "from_file"}


def taking_a_device() -> Iterator[tuple[Any, str]]:
    """Yield the functions that have an argument of that name, and their owners."""
    for owner in OWNERS:
        for name in dir(owner):
            value = getattr(owner, name)
            if callable(value) and not name.startswith("_") and name not in OTHERS:
                try:
                    takes = "device" in inspect.signature(value).parameters
                except (TypeError, ValueError):
                    takes = "device=" in str(value.__doc__)
                if takes and not name.endswith("Storage"):
                    yield owner, name


def first_arguments(owner: Any, name: str) -> tuple[Any, ...] | None:
    """Return arguments with which a function makes or moves something on the CPU, if any do."""
    me = {torch.Tensor: (torch.ones(2, 2),), nn.Module: (nn.Linear(2, 2),)}.get(owner, ())
    tensor = torch.ones(2, 2)
    for values in (*POSITIONAL, *((tensor, *each) for each in OF_TENSORS)):
        try:
            getattr(owner, name)(*me, *values, device="cpu")
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError):
            continue
        return *me, *values
    return None


def test_each_function_with_a_device_takes_cuda():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [(*each, first_arguments(*each)) for each in taking_a_device()]
        known = [each for each in found if each[2] is not None]
        assert len(known) > 90
        with CudaOnCpu().entered():
            for device in ("cuda", torch.device("cuda", 0), 0):
                for owner, name, values in known:
                    getattr(owner, name)(*values, device=device)

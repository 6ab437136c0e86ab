"""Settings of PyTorch that must not matter to a training, each turned for a while.

Each is a context that yields what tells, afterwards, whether there was anything to turn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import checkpoint

from symmetry.torch.objects import Objects

_SMALLER = 2.0**-6  # of a loss scale

Turned = Callable[[], bool]


def frames() -> int:
    """Return how many frames torch.compile has looked at in this process."""
    dynamo = sys.modules.get("torch._dynamo")
    return 0 if dynamo is None else int(dynamo.utils.counters["frames"]["total"])


@contextmanager
def _eager(_: Objects) -> Iterator[Turned]:
    """Run what torch.compile has compiled as it is written."""
    compiled = frames() > 0
    with ExitStack() as stack:
        if compiled:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield lambda: compiled


@contextmanager
def _loops(objects: Objects) -> Iterator[Turned]:
    """Let optimisers go through parameters one by one, or all at once if they go one by one."""
    groups = [g for o in objects.optimizers.values() for g in o.param_groups if "foreach" in g]
    groups = [g for g in groups if not g.get("differentiable")]
    for group in groups:
        together = bool(group["foreach"] or group.get("fused"))
        group["foreach"] = not together
        if "fused" in group:
            group["fused"] = False
    yield lambda: bool(groups)


@contextmanager
def _scale(objects: Objects) -> Iterator[Turned]:
    """Make the scale of the loss smaller."""
    scalers = [s for s in objects.extras.values() if isinstance(s, torch.amp.GradScaler)]
    scalers = [scaler for scaler in scalers if scaler.is_enabled()]
    for scaler in scalers:
        saved = scaler.state_dict()
        scaler.load_state_dict({**saved, "scale": saved["scale"] * _SMALLER})
        scaler._init_scale = saved["scale"] * _SMALLER  # of which it makes a tensor
    yield lambda: bool(scalers)


@contextmanager
def _attention(_: Objects) -> Iterator[Turned]:
    """Compute attention by products and a softmax."""
    calls: list[None] = []
    attend = nn.functional.scaled_dot_product_attention

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        return attend(*args, **kwargs)

    with (
        patch.object(nn.functional, "scaled_dot_product_attention", counted),
        sdpa_kernel(SDPBackend.MATH),
    ):
        yield lambda: bool(calls)


@contextmanager
def _checkpoint(_: Objects) -> Iterator[Turned]:
    """Let checkpointing keep what the forward makes, instead of computing it again."""
    calls: list[None] = []

    def keep(*_: Any, **__: Any) -> Iterator[None]:
        calls.append(None)
        yield

    def call(function: Callable[..., Any], _: bool, *args: Any) -> Any:
        calls.append(None)
        return function(*args)

    with (
        patch.object(checkpoint, "_checkpoint_without_reentrant_generator", keep),
        patch.object(checkpoint, "CheckpointFunction", SimpleNamespace(apply=call)),
    ):
        yield lambda: bool(calls)


@contextmanager
def _kernels(objects: Objects) -> Iterator[Turned]:
    """Compute convolutions, and on a GPU whatever cuDNN does, by PyTorch's own kernels."""
    there = any(isinstance(m, nn.modules.conv._ConvNd) for m in objects.model.modules())
    there = there or any(parameter.is_cuda for parameter in objects.model.parameters())
    before, *_ = torch.backends.mkldnn.set_flags(False)
    try:
        with torch.backends.cudnn.flags(enabled=False, allow_tf32=False):
            yield lambda: there
    finally:
        torch.backends.mkldnn.set_flags(before)


@contextmanager
def _threads(_: Objects) -> Iterator[Turned]:
    """Take two threads instead of one, or one instead of several."""
    before = torch.get_num_threads()
    torch.set_num_threads(2 if before == 1 else 1)
    try:
        yield lambda: True
    finally:
        torch.set_num_threads(before)


SETTINGS: Mapping[str, Callable[[Objects], Any]] = {
    "eager": _eager,
    "loops": _loops,
    "scale": _scale,
    "attention": _attention,
    "checkpoint": _checkpoint,
    "kernels": _kernels,
    "threads": _threads,
}

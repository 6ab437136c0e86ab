"""Settings of PyTorch that must not matter to a training, each changed for a while.

Each is a context that yields a function: it returns, afterwards, whether there was anything to
change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import checkpoint

from symmetry.observe.source_line import SourceLine
from symmetry.torch.compiler import frames
from symmetry.torch.creation import creation_of
from symmetry.torch.objects import Objects
from symmetry.torch.parts.recomputing import GENERATOR
from symmetry.training.capabilities.platform import ALL, Configuring

_SMALLER = 2.0**-6  # of a loss scale
_DROPPING = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout")

Changed = Callable[[], bool]


@contextmanager
def _eager(_: Objects) -> Iterator[Changed]:
    """Run what torch.compile has compiled as it is written."""
    compiled = frames() > 0
    with ExitStack() as stack:
        if compiled:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield lambda: compiled


@contextmanager
def _drawing_as_eager(_: Objects) -> Iterator[Changed]:
    """Let what torch.compile has compiled draw the same random numbers as eager code."""
    from torch._inductor import config

    with config.patch(fallback_random=True):
        yield lambda: True


@contextmanager
def _undropped(_: Objects) -> Iterator[Changed]:
    """Let PyTorch's functions drop nothing, where code is compiled, too."""
    with ExitStack() as stack:
        for name in _DROPPING:
            stack.enter_context(patch.object(nn.functional, name, lambda x, *_, **__: x))
        yield lambda: True


@contextmanager
def _loops(objects: Objects) -> Iterator[Changed]:
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
def _scale(objects: Objects) -> Iterator[Changed]:
    """Make the scale of the loss smaller."""
    scalers = [s for s in objects.extras.values() if isinstance(s, torch.amp.GradScaler)]
    scalers = [scaler for scaler in scalers if scaler.is_enabled()]
    for scaler in scalers:
        saved = scaler.state_dict()
        scaler.load_state_dict({**saved, "scale": saved["scale"] * _SMALLER})
        scaler._init_scale = saved["scale"] * _SMALLER  # of which it makes a tensor
    yield lambda: bool(scalers)


@contextmanager
def _attention(_: Objects) -> Iterator[Changed]:
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
def _checkpoint(_: Objects) -> Iterator[Changed]:
    """Let checkpointing keep what the forward makes, instead of computing it again."""
    calls: list[None] = []

    def keep(*_: Any, **__: Any) -> Iterator[None]:
        calls.append(None)
        yield

    def call(function: Callable[..., Any], _: bool, *args: Any) -> Any:
        calls.append(None)
        return function(*args)

    with (
        patch.object(checkpoint, GENERATOR, keep),
        patch.object(checkpoint, "CheckpointFunction", SimpleNamespace(apply=call)),
    ):
        yield lambda: bool(calls)


@contextmanager
def _kernels(objects: Objects) -> Iterator[Changed]:
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
def _threads(_: Objects) -> Iterator[Changed]:
    """Take two threads instead of one, or one instead of several."""
    before = torch.get_num_threads()
    torch.set_num_threads(2 if before == 1 else 1)
    try:
        yield lambda: True
    finally:
        torch.set_num_threads(before)


@contextmanager
def _inplace(objects: Objects, part: slice = ALL) -> Iterator[Changed]:
    """Let modules return new tensors, and leave those that they are given as they are."""
    modules = _working_in_place(objects)[part]
    for module in modules:
        module.inplace = False
    try:
        yield lambda: bool(modules)
    finally:
        for module in modules:
            module.inplace = True


def _working_in_place(objects: Objects) -> list[Any]:
    return [m for m in objects.model.modules() if getattr(m, "inplace", False) is True]


SETTINGS: Mapping[str, Callable[..., Any]] = {
    "eager": _eager,
    "drawing-as-eager": _drawing_as_eager,
    "undropped": _undropped,
    "loops": _loops,
    "scale": _scale,
    "attention": _attention,
    "checkpoint": _checkpoint,
    "inplace": _inplace,
    "kernels": _kernels,
    "threads": _threads,
}


class TorchSettings(Configuring):
    """Changes settings of PyTorch while a run takes steps."""

    settings = frozenset(SETTINGS)
    rare = frozenset({"scale", "attention", "checkpoint", "inplace", "kernels"})

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def with_setting(self, setting: str, part: slice = ALL) -> AbstractContextManager[Changed]:
        """Change a setting, one of ``SETTINGS``, while the block runs."""
        parts = () if part == ALL else (part,)
        context: AbstractContextManager[Changed] = SETTINGS[setting](self._objects, *parts)
        return context

    def in_place(self) -> list[SourceLine]:
        """Return the lines at which the modules were made that work in place."""
        return [creation_of(module).place for module in _working_in_place(self._objects)]
